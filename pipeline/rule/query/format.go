package query

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Format is the canonical form of a query on one line: our operators,
// parentheses only where they are needed. Formatting what it gives, parsed,
// gives the same again.
func Format(n *Node) string {
	var b strings.Builder
	format(&b, n)
	return b.String()
}

// Layout is Format broken into lines of about width characters at the joints
// of AND and OR, for files.
func Layout(n *Node, width int) string {
	var b strings.Builder
	layout(&b, n, "", width)
	return b.String()
}

func layout(b *strings.Builder, n *Node, indent string, width int) {
	one := Format(n)
	if len(indent)+utf8.RuneCountInString(one) <= width || n.Weight != 0 || n.Op != And && n.Op != Or {
		b.WriteString(one)
		return
	}
	used := 0 // characters of the current line after indent, 0 when no word may join it
	for i, k := range n.Kids {
		piece := Format(k)
		if tight(n, k) {
			piece = "(" + piece + ")"
		}
		size := utf8.RuneCountInString(piece)
		fits := len(indent)+size+len(n.name())+1 <= width
		if i > 0 {
			if n.Op == Or && fits && used > 0 && len(indent)+used+size+4 <= width {
				b.WriteString(" " + n.name() + " " + piece)
				used += size + 4
				continue
			}
			b.WriteString("\n" + indent + n.name() + " ")
		}
		used = 0
		switch {
		case fits:
			b.WriteString(piece)
			used = size + 4
		case tight(n, k):
			b.WriteString("(")
			layout(b, k, indent+"  ", width)
			b.WriteString(")")
		default:
			layout(b, k, indent+"  ", width)
		}
	}
}

// tight tells that k needs parentheses inside n.
func tight(n, k *Node) bool {
	if k.Weight != 0 {
		return false // format puts them under the weight
	}
	switch n.Op {
	case Or:
		return k.Op == And || k.Op == Or
	case And:
		return k.Op == Or || k.Op == And
	case Not:
		return k.Op == Or || k.Op == And
	case Near, Onear, Sent, Para:
		switch k.Op {
		case Near, Onear, Sent, Para:
			return k != n.Kids[0]
		}
		return k.Op == Or || k.Op == And || k.Op == Not
	case Except:
		switch k.Op {
		case Except:
			return k != n.Kids[0]
		}
		return binary(k)
	case Field:
		return binary(k) || k.Op == Except
	}
	return false
}

func binary(k *Node) bool {
	switch k.Op {
	case Or, And, Not, Near, Onear, Sent, Para:
		return true
	}
	return false
}

func format(b *strings.Builder, n *Node) {
	if n.Weight != 0 {
		plain := *n
		plain.Weight = 0
		wrap := binary(n) || n.Op == Except || n.Op == Field
		if wrap {
			b.WriteByte('(')
		}
		format(b, &plain)
		if wrap {
			b.WriteByte(')')
		}
		b.WriteString("^" + strconv.FormatFloat(n.Weight, 'f', -1, 64))
		return
	}
	kid := func(k *Node) {
		if tight(n, k) {
			b.WriteByte('(')
			format(b, k)
			b.WriteByte(')')
			return
		}
		format(b, k)
	}
	switch n.Op {
	case Word:
		b.WriteString(Quote(n.Text))
	case List:
		b.WriteString(n.name())
	case Fact:
		b.WriteString(n.name())
		if len(n.Values) > 1 {
			b.WriteByte('(')
		}
		for i, v := range n.Values {
			if i > 0 {
				b.WriteString(" OR ")
			}
			b.WriteString(Quote(v))
		}
		if len(n.Values) > 1 {
			b.WriteByte(')')
		}
	case Field:
		b.WriteString(n.name())
		kid(n.Kids[0])
	case Not:
		b.WriteString("NOT ")
		kid(n.Kids[0])
	case Atleast, Some, First, Case, Exact, Stem:
		b.WriteString(n.name() + "(")
		for i, k := range n.Kids {
			if i > 0 {
				b.WriteString(", ")
			}
			format(b, k)
		}
		b.WriteByte(')')
	default:
		for i, k := range n.Kids {
			if i > 0 {
				b.WriteString(" " + n.name() + " ")
			}
			kid(k)
		}
	}
}

// Quote writes a word as it may stand in a query: bare where that means the
// same, else in quotation marks.
func Quote(s string) string {
	switch s {
	case "and", "or", "not", "":
	default:
		l := lexer{s: s}
		if t, err := l.next(); err == nil && t.kind == word && !t.quoted && t.text == s && t.end == len(s) {
			return s
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `“`, `\“`, `”`, `\”`).Replace(s) + `"`
}
