package engine

import (
	"cmp"
	"slices"
)

// A posting of a rule, in the stream of a term that it waits at:
//
//	rule | decided<<31     the clauses decide it
//	words | clauses<<16    words of the whole posting
//	clause...              term, or many | n then n terms; deny in either
//
// On the side, a bag's member is two words: bag | sure<<30, member; sure says
// that this term is the member. A query of another lane is a posting as above
// with lane<<28 in its first word.
const (
	decidedBit = 1 << 31
	denyBit    = 1 << 30
	manyBit    = 1 << 31
	sureBit    = 1 << 30
	laneShift  = 28
	sideMask   = 1<<laneShift - 1
)

// Program ends the building.
func (b *Builder) Program() *Program {
	p := b.p
	type waiting struct{ term, from, to uint32 }
	var all []waiting
	var posts []uint32
	for lane := range lanes {
		for i, r := range p.roots[lane] {
			from := uint32(len(posts))
			var anchor clause
			var ok bool
			if posts, anchor, ok = b.posting(posts, uint32(i), r); !ok {
				p.always[lane] = append(p.always[lane], uint32(i))
				continue
			}
			post := posts[from:]
			if post[0]&decidedBit != 0 {
				p.stats.Exact++
			}
			for _, id := range b.clauses.ids[anchor.from:anchor.to] {
				if lane == Rules {
					all = append(all, waiting{id, from, uint32(len(posts))})
					continue
				}
				a := advert{term: id, post: [2]uint32{post[0] | uint32(lane+1)<<laneShift, post[1]}, more: slices.Clone(post[2:])}
				b.adverts = append(b.adverts, a)
			}
		}
	}
	n := len(p.terms)
	p.streams = make([]stream, n+1)
	for _, w := range all {
		p.streams[w.term+1].posts += w.to - w.from
	}
	for i := range b.adverts {
		p.streams[b.adverts[i].term+1].side += uint32(2 + len(b.adverts[i].more))
	}
	for i := range n {
		p.streams[i+1].posts += p.streams[i].posts
		p.streams[i+1].side += p.streams[i].side
	}
	p.posts, p.side = make([]uint32, p.streams[n].posts), make([]uint32, p.streams[n].side)
	next := slices.Clone(p.streams)
	for _, w := range all {
		next[w.term].posts += uint32(copy(p.posts[next[w.term].posts:], posts[w.from:w.to]))
	}
	for i := range b.adverts {
		a := &b.adverts[i]
		at := &next[a.term].side
		*at += uint32(copy(p.side[*at:], a.post[:]))
		*at += uint32(copy(p.side[*at:], a.more))
	}
	b.prune()
	b.align()
	p.filter()
	b.trim()
	p.stats.Rules, p.stats.Words, p.stats.Patterns = len(p.roots[Rules]), len(p.words), len(p.patterns)
	p.stats.Terms, p.stats.Bags, p.stats.Nodes, p.stats.Postings = len(p.terms), len(p.bags), len(p.nodes), len(all)
	p.stats.Always, p.stats.Phrases = len(p.always[Rules]), p.edges.n
	return p
}

// lead spreads the first bytes of patterns: most words are sent away by it.
func lead(a, b, c byte) uint32 {
	return (uint32(a)*0x9E3779B1 ^ uint32(b)*0x85EBCA6B ^ uint32(c)*0xC2B2AE35) * 0x27D4EB2F >> (32 - 15)
}

// prune makes Program.twigs: the children of a node side by side.
func (b *Builder) prune() {
	var edges []slot
	for _, e := range b.heads.slots {
		if e.val != 0 {
			edges = append(edges, e)
		}
	}
	slices.SortFunc(edges, func(x, y slot) int { return cmp.Compare(x.key, y.key) })
	number := make([]uint32, len(edges)+1) // that a node has now
	for i, e := range edges {
		number[e.val] = uint32(i + 1)
	}
	p := b.p
	p.twigs, p.labels = make([]twig, len(edges)+1), make([]byte, len(edges)+1)
	for i, e := range edges {
		x := &p.twigs[number[e.key>>8]]
		if x.kids == 0 {
			x.first = uint32(i + 1)
		}
		x.kids++
		p.labels[i+1] = byte(e.key)
	}
	for i, n := range number {
		p.twigs[n].pattern = b.wilds[i]
	}
	b.heads, b.wilds = table{}, nil
	p.third(0, 0, 0)
}

// third makes Program.thirds from a twig at some depth on.
func (p *Program) third(at, depth uint32, head uint64) {
	if depth == 3 {
		p.thirds.put(head, at)
		return
	}
	x := p.twigs[at]
	for i := x.first; i < x.first+x.kids; i++ {
		p.third(i, depth+1, head<<8|uint64(p.labels[i]))
	}
}

// align makes Program.marks: the terms of a leaf side by side.
func (b *Builder) align() {
	p := b.p
	for i := range p.leaves {
		x := &p.leaves[i]
		if !x.more {
			continue
		}
		first := uint32(len(p.marks))
		for t := x.term; t != 0; t = b.more[t-1] {
			p.marks = append(p.marks, mark{term: t - 1, mask: p.terms[t-1].mask})
		}
		p.marks[len(p.marks)-1].last = true
		x.term = first
	}
	b.more = nil
}

// posting appends the posting of a query to stream and returns its anchor,
// whose ids stay in b.clauses until the next.
func (b *Builder) posting(stream []uint32, i uint32, r Ref) ([]uint32, clause, bool) {
	c := &b.clauses
	c.all, c.ids = c.all[:0], c.ids[:0]
	decided := b.gather(r)
	best := -1
	for j := range c.all {
		if !c.all[j].deny && (best < 0 || c.all[j].odds < c.all[best].odds) {
			best = j
		}
	}
	if best < 0 {
		return stream, clause{}, false
	}
	anchor := c.all[best]
	rest := slices.Delete(c.all, best, best+1)
	if len(rest) > 1 {
		slices.SortStableFunc(rest, func(x, y clause) int { return order(x.odds, y.odds) })
	}
	from := len(stream)
	stream = append(stream, i, 0)
	n := 0
	for _, x := range rest {
		ids := c.ids[x.from:x.to]
		if n == maxClauses || len(ids) > maxIDs {
			decided = false
			continue
		}
		n++
		deny := uint32(0)
		if x.deny {
			deny = denyBit
		}
		if len(ids) == 1 {
			stream = append(stream, ids[0]|deny)
			continue
		}
		stream = append(append(stream, manyBit|deny|uint32(len(ids))), ids...)
	}
	if decided {
		stream[from] |= decidedBit
	}
	stream[from+1] = uint32(len(stream)-from) | uint32(n)<<16
	return stream, anchor, true
}

// filter makes Program.pairs: some 16 bits for each edge.
func (p *Program) filter() {
	size := 64
	for size < 16*p.edges.n {
		size *= 2
	}
	p.pairs = make([]uint64, size/64)
	for _, e := range p.edges.slots {
		if e.val != 0 {
			h := place(e.key) >> 32
			p.pairs[h/64%uint64(len(p.pairs))] |= 1 << (h % 64)
		}
	}
}

// maybe tells whether an edge of that hash may be there.
func (p *Program) maybe(h uint64) bool {
	h >>= 32
	return p.pairs[h/64&uint64(len(p.pairs)-1)]>>(h%64)&1 != 0
}

// trim gives back what growing took and counts what is left.
func (b *Builder) trim() {
	p := b.p
	p.words, p.long = slices.Clip(slices.Clone(p.words)), slices.Clone(p.long)
	p.leaves, p.terms, p.nodes, p.kids, p.marks = slices.Clone(p.leaves), slices.Clone(p.terms), slices.Clone(p.nodes), slices.Clone(p.kids), slices.Clone(p.marks)
	p.stats.Bytes = 8*len(p.dict.slots) + 32*len(p.words) + len(p.long) + p.edges.bytes() + 8*len(p.pairs) + 13*len(p.twigs) + p.thirds.bytes() +
		12*len(p.leaves) + 8*(len(p.terms)+len(p.marks)) + 20*len(p.nodes) + 4*len(p.kids) + 4*(len(p.posts)+len(p.side)) + 8*len(p.streams) + 32*len(p.patterns)
}
