package engine

import (
	"unicode/utf8"

	"newsmonitor/pipeline/rule/text"
)

// usual is the probability of what nothing is known of: a stem.
const usual = 0.01

// oddsOf is the probability of words of the dictionary, side by side.
func (b *Builder) oddsOf(ids ...uint32) float32 {
	b.asked = b.asked[:0]
	for _, id := range ids {
		b.asked = append(b.asked, b.p.text(id))
	}
	return float32(b.p.known.Odds(b.asked))
}

// text is a word of the dictionary.
func (p *Program) text(id uint32) string {
	w := &p.words[id]
	if w.text != 0 {
		return string(p.longText(w))
	}
	var b [8]byte
	n := 0
	for k := w.key; k != 0; k >>= 8 {
		b[n] = byte(k)
		n++
	}
	return string(b[:n])
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
