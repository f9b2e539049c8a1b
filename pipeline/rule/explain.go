package rule

import (
	"sync"

	"newsmonitor/pipeline/rule/query"
)

// explainer compiles for the plain evaluator what it is asked to explain: few
// of many rules. When that has become much it begins anew.
type explainer struct {
	set *Set
	mu  sync.Mutex
	now *explanations
}

// Prepare makes the rules ready to be explained, which the first alert of each
// would wait for otherwise, tens of milliseconds for the lists. Of a large set
// few rules ever fire, and it would not all be kept.
func (s *Set) Prepare() {
	if len(s.rules) > prepared {
		return
	}
	x := s.explains.get()
	for _, r := range s.rules {
		if !r.disabled && !x.much() {
			x.rule(r)
		}
	}
}

const prepared = 200 // rules

// Beyond the first, or both of the others, an explainer forgets: lists are
// large, and made again at the first rule that uses them.
const (
	manyRules = 1_000
	someRules = 32
	manyExprs = 100_000
)

// explanations is what is compiled. It only grows, so that whoever began with
// it may end with it.
type explanations struct {
	set     *Set
	mu      sync.Mutex
	program *program
	rules   map[*rule]*explained
	states  []stateExprs
	bare    *expr // bare organs of all states
	voices  []*expr
}

// explained is a rule made ready for the plain evaluator.
type explained struct {
	*spelled
	lists  listsOf
	match  *expr
	unless *expr   // nil without; made when asked for, as whens is
	whens  []*expr // of raise
}

// stateExprs finds a state.
type stateExprs struct{ names, bare *expr }

func newExplainer(s *Set) *explainer { return &explainer{set: s} }

// get returns what one item is explained with.
func (x *explainer) get() *explanations {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.now == nil || x.now.much() {
		x.now = &explanations{set: x.set, program: newProgram(x.set.lists), rules: map[*rule]*explained{}}
	}
	return x.now
}

func (x *explanations) much() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.rules) > manyRules || len(x.rules) > someRules && x.program.count > manyExprs
}

// rule returns a rule ready to be explained.
func (x *explanations) rule(r *rule) *explained {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.rules[r]
	if e == nil {
		e = &explained{spelled: r.spell(), lists: r.lists()}
		e.match = x.compile(e.node, e.lists)
		x.rules[r] = e
	}
	return e
}

// whole is rule, with its unless and the whens of its raise.
func (x *explanations) whole(r *rule) *explained {
	e := x.rule(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.not != nil && e.unless == nil {
		e.unless = x.compile(e.not, e.lists)
	}
	for _, y := range e.raise[len(e.whens):] {
		e.whens = append(e.whens, x.compile(y.when, e.lists))
	}
	return e
}

func (x *explanations) compile(n *query.Node, lists listsOf) *expr {
	x.program.lists = lists
	return x.program.compile(n)
}

// named returns what finds the states, in their order, and the bare organs.
func (x *explanations) named() ([]stateExprs, *expr) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.states == nil {
		lists := listsOf(x.set.lists)
		x.states = make([]stateExprs, len(x.set.states))
		for i, s := range x.set.states {
			x.states[i].names = x.compile(stateList(s), lists)
			if len(s.own) > 0 {
				x.states[i].bare = x.compile(either(s.own), lists)
			}
		}
		if len(x.set.organs) > 0 {
			x.bare = x.compile(either(x.set.organs), lists)
		}
	}
	return x.states, x.bare
}

// speakers returns what finds the voices, in their order.
func (x *explanations) speakers() []*expr {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.voices == nil {
		x.voices = make([]*expr, len(x.set.voices))
		for i, v := range x.set.voices {
			x.voices[i] = x.compile(v.node, v.lists)
		}
	}
	return x.voices
}
