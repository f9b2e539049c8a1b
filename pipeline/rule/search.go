package rule

import (
	"cmp"
	"sync"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/engine"
	"newsmonitor/pipeline/rule/query"
)

// Query is one query in the rule language outside any rule: a search of the
// page or the command line. It does not change and may be used by many.
type Query struct {
	set  *Set
	text string
	node *query.Node
	e    *expr
	asks bool // for states, the voice or the language, which cost more to find than words

	ref     engine.Ref
	readers sync.Pool // of *searcher
}

// searcher is scratch, as a reader is.
type searcher struct {
	item    engine.Item
	matcher *engine.Matcher
	facts   facts
}

// Query compiles a search; it may use the set's lists. Problems stand in the
// file "query".
func (s *Set) Query(src string) (*Query, problem.List) {
	a := &assembly{set: s, used: map[string]bool{}, facts: map[string][]string{"kind": feed.Kinds, "tier": feed.Tiers}}
	f := &sourceFile{version: &version{name: "query", bytes: []byte(src), tree: &tree{}}}
	n, errs := query.Parse(src)
	if n != nil {
		names := make([]string, 0, len(s.lists))
		for name := range s.lists {
			names = append(names, name)
		}
		errs = append(errs, query.Check(n, query.Match, a.facts, func(name string) bool { return s.lists[name] != nil }, names)...)
		errs = append(errs, tooLarge(n, s.lists)...)
	}
	var problems problem.List
	for _, e := range errs {
		p := queryProblem(f.version, nil, src, e)
		p.Line, p.Column = query.Position(src, e.Start)
		problems = append(problems, p)
	}
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	q := &Query{set: s, text: query.Format(n), node: n, e: newProgram(s.lists).compile(n)}
	b := engine.NewBuilder(vocabulary{})
	q.ref = b.Query(n, listsOf(s.lists))
	p := b.Program()
	q.readers.New = func() any { return &searcher{matcher: p.NewMatcher()} }
	query.Walk(n, func(x *query.Node) bool {
		q.asks = q.asks || x.Op == query.Fact && (x.Name == "state" || x.Name == "voice" || x.Name == "tier" || x.Name == "language")
		return true
	})
	return q, problems
}

// String is the canonical form.
func (q *Query) String() string { return q.text }

// Price is what a rule with this query would cost.
func (q *Query) Price() Price { return priceOf(q.node, q.set.lists) }

// Match tells whether an item fits, and where.
func (q *Query) Match(it feed.Item) (Match, bool) {
	r := q.readers.Get().(*searcher)
	defer q.readers.Put(r)
	texts := textsOf(&it)
	r.item.Read(&texts)
	if q.asks {
		known := q.set.index.readers.Get().(*reader)
		known.know(q.set, &it)
		r.facts = known.facts
		known.forget()
		q.set.index.readers.Put(known)
	} else {
		r.facts = facts{source: it.Source, feed: cmp.Or(it.Feed, it.Source.ID), tier: it.Source.Tier}
	}
	r.matcher.Load(&r.item)
	r.matcher.Ask(&r.facts)
	if !r.matcher.Holds(q.ref) {
		return Match{}, false
	}
	d := &document{}
	d.read(&r.item)
	v := newEvaluation(d)
	v.facts = r.facts
	places, score := v.evidence(q.e)
	return Match{Score: score, Snippet: v.snippet(places), Evidence: v.lines(places)}, true
}
