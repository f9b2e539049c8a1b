package rule

import (
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// Query is one query in the rule language outside any rule: a search of the
// page or the command line. It does not change and may be used by many.
type Query struct {
	set   *Set
	text  string
	e     *expr
	exprs int
	asks  bool // for states or the voice, which cost more to find than words
}

// Query compiles a search; it may use the set's lists. Problems stand in the
// file "query".
func (s *Set) Query(src string) (*Query, problem.List) {
	a := &assembly{set: s, used: map[string]bool{}, facts: map[string][]string{"kind": feed.Kinds, "tier": feed.Tiers}}
	a.program = newProgram(s.lists)
	f := &sourceFile{name: "query", bytes: []byte(src)}
	n, errs := query.Parse(src)
	if n != nil {
		names := make([]string, 0, len(s.lists))
		for name := range s.lists {
			names = append(names, name)
		}
		errs = append(errs, query.Check(n, query.Match, a.facts, func(name string) bool { return s.lists[name] != nil }, names)...)
	}
	var problems problem.List
	for _, e := range errs {
		p := queryProblem(f, nil, src, e)
		p.Line, p.Column = query.Position(src, e.Start)
		problems = append(problems, p)
	}
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	q := &Query{set: s, text: query.Format(n), e: a.compile(f, n)}
	q.exprs = a.program.count
	query.Walk(n, func(x *query.Node) bool {
		q.asks = q.asks || x.Op == query.Fact && (x.Name == "state" || x.Name == "voice" || x.Name == "tier")
		return true
	})
	return q, problems
}

// String is the canonical form.
func (q *Query) String() string { return q.text }

// Match tells whether an item fits, and where.
func (q *Query) Match(it feed.Item) (Match, bool) {
	set := q.set
	if !q.asks {
		set = &Set{}
	}
	known := set.evaluate(it)
	v := newEvaluation(known.doc, q.exprs)
	v.facts = known.facts
	if !v.holds(q.e) {
		return Match{}, false
	}
	places, score := v.evidence(q.e)
	return Match{Score: score, Snippet: v.snippet(places), Evidence: v.lines(places)}, true
}
