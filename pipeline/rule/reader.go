package rule

import (
	"cmp"
	"slices"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/engine"
	"newsmonitor/pipeline/rule/text"
)

// reader is what one item is matched with: scratch that is used again for the
// next one, so that an item that nothing fires on allocates nothing.
type reader struct {
	item     engine.Item
	texts    [fieldCount]string
	matchers []*engine.Matcher // by part of the index
	facts    facts
	voice    Voice
	hits     []uint32
	fired    []firing
	names    beside
	found    found
	doc      document // for explanations
}

// firing is a rule that fired.
type firing struct {
	place  int32 // in Set.rules
	part   int
	number uint32 // in the part
}

// know finds out what rules may ask of an item, in the order in which one
// thing needs the other: language, states, voice, tier.
func (r *reader) know(s *Set, it *feed.Item) {
	r.texts = textsOf(it)
	r.item.Read(&r.texts)
	r.facts = facts{source: it.Source, feed: cmp.Or(it.Feed, it.Source.ID), tier: it.Source.Tier}
	r.facts.language = r.language(it)
	r.matchers[0].Load(&r.item)
	r.facts.states = r.states(s, it.Source.Country)
	r.voice = r.speaker(s, it)
	if r.facts.voice = r.voice.ID; r.voice.ID != "" {
		r.facts.tier = r.voice.Tier
	}
}

// language is that of the item as read.
func (r *reader) language(it *feed.Item) string {
	content := beginning(it.Content)
	return text.LanguageOf(it.Language, func(i int) []byte {
		at := int32(i)
		if i >= r.item.End(engine.Summary) && (i >= r.item.End(engine.Content) || int(r.item.Piece(at).End) > len(content)) {
			return nil
		}
		return r.item.Folded(at)
	}, it.Title, it.Summary, content)
}

// read finds out what fires on an item.
func (r *reader) read(s *Set, it *feed.Item) {
	r.know(s, it)
	r.fired = r.fired[:0]
	for i, m := range r.matchers {
		if i > 0 {
			m.Load(&r.item)
		}
		r.hits = m.Match(engine.Rules, &r.facts, r.hits[:0])
		for _, n := range r.hits {
			if at := s.index.at[i][n]; at >= 0 {
				r.fired = append(r.fired, firing{at, i, n})
			}
		}
	}
	if len(r.matchers) > 1 || len(s.rules) != len(s.index.at[0]) {
		slices.SortFunc(r.fired, func(a, b firing) int { return cmp.Compare(a.place, b.place) })
	}
}

// forget lets go of the item.
func (r *reader) forget() {
	r.item.Forget()
	r.doc.forget()
	r.texts, r.facts, r.voice = [fieldCount]string{}, facts{}, Voice{}
}

// cut names what limits cut.
func (r *reader) cut() []string {
	var out []string
	for _, m := range r.matchers {
		out = m.Cut(out)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// speaker is voiceOf, by the engine.
func (r *reader) speaker(s *Set, it *feed.Item) Voice {
	r.hits = r.matchers[0].Match(engine.Voices, &r.facts, r.hits[:0])
	for _, n := range r.hits {
		if x := s.voices[n]; x.where.fails(&r.facts) == "" {
			return x.speaks(it)
		}
	}
	return Voice{}
}

// severity is the rule's own, or that of the first raise that holds.
func (r *reader) severity(s *Set, f firing, x *spelled) Severity {
	p := s.index.parts[f.part]
	for i, when := range p.raise[p.raises[f.number]:p.raises[f.number+1]] {
		if r.matchers[f.part].Holds(when) {
			return x.raise[i].to
		}
	}
	return x.Severity
}

// states is statesOf, by the engine: of all states only those are looked at
// that are named.
func (r *reader) states(s *Set, here string) []string {
	m, p := r.matchers[0], s.index.parts[0]
	r.hits = m.Match(engine.States, nil, r.hits[:0])
	var organs [fieldCount]int
	if here != "" {
		bare, own := m.Spans(p.bare), []engine.Span(nil)
		if i := slices.IndexFunc(s.states, func(st *state) bool { return st.code == here }); i >= 0 {
			own = m.Spans(p.own[i])
		}
		if len(bare)+len(own) > 0 {
			r.names.clear(r.item.Len())
			for _, n := range r.hits {
				for _, at := range m.Spans(p.names[n]) {
					r.names.add(at.Start, at.End)
				}
			}
			for _, spans := range [2][]engine.Span{bare, own} {
				for _, at := range spans {
					if !r.named(at) {
						organs[r.item.Field(at.Start)]++
					}
				}
			}
		}
	}
	about := []string{}
	seen := false
	for _, n := range r.hits {
		var count [fieldCount]int
		end := int32(0)
		for _, at := range m.Spans(p.names[n]) {
			if at.Start >= end { // "People's Republic of China" is one mention
				count[r.item.Field(at.Start)]++
				end = at.End
			}
		}
		if s.states[n].code == here {
			seen = true
			for f := range count {
				count[f] += organs[f]
			}
		}
		if is(count) {
			about = append(about, s.states[n].code)
		}
	}
	if !seen && isCode(here) && is(organs) {
		about = append(about, here)
	}
	slices.Sort(about)
	return about
}

// named is evaluation.named.
func (r *reader) named(organ engine.Span) bool {
	b, it := &r.names, &r.item
	if slices.Contains(b.covered[organ.Start:organ.End], true) {
		return true
	}
	field := it.Field(organ.Start)
	same := func(i int32) bool { return i >= 0 && int(i) < it.Len() && it.Field(i) == field }
	at := organ.Start - 1
	if same(at) && (b.ends[at] || it.Piece(at).Width == 1 && same(at-1) && b.ends[at-1]) {
		return true
	}
	if after := organ.End; same(after) && of[string(it.Folded(after))] {
		return same(after+1) && b.starts[after+1] || same(after+2) && b.starts[after+2]
	}
	return false
}

// add notes a name.
func (b *beside) add(start, end int32) {
	b.starts[start], b.ends[end-1] = true, true
	for i := start; i < end; i++ {
		b.covered[i] = true
	}
}

// clear makes room for n tokens without a name.
func (b *beside) clear(n int) {
	for _, s := range []*[]bool{&b.covered, &b.starts, &b.ends} {
		if cap(*s) < n {
			*s = make([]bool, n)
		}
		*s = (*s)[:n]
		clear(*s)
	}
}
