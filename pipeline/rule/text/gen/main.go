// Gen writes ../tables.go: what each character folds to and how it groups into
// tokens. It is run by hand (go generate) when x/text's Unicode version or the
// OpenCC dictionary moves:
//
//	go run ./gen -opencc TSCharacters.txt -commit HASH -out tables.go
//
// TSCharacters.txt is data/dictionary/TSCharacters.txt of the OpenCC project.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// The classes, in the order of the constants in fold.go.
const (
	other = iota
	word
	solo
	hangul
	katakana
	mark
	attach
	drop
)

var alone = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

// stripped are the scripts whose marks do not tell words apart for a reader
// who types without them.
var stripped = []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Arabic, unicode.Hebrew, unicode.Inherited, unicode.Common}

// letters has what neither case folding nor decomposition brings together.
var letters = map[rune]string{
	'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ŧ': "t", 'ı': "i", 'ĸ': "k", 'ŋ': "n", 'ſ': "s", 'ɨ': "i", 'ƀ': "b",
	'ё': "е",
	// Arabic and Persian keyboards: one letter each.
	'ى': "ي", 'ی': "ي", 'ک': "ك", 'ة': "ه", 'ۀ': "ه", 'ہ': "ه", 'ھ': "ه", 'ە': "ه",
	'ٱ': "ا",
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	dictionary := flag.String("opencc", "", "OpenCC's TSCharacters.txt")
	commit := flag.String("commit", "", "OpenCC commit that the file is from")
	out := flag.String("out", "tables.go", "file to write")
	flag.Parse()
	simplified, err := read(*dictionary)
	if err != nil {
		log.Fatal(err)
	}
	src, err := tables(simplified, *commit)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, src, 0o644); err != nil {
		log.Fatal(err)
	}
}

// read takes the first simplified form of each character: the dictionary puts
// the usual one first, and the character itself where the others are rare.
func read(file string) (map[rune]rune, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := map[rune]rune{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		from, _ := utf8.DecodeRuneInString(f[0])
		to, _ := utf8.DecodeRuneInString(f[1])
		if from != to {
			m[from] = to
		}
	}
	if len(m) < 3000 {
		return nil, fmt.Errorf("%s: %d pairs, want thousands", file, len(m))
	}
	// A form that is itself simplified further must fold to the end of the
	// chain, or folding twice would differ from folding once.
	for from, to := range m {
		for range 8 {
			next, ok := m[to]
			if !ok || next == from {
				break
			}
			to = next
		}
		m[from] = to
	}
	return m, nil
}

func class(r rune) int {
	switch {
	case r == 0x00AD, r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x2064,
		r >= 0x2066 && r <= 0x206F, r == 0xFEFF, r == 0x061C, r == 0x0640, r >= 0xFE00 && r <= 0xFE0F, r == 0x034F, r == 0x180E:
		return drop // soft hyphen, joiners, direction marks, tatweel, variation selectors
	case r == 0x3099, r == 0x309A, r == 0xFF9E, r == 0xFF9F:
		return mark
	case r == 0x30FC, r == 0xFF70:
		return katakana
	case r >= 0x02B9 && r <= 0x02BF, r >= 0x02C6 && r <= 0x02DF, r == 0x0374, r == 0x0375, r == 0x30FB, r == 0xFF65, r == 0x30A0:
		return other // apostrophes, spacing accents, middle dots
	case unicode.Is(unicode.Hangul, r):
		if unicode.IsLetter(r) {
			return hangul
		}
		return other
	case unicode.Is(unicode.Katakana, r):
		if unicode.IsLetter(r) {
			return katakana
		}
		return other
	case unicode.Is(unicode.Nd, r):
		return word
	case unicode.In(r, alone...):
		switch {
		case unicode.IsMark(r):
			return attach
		case unicode.IsLetter(r), unicode.Is(unicode.Nl, r), r >= 0x2E80 && r <= 0x2FD5:
			return solo
		}
		return other
	case unicode.Is(unicode.Mn, r) && unicode.In(r, stripped...):
		return mark
	case unicode.IsMark(r) && unicode.Is(unicode.Cyrillic, r):
		return mark
	case unicode.IsLetter(r), unicode.IsMark(r) && !unicode.Is(unicode.Me, r), unicode.Is(unicode.Nl, r):
		return word
	}
	return other
}

// fold is what r folds to, r itself for most.
func fold(r rune, simplified map[rune]rune) string {
	switch c := class(r); {
	case c == other, c == drop:
		return string(r)
	case unicode.Is(unicode.Nd, r):
		return string('0' + digit(r))
	case c == hangul:
		return width.Widen.String(string(r))
	case c == katakana, c == mark && unicode.In(r, unicode.Katakana, unicode.Common, unicode.Inherited) && r > 0x3000:
		s := width.Widen.String(string(r))
		switch s { // the sound marks come out spacing
		case "\u309B":
			return "\u3099"
		case "\u309C":
			return "\u309A"
		}
		return s
	case c == mark:
		return norm.NFD.String(string(r))
	case unicode.Is(unicode.Hiragana, r):
		return string(r)
	case unicode.Is(unicode.Cherokee, r): // its capitals came first; x/text folds to and fro
		return string(unicode.ToUpper(r))
	case unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return norm.NFD.String(string(r))
	case unicode.Is(unicode.Cyrillic, r):
		s := cases.Fold().String(norm.NFC.String(string(r)))
		if t, ok := letters[first(s)]; ok {
			return t
		}
		return s
	}
	var b strings.Builder
	for _, x := range norm.NFKD.String(cases.Fold().String(strings.Map(plain, norm.NFKD.String(string(r))))) {
		if plain(x) < 0 {
			continue
		}
		if s, ok := simplified[x]; ok {
			x = s
		}
		if s, ok := letters[x]; ok {
			b.WriteString(s)
			continue
		}
		b.WriteRune(x)
	}
	if b.Len() == 0 {
		return string(r)
	}
	return b.String()
}

// plain drops what no token keeps: an iota subscript is a mark, and only then
// would case folding make a letter of it.
func plain(r rune) rune {
	if c := class(r); c == mark || c == other || c == drop {
		return -1
	}
	return r
}

func first(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }

// digit is the value of a decimal digit: they come in runs of ten from 0.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if lo := rune(t.Lo); lo <= r && r <= rune(t.Hi) {
			return (r - lo) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if lo := rune(t.Lo); lo <= r && r <= rune(t.Hi) {
			return (r - lo) % 10
		}
	}
	panic("no digit")
}

func tables(simplified map[rune]rune, commit string) ([]byte, error) {
	var single, han []rune // from, to, from, to ...
	var many []string
	var composed []rune // base, mark, composed
	var ranges []rune   // low, high, class
	last := -1
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		if c := class(r); c != last {
			if last > other {
				ranges[len(ranges)-2] = r - 1
			}
			if c > other {
				ranges = append(ranges, r, r, rune(c))
			}
			last = c
		}
		f := fold(r, simplified)
		switch n := utf8.RuneCountInString(f); {
		case f == string(r):
		case n > 1:
			many = append(many, string(r)+f)
		case unicode.Is(unicode.Han, r):
			han = append(han, r, first(f))
		default:
			single = append(single, r, first(f))
		}
		// Letters that must not come apart when their marks are served apart.
		if f == string(r) && unicode.In(r, unicode.Cyrillic, unicode.Hiragana, unicode.Katakana) {
			if d := []rune(norm.NFD.String(string(r))); len(d) == 2 {
				composed = append(composed, d[0], d[1], r)
			}
		}
	}
	slices.Sort(many)
	var b bytes.Buffer
	fmt.Fprintf(&b, `// Code generated by gen; DO NOT EDIT.

// The pairs of foldHan from a traditional to a simplified character are taken
// from data/dictionary/TSCharacters.txt of Open Chinese Convert (OpenCC),
// github.com/BYVoid/OpenCC, commit %s,
// Copyright BYVoid and contributors, under the Apache License, Version 2.0:
// the first simplified form of each line, chains followed to their end. All
// else comes from the Unicode Character Database %s.

package text

`, commit, unicode.Version)
	fmt.Fprintf(&b, "// foldSingle and foldHan: a character, then the one it folds to.\nconst foldSingle = \"\" +\n%s\n", quoted(single, 40, strconv.QuoteToASCII))
	fmt.Fprintf(&b, "const foldHan = \"\" +\n%s\n", quoted(han, 60, strconv.Quote))
	fmt.Fprintf(&b, "// foldMany: a character, then the several that it folds to.\nvar foldMany = [...]string{\n")
	for i, m := range many {
		fmt.Fprintf(&b, "%s,", strconv.QuoteToASCII(m))
		if i%8 == 7 {
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "\n}\n\n// composed: a folded letter, a mark, and the letter that both make.\nconst composed = \"\" +\n%s\n", quoted(composed, 30, strconv.QuoteToASCII))
	fmt.Fprintf(&b, "// classRanges: first character, last character, class.\nvar classRanges = [...]struct{ low, high rune; class Class }{\n")
	for i := 0; i < len(ranges); i += 3 {
		fmt.Fprintf(&b, "{%#x, %#x, %d},", ranges[i], ranges[i+1], ranges[i+2])
		if i/3%6 == 5 {
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "\n}\n")
	return format.Source(b.Bytes())
}

func quoted(rs []rune, n int, quote func(string) string) string {
	var lines []string
	for c := range slices.Chunk(rs, n) {
		lines = append(lines, "\t"+quote(string(c)))
	}
	return strings.Join(lines, " +\n") + "\n"
}
