package text

import "math/bits"

// Most of most texts is ASCII words with a blank, a comma or a full stop
// behind them. Those are split eight bytes at a time; whatever else there is
// stays for next.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// letters returns x in lower case, as far as it is ASCII letters and digits,
// and how many of its bytes, from the first, are.
func letters(x uint64) (lower uint64, n int) {
	lower = x | 0x20*ones
	low, digit := lower&^highs, x&^highs // so that sums stay in their byte
	is := (low+(0x80-'a')*ones)&^(low+(0x7F-'z')*ones) | (digit+(0x80-'0')*ones)&^(digit+(0x7F-'9')*ones)
	is &^= x
	return lower, bits.TrailingZeros64(^is&highs) / 8
}

func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func store(b []byte, x uint64) {
	_ = b[7]
	b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7] = byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56)
}

// plain goes on as far as words and what is between them are of that kind.
func (t *Scan) plain() {
	s, i := t.s, t.i
	out, n := t.folded[:cap(t.folded)], len(t.folded)
	for len(t.Pieces) <= t.limit && i+8 <= len(s) {
		if s[i] <= ' ' && s[i] != '\n' {
			i++
			continue
		}
		j, to := i, n
		for j+8 <= len(s) && to+8 <= len(out) {
			lower, k := letters(load(s[j:]))
			store(out[to:], lower)
			j += k
			to += k
			if k < 8 {
				break
			}
		}
		if j == i || j >= len(s) || to-n > MaxToken {
			break
		}
		switch c := s[j]; {
		case c == ' ':
		case c == ',':
			if isDigit(s[j-1]) { // 1,000
				t.i, t.folded = i, t.folded[:n]
				return
			}
		case c == '.':
			if j+1 < len(s) && (s[j+1] >= 0x80 || ascii.kind[s[j+1]] == letter) { // U.S., 3.5
				t.i, t.folded = i, t.folded[:n]
				return
			}
		case c >= 0x80 || c == '\'' || ascii.kind[c] == letter: // the last is out of room
			t.i, t.folded = i, t.folded[:n]
			return
		}
		t.Pieces = append(t.Pieces, Piece{Start: int32(i), End: int32(j), from: int32(n), to: int32(to), Unit: t.unit, Width: 2,
			Sentence: t.sentence, Paragraph: t.paragraph})
		t.unit += 2
		i, n = j, to
		t.from = int32(n)
	}
	t.i, t.folded = i, t.folded[:n]
}
