package text

import "testing"

func TestLetters(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 8 {
			b := []byte("aZ09zA5m")
			b[at] = byte(c)
			want := 8
			if c >= 0x80 || ascii.kind[c] != letter {
				want = at
			}
			lower, n := letters(load(string(b)))
			if n != want {
				t.Fatalf("letters(%q): %d, want %d", b, n, want)
			}
			var out [8]byte
			store(out[:], lower)
			for i := range n {
				if l := ascii.lower[0][b[i]]; out[i] != l {
					t.Fatalf("letters(%q): byte %d is %q, want %q", b, i, out[i], l)
				}
			}
		}
	}
}
