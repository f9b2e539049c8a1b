package text

import (
	"unicode"
	"unicode/utf8"
)

//go:generate go run ./gen -opencc TSCharacters.txt -out tables.go

// Class is how a character groups into tokens. The order is the generator's.
type Class uint8

const (
	Other    Class = iota // separates
	Word                  // letters and digits that group
	Solo                  // one character, one token: Han, Hiragana, Thai, Lao, Khmer, Burmese
	Hangul                // one syllable, one token; a phrase starts at a word start
	Katakana              // the run is one token
	Mark                  // folded away, or composed with the letter before
	Attach                // belongs to the solo character before
	Drop                  // invisible: as if it were not there
)

// folded holds what a character of the BMP folds to: itself for most; several
// for those that stand in more.
type tables struct {
	class  [1 << 16]Class
	fold   [1 << 16]uint16
	more   map[rune]string // folds to several, or lies beyond the BMP
	joined map[[2]rune]rune
}

const several = 0xFFFF

// table is read-only after start: the generated strings, unpacked.
var table = unpack()

func unpack() *tables {
	t := &tables{more: map[rune]string{}, joined: map[[2]rune]rune{}}
	for i := range t.fold {
		t.fold[i] = uint16(i)
	}
	for _, packed := range []string{foldSingle, foldHan} {
		var from rune
		for i, r := range []rune(packed) {
			switch {
			case i%2 == 0:
				from = r
			case from < 1<<16 && r < several:
				t.fold[from] = uint16(r)
			default:
				t.set(from, string(r))
			}
		}
	}
	for _, m := range foldMany {
		r, n := utf8.DecodeRuneInString(m)
		t.set(r, m[n:])
	}
	c := []rune(composed)
	for i := 0; i+2 < len(c); i += 3 {
		t.joined[[2]rune{c[i], c[i+1]}] = c[i+2]
	}
	for _, r := range classRanges {
		for x := r.low; x <= r.high && x < 1<<16; x++ {
			t.class[x] = r.class
		}
	}
	return t
}

func (t *tables) set(r rune, s string) {
	t.more[r] = s
	if r < 1<<16 {
		t.fold[r] = several
	}
}

// ClassOf tells how a character groups.
func ClassOf(r rune) Class {
	if r < 1<<16 {
		if r < 0 {
			return Other
		}
		return table.class[r]
	}
	low, high := 0, len(classRanges)
	for low < high {
		m := (low + high) / 2
		switch {
		case r < classRanges[m].low:
			high = m
		case r > classRanges[m].high:
			low = m + 1
		default:
			return classRanges[m].class
		}
	}
	return Other
}

// appendFold appends what r folds to. from is where the token began in b: a
// mark is only joined to a letter of the same token.
func appendFold(b []byte, from int, r rune, c Class) []byte {
	if r < utf8.RuneSelf {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(b, byte(r))
	}
	switch c {
	case Drop:
		return b
	case Mark:
		return appendMark(b, from, r)
	}
	if r < 1<<16 {
		if f := table.fold[r]; f != several {
			b = utf8.AppendRune(b, rune(f))
		} else {
			b = append(b, table.more[r]...)
		}
	} else if s, ok := table.more[r]; ok {
		b = append(b, s...)
	} else {
		b = utf8.AppendRune(b, unicode.ToLower(r))
	}
	if c == Hangul {
		return appendJamo(b, from)
	}
	return b
}

// appendMark joins a mark to the letter before it where both make a letter of
// its own (й, ガ) and drops it otherwise (é, ё).
func appendMark(b []byte, from int, r rune) []byte {
	if s, ok := table.more[r]; ok {
		for _, x := range s {
			b = appendMark(b, from, x)
		}
		return b
	}
	if r < 1<<16 && table.fold[r] != several {
		r = rune(table.fold[r])
	}
	last, n := utf8.DecodeLastRune(b[from:])
	if j, ok := table.joined[[2]rune{last, r}]; ok {
		return utf8.AppendRune(b[:len(b)-n], j)
	}
	return b
}

// Hangul composition, Unicode 3.12.
const (
	syllables, leads, vowels, trails  = 0xAC00, 0x1100, 0x1161, 0x11A7
	leadCount, vowelCount, trailCount = 19, 21, 28
)

func appendJamo(b []byte, from int) []byte {
	last, n := utf8.DecodeLastRune(b[from:])
	if last < vowels || last >= trails+trailCount {
		return b
	}
	before, m := utf8.DecodeLastRune(b[from : len(b)-n])
	switch {
	case last < vowels+vowelCount && before >= leads && before < leads+leadCount:
		return utf8.AppendRune(b[:len(b)-n-m], syllables+((before-leads)*vowelCount+last-vowels)*trailCount)
	case last > trails && before >= syllables && before < syllables+leadCount*vowelCount*trailCount && (before-syllables)%trailCount == 0:
		return utf8.AppendRune(b[:len(b)-n-m], before+last-trails)
	}
	return b
}

// joinsBefore tells that a jamo continues the syllable before it.
func joinsBefore(r rune) bool { return r >= vowels && r < trails+trailCount }

// Fold brings a whole text to the form in which words are compared: case,
// width, marks of Latin and Greek letters, ligatures, traditional Chinese. It
// keeps what separates words. Folding twice is folding once.
func Fold(s string) string {
	b := make([]byte, 0, len(s))
	from := 0
	for _, r := range s {
		c := ClassOf(r)
		if c == Other {
			b = utf8.AppendRune(b, r)
			from = len(b)
			continue
		}
		b = appendFold(b, from, r, c)
	}
	return string(b)
}

// Cased is Fold with the case kept, and without the dots and apostrophes that
// a token may hold: the form that CASE compares.
func Cased(s string) string { return string(AppendCased(nil, s)) }

// AppendCased appends Cased(s).
func AppendCased(b []byte, s string) []byte {
	from := len(b)
	for _, r := range s {
		c := ClassOf(r)
		if r == '*' || r == '?' {
			b = append(b, byte(r))
			continue
		}
		if c == Other {
			if r == '.' && len(b) > from && isDigit(b[len(b)-1]) {
				b = append(b, '.')
			}
			continue
		}
		at := len(b)
		b = appendFold(b, at, r, c)
		if !unicode.IsUpper(r) && !unicode.IsTitle(r) {
			continue
		}
		if r < utf8.RuneSelf {
			b[at] = byte(r)
			continue
		}
		var small [32]byte // a character folds to less
		one := append(small[:0], b[at:]...)
		b = b[:at]
		for len(one) > 0 {
			x, n := utf8.DecodeRune(one)
			b, one = utf8.AppendRune(b, unicode.ToUpper(x)), one[n:]
		}
	}
	for len(b) > from && b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
