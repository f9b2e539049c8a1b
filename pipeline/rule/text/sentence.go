package text

import (
	"unicode"
	"unicode/utf8"
)

// Sentences and paragraphs are numbered while the separators go by. A missed
// end joins two sentences, a false one parts what SENT should find together:
// in doubt there is none.

func (t *Scan) separator(r rune, n int) {
	switch r {
	case '\n', '\u2028', '\u2029':
		if n := len(t.Pieces); n > t.base && t.Pieces[n-1].Paragraph == t.paragraph {
			t.paragraph++
			t.end()
		}
	case '。', '！', '？', '｡', '!', '?', '؟', '।', '።', '…':
		t.end()
	case '.':
		t.stop(t.i)
	}
	t.i += n
}

// end closes the sentence if it has a token.
func (t *Scan) end() {
	if n := len(t.Pieces); n > t.base && t.Pieces[n-1].Sentence == t.sentence {
		t.sentence++
	}
}

// stop judges the full stop at byte at: it ends a sentence when white space
// and no lower-case letter follow, and no abbreviation or initial precedes.
func (t *Scan) stop(at int) {
	i := at + 1
	for i < len(t.s) { // closing quotes and brackets belong to the sentence
		r, n := utf8.DecodeRuneInString(t.s[i:])
		if r != '"' && r != '\'' && r != '”' && r != '’' && r != ')' && r != ']' && r != '»' {
			break
		}
		i += n
	}
	if i < len(t.s) {
		r, n := utf8.DecodeRuneInString(t.s[i:])
		if !unicode.IsSpace(r) { // of several stops the last one decides
			return
		}
		for i < len(t.s) && unicode.IsSpace(r) {
			i += n
			r, n = utf8.DecodeRuneInString(t.s[i:])
		}
		if i < len(t.s) && unicode.IsLower(r) {
			return
		}
	}
	if len(t.Pieces) == t.base {
		return
	}
	last := &t.Pieces[len(t.Pieces)-1]
	if int(last.End) < at || last.Solo { // something stood between: a bracket, a quote
		t.end()
		return
	}
	w := t.Folded(last)
	switch {
	case int(last.End) > at && last.End-last.Start > 2: // U.S.
		if i < len(t.s) && !opener(t.s[i:]) {
			return
		}
	case abbreviations[string(w)], utf8.RuneCount(w) == 1 && !isDigit(w[0]):
		return
	}
	t.end()
}

// opener tells words that begin a sentence much more often than they follow
// an abbreviation.
func opener(s string) bool {
	i := 0
	for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
		i++
	}
	return openers[s[:i]]
}

var openers = set("The", "A", "An", "It", "Its", "He", "She", "They", "We", "I", "You", "This", "That", "These", "Those", "There",
	"In", "On", "At", "But", "And", "However", "If", "When", "While", "After", "Before", "As", "For", "With", "His", "Her", "Their", "Our", "Mr", "Ms")

var abbreviations = set("mr", "mrs", "ms", "dr", "prof", "gen", "col", "lt", "maj", "capt", "cpt", "sgt", "adm", "cmdr", "brig", "sen", "rep", "gov", "hon",
	"rev", "fr", "st", "mt", "ft", "no", "nos", "nr", "vs", "jr", "sr", "messrs", "mme", "mlle",
	"art", "sec", "fig", "vol", "pp", "ed", "eds", "al", "cf", "eg", "ie", "approx", "ca",
	"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov", "dec",
	"bzw", "usw", "ggf", "str", "hr", "frau", "abs", "зам", "им", "ул", "обл", "тыс", "млн", "млрд")

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
