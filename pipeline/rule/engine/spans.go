package engine

import (
	"slices"
)

// spans returns where r stands, by start, then end, each place once.
func (m *Matcher) spans(r Ref) []Span {
	var s []Span
	switch r & kindMask {
	case kindTerm:
		s = m.view(r.index())
	case kindNode:
		n := &m.p.nodes[r]
		if n.memo == 0 {
			s = m.nodeSpans(n)
			break
		}
		v := &m.memos[n.memo]
		if v.id != m.items {
			s = m.nodeSpans(n)
			v = &m.memos[n.memo]
			v.id, v.spans = m.items, s
		}
		s = v.spans
	}
	if m.over && len(s) > fewPlaces {
		s = s[:fewPlaces]
	}
	return s
}

// view returns the places of a term, kept for the next one who asks.
func (m *Matcher) view(t uint32) []Span {
	if !m.has(t) {
		return nil
	}
	if i := m.views[t]; int(i) < len(m.viewed) && m.viewed[i].id == t {
		return m.viewed[i].spans
	}
	x := &m.p.terms[t]
	l := &m.p.leaves[x.leaf]
	var s []Span
	if l.kind == bagLeaf {
		s = m.members(l.info)
	} else {
		length := int32(1)
		if l.kind == phraseLeaf {
			length = int32(l.info)
		}
		at := m.tokens(x.leaf)
		var all bool // of them count
		if l.kind == wordLeaf {
			w := m.found(l.info)
			all = w.mask&^x.mask == 0 && w.mask == w.all && !m.hangul(w)
		} else {
			seen := m.saw(x.leaf)
			all = seen.mask&^x.mask == 0 && !seen.inside
		}
		from := len(m.arena)
		for _, i := range at {
			if all || !m.it.scan.Pieces[i].Inside && x.mask>>m.it.Field(i)&1 != 0 {
				m.arena = append(m.arena, Span{i, i + length})
			}
		}
		m.step(len(at))
		s = m.bounded(from)
	}
	m.views[t] = uint32(len(m.viewed))
	m.viewed = append(m.viewed, view{t, s})
	return s
}

// bounded is the arena from a place on, cut where there are too many.
func (m *Matcher) bounded(from int) []Span {
	if len(m.arena)-from > MaxPlaces {
		m.arena = m.arena[:from+MaxPlaces]
		m.cut = true
	}
	return m.arena[from:len(m.arena):len(m.arena)]
}

// tokens returns the tokens at which a leaf begins, in order, also those
// inside a word.
func (m *Matcher) tokens(l uint32) []int32 {
	kind := m.p.leaves[l].kind
	if kind == wordLeaf {
		if w := m.found(m.p.leaves[l].info); w != nil {
			return m.it.places(m.it.table[w.slot] - 1)
		}
		return nil
	}
	i := m.local[l]
	if int(i) >= len(m.seen) || m.seen[i].leaf != l {
		return nil
	}
	x := &m.seen[i]
	if !x.listed {
		from := len(m.ints)
		for n := x.head; n != 0; n = m.links[n-1].next {
			if at := m.links[n-1].at; kind == wildLeaf {
				m.ints = append(m.ints, m.it.places(at)...)
			} else {
				m.ints = append(m.ints, int32(at))
			}
		}
		if s := m.ints[from:]; !slices.IsSorted(s) {
			slices.Sort(s)
		}
		x.from, x.to, x.listed = int32(from), int32(len(m.ints)), true
	}
	return m.ints[x.from:x.to]
}

// found returns a word of the program as the item has it, or nil.
func (m *Matcher) found(id uint32) *found {
	w := &m.p.words[id]
	var long []byte
	if w.text != 0 {
		long = m.p.longText(w)
	}
	return m.it.find(w.key, long)
}

// members joins the places of a bag's members that are there.
func (m *Matcher) members(bag uint32) []Span {
	base := len(m.stack)
	for i := m.bags[bag].head; i != 0; i = m.links[i-1].next {
		if s := m.spans(Ref(m.links[i-1].at)); len(s) > 0 {
			m.stack = append(m.stack, s)
		}
	}
	return m.join(base)
}

// join merges the lists on the stack from base on, and takes them off.
func (m *Matcher) join(base int) []Span {
	lists := m.stack[base:]
	m.stack = m.stack[:base]
	if len(lists) < 2 {
		if len(lists) == 0 {
			return nil
		}
		return lists[0]
	}
	from := len(m.arena)
	for _, s := range lists {
		if room := MaxPlaces*2 - (len(m.arena) - from); len(s) > room {
			s, m.cut = s[:room], true
		}
		m.arena = append(m.arena, s...)
	}
	return m.tidy(from)
}

// tidy sorts the arena from a place on and drops what stands there twice.
func (m *Matcher) tidy(from int) []Span {
	s := m.arena[from:]
	m.step(len(s))
	if !slices.IsSortedFunc(s, compare) {
		slices.SortFunc(s, compare)
	}
	m.arena = m.arena[:from+len(slices.Compact(s))]
	return m.bounded(from)
}

func compare(a, b Span) int {
	if a.Start != b.Start {
		return int(a.Start) - int(b.Start)
	}
	return int(a.End) - int(b.End)
}

func (m *Matcher) nodeSpans(n *node) []Span {
	kids := m.p.kids[n.kid : n.kid+n.kids]
	switch n.op {
	case opOr:
		base := len(m.stack)
		for _, k := range kids {
			if s := m.spans(k); len(s) > 0 {
				m.stack = append(m.stack, s)
			}
		}
		return m.join(base)
	case opNear, opOnear, opSent, opPara:
		if !m.there(kids[0]) || !m.there(kids[1]) {
			return nil
		}
		a, b := m.both(kids)
		if len(b) == 0 {
			return nil
		}
		from := len(m.arena)
		m.pairs(n, a, b, from)
		if n.op != opOnear {
			m.pairs(n, b, a, from)
		}
		return m.tidy(from)
	case opExcept:
		return m.except(m.spans(kids[0]), kids[1])
	case opFirst:
		in := m.spans(kids[0])
		from := len(m.arena)
		for _, s := range in {
			last := &m.it.scan.Pieces[s.End-1]
			if int(last.Unit)+int(last.Width)-int(m.it.first[m.it.Field(s.End-1)]) <= 2*int(n.n) {
				m.arena = append(m.arena, s)
			}
		}
		m.step(len(in))
		return m.bounded(from)
	case opPhrase:
		return m.phrase(n, kids)
	}
	return nil
}

// near tells whether b, which begins behind a, is as near as n says, and
// whether a later one may be.
func (m *Matcher) near(n *node, a, b Span) (fit, more bool) {
	pieces := m.it.scan.Pieces
	last, next := &pieces[a.End-1], &pieces[b.Start]
	switch n.op {
	case opSent:
		s := last.Sentence
		if s != pieces[a.Start].Sentence || next.Sentence > s {
			return false, false
		}
		return s == next.Sentence && s == pieces[b.End-1].Sentence, true
	case opPara:
		s := last.Paragraph
		if s != pieces[a.Start].Paragraph || next.Paragraph > s {
			return false, false
		}
		return s == next.Paragraph && s == pieces[b.End-1].Paragraph, true
	}
	fit = int(next.Unit)-int(last.Unit)-int(last.Width) <= 2*int(n.n)
	return fit, fit
}

// meet tells whether some b stands behind some a as near as n says.
func (m *Matcher) meet(n *node, as, bs []Span) bool {
	j := 0
	for i, a := range as {
		if m.step(1); m.over && i >= fewPlaces {
			return false
		}
		if j > 0 && bs[j-1].Start >= a.End { // ends go up and down where lengths differ
			j = 0
		}
		j = seek(bs, j, a.End)
		for k := j; k < len(bs); k++ {
			fit, more := m.near(n, a, bs[k])
			if fit {
				return true
			}
			if m.step(1); !more || m.over && k-j >= fewPlaces {
				break
			}
		}
	}
	return false
}

// seek returns the first of s, from i on, that begins at start or behind.
func seek(s []Span, i int, start int32) int {
	step := 1
	for i+step <= len(s) && s[i+step-1].Start < start {
		i += step
		step *= 2
	}
	for step > 0 {
		if i+step <= len(s) && s[i+step-1].Start < start {
			i += step
		} else {
			step /= 2
		}
	}
	return i
}

// pairs appends what n brings together, an a before a b.
func (m *Matcher) pairs(n *node, as, bs []Span, from int) {
	j := 0
	for _, a := range as {
		m.step(1)
		if j > 0 && bs[j-1].Start >= a.End {
			j = 0
		}
		j = seek(bs, j, a.End)
		for k := j; k < len(bs); k++ {
			fit, more := m.near(n, a, bs[k])
			if fit {
				if len(m.arena)-from >= 2*MaxPlaces {
					m.cut = true
					return
				}
				m.arena = append(m.arena, Span{a.Start, bs[k].End})
			}
			if m.step(1); !more || m.over && k-j >= fewPlaces {
				break
			}
		}
	}
}

// except drops the places of left that right touches.
func (m *Matcher) except(left []Span, right Ref) []Span {
	if len(left) == 0 || !m.there(right) {
		return left
	}
	not := m.spans(right)
	if len(not) == 0 {
		return left
	}
	m.step(len(left) + len(not))
	from := len(m.arena)
	j, reach := 0, int32(0) // the farthest end of those that begin before a place does
	for _, s := range left {
		for j < len(not) && not[j].Start <= s.Start {
			reach = max(reach, not[j].End)
			j++
		}
		if reach > s.Start || j < len(not) && not[j].Start < s.End {
			continue
		}
		m.arena = append(m.arena, s)
	}
	return m.bounded(from)
}

// phrase finds a phrase that the trie does not hold: at every place of its
// rarest word the others must stand around it, in the same paragraph.
func (m *Matcher) phrase(n *node, kids []Ref) []Span {
	if n.n != 0 {
		for _, k := range kids {
			if k != anyWord && !m.has(k.index()) {
				return nil
			}
		}
	}
	anchor := -1
	var at []int32
	for i, k := range kids {
		if k == anyWord {
			continue
		}
		places := m.tokens(m.p.terms[k.index()].leaf)
		if len(places) == 0 {
			return nil
		}
		if anchor < 0 || len(places) < len(at) {
			anchor, at = i, places
		}
	}
	from := len(m.arena)
	pieces := m.it.scan.Pieces
next:
	for _, i := range at {
		start := i - int32(anchor)
		end := start + int32(len(kids))
		if start < 0 || int(end) > len(pieces) || pieces[start].Inside || pieces[start].Paragraph != pieces[end-1].Paragraph ||
			n.mask>>m.it.Field(start)&1 == 0 {
			continue
		}
		for j, k := range kids {
			if k == anyWord || j == anchor {
				continue
			}
			m.step(1)
			if _, ok := slices.BinarySearch(m.tokens(m.p.terms[k.index()].leaf), start+int32(j)); !ok {
				continue next
			}
		}
		m.arena = append(m.arena, Span{start, end})
	}
	m.step(len(at))
	return m.bounded(from)
}
