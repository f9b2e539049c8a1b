package engine

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/rule/query"
	"newsmonitor/pipeline/rule/text"
)

// Builder makes a Program. Fields, forms and lists are pushed down to the
// words while the queries come in; a word, phrase or list that many use is one
// term.
type Builder struct {
	p *Program

	termOf  table // leaf<<8 | mask to term, from 1
	formOf  map[formKey]uint32
	wildOf  map[string]uint32
	factOf  map[string]Ref
	listOf  map[listKey]Ref
	scan    text.Scan
	pure    []bool    // by node: no facts in it
	uses    []uint32  // by term
	more    []uint32  // by term: the next of its leaf, from 1
	odds    []float32 // by leaf: how probably an item has it
	adverts []advert
	clauses clauses
	asked   []string // scratch of oddsOf
	tries   uint32   // nodes of the phrase trie
	heads   table    // node<<8 | byte to node, of the trie of patterns
	wilds   []uint32 // by such a node: the first pattern, from 1
}

// formKey is a form of one word.
type formKey struct {
	kind     formKind
	base     uint32 // leaf of the word or pattern
	language string
	key      string
}

// listKey is a list in one scope.
type listKey struct {
	entry    *query.Node // the first
	some     bool
	form     formKind
	language string
	mask     uint8
}

// scope is what is pushed down.
type scope struct {
	form     formKind
	language string
	mask     uint8
	lists    Lists
}

// NewBuilder begins a program.
func NewBuilder(v Vocabulary) *Builder {
	b := &Builder{p: &Program{known: v}, formOf: map[formKey]uint32{}, wildOf: map[string]uint32{}, factOf: map[string]Ref{}, listOf: map[listKey]Ref{}}
	b.node(node{op: opOr}, nil) // never
	b.wilds = append(b.wilds, 0)
	return b
}

// Add adds a query to a lane and returns its number there.
func (b *Builder) Add(l Lane, r Ref) int {
	b.p.roots[l] = append(b.p.roots[l], r)
	return len(b.p.roots[l]) - 1
}

// Query compiles a query outside any field: it looks at title, summary and
// content.
func (b *Builder) Query(n *query.Node, lists Lists) Ref {
	return b.build(n, scope{mask: textMask, lists: lists})
}

// Fact is a fact outside any query, as a rule's where has them.
func (b *Builder) Fact(name string, values []string) Ref {
	key := name + "\x00" + strings.Join(values, "\x00")
	r, ok := b.factOf[key]
	if !ok {
		r = kindFact | Ref(len(b.p.facts))
		b.p.facts = append(b.p.facts, fact{name, values})
		b.factOf[key] = r
	}
	return r
}

// And is true where all are, Not where its part is not.
func (b *Builder) And(refs ...Ref) Ref { return b.and(refs) }

// Not is true where r is not.
func (b *Builder) Not(r Ref) Ref { return b.node(node{op: opNot}, []Ref{r}) }

func (b *Builder) build(n *query.Node, s scope) Ref {
	switch n.Op {
	case query.Word:
		return b.word(n, s)
	case query.Field:
		s.mask = maskOf(n.Name)
		return b.build(n.Kids[0], s)
	case query.Case, query.Exact, query.Stem:
		s.form, s.language = forms[n.Op], n.Name
		return b.or(n.Kids, s)
	case query.List:
		entries, ok := s.lists.Entries(n.Name)
		if !ok || len(entries) == 0 {
			return never
		}
		key := listKey{entries[0], false, s.form, s.language, s.mask}
		r, ok := b.listOf[key]
		if !ok {
			r = b.share(b.or(entries, s))
			b.listOf[key] = r
		}
		return r
	case query.Fact:
		return b.Fact(n.Name, n.Values)
	case query.Some:
		return b.some(n, s)
	case query.Atleast, query.First:
		x := node{op: ops[n.Op], n: uint16(n.N)}
		if n.Op == query.Atleast && looksAt(n.Kids, s.mask, 1<<Content) {
			x.mask = 1
		}
		return b.node(x, []Ref{b.or(n.Kids, s)})
	case query.Or:
		return b.or(n.Kids, s)
	}
	kids := make([]Ref, len(n.Kids))
	for i, k := range n.Kids {
		kids[i] = b.build(k, s)
	}
	if n.Op == query.And {
		return b.and(kids)
	}
	return b.node(node{op: ops[n.Op], n: uint16(n.N)}, kids)
}

var forms = map[query.Op]formKind{query.Case: cased, query.Exact: exact, query.Stem: stems}

func maskOf(name string) uint8 {
	if name == "text" {
		return textMask
	}
	for f, n := range [Fields]string{"title", "summary", "content", "url", "author", "source", "category"} {
		if n == name {
			return 1 << f
		}
	}
	return 0
}

// looksAt tells whether one of the fields is in the scope of a word below.
func looksAt(nodes []*query.Node, mask, want uint8) bool {
	for _, n := range nodes {
		in := mask
		if n.Op == query.Field {
			in = maskOf(n.Name)
		}
		if len(n.Kids) == 0 && in&want != 0 || looksAt(n.Kids, in, want) {
			return true
		}
	}
	return false
}

func (b *Builder) node(n node, kids []Ref) Ref {
	p := b.p
	n.kid, n.kids = uint32(len(p.kids)), uint32(len(kids))
	p.kids = append(p.kids, kids...)
	pure := true
	for _, k := range kids {
		pure = pure && b.isPure(k)
	}
	b.pure = append(b.pure, pure)
	p.nodes = append(p.nodes, n)
	return kindNode | Ref(len(p.nodes)-1)
}

func (b *Builder) isPure(r Ref) bool {
	switch r & kindMask {
	case kindNode:
		return b.pure[r]
	case kindTerm:
		l := &b.p.leaves[b.p.terms[r.index()].leaf]
		return l.kind != bagLeaf || b.p.bags[l.info].pure
	}
	return r == anyWord
}

// share has a node's places kept for the next query that asks.
func (b *Builder) share(r Ref) Ref {
	if r&kindMask == kindNode && r != never && b.pure[r] {
		if n := &b.p.nodes[r]; n.memo == 0 {
			b.p.memos++
			n.memo = uint32(b.p.memos)
		}
	}
	return r
}

func (b *Builder) and(refs []Ref) Ref {
	if len(refs) == 1 {
		return refs[0]
	}
	var kids []Ref
	for _, r := range refs {
		if r&kindMask == kindNode && b.p.nodes[r].op == opAnd {
			n := &b.p.nodes[r]
			kids = append(kids, b.p.kids[n.kid:n.kid+n.kids]...)
			continue
		}
		kids = append(kids, r)
	}
	return b.node(node{op: opAnd}, kids)
}

// or is the OR of nodes.
func (b *Builder) or(nodes []*query.Node, s scope) Ref {
	if len(nodes) == 1 {
		return b.build(nodes[0], s)
	}
	var small [8]Ref
	return b.either(b.alternatives(small[:0], nodes, s), 0)
}

// alternatives compiles the kids of an OR and of the ORs right below it.
func (b *Builder) alternatives(refs []Ref, nodes []*query.Node, s scope) []Ref {
	for _, k := range nodes {
		if k.Op == query.Or {
			refs = b.alternatives(refs, k.Kids, s)
			continue
		}
		refs = append(refs, b.build(k, s))
	}
	return refs
}

// fewest is how many alternatives a bag is made for.
const fewest = 5

// either is the OR of refs, or with n the SOME of n of them.
func (b *Builder) either(refs []Ref, n uint16) Ref {
	refs = slices.DeleteFunc(refs, func(r Ref) bool { return r == never })
	if n == 0 {
		refs = unique(refs)
		switch len(refs) {
		case 0:
			return never
		case 1:
			return refs[0]
		}
	}
	if len(refs) >= fewest {
		if r, ok := b.bag(refs, n); ok {
			return r
		}
	}
	if n == 0 {
		return b.node(node{op: opOr}, refs)
	}
	return b.node(node{op: opSome, n: n}, refs)
}

// unique drops what stands there before. Long lists are left alone: their
// entries are unique, and a member twice does no harm.
func unique(refs []Ref) []Ref {
	if len(refs) > 32 {
		return refs
	}
	out := refs[:0]
next:
	for _, r := range refs {
		for _, x := range out {
			if x == r {
				continue next
			}
		}
		out = append(out, r)
	}
	return out
}

// some compiles SOME: of its kids, of the entries of its one list, or of the
// alternatives of its one OR.
func (b *Builder) some(n *query.Node, s scope) Ref {
	kids := n.Kids
	for len(kids) == 1 && kids[0].Op == query.List {
		entries, ok := s.lists.Entries(kids[0].Name)
		if !ok {
			break
		}
		kids = entries
	}
	if len(kids) == 1 && kids[0].Op == query.Or {
		kids = kids[0].Kids
	}
	refs := make([]Ref, len(kids))
	for i, k := range kids {
		refs[i] = b.build(k, s)
	}
	return b.either(refs, uint16(n.N))
}
