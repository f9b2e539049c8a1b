package alert

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"newsmonitor/pipeline/rule/text"
)

// sketched is a word as a sketch sees it: folded and cut to its stem, or a
// pair of neighbours in a script without spaces.
type sketched struct {
	text     string
	pair     bool // of two characters that stand alone
	capital  bool // begins with a capital letter
	opening  bool // first of its sentence: a capital says nothing
	number   bool
	id       bool // number of a case, a notice or a vulnerability: 2026-41177, 24-cr-00123
	sentence int
}

// stem is how many letters of a word count: enough to tell words apart, few
// enough for inflections and derivations to fall together.
const stem = 7

// scans are scratch: an alert would fill tens of kilobytes anew for each text.
var scans = sync.Pool{New: func() any { return new(text.Scan) }}

// wordsOf splits a text, up to a number of tokens.
func wordsOf(s string, most int) []sketched {
	scan := scans.Get().(*text.Scan)
	defer scans.Put(scan)
	scan.Reset()
	scan.Split(s, text.Start{}, most)
	out := make([]sketched, 0, len(scan.Pieces))
	sentence := int32(-1)
	for i := range scan.Pieces {
		p := &scan.Pieces[i]
		opening := p.Sentence != sentence
		sentence = p.Sentence
		if p.Solo {
			if i+1 < len(scan.Pieces) && scan.Pieces[i+1].Solo && scan.Pieces[i+1].Start == p.End {
				n := &scan.Pieces[i+1]
				a, b := scan.Folded(p), scan.Folded(n)
				if carries(a, n.Inside) && carries(b, true) {
					out = append(out, sketched{text: string(a) + string(b), pair: true, sentence: int(p.Sentence)})
				}
			}
			continue
		}
		w := string(scan.Folded(p))
		first, _ := utf8.DecodeRuneInString(s[p.Start:])
		k := sketched{text: w, capital: unicode.IsUpper(first), opening: opening, number: first >= '0' && first <= '9', sentence: int(p.Sentence)}
		if k.number {
			k.text = strings.TrimRight(w, ".")
			k.id = len(k.text) >= 4 && !year(k.text) && i > 0 && p.Start > 0 && s[p.Start-1] == '-' &&
				scan.Pieces[i-1].End == p.Start-1 && dockets(string(scan.Folded(&scan.Pieces[i-1])))
		} else if utf8.RuneCountInString(w) > stem {
			k.text = string([]rune(w)[:stem])
		}
		out = append(out, k)
	}
	return out
}

// carries says whether a character that stands alone carries meaning: Han, and
// Hangul within a word; kana are grammar, and Thai is taken as it comes.
func carries(folded []byte, inside bool) bool {
	r, _ := utf8.DecodeRune(folded)
	switch {
	case unicode.Is(unicode.Hiragana, r):
		return false
	case unicode.Is(unicode.Hangul, r):
		return inside
	}
	return true
}

func year(w string) bool { return len(w) == 4 && (w[:2] == "19" || w[:2] == "20") }

// dockets says whether a serial number can follow, and not the end of a
// telephone number.
func dockets(w string) bool { return len(w) == 2 || year(w) }
