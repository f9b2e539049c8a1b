package rule

import (
	"slices"
	"strings"
	"sync"

	"newsmonitor/pipeline/rule/engine"
	"newsmonitor/pipeline/rule/query"
	"newsmonitor/pipeline/rule/text"
)

// index finds the rules of a set that an item answers. It is the engine's half
// of matching: what the rules mean is said by evaluation, and tests hold the
// one against the other. Most of it is taken over at a reload: what changed is
// compiled beside it, and what is gone stays there without being heard.
type index struct {
	parts   []*segment // all rules and what they ask for; what has changed since
	at      [][]int32  // by part and number there: place in Set.rules, -1 for what is gone
	readers sync.Pool  // of *reader
}

// segment is some rules, compiled.
type segment struct {
	program *engine.Program
	rules   []*rule
	raise   []engine.Ref // of all rules
	raises  []uint32     // by rule: where in raise its own begin; and where the last ones end

	// Of the first part:
	states []*state
	voices []*voice
	names  []engine.Ref // of the states
	own    []engine.Ref // their bare organs
	bare   engine.Ref
	organs []*query.Node // of bare
}

// Small enough for a second part. Beyond, or when half of the first part is
// gone, all is compiled anew.
const (
	smallPart  = 64
	smallShare = 20 // one of so many
)

// vocabulary is what the engine asks of words.
type vocabulary struct{}

func (vocabulary) Language(word string) string      { return stemLanguage(word) }
func (vocabulary) Stem(language, raw string) string { return stem(language, raw) }

func (vocabulary) Odds(words []string) float64 {
	var small [query.MaxPhrase]query.Term
	terms := small[:0]
	for _, w := range words {
		t := query.Term{Text: w, Wild: strings.ContainsAny(w, "*?")}
		for i, r := range w {
			c := text.ClassOf(r)
			t.Solo = (c == text.Solo || c == text.Hangul) && i+len(string(r)) == len(w)
			break
		}
		terms = append(terms, t)
	}
	return odds(terms)
}

// listsOf gives the engine the lists of a file.
type listsOf map[string]*list

// Entries returns what @name stands for.
func (l listsOf) Entries(name string) ([]*query.Node, bool) {
	x := l[name]
	if x == nil {
		return nil, false
	}
	return x.entries, true
}

// newIndex compiles the rules of a set, or those that the index before does
// not have.
func newIndex(was *index, s *Set) *index {
	x := &index{}
	if was != nil && was.parts[0].serves(s) && len(was.parts[0].rules) < 2*len(s.rules)+smallPart {
		x.parts = was.parts[:1:1]
		switch fresh := x.missing(s); {
		case len(fresh) == 0:
		case len(was.parts) > 1 && slices.Equal(was.parts[1].rules, fresh):
			x.parts = was.parts
		case len(fresh) <= max(smallPart, len(s.rules)/smallShare):
			x.parts = append(x.parts, newSegment(&Set{rules: fresh}))
		default:
			x.parts = nil
		}
	}
	if x.parts == nil {
		x.parts = []*segment{newSegment(s)}
	}
	place := make(map[*rule]int32, len(s.rules))
	for i, r := range s.rules {
		place[r] = int32(i)
	}
	for _, p := range x.parts {
		at := make([]int32, len(p.rules))
		for i, r := range p.rules {
			at[i] = -1
			if n, ok := place[r]; ok {
				at[i] = n
				delete(place, r)
			}
		}
		x.at = append(x.at, at)
	}
	x.readers.New = func() any {
		r := &reader{}
		for _, p := range x.parts {
			r.matchers = append(r.matchers, p.program.NewMatcher())
		}
		return r
	}
	return x
}

// missing returns the rules that the first part does not have.
func (x *index) missing(s *Set) []*rule {
	have := make(map[*rule]bool, len(x.parts[0].rules))
	for _, r := range x.parts[0].rules {
		have[r] = true
	}
	var out []*rule
	for _, r := range s.rules {
		if !r.disabled && !have[r] {
			out = append(out, r)
		}
	}
	return out
}

// serves tells whether the states and voices of a set are those of the part.
func (p *segment) serves(s *Set) bool {
	return slices.Equal(p.states, s.states) && slices.Equal(p.organs, s.organs) && slices.EqualFunc(p.voices, s.voices, func(a, b *voice) bool { return a.means == b.means })
}

func newSegment(s *Set) *segment {
	b := engine.NewBuilder(vocabulary{})
	p := &segment{states: s.states, organs: s.organs, raises: []uint32{0}}
	for _, st := range s.states {
		ref := b.Query(stateList(st), listsOf(s.lists))
		p.names = append(p.names, ref)
		b.Add(engine.States, ref)
		own := engine.Never
		if len(st.own) > 0 {
			own = b.Query(either(st.own), listsOf(s.lists))
		}
		p.own = append(p.own, own)
	}
	p.bare = engine.Never
	if len(s.organs) > 0 {
		p.bare = b.Query(either(s.organs), listsOf(s.lists))
	}
	p.voices = slices.Clone(s.voices)
	for _, v := range s.voices {
		b.Add(engine.Voices, b.Query(v.node, v.lists))
	}
	var open unpacked
	for _, r := range s.rules {
		if r.disabled {
			continue
		}
		x, lists := open.rule(r), r.lists()
		var all []engine.Ref
		for _, k := range x.where.keys {
			all = append(all, b.Fact(k.fact, k.values))
		}
		all = append(all, b.Query(x.node, lists))
		if x.not != nil {
			all = append(all, b.Not(b.Query(x.not, lists)))
		}
		b.Add(engine.Rules, b.And(all...))
		for _, y := range x.raise {
			p.raise = append(p.raise, b.Query(y.when, lists))
		}
		p.rules, p.raises = append(p.rules, r), append(p.raises, uint32(len(p.raise)))
	}
	p.rules, p.raise, p.raises = slices.Clip(p.rules), slices.Clone(p.raise), slices.Clone(p.raises)
	p.program = b.Program()
	return p
}

func stateList(s *state) *query.Node {
	return &query.Node{Op: query.List, Name: "state-" + strings.ToLower(s.code)}
}
