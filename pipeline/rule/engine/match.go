package engine

import (
	"slices"
)

// Match appends the numbers of the queries of a lane that hold, in order. It
// asks facts for what is no word.
func (m *Matcher) Match(l Lane, facts Facts, hits []uint32) []uint32 {
	m.Ask(facts)
	from := len(hits)
	if l == Rules {
		hits = m.rules(hits)
	} else {
		for _, at := range m.sideOf[l] {
			post := m.p.side[at:]
			i := post[0] & sideMask
			if !m.clauses(post) || slices.Contains(hits[from:], i) {
				continue
			}
			if post[0]&decidedBit != 0 || m.holds(m.p.roots[l][i]) {
				hits = append(hits, i)
			}
		}
	}
	for _, i := range m.p.always[l] {
		if m.holds(m.p.roots[l][i]) {
			hits = append(hits, i)
		}
	}
	slices.Sort(hits[from:])
	return hits
}

// Ask says what answers for facts from now on.
func (m *Matcher) Ask(facts Facts) {
	m.facts = facts
	clear(m.answers)
}

// Holds tells whether a part of a query is true.
func (m *Matcher) Holds(r Ref) bool { return m.holds(r) }

// Spans returns where a part of a query stands, in order; good until the next
// Load.
func (m *Matcher) Spans(r Ref) []Span { return m.spans(r) }

// Cut names what limits cut.
func (m *Matcher) Cut(cut []string) []string {
	if m.it.cut {
		cut = append(cut, CutWords)
	}
	if m.cut {
		cut = append(cut, CutPlaces)
	}
	if m.over {
		cut = append(cut, CutSteps)
	}
	return cut
}

func (m *Matcher) rules(hits []uint32) []uint32 {
	p := m.p
	touch := uint32(0) // see Matcher.touched
	for _, r := range m.ranges {
		touch ^= p.posts[r.from]
	}
	m.touched = uint64(touch)
	for _, r := range m.ranges {
		posts := p.posts[r.from:r.to]
		for len(posts) > 0 {
			n := posts[1] & 0xFFFF
			post := posts[:n]
			posts = posts[n:]
			m.postsN++
			if !m.clauses(post) {
				continue
			}
			i := post[0] &^ decidedBit
			if m.judged[i] == m.items {
				continue
			}
			m.judged[i] = m.items
			if post[0]&decidedBit != 0 {
				hits = append(hits, i)
				continue
			}
			m.evals++
			if m.holds(p.roots[Rules][i]) {
				hits = append(hits, i)
			}
		}
	}
	return hits
}

// clauses tells whether the further necessary clauses of a posting hold.
func (m *Matcher) clauses(post []uint32) bool {
	left := post[1] >> 16
	bits := m.bits
	for i := 2; left > 0; left-- {
		w := post[i]
		i++
		if w&manyBit == 0 {
			t := w &^ denyBit
			if (bits[t/64]>>(t%64)&1 != 0) == (w&denyBit != 0) {
				return false
			}
			continue
		}
		n := int(w & 0xFF)
		there := false
		for _, t := range post[i : i+n] {
			if bits[t/64]>>(t%64)&1 != 0 {
				there = true
				break
			}
		}
		if there == (w&denyBit != 0) {
			return false
		}
		i += n
	}
	return true
}

// step counts work. Beyond the limit the operators go on, on fewer places.
func (m *Matcher) step(n int) {
	if m.steps += n; m.steps > MaxSteps {
		m.over = true
	}
}

func (m *Matcher) holds(r Ref) bool {
	switch r & kindMask {
	case kindTerm:
		t := r.index()
		if !m.has(t) {
			return false
		}
		l := &m.p.leaves[m.p.terms[t].leaf]
		return l.kind != bagLeaf || m.bag(l.info)
	case kindFact:
		return m.fact(r)
	}
	n := &m.p.nodes[r]
	kids := m.p.kids[n.kid : n.kid+n.kids]
	m.step(1)
	switch n.op {
	case opOr:
		for _, k := range kids {
			if m.holds(k) {
				return true
			}
		}
		return false
	case opAnd:
		for _, k := range kids {
			if !m.holds(k) {
				return false
			}
		}
		return true
	case opNot:
		return !m.holds(kids[0])
	case opSome:
		return m.some(kids, int(n.n))
	case opAtleast:
		return m.count(kids[0], int(n.n), n.mask != 0) >= int(n.n)
	case opNear, opOnear, opSent, opPara:
		if !m.there(kids[0]) || !m.there(kids[1]) {
			return false
		}
		a, b := m.both(kids)
		return len(b) > 0 && (m.meet(n, a, b) || n.op != opOnear && m.meet(n, b, a))
	}
	return len(m.spans(r)) > 0
}

// both returns where the two parts of a distance stand; b is empty where one
// of them is. The one that is likelier to stand nowhere is looked for first.
func (m *Matcher) both(kids []Ref) (a, b []Span) {
	if kids[1]&kindMask == kindNode && kids[0]&kindMask != kindNode {
		if b = m.spans(kids[1]); len(b) == 0 {
			return nil, nil
		}
		if a = m.spans(kids[0]); len(a) == 0 {
			return nil, nil
		}
		return a, b
	}
	if a = m.spans(kids[0]); len(a) == 0 {
		return nil, nil
	}
	return a, m.spans(kids[1])
}

// there tells whether r may stand somewhere, without looking for places.
func (m *Matcher) there(r Ref) bool { return r&kindMask != kindTerm || m.has(r.index()) }

func (m *Matcher) some(kids []Ref, want int) bool {
	have := 0
	for i, k := range kids {
		if have+len(kids)-i < want {
			return false
		}
		if m.holds(k) {
			have++
		}
	}
	return have >= want
}

// bag asks the members that are there.
func (m *Matcher) bag(at uint32) bool {
	b := &m.p.bags[at]
	if b.exact {
		return true
	}
	x := &m.bags[at]
	if b.n == 0 {
		if x.sure {
			return true
		}
		for i := x.head; i != 0; i = m.links[i-1].next {
			if m.holds(Ref(m.links[i-1].at)) {
				return true
			}
		}
		return false
	}
	have := 0
	for i := x.head; i != 0; i = m.links[i-1].next {
		r := m.links[i-1].at
		again := false
		for j := x.head; j != i; j = m.links[j-1].next { // by several words at once
			if m.step(1); m.links[j-1].at == r {
				again = true
				break
			}
		}
		if !again && m.holds(Ref(r)) {
			if have++; have >= int(b.n) {
				return true
			}
		}
	}
	return false
}

func (m *Matcher) fact(r Ref) bool {
	i := r.index()
	if m.answers[i] == 0 {
		m.answers[i] = 1
		if f := &m.p.facts[i]; m.facts != nil && m.facts.Holds(f.name, f.values) {
			m.answers[i] = 2
		}
	}
	return m.answers[i] == 2
}

// count counts places that do not overlap, up to most. A summary that the
// content repeats does not count twice where both are looked at.
func (m *Matcher) count(r Ref, most int, content bool) int {
	n, end := 0, int32(0)
	spans := m.spans(r)
	repeats := content && len(spans) > 0 && m.it.Repeats()
	m.step(len(spans))
	for _, s := range spans {
		if s.Start < end || repeats && m.it.Field(s.Start) == Summary {
			continue
		}
		n, end = n+1, s.End
		if n == most {
			break
		}
	}
	return n
}
