// Package text turns text into tokens, the same way for rules and for items.
// In: a string of any language, hostile or not. Out: folded tokens with their
// places: byte offsets into the original, the ruler that NEAR measures with,
// sentence and paragraph. It never segments by a dictionary and never guesses
// where a Chinese word ends: one character is one token there, so that no
// match is ever lost, and precision is the rule's business (EXCEPT).
package text

import (
	"math"
	"slices"
)

// MaxToken bounds a folded token in bytes; the rest of a longer run of letters
// is dropped from Text, not from its span.
const MaxToken = 64

// Token is one word, or one character of a script that writes without spaces.
type Token struct {
	Text       string // folded
	Start, End int    // bytes of the original, half-open
	Unit       int    // place on the ruler of NEAR: a word is 2 units wide, a solo character 1
	Width      int    // 1 or 2 units
	Sentence   int    // from 0
	Paragraph  int    // from 0; lines are paragraphs
	Inside     bool   // a Hangul syllable that continues a word
	Solo       bool   // one character by itself, where * and ? mean nothing
}

// Tokenise splits s. It takes time and memory in proportion to s.
func Tokenise(s string) []Token { return tokenise(s, false) }

// Pattern splits a word or phrase of a rule: * and ? stay in the tokens.
func Pattern(s string) []Token { return tokenise(s, true) }

func tokenise(s string, pattern bool) []Token {
	t := Scan{pattern: pattern, Pieces: make([]Piece, 0, len(s)/5+4)}
	t.Split(s, Start{}, math.MaxInt)
	return t.Tokens(nil, 0)
}

// Tokens appends the pieces from one on, with their texts, which are copies.
func (t *Scan) Tokens(tokens []Token, from int) []Token {
	tokens = slices.Grow(tokens, len(t.Pieces)-from)
	if from == len(t.Pieces) {
		return tokens
	}
	base := t.Pieces[from].from
	all := string(t.folded[base:]) // one string for all
	for _, p := range t.Pieces[from:] {
		tokens = append(tokens, Token{Text: all[p.from-base : p.to-base], Start: int(p.Start), End: int(p.End), Unit: int(p.Unit), Width: int(p.Width),
			Sentence: int(p.Sentence), Paragraph: int(p.Paragraph), Inside: p.Inside, Solo: p.Solo})
	}
	return tokens
}
