package query

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/problem"
)

// Parse reads a query. Without errors (warnings apart) the tree is complete
// and keeps to everything that can be judged without the lists; see Check for
// the rest.
func Parse(s string) (*Node, []Error) {
	if len(s) > MaxText {
		return nil, []Error{errorAt(0, 0, "split the rule, or move words into a list", "the query has %d bytes, more than %d", len(s), MaxText)}
	}
	p := parser{lex: lexer{s: s}, group: map[*Node]bool{}}
	n := p.whole()
	if p.failed {
		return nil, p.errs
	}
	p.errs = append(p.errs, static(s, n)...)
	for _, e := range p.errs {
		if !e.Warning {
			return nil, p.errs
		}
	}
	return n, p.errs
}

// ParseEntry reads an entry of a list. There, words side by side without any
// operator are a phrase.
func ParseEntry(s string) (*Node, []Error) {
	l, words := lexer{s: s}, 0
	for {
		t, err := l.next()
		if err != nil || t.kind != word && t.kind != end {
			return Parse(s)
		}
		if t.kind == end {
			break
		}
		words++
	}
	if words < 2 {
		return Parse(s)
	}
	n, errs := Parse(`"` + s + `"`)
	for i := range errs {
		errs[i].Start, errs[i].End = max(errs[i].Start-1, 0), min(max(errs[i].End-1, 0), len(s))
	}
	return n, errs
}

type parser struct {
	lex    lexer
	t      token // the next one
	last   kind  // of the one before
	group  map[*Node]bool
	depth  int
	nodes  int
	failed bool
	errs   []Error
}

// fail keeps the first mistake: what follows it is mostly its echo.
func (p *parser) fail(e Error) *Node {
	if !p.failed {
		p.errs = append(p.errs, e)
	}
	p.failed = true
	p.t = token{kind: end, start: len(p.lex.s), end: len(p.lex.s)}
	p.lex.i = len(p.lex.s)
	return &Node{Op: Word, Start: e.Start, End: e.End}
}

func (p *parser) advance() token {
	was := p.t
	p.last = was.kind
	t, err := p.lex.next()
	if err != nil {
		p.fail(*err)
		return was
	}
	p.t = t
	return was
}

func (p *parser) is(o Op) bool { return p.t.kind == operator && p.t.op == o }

func (p *parser) node(n *Node) *Node {
	if p.nodes++; p.nodes > MaxNodes {
		return p.fail(errorAt(n.Start, n.End, "split the rule, or move words into a list", "the query has more than %d parts", MaxNodes))
	}
	return n
}

func (p *parser) whole() *Node {
	p.advance()
	if p.t.kind == end && !p.failed {
		return p.fail(errorAt(0, 0, `write a word, a "phrase" or an @list`, "the query is empty"))
	}
	n := p.or()
	if p.failed || p.t.kind == end {
		return n
	}
	return p.leftover()
}

func (p *parser) or() *Node {
	first := p.and()
	kids := []*Node{first}
	var mixed *Node // an AND that stands open beside an OR
	var at token
	for p.is(Or) {
		op := p.advance()
		k := p.and()
		if len(kids) == 1 {
			at = op
			if first.Op == And && !p.group[first] {
				mixed = first
			}
		}
		if k.Op == And && !p.group[k] && mixed == nil {
			mixed, at = k, op
		}
		kids = append(kids, k)
	}
	if mixed != nil && !p.failed {
		return p.fail(p.mixed(kids, mixed, at))
	}
	if len(kids) == 1 {
		return first
	}
	return p.flat(Or, kids)
}

// flat joins nested ORs (or ANDs) that carry no weight of their own.
func (p *parser) flat(o Op, kids []*Node) *Node {
	n := &Node{Op: o, Start: kids[0].Start, End: kids[len(kids)-1].End}
	for _, k := range kids {
		if k.Op == o && k.Weight == 0 {
			n.Kids = append(n.Kids, k.Kids...)
		} else {
			n.Kids = append(n.Kids, k)
		}
	}
	return p.node(n)
}

func (p *parser) and() *Node {
	kids := []*Node{p.not()}
	for {
		if p.is(And) {
			p.advance()
		} else if !p.is(Not) {
			break
		}
		kids = append(kids, p.not())
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return p.flat(And, kids)
}

func (p *parser) deeper(at token) bool {
	if p.depth++; p.depth > MaxDepth {
		p.fail(errorAt(at.start, at.end, "simplify it, or move parts into lists", "the query nests deeper than %d", MaxDepth))
		return false
	}
	return true
}

func (p *parser) not() *Node {
	if !p.is(Not) {
		return p.prox()
	}
	at := p.advance()
	defer func() { p.depth-- }()
	if !p.deeper(at) {
		return &Node{Op: Word}
	}
	k := p.not()
	return p.node(&Node{Op: Not, Kids: []*Node{k}, Start: at.start, End: k.End})
}

func (p *parser) prox() *Node {
	left := p.except()
	for p.is(Near) || p.is(Onear) || p.is(Sent) || p.is(Para) {
		op := p.advance()
		right := p.except()
		left = p.node(&Node{Op: op.op, N: op.n, Kids: []*Node{left, right}, Start: left.Start, End: right.End})
	}
	return left
}

func (p *parser) except() *Node {
	left := p.prim()
	for p.is(Except) {
		p.advance()
		right := p.prim()
		left = p.node(&Node{Op: Except, Kids: []*Node{left, right}, Start: left.Start, End: right.End})
	}
	return left
}

func (p *parser) prim() *Node {
	defer func() { p.depth-- }()
	if !p.deeper(p.t) {
		return &Node{Op: Word}
	}
	n := p.bare()
	if p.t.kind != weight || p.failed {
		return n
	}
	w := p.advance()
	if w.number <= 0 || w.number > MaxWeight {
		return p.fail(errorAt(w.start, w.end, "an ordinary word weighs 1, one that decides 2 or 3: sanction*^2", "a weight is more than 0 and at most %d", MaxWeight))
	}
	weighted := *n
	if n.Weight != 0 {
		return p.fail(errorAt(w.start, w.end, "keep one of the two", "a second weight on the same part"))
	}
	weighted.Weight, weighted.End = w.number, w.end
	return &weighted
}

func (p *parser) bare() *Node {
	t := p.t
	switch t.kind {
	case open:
		p.advance()
		n := p.or()
		if p.t.kind == shut {
			t.end = p.advance().end
			grouped := *n
			grouped.Start, grouped.End = t.start, t.end
			p.group[&grouped] = true
			return &grouped
		}
		if p.failed {
			return n
		}
		if p.t.kind == end {
			return p.fail(errorAt(t.start, t.end, "close it with )", "parenthesis without its partner"))
		}
		return p.leftover()
	case word, phrase:
		p.advance()
		return p.words(t)
	case list:
		p.advance()
		return p.node(&Node{Op: List, Name: t.text, Start: t.start, End: t.end})
	case scope:
		p.advance()
		return p.scoped(t)
	case function:
		p.advance()
		return p.function(t)
	case operator:
		hint := "write a word or a phrase before and after it"
		if t.op != Not {
			hint += "; the word itself goes into quotes"
		}
		return p.fail(errorAt(t.start, t.end, hint, "operator %s without what it joins", p.lex.s[t.start:t.end]))
	case end:
		if p.failed {
			return &Node{Op: Word}
		}
		at := len(strings.TrimRight(p.lex.s, " \t\r\n")) // behind what was written last
		return p.fail(errorAt(at, at, "write what should follow, or remove the operator at the end", "the query ends where a word, a phrase or a parenthesis should follow"))
	case shut:
		return p.fail(errorAt(t.start, t.end, "write a word, a phrase or a list before it", "closing parenthesis where a word should stand"))
	}
	return p.leftover()
}

// words makes a node of a word or phrase; "a b"~3 (Lucene) becomes a NEAR/3 b.
func (p *parser) words(t token) *Node {
	n := p.node(&Node{Op: Word, Text: strings.Join(strings.Fields(t.text), " "), Start: t.start, End: t.end})
	if p.t.kind != slop {
		return n
	}
	s := p.t
	items := strings.Fields(t.text)
	if t.kind != phrase || len(items) < 2 || s.number != float64(s.n) {
		return p.fail(errorAt(s.start, s.end, `only a phrase may carry it, with a whole number: "export controls"~3`, "unexpected %s", show(s.text)))
	}
	p.advance()
	var left *Node
	for _, w := range items {
		right := p.node(&Node{Op: Word, Text: w, Start: t.start, End: s.end})
		if left == nil {
			left = right
			continue
		}
		left = p.node(&Node{Op: Near, N: s.n, Kids: []*Node{left, right}, Start: t.start, End: s.end})
	}
	return left
}

func (p *parser) scoped(t token) *Node {
	name := strings.ToLower(t.text)
	switch {
	case slices.Contains(Fields, name):
		if p.t.kind == end {
			return p.fail(errorAt(t.start, t.end, "write the word directly after the colon", "field %s: without a word", name))
		}
		k := p.prim()
		return p.node(&Node{Op: Field, Name: name, Kids: []*Node{k}, Start: t.start, End: k.End})
	case slices.Contains(Facts, name):
		return p.fact(t, name)
	}
	known := append(slices.Clone(Fields), Facts...)
	hint := "known are " + strings.Join(known, " ")
	if house := houseFields[name]; house != "" {
		hint = house
	} else if near := problem.Nearest(name, known); near != "" {
		hint = "did you mean " + near + ":?"
	}
	return p.fail(errorAt(t.start, t.end, hint, "unknown field %s", show(t.text)))
}

// fact reads a value, or several in parentheses with OR between them.
func (p *parser) fact(t token, name string) *Node {
	n := &Node{Op: Fact, Name: name, Start: t.start}
	value := func() bool {
		if p.t.kind != word && p.t.kind != phrase {
			p.fail(errorAt(p.t.start, max(p.t.end, p.t.start), "write "+name+":value or "+name+":(one OR another)", "%s: wants a value", name))
			return false
		}
		v := p.advance()
		n.Values = append(n.Values, strings.Join(strings.Fields(v.text), " "))
		n.End = v.end
		return true
	}
	if p.t.kind != open {
		value()
		return p.node(n)
	}
	p.advance()
	for value() && p.is(Or) {
		p.advance()
	}
	if p.t.kind != shut {
		if p.failed {
			return n
		}
		return p.fail(errorAt(p.t.start, p.t.end, "write "+name+":(one OR another)", "values of %s: are joined with OR", name))
	}
	n.End = p.advance().end
	return p.node(n)
}

func (p *parser) function(t token) *Node {
	if p.t.kind != open {
		return p.fail(errorAt(t.start, t.end, "write its parenthesis directly after it", "%s without a parenthesis", p.lex.s[t.start:t.end]))
	}
	n := &Node{Op: t.op, N: t.n, Start: t.start}
	if t.op == Stem && t.text != "STEM" {
		n.Name = strings.ToLower(t.text)
	}
	p.advance()
	for {
		n.Kids = append(n.Kids, p.or())
		if p.t.kind != comma {
			break
		}
		p.advance()
	}
	if p.t.kind != shut {
		if p.failed {
			return n
		}
		if p.t.kind == end {
			return p.fail(errorAt(t.start, t.end, "close it with )", "%s( without the closing parenthesis", n.name()))
		}
		return p.leftover()
	}
	n.End = p.advance().end
	return p.node(n)
}
