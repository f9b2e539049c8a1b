package rule

import (
	"fmt"
	"slices"
	"strings"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// state is a state, or a body like one, that an item may be about.
type state struct {
	code  string
	file  *sourceFile
	i     int           // in its file
	nodes []*query.Node // what names it
	not   []*query.Node // what covers that
	own   []*query.Node // bare organs that are its own
}

// stateWords is the words of a stateEntry, parsed.
type stateWords struct{ nodes, not, own []*query.Node }

func (f *version) stateWords(i int, e *stateEntry) (w stateWords) {
	for _, part := range []struct {
		key   string
		words []string
		into  *[]*query.Node
	}{
		{"names", e.Names, &w.nodes}, {"capital", e.Capital, &w.nodes}, {"organs", e.Organs, &w.nodes}, {"persons", e.Persons, &w.nodes},
		{"bare", e.Bare, &w.own}, {"except", e.Except, &w.not},
	} {
		*part.into = append(*part.into, f.terms(part.words, "states", i, part.key)...)
	}
	return w
}

func (a *assembly) readState(f *sourceFile, i int, e *stateEntry, states []*state) []*state {
	if !isCode(e.Code) {
		a.fail(f, f.find("states", i, "code"), "the ISO code in capitals: CN, US, EU, UN", "%s is no state", problem.Quote(e.Code))
		return states
	}
	w := f.words.states[i]
	s := &state{code: e.Code, file: f, i: i, nodes: w.nodes, not: w.not, own: w.own}
	was := slices.IndexFunc(states, func(x *state) bool { return x.code == e.Code })
	if was >= 0 && states[was].file.dir == f.dir {
		first := states[was]
		a.fail(f, f.find("states", i, "code"), fmt.Sprintf("the first is %s:%d", first.file.name, first.file.line("states", first.i, "code")), "state %s is written twice", e.Code)
		return states
	}
	if len(s.nodes) == 0 {
		a.fail(f, f.find("states", i), "write them: names: [China, 中国]", "state %s has no names", e.Code)
		return states
	}
	if was >= 0 {
		states[was] = s
		return states
	}
	return append(states, s)
}

// deriveLists makes @state-xx, @states and @bare-organs.
func (a *assembly) deriveLists(states []*state, bare []*query.Node) {
	if len(states) == 0 {
		return
	}
	all := &list{name: "states", file: states[0].file, derived: true}
	for _, s := range states {
		name := "state-" + strings.ToLower(s.code)
		n := either(s.nodes)
		if len(s.not) > 0 {
			n = &query.Node{Op: query.Except, Kids: []*query.Node{n, either(s.not)}}
		}
		a.set.lists[name] = &list{name: name, file: s.file, derived: true, entries: []*query.Node{n}}
		all.entries = append(all.entries, &query.Node{Op: query.List, Name: name})
	}
	a.set.lists[all.name] = all
	organs := &list{name: "bare-organs", file: all.file, derived: true, entries: slices.Clone(bare)}
	for _, s := range states {
		organs.entries = append(organs.entries, s.own...)
	}
	a.set.lists[organs.name] = organs
	a.set.organs = bare
}

func either(nodes []*query.Node) *query.Node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	return &query.Node{Op: query.Or, Kids: nodes}
}

// statesOf finds the states that an item is about: named in the title or the
// summary, or at least twice in the content.
func (s *Set) statesOf(v *judged) []string {
	about := []string{}
	exprs, bare := v.explanations.named()
	here := v.item.Source.Country
	var names beside // to tell a bare organ from one that has its state beside it
	if here != "" {
		n := len(v.doc.tokens)
		names = beside{make([]bool, n), make([]bool, n), make([]bool, n)}
	}
	counts := make([][fieldCount]int, len(s.states))
	for i := range s.states {
		end := int32(0)
		for _, p := range v.spans(exprs[i].names) {
			if here != "" {
				names.starts[p.start], names.ends[p.end-1] = true, true
				for j := p.start; j < p.end; j++ {
					names.covered[j] = true
				}
			}
			if p.start >= end { // "People's Republic of China" is one mention
				counts[i][v.doc.tokens[p.start].field]++
				end = p.end
			}
		}
	}
	var organs [fieldCount]int
	if here != "" {
		lone := func(e *expr) {
			for _, p := range v.spans(e) {
				if !v.named(p, &names) {
					organs[v.doc.tokens[p.start].field]++
				}
			}
		}
		if bare != nil {
			lone(bare)
		}
		for i, st := range s.states {
			if st.code == here && exprs[i].bare != nil {
				lone(exprs[i].bare)
			}
		}
	}
	known := false
	for i, st := range s.states {
		n := counts[i]
		if st.code == here {
			known = true
			for f := range n {
				n[f] += organs[f]
			}
		}
		if is(n) {
			about = append(about, st.code)
		}
	}
	if !known && isCode(here) && is(organs) {
		about = append(about, here)
	}
	slices.Sort(about)
	return about
}

func is(n [fieldCount]int) bool { return n[title] > 0 || n[summary] > 0 || n[content] > 1 }

// beside is where the names of states stand, by token.
type beside struct{ covered, starts, ends []bool }

// named tells that a state stands right before an organ (日本外交部, Russia's
// Foreign Ministry), or right after it (the Foreign Ministry of Japan).
func (v *evaluation) named(organ span, b *beside) bool {
	tokens := v.doc.tokens
	if slices.Contains(b.covered[organ.start:organ.end], true) {
		return true
	}
	same := func(i int32) bool {
		return i >= 0 && int(i) < len(tokens) && tokens[i].field == tokens[organ.start].field
	}
	at := organ.start - 1
	if same(at) && (b.ends[at] || tokens[at].Width == 1 && same(at-1) && b.ends[at-1]) { // 日本国外交部
		return true
	}
	if after := organ.end; same(after) && of[tokens[after].Text] {
		return same(after+1) && b.starts[after+1] || same(after+2) && b.starts[after+2]
	}
	return false
}

var of = set("of", "in", "de", "du", "des", "der", "von")
