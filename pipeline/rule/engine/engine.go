// Package engine decides which of many queries an item answers, at a cost that
// hardly grows with their number. In: parsed queries, once; then items. Out:
// the numbers of the queries that hold, and the places of what they look for.
// It finds out what is there once per item (words by a dictionary, phrases by
// a trie, lists as one term each), goes from what is there to the few queries
// that could hold (each waits at its rarest necessary clause), and evaluates
// those on sorted places. It never explains, scores or cuts text out: that is
// for the few that hit, and is rule's business. It never looks at a clock and
// never backtracks: what a stranger's text can cost is counted, and where a
// limit cut something the item's matcher says so.
package engine

import (
	"newsmonitor/pipeline/rule/query"
)

// Limits of one item (research/matching.md 5.9).
const (
	MaxWords  = 30_000  // of a field
	MaxPlaces = 10_000  // of one word, phrase or distance
	MaxSteps  = 200_000 // of evaluation; beyond, only the first places count
	fewPlaces = 16      // that count then
)

// What a limit cut, as an alert says it.
const (
	CutWords  = "match-words"
	CutPlaces = "match-places"
	CutSteps  = "match-steps"
)

// Fields of an item, in this order; the bits of a mask.
const (
	Title = iota
	Summary
	Content
	URL
	Author
	Source
	Category
	Fields
)

const (
	textMask = 1<<Title | 1<<Summary | 1<<Content
	allMask  = 1<<Fields - 1
)

// apart keeps fields from touching on the ruler of NEAR: farther than it can
// reach.
const apart = 1000

// Span is a run of tokens, half-open.
type Span struct{ Start, End int32 }

// Facts is what is known of an item besides its words.
type Facts interface {
	Holds(name string, values []string) bool
}

// Lists gives the entries of the shared lists: the same slice for the same
// list each time.
type Lists interface {
	Entries(name string) ([]*query.Node, bool)
}

// Vocabulary knows what is known of words beside the text.
type Vocabulary interface {
	// Language is that of a STEM without one.
	Language(word string) string
	// Stem is the stem of a word as it is written.
	Stem(language, raw string) string
	// Odds is how probably an item has a pattern, or folded words side by
	// side. It only decides where a query waits, never whether it holds.
	Odds(words []string) float64
}

// Lane is a group of queries that are judged together.
type Lane uint8

// Lanes in the order in which an item needs them.
const (
	States Lane = iota // what the item is about
	Voices             // who speaks
	Rules
	lanes
)

// Ref is a part of a query in a Program: a term (a word, phrase or list in
// some fields, whose presence is one bit), a fact, or a node above those.
type Ref uint32

const (
	kindMask Ref = 3 << 30
	kindNode Ref = 0 << 30
	kindTerm Ref = 1 << 30
	kindFact Ref = 2 << 30

	never   Ref = 0                // the node that never holds
	anyWord Ref = kindFact | 1<<29 // the * of a phrase
	none        = ^uint32(0) >> 2  // no term
)

// Never is what never holds.
const Never = never

func (r Ref) index() uint32 { return uint32(r &^ kindMask) }

// op is what a node does.
type op uint8

const (
	opOr op = iota
	opAnd
	opNot
	opNear
	opOnear
	opSent
	opPara
	opExcept
	opAtleast
	opSome
	opFirst
	opPhrase // with a wildcard, a *, or a form other than the plain one
)

var ops = map[query.Op]op{query.Or: opOr, query.And: opAnd, query.Not: opNot, query.Near: opNear, query.Onear: opOnear, query.Sent: opSent,
	query.Para: opPara, query.Except: opExcept, query.Atleast: opAtleast, query.Some: opSome, query.First: opFirst}

// node is an operator over kids[kid:kid+kids].
type node struct {
	op   op
	mask uint8  // of a phrase: the fields it may stand in; of ATLEAST: 1 if it looks at the content
	n    uint16 // of NEAR, ATLEAST, SOME, FIRST; of a phrase: 1 if each word must begin one
	kid  uint32
	kids uint32
	memo uint32 // of a node that several queries share: where its places are kept, from 1
}

// leaf is what can stand at a place of the text, in whatever fields.
type leafKind uint8

const (
	wordLeaf   leafKind = iota // info: its word
	wildLeaf                   // info: its pattern
	formLeaf                   // CASE, EXACT or STEM of one word
	phraseLeaf                 // info: number of words
	bagLeaf                    // an OR or SOME of many; info: its bag
)

type leaf struct {
	info uint32
	term uint32 // its term, from 1; of many, where they begin in marks
	kind leafKind
	mask uint8 // of that term
	more bool  // there are many
}

// term is a leaf in some fields.
type term struct {
	leaf uint32
	mask uint8
}

// mark is a term among those of one leaf.
type mark struct {
	term uint32
	mask uint8
	last bool
}

// bag is an OR or a SOME of many alternatives: its members report to it when
// they are there, so that the others cost nothing.
type bag struct {
	n     uint16 // of SOME; 0 for OR
	exact bool   // one member that is there makes it true
	pure  bool   // no facts in it
	size  uint32
	term  uint32
}

// word is a word of the dictionary.
type word struct {
	key  uint64 // its bytes if at most 8, else their hash
	text uint32 // where a longer one stands in long
	leaf uint32 // from 1
	node uint32 // of the phrases that begin with it, from 1
	form uint32 // first of its forms, from 1
	term uint32 // as its leaf has it, to save the way there
	mask uint8
	more bool
}

// form is CASE or EXACT of one word or pattern.
type form struct {
	key  string
	leaf uint32
	next uint32 // from 1
	kind formKind
	wild bool
}

// stream is where the postings of a term begin.
type stream struct{ posts, side uint32 }

type formKind uint8

const (
	plain formKind = iota
	cased
	exact
	stems
)

// pattern is a word with * or ?; its literal head leads to it.
type pattern struct {
	rest string // from the first * or ? on
	leaf uint32
	next uint32 // with the same head, from 1
	form uint32 // from 1
	open bool   // rest is *
}

// twig is a node of the trie of heads; its children are those from first on.
type twig struct {
	first, kids uint32
	pattern     uint32 // first that begins here, from 1
}

// language holds the stems of one language.
type language struct {
	code  string
	stems map[string]uint32 // leaf
}

type fact struct {
	name   string
	values []string
}

// Program is a set of queries, compiled. It does not change and may be used by
// many at once.
type Program struct {
	dict  dict
	words []word
	long  []byte // texts of words of more than 8 bytes, each after its length

	edges   table    // phrase trie: node<<32 | word to node, and the leaf that ends there, from 1
	longest int      // words of a phrase
	pairs   []uint64 // bits by the hash of an edge, to know most of those that are not there without going there

	twigs    []twig         // byte trie of the heads of patterns
	labels   []byte         // by twig but the root: the byte that leads there
	thirds   table          // by the first three bytes of a head: twig
	shortest int            // bytes of a head
	lead     [1 << 9]uint64 // bits by the first three bytes of heads
	patterns []pattern
	forms    []form

	languages []language
	known     Vocabulary

	leaves []leaf
	terms  []term
	marks  []mark
	bags   []bag
	nodes  []node
	kids   []Ref
	memos  int
	facts  []fact

	posts   []uint32        // rules by term; see freeze.go
	side    []uint32        // bags, states and voices by term
	streams []stream        // by term, and one for the end
	always  [lanes][]uint32 // have no necessary clause
	roots   [lanes][]Ref
	stats   Stats
}

// Stats describes a program.
type Stats struct {
	Rules, Words, Phrases, Patterns, Terms, Bags, Nodes, Postings, Exact, Always int
	Bytes                                                                        int
}

// Stats counts what the program holds.
func (p *Program) Stats() Stats { return p.stats }

// Len is the number of queries of a lane.
func (p *Program) Len(l Lane) int { return len(p.roots[l]) }
