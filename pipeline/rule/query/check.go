package query

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/problem"
)

// Use is where a query stands: not everything may stand everywhere.
type Use uint8

const (
	Match  Use = iota // a rule's match, or a search: must look for something
	Unless            // a rule's unless
	When              // a raise's when: may ask for channel:
	Entry             // an entry of a list: must have places, so that NEAR can use the list
)

// Languages that STEM knows, by BCP 47 code.
var Languages = []string{"ar", "da", "de", "en", "es", "fi", "fr", "ga", "hu", "it", "nl", "no", "pt", "ro", "ru", "sv", "ta", "tr"}

type checker struct {
	source string
	errs   []Error
	wild   int
}

// maxSaid bounds what is said of one query, warnings apart: whoever has more
// mistakes has made one of them often.
const maxSaid = 20

func (c *checker) fail(n *Node, hint, format string, args ...any) {
	c.say(errorAt(n.Start, n.End, hint, format, args...))
}

func (c *checker) warn(n *Node, hint, format string, args ...any) {
	e := errorAt(n.Start, n.End, hint, format, args...)
	e.Warning = true
	c.say(e)
}

func (c *checker) say(e Error) {
	same := 0
	for _, was := range c.errs {
		if was.Warning == e.Warning {
			same++
		}
	}
	if same < maxSaid {
		c.errs = append(c.errs, e)
	}
}

// static finds what is wrong with a query wherever it stands.
func static(source string, n *Node) []Error {
	c := checker{source: source}
	c.check(n, nil)
	if c.wild > MaxWild {
		c.fail(n, "write common forms out, or split the rule", "%d wildcards, more than %d", c.wild, MaxWild)
	}
	return c.errs
}

// check walks down; field is the scope that n stands in, if any.
func (c *checker) check(n *Node, field *Node) {
	switch n.Op {
	case Word:
		c.word(n)
	case Field:
		if field != nil {
			c.fail(n, "write them side by side: "+field.Name+":a OR "+n.Name+":a", "field %s: inside field %s:", n.Name, field.Name)
		}
		field = n
	case Fact:
		if field != nil {
			c.fail(n, "write AND between them", "fact %s: inside field %s:", n.Name, field.Name)
		}
	case Near, Onear:
		if n.N > MaxNear {
			op := c.operator(n)
			c.fail(&op, "AND has no distance; SENT and PARA keep to one sentence or paragraph", "%s: at most %d words may stand between", n.name(), MaxNear)
		}
		fallthrough
	case Sent, Para, Except:
		for _, k := range n.Kids {
			c.places(n, k)
			if m := alternatives(k); m > MaxNearWords {
				c.fail(k, "move them into a list, which counts as one", "%d alternatives beside %s, more than %d", m, n.name(), MaxNearWords)
			}
		}
	case Atleast:
		c.count(n, MaxCount)
		for _, k := range n.Kids {
			for k.Op == Field {
				k = k.Kids[0]
			}
			c.places(n, k)
		}
	case Some:
		c.count(n, MaxCount)
		if len(n.Kids) == 1 && n.Kids[0].Op != List && n.Kids[0].Op != Or {
			c.fail(n, "SOME/2(a, b, c): two of three; SOME/2(@list): two entries of a list", "%s of one query", n.name())
		} else if len(n.Kids) > 1 && n.N > len(n.Kids) {
			c.fail(n, "lower the number, or add queries", "%s of %d queries can never hold", n.name(), len(n.Kids))
		}
	case First:
		c.count(n, MaxFirst)
		for _, k := range n.Kids {
			c.places(n, k)
		}
	case Case, Exact, Stem:
		for _, k := range n.Kids {
			Walk(k, func(x *Node) bool {
				if x.Op == Fact {
					c.fail(x, "write AND between them", "fact %s: inside %s", x.Name, n.name())
				}
				if x.Op == Word && n.Op == Stem && strings.ContainsAny(x.Text, "*?") {
					c.fail(x, "STEM finds the forms of a word by itself", "wildcard inside %s", n.name())
				}
				return true
			})
		}
		if n.Op == Stem && n.Name != "" && !slices.Contains(Languages, n.Name) {
			c.fail(n, "known are "+strings.Join(Languages, " "), "no stemmer for language %s", show(n.Name))
		}
	}
	for _, k := range n.Kids {
		c.check(k, field)
	}
}

func (c *checker) count(n *Node, most int) {
	if n.N < 1 || n.N > most {
		near := *n
		near.N = min(max(n.N, 1), most)
		c.fail(n, "did you mean "+near.name()+"?", "%s: want a number from 1 to %d", n.name(), most)
	}
}

// places demands that k has places in the text, which n measures from.
func (c *checker) places(n, k *Node) {
	bad := unplaced(k)
	if bad == nil {
		return
	}
	hint := "only words, phrases, lists, OR, EXCEPT and other distances may stand there"
	switch bad.Op {
	case And:
		hint = "a NEAR/5 b AND a NEAR/5 c says that both must be near"
	case Not:
		hint = "write AND NOT (a " + n.name() + " b), or a EXCEPT b for places that do not count"
	case Field:
		hint = "put the field in front: " + bad.Name + ":(a " + n.name() + " b)"
	case Fact:
		hint = "write AND " + bad.name() + "value beside it"
	}
	switch n.Op {
	case First, Atleast:
		if bad.Op == And {
			hint = "write " + n.name() + "(a) AND " + n.name() + "(b); commas and OR join what is counted together"
		}
		hint = strings.ReplaceAll(hint, "(a "+n.name()+" b)", n.name()+"(a)")
	}
	c.fail(bad, hint, "%s inside %s", bad.what(), n.name())
}

// what names a part for a message.
func (n *Node) what() string {
	switch n.Op {
	case Field:
		return "field " + n.name()
	case Fact:
		return "fact " + n.name()
	}
	return n.name()
}

// unplaced returns the first part of n that has no places in the text.
func unplaced(n *Node) *Node {
	switch n.Op {
	case Word, List:
		return nil
	case Or, Near, Onear, Sent, Para, Except, First, Case, Exact, Stem:
		for _, k := range n.Kids {
			if bad := unplaced(k); bad != nil {
				return bad
			}
		}
		return nil
	}
	return n
}

// alternatives counts what is written beside a distance: words and lists.
func alternatives(n *Node) int {
	m := 0
	Walk(n, func(x *Node) bool {
		if x.Op == Word || x.Op == List {
			m++
		}
		return true
	})
	return m
}

// operator is the place of the operator of n.
func (c *checker) operator(n *Node) Node {
	from, to := n.Kids[0].End, n.Kids[1].Start
	if from >= to { // "a b"~500
		return *n
	}
	op := c.source[from:to]
	at := from + len(op) - len(strings.TrimLeft(op, " \t\r\n"))
	return Node{Start: at, End: max(at, from+len(strings.TrimRight(op, " \t\r\n")))}
}

// Check judges a parsed query by its use and by what is known: the values
// that a fact may have (a fact that is not in the map may have any) and the
// names of the lists.
func Check(n *Node, use Use, facts map[string][]string, lists func(string) bool, names []string) []Error {
	c := checker{}
	if use == Entry {
		if bad := unplaced(n); bad != nil {
			c.fail(bad, "an entry is a word, a phrase, a wildcard, CASE(US), an OR of these or one EXCEPT another", "%s in an entry of a list", bad.what())
		}
	}
	Walk(n, func(x *Node) bool {
		switch {
		case x.Op == List && !lists(x.Name):
			hint := "lists stand in rules/lists/*.yaml"
			if near := problem.Nearest(x.Name, names); near != "" {
				hint = "did you mean @" + near + "?"
			}
			c.fail(x, hint, "unknown list @%s", x.Name)
		case x.Op == Fact && x.Name == "channel" && use != When:
			c.fail(x, "only raise may ask for other channels: they are judged after all rules", "channel: outside raise.when")
		case x.Op == Fact:
			c.values(x, facts)
		}
		return true
	})
	if use == Match && len(c.errs) == 0 && !anchored(n) {
		c.fail(n, "add what it should look for: word AND NOT other", "the query is true of nearly every item: it only says what must not be there")
	}
	return c.errs
}

func (c *checker) values(x *Node, facts map[string][]string) {
	known, ok := facts[x.Name]
	for _, v := range x.Values {
		switch {
		case v == "*":
		case (x.Name == "country" || x.Name == "state") && !isCode(v):
			c.fail(x, "write the ISO code: CN, US, EU, UN", "%s:%s is no country code", x.Name, v)
		case ok && !slices.Contains(known, v):
			hint := "known are " + strings.Join(known, " ")
			if near := problem.Nearest(v, known); near != "" {
				hint = "did you mean " + x.Name + ":" + near + "?"
			} else if len(known) > 20 {
				hint = ""
			}
			c.fail(x, hint, "unknown %s %s", x.Name, show(v))
		}
	}
}

func isCode(s string) bool {
	if len(s) < 2 || len(s) > 4 {
		return false
	}
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// anchored tells that a query can only be true where it found something.
func anchored(n *Node) bool {
	switch n.Op {
	case Not:
		return false
	case And:
		return slices.ContainsFunc(n.Kids, anchored)
	case Or, Some:
		return !slices.ContainsFunc(n.Kids, func(k *Node) bool { return !anchored(k) })
	case Field, Case, Exact, Stem:
		return anchored(n.Kids[0])
	}
	return true
}
