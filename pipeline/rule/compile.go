package rule

import (
	"encoding/binary"
	"math"
	"strings"

	"golang.org/x/text/unicode/norm"

	"newsmonitor/pipeline/rule/engine"
	"newsmonitor/pipeline/rule/query"
	"newsmonitor/pipeline/rule/text"
)

// form is how the words of a leaf are compared.
type form uint8

const (
	plain form = iota // folded
	cased             // folded, case kept
	exact             // as written
	stems             // by stem
)

// expr is a query made ready: lists expanded, forms and weights pushed down to
// the words, fields to the largest parts that have places. Equal parts of all
// rules are one expr, so that an item looks for them once: a list is looked
// for in all fields, whichever of them its rules then ask for.
type expr struct {
	id     int
	op     query.Op // never Case, Exact, Stem or List
	kids   []*expr
	n      int
	placed bool // has places in the text
	scoped bool // holds a field of its own
	sign   signs
	signs  []signs // of the kids of an OR

	fields fields // of a query.Field: only what stands in these

	// Of a word or phrase:
	text   string
	terms  []term
	need   uint64 // engine.Key of a word that must be there; 0 when there is none
	form   form
	weight float64
	list   string // the list that it was written in

	// Of a fact:
	name   string
	values []string
}

// term is one token of a phrase, with what form compares.
type term struct {
	query.Term
	key      string // what the token's form must equal, or the pattern when Wild
	head     int    // bytes before the first * or ?, when Wild
	language string // of stems
}

// program holds the exprs of a set.
type program struct {
	lists map[string]*list
	known map[string]*expr
	whole map[wholeList]*expr
	count int
	key   []byte // scratch of intern
}

// scope is what is pushed down.
type scope struct {
	form     form
	language string
	weight   float64
	list     string
}

// wholeList is a list in one scope: compiled once.
type wholeList struct {
	list *list
	scope
}

func newProgram(lists map[string]*list) *program {
	return &program{lists: lists, known: map[string]*expr{}, whole: map[wholeList]*expr{}}
}

func (p *program) compile(n *query.Node) *expr {
	return p.within(p.expr(n, scope{weight: 1}), textFields)
}

// within keeps an expr to some fields. What stands inside a field of its own
// already stays there.
func (p *program) within(e *expr, in fields) *expr {
	switch {
	case e.op == query.Field, e.op == query.Fact:
		return e
	case e.placed && !e.scoped:
		return p.intern(&expr{op: query.Field, kids: []*expr{e}, fields: in, placed: true, scoped: true})
	}
	c := *e
	c.kids = make([]*expr, len(e.kids))
	for i, k := range e.kids {
		c.kids[i] = p.within(k, in)
	}
	return p.intern(&c)
}

func (p *program) expr(n *query.Node, s scope) *expr {
	if n.Weight != 0 {
		s.weight *= n.Weight
	}
	e := &expr{op: n.Op, n: n.N}
	switch n.Op {
	case query.Field:
		return p.within(p.expr(n.Kids[0], s), fieldsOf(n.Name))
	case query.Case, query.Exact, query.Stem:
		s.form = map[query.Op]form{query.Case: cased, query.Exact: exact, query.Stem: stems}[n.Op]
		s.language = n.Name
		return p.any(n.Kids, s)
	case query.List:
		l := p.lists[n.Name]
		s.list = n.Name
		key := wholeList{l, s}
		if was := p.whole[key]; was != nil {
			return was
		}
		var entries []*query.Node
		if l != nil {
			entries = l.entries
		}
		p.whole[key] = p.any(entries, s)
		return p.whole[key]
	case query.Word:
		p.word(e, n, s)
	case query.Fact:
		e.name, e.values = n.Name, n.Values
	case query.Some:
		kids := n.Kids
		if len(kids) == 1 { // entries of a list, or alternatives
			for len(kids) == 1 && kids[0].Op == query.List && p.lists[kids[0].Name] != nil {
				s.list = kids[0].Name
				kids = p.lists[s.list].entries
			}
			if len(kids) == 1 && kids[0].Op == query.Or {
				kids = kids[0].Kids
			}
		}
		for _, k := range kids {
			e.kids = append(e.kids, p.expr(k, s))
		}
	case query.Atleast, query.First:
		e.kids = []*expr{p.any(n.Kids, s)}
		e.placed = n.Op == query.First
	default:
		e.placed = n.Op != query.And && n.Op != query.Not
		for _, k := range n.Kids {
			kid := p.expr(k, s)
			e.kids = append(e.kids, kid)
			e.placed = e.placed && kid.placed
		}
	}
	return p.intern(e)
}

// any is the OR of nodes; of none it is what is never true.
func (p *program) any(nodes []*query.Node, s scope) *expr {
	e := &expr{op: query.Or, placed: true}
	for _, k := range nodes {
		kid := p.expr(k, s)
		e.kids = append(e.kids, kid)
		e.placed = e.placed && kid.placed
	}
	if len(e.kids) == 1 {
		return e.kids[0]
	}
	return p.intern(e)
}

func (p *program) word(e *expr, n *query.Node, s scope) {
	e.placed, e.text, e.form, e.weight, e.list = true, n.Text, s.form, s.weight, s.list
	longest := 0
	for _, t := range query.Terms(n.Text) {
		k := term{Term: t, key: t.Text}
		switch {
		case t.Any:
		case s.form == cased:
			k.key = text.Cased(t.Raw)
		case s.form == exact:
			k.key = norm.NFC.String(t.Raw)
		case s.form == stems && !t.Solo:
			k.language = s.language
			if k.language == "" {
				k.language = stemLanguage(t.Raw)
			}
			k.key = stem(k.language, t.Raw)
		}
		if longest < len(t.Text) && !t.Any && !t.Wild && k.language == "" {
			longest, e.need = len(t.Text), engine.Key(t.Text)
		}
		if t.Wild {
			k.head = strings.IndexAny(t.Text, "*?")
		}
		e.terms = append(e.terms, k)
	}
}

// intern returns the expr that says the same as e, or e itself.
func (p *program) intern(e *expr) *expr {
	b := p.key[:0]
	number := func(n int) { b = binary.AppendVarint(b, int64(n)) }
	word := func(s string) {
		number(len(s))
		b = append(b, s...)
	}
	number(int(e.op))
	number(e.n)
	number(int(e.fields))
	for _, k := range e.kids {
		number(k.id)
	}
	switch e.op {
	case query.Word:
		number(int(e.form))
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.weight))
		word(e.list)
		for i := range e.terms {
			word(e.terms[i].key)
			word(e.terms[i].language)
			if e.terms[i].Any {
				number(1)
			}
		}
	case query.Fact:
		word(e.name)
		for _, v := range e.values {
			word(v)
		}
	}
	for _, k := range e.kids {
		e.scoped = e.scoped || k.scoped
	}
	p.key = b
	if was, ok := p.known[string(b)]; ok {
		return was
	}
	e.signify()
	e.id = p.count
	p.count++
	p.known[string(b)] = e
	return e
}
