// Package text turns text into tokens, the same way for rules and for items.
// In: a string of any language, hostile or not. Out: folded tokens with their
// places: byte offsets into the original, the ruler that NEAR measures with,
// sentence and paragraph. It never segments by a dictionary and never guesses
// where a Chinese word ends: one character is one token there, so that no
// match is ever lost, and precision is the rule's business (EXCEPT).
package text

import (
	"strings"
	"unicode/utf8"
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

type scanner struct {
	s                   string
	pattern             bool
	i                   int
	arena               []byte
	from                int // of the current token in arena
	ends                []int
	tokens              []Token
	unit                int
	sentence, paragraph int
}

func tokenise(s string, pattern bool) []Token {
	t := scanner{s: s, pattern: pattern, arena: make([]byte, 0, len(s)+8), tokens: make([]Token, 0, len(s)/5+4)}
	t.ends = make([]int, 0, cap(t.tokens))
	for t.i < len(s) {
		t.next()
	}
	// One string for all tokens: the arena may have moved while it grew.
	all, from := string(t.arena), 0
	for i, end := range t.ends {
		w := all[from:end]
		if len(w) > MaxToken {
			w = strings.ToValidUTF8(w[:MaxToken], "")
		}
		t.tokens[i].Text = w
		from = end
	}
	return t.tokens
}

// rune decodes the character at i; a broken byte counts as a separator.
func (t *scanner) rune(i int) (rune, int, Class) {
	if i >= len(t.s) {
		return -1, 0, Other
	}
	if c := t.s[i]; c < utf8.RuneSelf {
		if t.pattern && (c == '*' || c == '?') {
			return rune(c), 1, Word
		}
		return rune(c), 1, table.class[c]
	}
	r, n := utf8.DecodeRuneInString(t.s[i:])
	if r == utf8.RuneError && n == 1 {
		return ' ', 1, Other
	}
	return r, n, ClassOf(r)
}

func (t *scanner) next() {
	r, n, c := t.rune(t.i)
	switch c {
	case Word:
		t.word()
	case Solo, Hangul:
		t.solo(c)
	case Katakana:
		t.katakana()
	case Drop, Mark, Attach:
		t.i += n
	default:
		t.separator(r, n)
	}
}

func (t *scanner) add(start, end, width int, inside, solo bool) {
	if len(t.arena) == t.from {
		return // nothing but marks
	}
	t.ends = append(t.ends, len(t.arena))
	t.from = len(t.arena)
	t.tokens = append(t.tokens, Token{Start: start, End: end, Unit: t.unit, Width: width,
		Sentence: t.sentence, Paragraph: t.paragraph, Inside: inside, Solo: solo})
	t.unit += width
}

// put folds the character at i into the current token.
func (t *scanner) put(r rune, n int, c Class) {
	t.arena = appendFold(t.arena, t.from, r, c)
	t.i += n
}

func (t *scanner) solo(c Class) {
	start := t.i
	inside := false
	if c == Hangul && len(t.tokens) > 0 && t.tokens[len(t.tokens)-1].End == start {
		before, _ := utf8.DecodeLastRuneInString(t.s[:start])
		inside = ClassOf(before) == Hangul
	}
	r, n, _ := t.rune(t.i)
	t.put(r, n, c)
	for t.i < len(t.s) {
		r, n, k := t.rune(t.i)
		if k != Attach && k != Mark && k != Drop && (k != Hangul || c != Hangul || !joinsBefore(r)) {
			break
		}
		t.put(r, n, k)
	}
	t.add(start, t.i, 1, inside, true)
}

func (t *scanner) katakana() {
	start := t.i
	for t.i < len(t.s) {
		r, n, c := t.rune(t.i)
		wild := t.pattern && (r == '*' || r == '?')
		if c != Katakana && c != Mark && c != Drop && !wild {
			break
		}
		t.put(r, n, c)
	}
	t.add(start, t.i, 2, false, false)
}

func (t *scanner) word() {
	start := t.i
	letters, pieces := 0, 0 // of the piece since the last dot; dots that vanished
	for t.i < len(t.s) {
		r, n, c := t.rune(t.i)
		switch {
		case c == Word:
			t.put(r, n, c)
			letters++
			continue
		case c == Mark, c == Drop, c == Attach:
			t.put(r, n, c)
			continue
		case r == '.':
			_, n1, c1 := t.rune(t.i + 1)
			if c1 == Word && isDigit(t.s[t.i-1]) && isDigit(t.s[t.i+1]) { // 3.5
				t.arena = append(t.arena, '.')
				t.i++
				letters = 2
				continue
			}
			if letters == 1 && !isDigit(t.s[t.i-1]) && c1 == Word && !isDigit(t.s[t.i+1]) { // U.S.
				if _, _, c2 := t.rune(t.i + 1 + n1); c2 != Word && c2 != Mark {
					t.i++
					letters = 0
					pieces++
					continue
				}
			}
			if pieces > 0 && letters == 1 { // the last dot of U.S. is its own
				t.add(start, t.i+1, 2, false, false)
				t.stop(t.i)
				t.i++
				return
			}
		case r == ',' && t.thousands(): // 1,000
			t.i++
			continue
		case apostrophe(r):
			_, n1, c1 := t.rune(t.i + n)
			if c1 != Word {
				break
			}
			if n1 == 1 && (t.s[t.i+n] == 's' || t.s[t.i+n] == 'S') {
				if _, _, c2 := t.rune(t.i + n + 1); c2 != Word && c2 != Mark { // minister's
					t.add(start, t.i, 2, false, false)
					t.i += n + 1
					return
				}
			}
			if elision(t.arena[t.from:]) { // l'Europe
				t.add(start, t.i, 2, false, false)
				t.i += n
				return
			}
			t.i += n // don't, O'Brien, зв'язок
			continue
		}
		break
	}
	t.add(start, t.i, 2, false, false)
}

// thousands tells a comma with a digit before and exactly three after it.
func (t *scanner) thousands() bool {
	if !isDigit(t.s[t.i-1]) || t.i+3 >= len(t.s) {
		return false
	}
	for _, c := range []byte(t.s[t.i+1 : t.i+4]) {
		if !isDigit(c) {
			return false
		}
	}
	return t.i+4 == len(t.s) || !isDigit(t.s[t.i+4])
}

func apostrophe(r rune) bool { return r == '\'' || r == '’' || r == 'ʼ' || r == '＇' || r == '‘' }

// elision tells the words that French and Italian (and Catalan) write before
// an apostrophe without a space.
func elision(w []byte) bool {
	switch string(w) {
	case "l", "d", "j", "m", "t", "s", "n", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "presqu",
		"un", "all", "dall", "dell", "nell", "sull", "coll", "quell", "quest", "gl", "sant", "anch", "com", "dov", "cos", "bell":
		return true
	}
	return false
}
