package engine

import "slices"

// A clause is a condition that a query cannot do without: one of its terms
// must be there or, of a denial, none. The likeliest to fail is the query's
// anchor: the query is looked at only when one of the anchor's terms is there.

const (
	maxClauses = 3 // beside the anchor, tested before a query is evaluated
	maxIDs     = 4 // terms of such a clause
)

type clause struct {
	from, to int // of clauses.ids
	odds     float32
	deny     bool
}

// clauses is where the clauses of one query are gathered.
type clauses struct {
	all []clause
	ids []uint32
}

// advert makes a term tell of a bag's member, or of a query of a side lane.
type advert struct {
	term uint32
	post [2]uint32
	more []uint32
}

// termOdds is how probably an item has a term. What very many queries look for
// is what this house's items are about.
func (b *Builder) termOdds(t uint32) float32 {
	x := &b.p.terms[t]
	odds := b.odds[x.leaf]
	if x.mask&(1<<Content) == 0 && b.p.leaves[x.leaf].kind != bagLeaf {
		odds /= 5
	}
	if n := len(b.p.roots[Rules]); n > 100 {
		odds += float32(b.uses[t]) / float32(n)
	}
	return min(odds, 0.99)
}

// gather appends the necessary clauses of r and tells whether they decide it.
func (b *Builder) gather(r Ref) (decided bool) {
	c := &b.clauses
	switch r & kindMask {
	case kindTerm:
		t := r.index()
		c.ids = append(c.ids, t)
		c.all = append(c.all, clause{from: len(c.ids) - 1, to: len(c.ids), odds: b.termOdds(t)})
		return b.sure(r)
	case kindFact:
		return false
	}
	n := &b.p.nodes[r]
	kids := b.p.kids[n.kid : n.kid+n.kids]
	switch n.op {
	case opAnd:
		decided = true
		for _, k := range kids {
			decided = b.gather(k) && decided
		}
		return decided
	case opOr:
		return b.union(kids)
	case opNot:
		at := len(c.all)
		if b.gather(kids[0]) && len(c.all) == at+1 && !c.all[at].deny && c.all[at].to-c.all[at].from <= maxIDs {
			c.all[at].deny = true
			c.all[at].odds = 1 - c.all[at].odds
			return true
		}
		c.all = c.all[:at]
		return false
	case opSome:
		b.someOf(kids, int(n.n))
	case opExcept, opFirst, opAtleast:
		b.gather(kids[0])
	case opPhrase:
		for i, k := range kids {
			// A syllable may stand inside a word, where it is no term.
			if k != anyWord && (i == 0 || !b.p.syllable(b.p.terms[k.index()].leaf)) {
				b.gather(k)
			}
		}
	default: // distances
		b.gather(kids[0])
		b.gather(kids[1])
	}
	return false
}

// sure tells that the presence of a term decides it.
func (b *Builder) sure(r Ref) bool {
	l := &b.p.leaves[b.p.terms[r.index()].leaf]
	return l.kind != bagLeaf || b.p.bags[l.info].exact
}

// best leaves of the clauses from at on the one that fails likeliest, and
// tells whether it was alone. There may be none.
func (b *Builder) best(at int) (alone, ok bool) {
	c := &b.clauses
	best := -1
	for i := at; i < len(c.all); i++ {
		if !c.all[i].deny && (best < 0 || c.all[i].odds < c.all[best].odds) {
			best = i
		}
	}
	if best < 0 {
		c.all = c.all[:at]
		return false, false
	}
	alone = len(c.all) == at+1
	c.all[at] = c.all[best]
	c.all = c.all[:at+1]
	return alone, true
}

// union appends one clause: that of an OR.
func (b *Builder) union(kids []Ref) (decided bool) {
	c := &b.clauses
	at := len(c.all)
	decided = len(kids) > 0 // else nothing can make it true, which no clause says
	for i, k := range kids {
		sure := b.gather(k)
		alone, ok := b.best(at + i)
		if !ok {
			c.all = c.all[:at]
			return false
		}
		decided = decided && sure && alone
	}
	b.merge(at)
	return decided
}

// merge makes one clause of those from at on.
func (b *Builder) merge(at int) {
	c := &b.clauses
	if len(c.all) == at {
		return
	}
	u := clause{from: len(c.ids)}
	for _, x := range c.all[at:] {
		c.ids = append(c.ids, c.ids[x.from:x.to]...)
		u.odds += x.odds
	}
	u.to = len(c.ids)
	u.odds = min(u.odds, 0.99)
	c.all = append(c.all[:at], u)
}

// someOf appends the clause of n of kids: among any len(kids)-n+1 of them one
// must hold, so the least probable ones are taken.
func (b *Builder) someOf(kids []Ref, n int) {
	c := &b.clauses
	if n > len(kids) || n < 1 {
		return
	}
	at := len(c.all)
	for _, k := range kids {
		here := len(c.all)
		b.gather(k)
		b.best(here) // a kid without any is as probable as can be
	}
	need := len(kids) - n + 1
	if len(c.all)-at < need {
		c.all = c.all[:at]
		return
	}
	slices.SortStableFunc(c.all[at:], func(x, y clause) int { return order(x.odds, y.odds) })
	c.all = c.all[:at+need]
	b.merge(at)
}

func order(x, y float32) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// bag makes one term of many alternatives. It fails when one of them can hold
// without any word being there.
func (b *Builder) bag(refs []Ref, n uint16) (Ref, bool) {
	c := &b.clauses
	was := *c
	*c = clauses{}
	defer func() { *c = was }()
	x := bag{n: n, exact: n <= 1, pure: true, size: uint32(len(refs))}
	if n > 1 {
		for i, r := range refs {
			if slices.Contains(refs[:i], r) {
				return 0, false // it counts twice
			}
		}
	}
	ends := make([]int, len(refs))
	odds := float32(0)
	for i, r := range refs {
		sure := b.gather(r)
		alone, ok := b.best(i)
		if !ok {
			return 0, false
		}
		x.exact = x.exact && sure && alone
		x.pure = x.pure && b.isPure(r)
		odds += c.all[i].odds
		ends[i] = i
	}
	b.p.bags = append(b.p.bags, x)
	l := b.leaf(bagLeaf, uint32(len(b.p.bags)-1))
	b.odds[l] = min(odds, 0.99)
	t := b.term(l, allMask)
	b.p.bags[len(b.p.bags)-1].term = t.index()
	for i, r := range refs {
		for _, id := range c.ids[c.all[i].from:c.all[i].to] {
			bag := uint32(len(b.p.bags) - 1)
			if r == kindTerm|Ref(id) && b.sure(r) {
				bag |= sureBit
			}
			b.adverts = append(b.adverts, advert{term: id, post: [2]uint32{bag, uint32(r)}})
		}
	}
	return t, true
}
