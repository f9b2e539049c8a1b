package text

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// Piece is a Token whose text stays in the Scan.
type Piece struct {
	Start, End int32 // bytes of the original, half-open
	from, to   int32 // bytes of Scan.folded
	Unit       int32
	Sentence   int32
	Paragraph  int32
	Width      int8
	Inside     bool
	Solo       bool
}

// Scan splits texts, one after the other, without allocating once it has
// grown. It may be used by one at a time.
type Scan struct {
	Pieces []Piece

	folded              []byte
	from                int32 // of the current token in folded
	s                   string
	i                   int
	pattern             bool
	base                int // first piece of this text
	limit               int // pieces that may stand in Pieces
	unit                int32
	sentence, paragraph int32
}

// Start is where the numbers of a text begin.
type Start struct{ Unit, Sentence, Paragraph int32 }

// Reset forgets all pieces.
func (t *Scan) Reset() { t.Pieces, t.folded, t.from = t.Pieces[:0], t.folded[:0], 0 }

// Folded is the folded text of a piece, up to the next Reset.
func (t *Scan) Folded(p *Piece) []byte { return t.folded[p.from:p.to] }

// Short returns the folded text of a piece as a number, its first byte the
// lowest, if that is at most eight bytes and not the very last ones.
func (t *Scan) Short(p *Piece) (key uint64, ok bool) {
	n := p.to - p.from
	if n > 8 || int(p.from)+8 > len(t.folded) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(t.folded[p.from:]) & (1<<(8*n) - 1), true
}

// Split appends the pieces of s, at most so many, and tells whether there were
// more.
func (t *Scan) Split(s string, at Start, most int) (cut bool) {
	t.s, t.i, t.base = s, 0, len(t.Pieces)
	t.unit, t.sentence, t.paragraph = at.Unit, at.Sentence, at.Paragraph
	t.limit = t.base + min(most, len(s))
	t.folded = slices.Grow(t.folded, len(s)+8)
	for t.i < len(s) && len(t.Pieces) <= t.limit {
		if !t.pattern {
			if t.plain(); t.i == len(s) || len(t.Pieces) > t.limit {
				break
			}
		}
		t.next()
	}
	if len(t.Pieces) > t.limit {
		t.Pieces = t.Pieces[:t.limit]
		cut = true
	}
	t.s = ""
	return cut
}

// What an ASCII character means between words.
const (
	blank  = iota // separates, nothing more
	letter        // or digit
	ending        // may end a sentence or a paragraph
	star          // * and ?, letters in a pattern
)

// ascii has lower-case letters and digits, of an item and of a pattern, and
// what separates.
var ascii = func() (t struct {
	lower [2][256]byte
	kind  [utf8.RuneSelf]uint8
}) {
	for c := range byte(utf8.RuneSelf) {
		switch {
		case table.class[c] == Word:
			low := c
			if c >= 'A' && c <= 'Z' {
				low += 'a' - 'A'
			}
			t.lower[0][c], t.lower[1][c], t.kind[c] = low, low, letter
		case c == '*', c == '?':
			t.lower[1][c], t.kind[c] = c, star
		case c == '\n', c == '.', c == '!':
			t.kind[c] = ending
		}
	}
	return t
}()

func (t *Scan) lower() *[256]byte {
	if t.pattern {
		return &ascii.lower[1]
	}
	return &ascii.lower[0]
}

// rune decodes the character at i; a broken byte counts as a separator.
func (t *Scan) rune(i int) (rune, int, Class) {
	if i >= len(t.s) {
		return -1, 0, Other
	}
	if c := t.s[i]; c < utf8.RuneSelf {
		if t.pattern && (c == '*' || c == '?') {
			return rune(c), 1, Word
		}
		return rune(c), 1, table.class[c]
	}
	r, n := decode(t.s[i:])
	if r == utf8.RuneError && n == 1 {
		return ' ', 1, Other
	}
	return r, n, ClassOf(r)
}

// decode is utf8.DecodeRuneInString, faster where Chinese stands: after these
// leading bytes any two continuations make a character.
func decode(s string) (rune, int) {
	if len(s) >= 3 {
		if a, b, c := s[0], s[1], s[2]; a >= 0xE1 && a <= 0xEC && b&0xC0 == 0x80 && c&0xC0 == 0x80 {
			return rune(a&0xF)<<12 | rune(b&0x3F)<<6 | rune(c&0x3F), 3
		}
	}
	return utf8.DecodeRuneInString(s)
}

func (t *Scan) next() {
	if c := t.s[t.i]; c < utf8.RuneSelf {
		switch k := ascii.kind[c]; {
		case k == letter, k == star && t.pattern:
			t.word()
		case k == blank:
			t.i++
		default:
			t.separator(rune(c), 1)
		}
		return
	}
	r, n, c := t.rune(t.i)
	switch c {
	case Solo:
		t.solos(r, n)
	case Word:
		t.word()
	case Hangul:
		t.solo(c)
	case Katakana:
		t.katakana()
	case Drop, Mark, Attach:
		t.i += n
	default:
		t.separator(r, n)
	}
}

func (t *Scan) add(start, end int, width int8, inside, solo bool) {
	from, to := t.from, int32(len(t.folded))
	if from == to {
		return // nothing but marks
	}
	t.from = to
	if to-from > MaxToken {
		for to = from + MaxToken; !utf8.RuneStart(t.folded[to]); to-- {
		}
	}
	t.Pieces = append(t.Pieces, Piece{Start: int32(start), End: int32(end), from: from, to: to, Unit: t.unit, Width: width,
		Sentence: t.sentence, Paragraph: t.paragraph, Inside: inside, Solo: solo})
	t.unit += int32(width)
}

// put folds the character at i into the current token.
func (t *Scan) put(r rune, n int, c Class) {
	t.folded = appendFold(t.folded, int(t.from), r, c)
	t.i += n
}

// solos adds characters that stand alone, as long as one follows the other.
func (t *Scan) solos(r rune, n int) {
	for {
		start := t.i
		if f := fold16(r); f >= 0x800 {
			t.folded = append(t.folded, 0xE0|byte(f>>12), 0x80|byte(f>>6)&0xBF, 0x80|byte(f)&0xBF)
			t.i += n
		} else {
			t.put(r, n, Solo)
		}
		var k Class
		for t.i < len(t.s) && t.s[t.i] >= utf8.RuneSelf {
			if r, n, k = t.rune(t.i); k != Attach && k != Mark && k != Drop {
				break
			}
			t.put(r, n, k)
			k = Other
		}
		t.add(start, t.i, 1, false, true)
		if k != Solo || len(t.Pieces) > t.limit {
			return
		}
	}
}

// fold16 is what a character of the BMP folds to if that is one of three
// bytes, else less than 0x800.
func fold16(r rune) uint16 {
	if r >= 1<<16 {
		return 0
	}
	if f := table.fold[r]; f != several {
		return f
	}
	return 0
}

func (t *Scan) solo(c Class) {
	start := t.i
	inside := false
	if c == Hangul && len(t.Pieces) > t.base && int(t.Pieces[len(t.Pieces)-1].End) == start {
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

func (t *Scan) katakana() {
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

// run folds the ASCII letters at i and returns how many they are.
func (t *Scan) run() int {
	in, low := t.s[t.i:], t.lower()
	n := len(t.folded)
	if cap(t.folded)-n < len(in) {
		t.folded = slices.Grow(t.folded, len(in))
	}
	out := t.folded[n : n+len(in)]
	k := 0
	for ; k < len(in) && k < len(out); k++ {
		c := low[in[k]]
		if c == 0 {
			break
		}
		out[k] = c
	}
	t.folded = t.folded[:n+k]
	t.i += k
	return k
}

func (t *Scan) word() {
	start := t.i
	letters, dots := 0, 0 // of the piece since the last dot; dots that vanished
	for t.i < len(t.s) {
		if c := t.s[t.i]; c < utf8.RuneSelf {
			if n := t.run(); n > 0 {
				letters += n
				continue
			}
			if c != '.' && c != ',' && c != '\'' {
				break
			}
		}
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
				t.folded = append(t.folded, '.')
				t.i++
				letters = 2
				continue
			}
			if letters == 1 && !isDigit(t.s[t.i-1]) && c1 == Word && !isDigit(t.s[t.i+1]) { // U.S.
				if _, _, c2 := t.rune(t.i + 1 + n1); c2 != Word && c2 != Mark {
					t.i++
					letters = 0
					dots++
					continue
				}
			}
			if dots > 0 && letters == 1 { // the last dot of U.S. is its own
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
			if elision(t.folded[t.from:]) { // l'Europe
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
func (t *Scan) thousands() bool {
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
