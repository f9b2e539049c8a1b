// Package query is the language in which analysts write what they look for:
// its parser, its checks and its canonical form. In: the text of a query. Out:
// a tree, or every mistake with its place and a proposal. It never looks at an
// item, and it never guesses: where the houses that analysts come from read
// the same words differently, it asks.
//
//	query  = or
//	or     = and { OR and }                  mixing OR with AND needs parentheses
//	and    = not { [AND] NOT not | AND not }
//	not    = NOT not | prox
//	prox   = exc { (NEAR/n | ONEAR/n | SENT | PARA) exc }     from the left
//	exc    = prim { EXCEPT prim }            places of the left, not touched by the right
//	prim   = (scoped | "(" query ")" | func | phrase | word | @list) [^weight]
//	scoped = field:prim | fact:value | fact:(value OR value)
//	func   = (ATLEAST/n | SOME/n | FIRST/n | CASE | EXACT | STEM[:lang]) "(" query {, query} ")"
//	phrase = '"' words, * stands for any one word '"' [~n]
//	word   = letters, digits, inner . ' - & + / #, and * ? after three letters
//
// NEAR/n lets at most n words stand between, in any order; ONEAR/n in the
// order written. In Chinese, where a character is half a word on that ruler,
// NEAR/10 lets 20 characters stand between.
package query

import (
	"fmt"
	"strconv"
	"strings"
)

// Op is what a node does.
type Op uint8

const (
	Or Op = iota
	And
	Not
	Near
	Onear
	Sent
	Para
	Except
	Atleast // of N places, all queries together
	Some    // of N different queries, or entries of a list
	First   // within the first N words of a field
	Case    // compared with the case kept
	Exact   // compared as written: case, marks, traditional or simplified
	Stem    // compared by stem; Name is the language, "" for the one of the script
	Field   // Name is the field; one kid
	Fact    // Name is the fact, Values its alternatives
	List    // Name is the list
	Word    // a word or a phrase; Text as written
)

// Node is one part of a query. Nodes are not changed after Parse.
type Node struct {
	Op     Op
	Kids   []*Node
	N      int
	Weight float64 // 0 means none was written, which counts as 1
	Name   string
	Values []string
	Text   string // Word: without quotes and escapes
	Start  int    // bytes of the source, half-open
	End    int
}

// Error is one mistake of a query, or with Warning set something that is most
// probably not meant.
type Error struct {
	Start, End int // bytes of the query, half-open
	Message    string
	Hint       string
	Warning    bool
}

func (e Error) Error() string { return e.Message }

// Limits of one query (research/matching.md 5.9).
const (
	MaxText      = 64 << 10
	MaxNodes     = 5000
	MaxDepth     = 64
	MaxExpansion = 10_000 // words, lists included
	MaxNear      = 100
	MaxNearWords = 500 // alternatives written beside one NEAR; lists do not count
	MaxPhrase    = 32
	MaxWild      = 200
	MinWild      = 3 // letters before * or ?; CJK 1
	MaxWeight    = 100
	MaxCount     = 500 // n of ATLEAST and SOME
	MaxFirst     = 10_000
)

// Fields that a query may look at; text is title, summary and content.
var Fields = []string{"title", "summary", "content", "text", "url", "author", "source", "category"}

// Facts about an item that are no words in it. channel is known to raise alone.
var Facts = []string{"feed", "kind", "tier", "voice", "country", "state", "language", "tag", "channel"}

// Walk calls f for n and all below it until f says not to go deeper.
func Walk(n *Node, f func(*Node) bool) {
	if n == nil || !f(n) {
		return
	}
	for _, k := range n.Kids {
		Walk(k, f)
	}
}

// name is how an operator or function is written.
func (n *Node) name() string {
	switch n.Op {
	case Or:
		return "OR"
	case And:
		return "AND"
	case Not:
		return "NOT"
	case Near:
		return "NEAR/" + strconv.Itoa(n.N)
	case Onear:
		return "ONEAR/" + strconv.Itoa(n.N)
	case Sent:
		return "SENT"
	case Para:
		return "PARA"
	case Except:
		return "EXCEPT"
	case Atleast:
		return "ATLEAST/" + strconv.Itoa(n.N)
	case Some:
		return "SOME/" + strconv.Itoa(n.N)
	case First:
		return "FIRST/" + strconv.Itoa(n.N)
	case Case:
		return "CASE"
	case Exact:
		return "EXACT"
	case Stem:
		if n.Name != "" {
			return "STEM:" + n.Name
		}
		return "STEM"
	case List:
		return "@" + n.Name
	case Field, Fact:
		return n.Name + ":"
	}
	return ""
}

func errorAt(start, end int, hint, format string, args ...any) Error {
	return Error{Start: start, End: end, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// show cuts a piece of a query for a message.
func show(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:37]) + "..."
	}
	return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD"))
}
