package query

import (
	"slices"
	"strings"
)

// What the parser says where a query cannot go on, and what it proposes.

// leftover explains a token that cannot follow what was read.
func (p *parser) leftover() *Node {
	t := p.t
	before := strings.TrimSpace(p.lex.s[:t.start])
	if i := strings.LastIndexAny(before, " \t\n("); i >= 0 {
		before = before[i+1:]
	}
	what := p.lex.s[t.start:t.end]
	switch t.kind {
	case shut:
		return p.fail(errorAt(t.start, t.end, "remove it, or open one before", "closing parenthesis without its partner"))
	case comma:
		return p.fail(errorAt(t.start, t.end, "commas part the queries of SOME/2(a, b); elsewhere write OR", "unexpected comma"))
	case slop:
		return p.fail(errorAt(t.start, t.end, `only a phrase may carry it: "export controls"~3`, "unexpected %s", show(what)))
	case weight:
		return p.fail(errorAt(t.start, t.end, "one weight a word is enough", "unexpected %s", show(what)))
	case word, phrase, list, open, scope, function:
		hint := "write AND or OR between them"
		house := houseOperator(what)
		if house == "" {
			house = houseOperator(before)
		}
		switch {
		case t.kind == word && house != "":
			hint = house
		case t.kind == word && p.last == word && (before == "CASE" || before == "EXACT" || before == "STEM"):
			hint = "write " + before + "(" + what + ")"
		case t.kind == word && p.last == word:
			hint = `quote them if they are one phrase: "` + before + " " + what + `", or write ` + before + " AND " + what
		case t.kind == open:
			hint = "write AND, OR or NEAR/10 before the parenthesis"
		}
		if t.kind == phrase {
			return p.fail(errorAt(t.start, t.end, hint, "%s follows without an operator", cut(what)))
		}
		return p.fail(errorAt(t.start, t.end, hint, "%s follows without an operator", show(what)))
	}
	return p.fail(errorAt(t.start, t.end, "write AND or OR between the parts", "unexpected %s", show(what)))
}

// mixed shows both readings of "a OR b AND c", which the houses disagree on.
func (p *parser) mixed(kids []*Node, and *Node, at token) Error {
	text := func(n *Node) string { return cut(p.lex.s[n.Start:n.End]) }
	i := slices.Index(kids, and)
	tight := "(" + text(and) + ")"
	var hint string
	if i == 0 {
		rest := and.Kids[len(and.Kids)-1]
		loose := "(" + strings.TrimPrefix(text(rest), "NOT ") + " OR " + text(kids[1]) + ")"
		hint = "write " + tight + " OR " + text(kids[1]) + ", or " + text(and.Kids[0]) + p.joint(rest) + loose
	} else {
		before := text(kids[i-1])
		hint = "write " + before + " OR " + tight + ", or (" + before + " OR " + text(and.Kids[0]) + ")" + p.joint(and.Kids[1]) + strings.TrimPrefix(text(and.Kids[1]), "NOT ")
	}
	return errorAt(at.start, at.end, hint, "AND and OR are mixed without parentheses")
}

func (p *parser) joint(n *Node) string {
	if n.Op == Not {
		return " AND NOT "
	}
	return " AND "
}

func cut(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 30 {
		return string(r[:27]) + "..."
	}
	return s
}
