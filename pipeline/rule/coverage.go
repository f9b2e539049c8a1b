package rule

import (
	"cmp"
	"slices"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
)

// Idle is one part of the rules that no item exercised: nobody knows whether
// it works, or what it catches besides what it was written for.
type Idle struct {
	Kind string `json:"kind"` // rule, alternative, unless, not, except, raise, term or voice
	In   string `json:"in"`   // the rule, @list, state or voice that it is part of
	Text string `json:"text"` // canonical
	File string `json:"file"`
	Line int    `json:"line"`
	Made bool   `json:"made"` // an item made for it reaches it; without, perhaps nothing can
}

// Coverage tries the rules on their own tests and on items, and returns the
// parts that none exercised, rules first, in the order of the files:
//
//   - rule: it fires on no item
//   - alternative: no item makes the rule fire when its OR has only this one
//   - unless: no item is held back by it
//   - not, except: no item has it
//   - raise: it sets the severity of no item
//   - term: no item has this word of a list or state
//   - voice: it is recognised in no item
//
// What none exercised is tried on items made for it, which shows whether any
// text can reach it, not whether it catches what it should. The second value is
// how many parts were tried.
func (s *Set) Coverage(items []feed.Item) ([]Idle, int) {
	c := &coverage{set: s, program: newProgram(s.lists)}
	for _, r := range s.rules {
		if !r.disabled {
			c.rule(r)
		}
	}
	c.lists()
	for _, v := range s.voices {
		c.voices = append(c.voices, &trial{Idle: Idle{Kind: "voice", In: v.ID, Text: v.Title}, wants: []*query.Node{v.node}, lists: s.lists})
	}
	tests := map[*version]map[string][]test{}
	for _, r := range s.rules {
		if !r.disabled {
			for _, t := range r.tests(tests) {
				c.try(t.item)
			}
		}
	}
	for _, it := range items {
		c.try(it)
	}
	c.make()
	var out []Idle
	n := 0
	report := func(parts []*trial) {
		for _, p := range parts {
			n++
			if !p.seen {
				out = append(out, p.Idle)
			}
		}
	}
	for _, r := range c.rules {
		report(r.fires)
		report(r.stops)
		report(r.has)
		report(r.raises)
	}
	report(c.words)
	report(c.voices)
	return out, n
}

// coverage is the parts of a set and what is known of them so far.
type coverage struct {
	set     *Set
	program *program // of the parts
	rules   []*coveredRule
	words   []*trial
	voices  []*trial
}

// coveredRule is a rule's parts by what exercises them.
type coveredRule struct {
	*spelled
	rule   *rule
	fires  []*trial // the rule fires, and the part holds
	stops  []*trial // unless alone keeps it from firing, and the part holds
	has    []*trial // the part holds
	raises []*trial // by place in raise
}

// trial is a part that is tried on items.
type trial struct {
	Idle
	expr  *expr // nil: always
	seen  bool
	wants []*query.Node // what an item made for it must hold
	lists map[string]*list
}

func (c *coverage) rule(r *rule) {
	x := &coveredRule{spelled: r.spell(), rule: r}
	add := func(to *[]*trial, kind string, n, narrowed *query.Node, wants ...*query.Node) {
		p := &trial{Idle: Idle{Kind: kind, In: r.id, Text: query.Format(n), File: x.File, Line: x.Line}, wants: wants, lists: r.lists()}
		if narrowed != nil {
			p.expr = c.program.compile(narrowed)
		}
		*to = append(*to, p)
	}
	c.program.lists = r.lists()
	add(&x.fires, "rule", x.node, nil, x.node)
	split{
		alternative: func(narrowed, alternative *query.Node) { add(&x.fires, "alternative", alternative, narrowed, narrowed) },
		held:        func(kind string, held, scoped *query.Node) { add(&x.has, kind, held, scoped, scoped) },
	}.walk(x.node, asIs, asIs)
	if x.not != nil {
		if x.not.Op != query.Or {
			add(&x.stops, "unless", x.not, x.not, x.node, x.not)
		}
		split{
			alternative: func(narrowed, alternative *query.Node) {
				add(&x.stops, "unless", alternative, narrowed, x.node, narrowed)
			},
			held: func(kind string, held, scoped *query.Node) { add(&x.has, kind, held, scoped, scoped) },
		}.walk(x.not, asIs, asIs)
	}
	for _, y := range x.raise {
		add(&x.raises, "raise", y.when, nil, x.node, y.when)
		x.raises[len(x.raises)-1].Text = string(y.to) + " when " + query.Format(y.when)
	}
	c.rules = append(c.rules, x)
}

// split takes a query apart.
type split struct {
	alternative func(narrowed, alternative *query.Node) // the query with an OR narrowed to one of its alternatives
	held        func(kind string, held, scoped *query.Node)
}

type frame func(*query.Node) *query.Node

func asIs(n *query.Node) *query.Node { return n }

// walk splits n. put returns the whole query with something in n's place,
// scope only the fields and forms around it.
func (s split) walk(n *query.Node, put, scope frame) {
	switch n.Op {
	case query.Or:
		for _, k := range n.Kids {
			s.alternative(put(k), k)
			s.walk(k, put, scope)
		}
		return
	case query.Not:
		s.each("not", n.Kids[0], scope)
		return
	case query.Some, query.Atleast: // narrowed down to one they would never hold
		for _, k := range n.Kids {
			for _, k := range alternatives(k) {
				if len(n.Kids) > 1 || k != n.Kids[0] {
					s.alternative(scope(k), k)
				}
			}
		}
		return
	case query.Field, query.Case, query.Exact, query.Stem:
		around := scope
		scope = func(x *query.Node) *query.Node { return around(with(n, 0, x)) }
	}
	for i, k := range n.Kids {
		if n.Op == query.Except && i == 1 {
			s.each("except", k, scope)
			continue
		}
		s.walk(k, func(x *query.Node) *query.Node { return put(with(n, i, x)) }, scope)
	}
}

func (s split) each(kind string, n *query.Node, scope frame) {
	for _, k := range alternatives(n) {
		s.held(kind, k, scope(k))
	}
}

// alternatives takes the ORs off the top of a query.
func alternatives(n *query.Node) []*query.Node {
	if n.Op != query.Or {
		return []*query.Node{n}
	}
	var out []*query.Node
	for _, k := range n.Kids {
		out = append(out, alternatives(k)...)
	}
	return out
}

// with is n with another i-th kid.
func with(n *query.Node, i int, kid *query.Node) *query.Node {
	c := *n
	c.Kids = slices.Clone(n.Kids)
	c.Kids[i] = kid
	return &c
}

// lists adds the words of lists and states.
func (c *coverage) lists() {
	c.program.lists = c.set.lists
	var lists []*list
	for _, l := range c.set.lists {
		if !l.derived {
			lists = append(lists, l)
		}
	}
	slices.SortFunc(lists, func(a, b *list) int { return cmp.Compare(a.name, b.name) })
	var terms, masks []*trial // of one list or state
	add := func(to *[]*trial, kind, in string, f *sourceFile, line int, text, n *query.Node) {
		*to = append(*to, &trial{Idle: Idle{Kind: kind, In: in, Text: query.Format(text), File: f.name, Line: line}, expr: c.program.compile(n), wants: []*query.Node{n}, lists: c.set.lists})
	}
	next := func() {
		c.words = slices.Concat(c.words, terms, masks)
		terms, masks = nil, nil
	}
	for _, l := range lists {
		lines := l.lines()
		for _, e := range l.entries {
			line := lines[query.Format(e)]
			words, takes := pieces(e)
			for _, w := range words {
				add(&terms, "term", "@"+l.name, l.file, line, w, w)
			}
			for _, m := range takes {
				add(&masks, "except", "@"+l.name, l.file, line, m, m)
			}
		}
		next()
	}
	for _, s := range c.set.states {
		line := 0
		if n := s.file.find("states", s.i, "code"); n != nil {
			line = n.Line
		}
		for _, n := range s.nodes {
			words, takes := pieces(n)
			for _, w := range words {
				tried := w
				if len(s.not) > 0 {
					tried = &query.Node{Op: query.Except, Kids: []*query.Node{w, either(s.not)}}
				}
				add(&terms, "term", s.code, s.file, line, w, tried)
			}
			for _, m := range takes {
				add(&masks, "except", s.code, s.file, line, m, m)
			}
		}
		for _, n := range s.own {
			add(&terms, "term", s.code, s.file, line, n, n)
		}
		for _, n := range s.not {
			for _, m := range alternatives(n) {
				add(&masks, "except", s.code, s.file, line, m, m)
			}
		}
		next()
	}
}

// pieces takes an entry of a list apart: the words, each with what EXCEPT takes
// from it, and what EXCEPT takes. Another list in it speaks for itself.
func pieces(n *query.Node) (words, masks []*query.Node) {
	switch n.Op {
	case query.List:
	case query.Or, query.Case, query.Exact, query.Stem:
		for _, k := range n.Kids {
			w, m := pieces(k)
			for _, x := range w {
				if n.Op != query.Or {
					c := *n
					c.Kids = []*query.Node{x}
					x = &c
				}
				words = append(words, x)
			}
			masks = append(masks, m...)
		}
	case query.Except:
		w, m := pieces(n.Kids[0])
		for _, x := range w {
			words = append(words, with(n, 0, x))
		}
		masks = append(m, alternatives(n.Kids[1])...)
	default:
		words = []*query.Node{n}
	}
	return words, masks
}

// lines tells where the entries stand in the file, by their canonical text.
func (l *list) lines() map[string]int {
	out := map[string]int{}
	i, ok := l.path[1].(int)
	if !ok {
		return out
	}
	for j, t := range l.file.lists.Lists[i].Terms {
		if n, _ := query.ParseEntry(t); n != nil {
			if at := l.file.find("lists", i, "terms", j); at != nil {
				out[query.Format(n)] = at.Line
			}
		}
	}
	return out
}

// try looks which parts an item exercises.
func (c *coverage) try(it feed.Item) {
	s := c.set
	v := s.evaluate(it)
	failures := make([]failure, len(c.rules))
	for i, x := range c.rules {
		if failures[i] = v.tries(v.explanations.whole(x.rule)); failures[i].none() {
			v.facts.channels[x.Channel] = true
		}
	}
	w := newEvaluation(v.doc)
	w.facts = v.facts
	mark := func(parts []*trial) {
		for _, p := range parts {
			p.seen = p.seen || p.expr == nil || w.holds(p.expr)
		}
	}
	for i, x := range c.rules {
		mark(x.has)
		switch failures[i].clause {
		case "":
			mark(x.fires)
			if j := slices.IndexFunc(v.explanations.whole(x.rule).whens, v.holds); j >= 0 {
				x.raises[j].seen = true
			}
		case "unless":
			mark(x.stops)
		}
	}
	mark(c.words)
	for _, p := range c.voices {
		p.seen = p.seen || p.In == v.voice.ID
	}
}

// make tries each part that nothing exercised on items made for it.
func (c *coverage) make() {
	s := c.set
	reached := func(p *trial, reaches func(v *judged, w *evaluation) bool) {
		p.Made = !p.seen && slices.ContainsFunc(s.specimens(p.lists, p.wants...), func(it feed.Item) bool {
			v := s.evaluate(it)
			w := newEvaluation(v.doc)
			w.facts = v.facts
			return reaches(v, w)
		})
	}
	holds := func(p *trial, w *evaluation) bool { return p.expr == nil || w.holds(p.expr) }
	for _, x := range c.rules {
		for _, p := range x.fires {
			reached(p, func(v *judged, w *evaluation) bool {
				return v.tries(v.explanations.whole(x.rule)).none() && holds(p, w)
			})
		}
		for _, p := range x.stops {
			reached(p, func(v *judged, w *evaluation) bool {
				return v.tries(v.explanations.whole(x.rule)).clause == "unless" && holds(p, w)
			})
		}
		for _, p := range x.has {
			reached(p, func(_ *judged, w *evaluation) bool { return holds(p, w) })
		}
		for j, p := range x.raises {
			reached(p, func(v *judged, _ *evaluation) bool {
				whole := v.explanations.whole(x.rule)
				return v.tries(whole).none() && slices.IndexFunc(whole.whens, v.holds) == j
			})
		}
	}
	c.makeWords()
	for _, p := range c.voices {
		reached(p, func(v *judged, _ *evaluation) bool { return v.voice.ID == p.In })
	}
}

func (c *coverage) makeWords() {
	for _, p := range c.words {
		p.Made = !p.seen && slices.ContainsFunc(c.set.specimens(p.lists, p.wants...), func(it feed.Item) bool {
			return newEvaluation(read(it)).holds(p.expr)
		})
	}
}

// DeadWords returns the words of lists and states that no text reaches, not
// even one that is made of nothing else: an EXCEPT takes each place of theirs,
// or they are not read as they were written. The second value is how many words
// were tried.
func (s *Set) DeadWords() ([]Idle, int) {
	c := &coverage{set: s, program: newProgram(s.lists)}
	c.lists()
	c.makeWords()
	var out []Idle
	for _, p := range c.words {
		if !p.Made {
			out = append(out, p.Idle)
		}
	}
	return out, len(c.words)
}
