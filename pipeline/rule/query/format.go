package query

import (
	"slices"
	"strconv"
	"strings"
)

// Format is the canonical form of a query on one line: our operators,
// parentheses only where they are needed. Formatting what it gives, parsed,
// gives the same again.
func Format(n *Node) string {
	var b strings.Builder
	format(&b, n)
	return b.String()
}

// Layout is Format broken into lines of at most width columns where it can be:
// at the joints, and after what opens a parenthesis.
func Layout(n *Node, width int) string {
	var b strings.Builder
	layout(&b, n, "", 0, width)
	return b.String()
}

// layout writes n from column col on, further lines behind indent, and returns
// the column where it ends.
func layout(b *strings.Builder, n *Node, indent string, col, width int) int {
	one := Format(n)
	if size := wide(one); col+size <= width || n.Weight != 0 || n.Op == Word || n.Op == List || n.Op == Fact {
		b.WriteString(one)
		return col + size
	}
	write := func(s string) {
		b.WriteString(s)
		col += wide(s)
	}
	inside := indent + "  "
	kid := func(k *Node) {
		if !tight(n, k) {
			col = layout(b, k, inside, col, width)
			return
		}
		write("(")
		col = layout(b, k, inside, col, width)
		write(")")
	}
	line := func(indent string) {
		b.WriteString("\n" + indent)
		col = len(indent)
	}
	switch n.Op {
	case And, Or:
		broken := false // what was written last took several lines
		for i, k := range n.Kids {
			if i > 0 {
				size := wide(n.name()) + 2 + wide(Format(k))
				if tight(n, k) {
					size += 2
				}
				if n.Op == And || broken || col+size > width || compound(k) || compound(n.Kids[i-1]) {
					line(indent)
					write(n.name() + " ")
				} else {
					write(" " + n.name() + " ")
				}
			}
			from := b.Len()
			kid(k)
			broken = strings.Contains(b.String()[from:], "\n")
		}
	case Near, Onear, Sent, Para, Except:
		from := b.Len()
		if first := n.Kids[0]; chains(first) && !tight(n, first) { // a chain goes on in one column
			col = layout(b, first, indent, col, width)
		} else {
			kid(first)
		}
		size := wide(n.name()) + 2 + wide(Format(n.Kids[1]))
		if tight(n, n.Kids[1]) {
			size += 2
		}
		if strings.Contains(b.String()[from:], "\n") || col+size > width {
			line(indent)
			write(n.name() + " ")
		} else {
			write(" " + n.name() + " ")
		}
		kid(n.Kids[1])
	case Field:
		write(n.name())
		kid(n.Kids[0])
	case Not:
		write("NOT ")
		kid(n.Kids[0])
	default: // functions
		write(n.name() + "(")
		for i, k := range n.Kids {
			if i > 0 {
				write(",")
				if col+1+wide(Format(k)) > width {
					line(inside)
				} else {
					write(" ")
				}
			}
			col = layout(b, k, inside, col, width)
		}
		write(")")
	}
	return col
}

// compound tells an alternative that is a condition of its own, and gets its
// own line where not all fit on one; words and lists fill lines.
func compound(n *Node) bool {
	switch n.Op {
	case Word, List, Fact:
		return false
	case Field, Case, Exact, Stem, Except, Not:
		return len(n.Kids) > 0 && (n.Kids[0].Op == Or || compound(n.Kids[0]))
	}
	return true
}

// chains tells the operators that make chains.
func chains(n *Node) bool { return binary(n) && n.Op != Or && n.Op != And && n.Op != Not }

// wide is how many columns a terminal gives to s.
func wide(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
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

// loneStar tells a phrase in which a * or ? is a word of its own, as it is
// behind a character without spaces (中国*美国): bare that is a mistake. A *
// that is all there is may be the value of a fact.
func loneStar(s string) bool {
	return s != "*" && strings.ContainsAny(s, "*?") && slices.ContainsFunc(Terms(s), func(t Term) bool { return t.Any || t.Text == "?" })
}

// Quote writes a word as it may stand in a query: bare where that means the
// same, else in quotation marks.
func Quote(s string) string {
	switch strings.ToLower(s) {
	case "and", "or", "not", "":
	default:
		if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" {
			return s // as most are
		}
		l := lexer{s: s}
		if t, err := l.next(); err == nil && t.kind == word && !t.quoted && t.text == s && t.end == len(s) && !loneStar(s) {
			return s
		}
	}
	if strings.ContainsAny(s, `\"“”`) {
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `“`, `\“`, `”`, `\”`).Replace(s)
	}
	return `"` + s + `"`
}
