package rule

import (
	"cmp"
	"slices"

	"golang.org/x/text/unicode/norm"

	"newsmonitor/pipeline/rule/query"
	"newsmonitor/pipeline/rule/text"
)

// maxPairs bounds what one distance may find in one item; see matching.md 5.9.
const maxPairs = 10_000

// span is a run of tokens, half-open, that an expr was found at. leaf is set
// for a word or phrase; left and right are what a distance brought together.
type span struct {
	start, end  int32
	leaf        *expr
	left, right *span
}

// evaluation is one item under the rules of one set. It is the plain meaning
// of the language: no index, no short cut but that each expr is looked for
// once. It decides nothing while a set runs, where the engine does: it says
// why, and tests hold the engine against it.
type evaluation struct {
	doc   *document
	facts facts
	found *found

	places []place // scratch of evidence

	// What rules that fire on one item mostly share, kept for the next one:
	around  map[[2]int32]Evidence // concordance lines by place, without a list
	windows map[[2]int32]window
}

func newEvaluation(d *document) *evaluation { return &evaluation{doc: d, found: &found{item: 1}} }

// found is where exprs stand, by id: few of a set's many are looked for. It is
// used again for the next item, whose number tells what is old.
type found struct {
	pages []*[foundPage]cell
	item  uint32
}

const foundPage = 256

type cell struct {
	spans []span
	item  uint32 // that spans are of
}

func (f *found) at(id int) *cell {
	n := id / foundPage
	if n >= len(f.pages) {
		f.pages = append(f.pages, make([]*[foundPage]cell, n+1-len(f.pages))...)
	}
	if f.pages[n] == nil {
		f.pages[n] = new([foundPage]cell)
	}
	return &f.pages[n][id%foundPage]
}

// next begins with another item.
func (f *found) next() {
	if f.item++; f.item == 0 {
		*f = found{item: 1}
	}
}

// holds tells whether an expr is true of the item.
func (v *evaluation) holds(e *expr) bool {
	switch e.op {
	case query.Fact:
		return v.facts.holds(e.name, e.values)
	case query.And:
		for _, k := range e.kids {
			if !v.holds(k) {
				return false
			}
		}
		return true
	case query.Not:
		return !v.holds(e.kids[0])
	case query.Or:
		if !e.placed {
			return slices.ContainsFunc(e.kids, v.holds)
		}
	case query.Some:
		n := 0
		for _, k := range e.kids {
			if v.holds(k) {
				n++
			}
		}
		return n >= e.n
	case query.Atleast:
		return v.count(e.kids[0], e.n) >= e.n
	}
	return len(v.spans(e)) > 0
}

// count counts places that do not overlap, up to most. A summary that the
// content repeats does not count twice.
func (v *evaluation) count(e *expr, most int) int {
	n, end := 0, int32(0)
	for _, s := range v.spans(e) {
		if s.start < end || v.repeated(e, &s) {
			continue
		}
		n, end = n+1, s.end
		if n == most {
			break
		}
	}
	return n
}

// repeated tells a place in a summary that the content repeats, where e looks
// at both.
func (v *evaluation) repeated(e *expr, s *span) bool {
	return v.doc.repeat && v.doc.tokens[s.start].field == summary && e.looksAt(content)
}

func (e *expr) looksAt(f field) bool {
	if e.op == query.Field {
		return e.fields.has(f)
	}
	return slices.ContainsFunc(e.kids, func(k *expr) bool { return k.looksAt(f) })
}

// spans returns where an expr stands, by start, then end.
func (v *evaluation) spans(e *expr) []span {
	if !v.doc.shows(e.sign) || e.op == query.Word && e.need != 0 && !v.doc.item.Has(e.need) {
		return nil
	}
	if c := v.found.at(e.id); c.item == v.found.item {
		return c.spans
	}
	var out []span
	switch e.op {
	case query.Word:
		out = v.words(e)
	case query.Field:
		out = v.inside(v.spans(e.kids[0]), e.fields)
	case query.Or:
		from := 0
		for i, k := range e.kids {
			if e.signs != nil && !v.doc.shows(e.signs[i]) {
				continue
			}
			switch s := v.spans(k); {
			case len(s) == 0:
			case from == 0:
				out = s[:len(s):len(s)] // appending copies
				from++
			default:
				out = append(out, s...)
				from++
			}
		}
		if from > 1 {
			out = order(out)
		}
	case query.Near, query.Onear:
		left, right := v.both(e)
		near := func(a, b *span) (bool, bool) {
			last := &v.doc.tokens[a.end-1]
			far := v.doc.tokens[b.start].Unit-(last.Unit+last.Width) > 2*e.n
			return !far, !far
		}
		out = v.pairs(left, right, near, false)
		if e.op == query.Near {
			out = order(append(out, v.pairs(right, left, near, true)...))
		}
	case query.Sent, query.Para:
		left, right := v.both(e)
		number := func(i int32) int { return v.doc.tokens[i].Sentence }
		if e.op == query.Para {
			number = func(i int32) int { return v.doc.tokens[i].Paragraph }
		}
		same := func(a, b *span) (bool, bool) {
			n := number(a.end - 1)
			if n != number(a.start) || number(b.start) > n {
				return false, false
			}
			return n == number(b.start) && n == number(b.end-1), true
		}
		out = order(append(v.pairs(left, right, same, false), v.pairs(right, left, same, true)...))
	case query.Except:
		left, right := v.both(e)
		out = v.except(left, right)
	case query.First:
		for _, s := range v.spans(e.kids[0]) {
			if last := &v.doc.tokens[s.end-1]; last.Unit+last.Width-v.doc.first[last.field] <= 2*e.n {
				out = append(out, s)
			}
		}
	}
	*v.found.at(e.id) = cell{out, v.found.item}
	return out
}

// both returns where the two sides of e stand; the right one is not looked for
// when the left one is nowhere.
func (v *evaluation) both(e *expr) (left, right []span) {
	if left = v.spans(e.kids[0]); len(left) == 0 {
		return nil, nil
	}
	return left, v.spans(e.kids[1])
}

// inside keeps the places in some fields.
func (v *evaluation) inside(s []span, in fields) []span {
	out := func(p span) bool { return !in.has(v.doc.tokens[p.start].field) }
	i := slices.IndexFunc(s, out)
	if i < 0 {
		return s
	}
	kept := slices.Clone(s[:i])
	for _, p := range s[i:] {
		if !out(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// order sorts places and drops those that say the same again.
func order(s []span) []span {
	slices.SortStableFunc(s, func(a, b span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	return slices.CompactFunc(s, func(a, b span) bool {
		return a.start == b.start && a.end == b.end && a.leaf == b.leaf && a.left == b.left && a.right == b.right
	})
}

// pairs brings every a together with every b after it that fits; they never
// overlap. fits also says whether a later b may still fit.
func (v *evaluation) pairs(as, bs []span, fits func(a, b *span) (fit, more bool), swapped bool) []span {
	var out []span
	for i := range as {
		a := &as[i]
		j, _ := slices.BinarySearchFunc(bs, a.end, func(b span, end int32) int { return cmp.Compare(b.start, end) })
		for ; j < len(bs); j++ {
			b := &bs[j]
			fit, more := fits(a, b)
			if fit {
				s := span{start: a.start, end: b.end, left: a, right: b}
				if swapped {
					s.left, s.right = b, a
				}
				if out = append(out, s); len(out) >= maxPairs {
					return out
				}
			}
			if !more {
				break
			}
		}
	}
	return out
}

// except drops the places of left that right touches.
func (v *evaluation) except(left, right []span) []span {
	if len(left) == 0 || len(right) == 0 {
		return left
	}
	covered := make([]bool, len(v.doc.tokens))
	for _, s := range right {
		for i := s.start; i < s.end; i++ {
			covered[i] = true
		}
	}
	var out []span
	for _, s := range left {
		if !slices.Contains(covered[s.start:s.end], true) {
			out = append(out, s)
		}
	}
	return out
}

// words finds a word or phrase: at every place of its rarest word, the others
// must stand around it, in the same paragraph.
func (v *evaluation) words(e *expr) []span {
	anchor, places := -1, []int32(nil)
	for i := range e.terms {
		if e.terms[i].Any {
			continue
		}
		at := v.placesOf(e, &e.terms[i])
		if len(at) == 0 {
			return nil
		}
		if anchor < 0 || len(at) < len(places) {
			anchor, places = i, at
		}
	}
	if anchor < 0 {
		return nil
	}
	var out []span
	tokens := v.doc.tokens
	for _, at := range places {
		start := at - int32(anchor)
		end := start + int32(len(e.terms))
		if start < 0 || int(end) > len(tokens) ||
			tokens[start].Paragraph != tokens[end-1].Paragraph || tokens[start].Inside {
			continue
		}
		fits := true
		for i := range e.terms {
			if i != anchor && !v.fits(e, &e.terms[i], start+int32(i)) {
				fits = false
				break
			}
		}
		if fits && v.fits(e, &e.terms[anchor], at) {
			out = append(out, span{start: start, end: end, leaf: e})
		}
	}
	return out
}

// placesOf returns the tokens that a term may stand at, in order; fits decides.
func (v *evaluation) placesOf(e *expr, t *term) []int32 {
	switch {
	case t.language != "":
		return v.doc.stemmed(t.language)[t.key]
	case !t.Wild:
		return v.doc.item.Places(t.Text)
	}
	return v.doc.fitting(t.Text, t.head)
}

// fits tells whether the token at i is the term.
func (v *evaluation) fits(e *expr, t *term, i int32) bool {
	if t.Any {
		return true
	}
	var have string
	switch {
	case t.language != "":
		_, ok := slices.BinarySearch(v.doc.stemmed(t.language)[t.key], i)
		return ok
	case e.form == cased:
		have = text.Cased(v.doc.raw(i))
	case e.form == exact:
		have = norm.NFC.String(v.doc.raw(i))
	default:
		have = v.doc.tokens[i].Text
	}
	if t.Wild {
		return glob(t.key, have)
	}
	return t.key == have
}

// glob compares with * (any letters) and ? (one), in time linear in both.
func glob(pattern, s string) bool {
	p, w := []rune(pattern), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(w) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == w[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
