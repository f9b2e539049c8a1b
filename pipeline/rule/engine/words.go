package engine

import (
	"unicode/utf8"

	"newsmonitor/pipeline/rule/text"
)

// usual is the probability of a word that nothing is known of.
const usual = 0.01

// oddsOf is the probability of a word of the dictionary.
func (p *Program) oddsOf(id uint32) float32 {
	w := &p.words[id]
	if w.text != 0 {
		return float32(p.known.Odds(string(p.longText(w))))
	}
	var b [8]byte
	n := 0
	for k := w.key; k != 0; k >>= 8 {
		b[n] = byte(k)
		n++
	}
	return float32(p.known.Odds(string(b[:n])))
}

// syllable tells a leaf that may stand inside a Hangul word.
func (p *Program) syllable(l uint32) bool {
	x := &p.leaves[l]
	for x.kind == formLeaf {
		if x.info == none {
			return true // a stem: not known
		}
		x = &p.leaves[x.info]
	}
	if x.kind != wordLeaf {
		return false
	}
	w := &p.words[x.info]
	if w.text != 0 {
		return false
	}
	return text.ClassOf(firstRune(w.key)) == text.Hangul
}

func firstRune(key uint64) rune {
	var b [8]byte
	for i := range b {
		b[i] = byte(key >> (8 * i))
	}
	r, _ := utf8.DecodeRune(b[:])
	return r
}
