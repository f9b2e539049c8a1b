package rule

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"newsmonitor/pipeline/rule/query"
)

const (
	maxEvidence = 50  // places of a rule
	maxContext  = 80  // characters on each side
	maxSnippet  = 240 // characters
	maxWindows  = 100 // places that a snippet is looked for at
	maxCounted  = 500 // places of a part of a query that count, the title's first
)

// factor is what a word counts for by the field it stands in; fields that are
// not text count as content does.
func (f field) factor() float64 {
	switch f {
	case title:
		return 3
	case summary:
		return 2
	}
	return 1
}

// evidence returns the places of the words that made e true, title first (good
// until it is asked again), and
// the score: for each word weight x the best field's factor x (1 + ln of how
// often it stands there). No rule's score depends on other rules.
func (v *evaluation) evidence(e *expr) ([]place, float64) {
	all := v.places[:0]
	v.collect(e, func(s *span) { all = append(all, place{s.start, s.end, s.leaf}) })
	v.places = all
	slices.SortFunc(all, func(a, b place) int {
		switch {
		case a.start != b.start:
			return int(a.start) - int(b.start)
		case a.end != b.end:
			return int(b.end) - int(a.end)
		}
		return a.leaf.compare(b.leaf)
	})
	all = slices.CompactFunc(all, func(a, b place) bool { return a.start == b.start && a.leaf == b.leaf })

	type tally struct {
		n      int
		factor float64
	}
	counts := map[*expr]*tally{}
	var order []*expr // sums in one order, so that a score is the same every time
	for _, s := range all {
		f := v.doc.tokens[s.start].field
		t := counts[s.leaf]
		if t == nil {
			t = &tally{}
			counts[s.leaf] = t
			order = append(order, s.leaf)
		}
		t.factor = max(t.factor, f.factor())
		if !v.doc.repeat || f != summary { // else the content has it too, or n is 1
			t.n++
		}
	}
	slices.SortFunc(order, (*expr).compare)
	score := 0.0
	for _, leaf := range order {
		t := counts[leaf]
		score += leaf.weight * t.factor * (1 + math.Log(float64(max(t.n, 1))))
	}
	// One place is shown once, whatever number of words of the rule mean it.
	all = slices.CompactFunc(all, func(a, b place) bool { return a.start == b.start && a.end == b.end })
	return all, math.Round(score*1000) / 1000
}

// compare orders words and phrases by what they say, so that nothing depends
// on what was compiled before: a word of the rule itself before one of a list.
func (e *expr) compare(x *expr) int {
	if e == x {
		return 0
	}
	return cmp.Or(cmp.Compare(e.list, x.list), cmp.Compare(x.weight, e.weight), cmp.Compare(e.form, x.form),
		slices.CompareFunc(e.terms, x.terms, func(a, b term) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.language, b.language)) }))
}

// place is where a word or phrase stands.
type place struct {
	start, end int32
	leaf       *expr
}

// collect gives f the places that made e true; e holds.
func (v *evaluation) collect(e *expr, f func(*span)) {
	switch {
	case e.op == query.Not, e.op == query.Fact:
	case e.op == query.Atleast:
		v.collect(e.kids[0], f)
	case e.placed:
		spans := v.spans(e)
		spans = spans[:min(len(spans), maxCounted)]
		for i := range spans {
			leaves(&spans[i], f)
		}
	default: // And, Some, and Or of what has no places
		for _, k := range e.kids {
			if e.op == query.And || v.holds(k) {
				v.collect(k, f)
			}
		}
	}
}

func leaves(s *span, f func(*span)) {
	if s.leaf != nil {
		f(s)
		return
	}
	leaves(s.left, f)
	leaves(s.right, f)
}

// lines turns places into concordance lines.
func (v *evaluation) lines(places []place) []Evidence {
	out := make([]Evidence, 0, min(len(places), maxEvidence))
	for _, s := range places[:min(len(places), maxEvidence)] {
		e := v.line(s.start, s.end)
		e.List = s.leaf.list
		out = append(out, e)
	}
	return out
}

func (v *evaluation) line(from, to int32) Evidence {
	key := [2]int32{from, to}
	e, ok := v.around[key]
	if !ok {
		f := v.doc.tokens[from].field
		in := v.doc.texts[f]
		start, end := v.doc.tokens[from].Start, v.doc.tokens[to-1].End
		e = Evidence{Field: fieldNames[f], Text: in[start:end], Before: before(in[:start]), After: after(in[end:]), Start: start, End: end}
		if v.around == nil {
			v.around = map[[2]int32]Evidence{}
		}
		v.around[key] = e
	}
	return e
}

// before is the end of s, up to maxContext characters of one line.
func before(s string) string {
	i, n := len(s), 0
	for i > 0 && n < maxContext {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
		n++
	}
	return oneLine(s[i:])
}

func after(s string) string {
	i, n := 0, 0
	for i < len(s) && n < maxContext {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
		n++
	}
	return oneLine(s[:i])
}

// oneLine collapses white space, keeping one space where the text had some at
// its ends, so that before + text + after reads as written.
func oneLine(s string) string {
	if isOneLine(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range strings.ToValidUTF8(s, "") {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			space = true
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	if space {
		b.WriteByte(' ')
	}
	return b.String()
}

// isOneLine tells that oneLine has nothing to do.
func isOneLine(s string) bool {
	last := byte(0)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == 0x7F || c == ' ' && last == ' ' {
				return false
			}
			last = c
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < 0x100 && (unicode.IsSpace(r) || unicode.IsControl(r)) || r >= 0x1680 && r <= 0x3000 && unicode.IsSpace(r) || r == utf8.RuneError && n == 1 {
			return false
		}
		last = 0
		i += n
	}
	return true
}

// snippet is the run of whole sentences, up to maxSnippet characters, in which
// the words weigh most. The title is only taken when nothing else has any:
// whoever reads the snippet has read the title.
func (v *evaluation) snippet(places []place) string {
	var body []place
	for _, s := range places {
		if f := v.doc.tokens[s.start].field; f == summary || f == content {
			body = append(body, s)
		}
	}
	if len(body) == 0 {
		for _, s := range places {
			if v.doc.tokens[s.start].field == title {
				body = append(body, s)
			}
		}
	}
	if len(body) == 0 {
		return ""
	}
	body = body[:min(len(body), maxWindows)]
	var best window
	bestWeight := -1.0
	last := int32(-1)
	for i, s := range body {
		from := v.sentenceStart(s.start)
		if from == last {
			continue // a window from here was tried
		}
		last = from
		f := v.doc.tokens[from].field
		w := v.window(from, s.start, f)
		weight := 0.0
		for _, t := range body[i:] {
			if v.doc.tokens[t.start].field != f || v.doc.tokens[t.end-1].End > w.end {
				break
			}
			weight += t.leaf.weight
		}
		if weight > bestWeight {
			best, bestWeight = w, weight
		}
	}
	text := oneLine(v.doc.texts[best.field][best.start:best.end])
	if best.before {
		text = "…" + text
	}
	if best.after {
		text += "…"
	}
	return strings.TrimSpace(text)
}

// window is a piece of a field that could be the snippet.
type window struct {
	field         field
	start, end    int
	before, after bool // its sentence goes on there
}

// sentenceStart is the first token of the sentence of the token at i, unless
// that is farther away than a snippet is long: then the sentence must be cut.
func (v *evaluation) sentenceStart(i int32) int32 {
	n := v.doc.tokens[i].Sentence
	for from := i; i > 0 && from-i <= maxSnippet && v.doc.tokens[i-1].Sentence == n; {
		i--
	}
	return i
}

// window returns the whole sentences that fit, from the token on; where not
// even the first does, what fits around the place.
func (v *evaluation) window(from, place int32, f field) window {
	key := [2]int32{from, place}
	if w, ok := v.windows[key]; ok {
		return w
	}
	w := window{field: f, start: v.doc.tokens[from].Start, end: v.sentences(from, f)}
	if w.end <= w.start {
		w = v.piece(place, f)
	}
	if v.windows == nil {
		v.windows = map[[2]int32]window{}
	}
	v.windows[key] = w
	return w
}

// sentences returns where the last sentence ends that fits with all from the
// token on, or 0 when not even the first does.
func (v *evaluation) sentences(from int32, f field) int {
	in, start, end := v.doc.texts[f], v.doc.tokens[from].Start, 0
	size, counted := 0, start // characters so far
	for i := from; int(i) < len(v.doc.tokens) && v.doc.tokens[i].field == f; i++ {
		t := &v.doc.tokens[i]
		stop := t.End
		lastOfSentence := int(i)+1 >= len(v.doc.tokens) || v.doc.tokens[i+1].field != f
		if lastOfSentence {
			stop = closing(in, t.End, len(in))
		} else if next := &v.doc.tokens[i+1]; next.Sentence != t.Sentence {
			lastOfSentence = true
			stop = closing(in, t.End, next.Start)
		}
		size += utf8.RuneCountInString(in[counted:stop])
		counted = stop
		if size > maxSnippet {
			break
		}
		if lastOfSentence {
			end = stop
		}
	}
	return end
}

// closing extends the end of a sentence over its punctuation.
func closing(s string, from, to int) int {
	for i, r := range s[from:to] {
		if unicode.IsSpace(r) || r == '(' || r == '（' || r == '“' || r == '「' || r == '《' {
			return from + i
		}
	}
	return to
}

// piece cuts a window out of a long sentence, beginning a little before the
// place, at the borders of tokens.
func (v *evaluation) piece(place int32, f field) window {
	in := v.doc.texts[f]
	first := place
	sentence := v.doc.tokens[first].Sentence
	for first > 0 && v.doc.tokens[first-1].Sentence == sentence &&
		utf8.RuneCountInString(in[v.doc.tokens[first-1].Start:v.doc.tokens[place].Start]) <= maxSnippet/4 {
		first--
	}
	start, end := v.doc.tokens[first].Start, v.doc.tokens[first].End
	size := utf8.RuneCountInString(in[start:end])
	for i := first + 1; int(i) < len(v.doc.tokens) && v.doc.tokens[i].Sentence == sentence; i++ {
		if size += utf8.RuneCountInString(in[end:v.doc.tokens[i].End]); size > maxSnippet-2 { // two for the dots
			break
		}
		end = v.doc.tokens[i].End
	}
	if utf8.RuneCountInString(in[start:end]) > maxSnippet-2 { // one word of hundreds of letters
		end = start + len(string([]rune(in[start:end])[:maxSnippet-2]))
	}
	return window{field: f, start: start, end: end, before: first > 0 && v.doc.tokens[first-1].Sentence == sentence, after: true}
}
