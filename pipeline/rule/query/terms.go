package query

import (
	"strings"
	"unicode/utf8"

	"newsmonitor/pipeline/rule/text"
)

// Term is one token of a word or phrase as the matcher compares it.
type Term struct {
	Text  string // folded; holds * and ? when Wild
	Raw   string // as written, for CASE, EXACT and STEM
	Wild  bool
	Any   bool // the lone * of a phrase: one word, whichever
	Solo  bool
	Start bool // must stand at the start of a word (Hangul)
}

// Terms splits a word or phrase the way an item is split, so that a "word"
// which an item would split becomes a phrase.
func Terms(s string) []Term {
	tokens := text.Pattern(s)
	terms := make([]Term, len(tokens))
	for i, t := range tokens {
		// A phrase finds its place at the start of a word: 한국 in 한국은, but
		// not inside another word. Further syllables may run on or not, as
		// Korean spaces loosely.
		terms[i] = Term{Text: t.Text, Raw: s[t.Start:t.End], Solo: t.Solo, Start: i == 0,
			Any: t.Text == "*", Wild: t.Text != "*" && strings.ContainsAny(t.Text, "*?")}
	}
	return terms
}

// word judges one word or phrase.
func (c *checker) word(n *Node) {
	terms := Terms(n.Text)
	bare := c.source[n.Start] != '"' && !strings.ContainsAny(c.source[n.Start:n.End], `"“„＂”`)
	switch {
	case len(terms) == 0:
		c.fail(n, "write at least one letter or digit", "%s holds no word", show(n.Text))
		return
	case len(terms) > MaxPhrase:
		c.fail(n, "join shorter phrases with SENT or NEAR", "a phrase of %d words, more than %d", len(terms), MaxPhrase)
		return
	}
	if bare {
		switch lower := strings.ToLower(n.Text); lower {
		case "and", "or", "not":
			c.warn(n, "operators are written in capitals ("+strings.ToUpper(lower)+"); the word itself goes into quotes", "%s in lower case is a word", n.Text)
		}
	}
	for i, t := range terms {
		switch {
		case len(t.Raw) > text.MaxToken && len(t.Text) > text.MaxToken-utf8.UTFMax:
			c.fail(n, "write its beginning with *", "a word of %d bytes, more than %d", len(t.Raw), text.MaxToken)
		case t.Any && bare && i > 0 && terms[i-1].Solo:
			c.fail(n, "leave the * out: a word without spaces is found inside longer ones too", "* after %s", show(terms[i-1].Raw))
		case t.Any && bare, t.Text == "?", t.Any && (i == 0 || i == len(terms)-1):
			c.fail(n, `a lone * stands for one word between others of a phrase: "ministry of * affairs"`, "%s alone", t.Text)
		case t.Wild:
			c.wild++
			head := strings.IndexAny(t.Text, "*?")
			least := MinWild
			if r, _ := utf8.DecodeRuneInString(t.Text); text.ClassOf(r) == text.Katakana {
				least = 1
			}
			if head == 0 {
				c.fail(n, "begin with letters: what a word ends with cannot be looked up", "%s begins with a wildcard", show(t.Text))
			} else if utf8.RuneCountInString(t.Text[:head]) < least {
				c.fail(n, "write the alternatives out: (a OR b)", "%s has fewer than %d letters before the wildcard", show(t.Text), least)
			}
		default:
			continue
		}
		if len(c.errs) > 0 && !c.errs[len(c.errs)-1].Warning && c.errs[len(c.errs)-1].Start == n.Start {
			return
		}
	}
}
