package text

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The scanner as it was before it was made fast: one token after the other,
// each its own string. Scan must say the same of every text.

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

// slowly is the plain form of tokenise.
func slowly(s string, pattern bool) []Token {
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

func (t *scanner) separator(r rune, n int) {
	switch r {
	case '\n', '\u2028', '\u2029':
		if len(t.tokens) > 0 && t.tokens[len(t.tokens)-1].Paragraph == t.paragraph {
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
func (t *scanner) end() {
	if n := len(t.tokens); n > 0 && t.tokens[n-1].Sentence == t.sentence {
		t.sentence++
	}
}

// stop judges the full stop at byte at: it ends a sentence when white space
// and no lower-case letter follow, and no abbreviation or initial precedes.
func (t *scanner) stop(at int) {
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
	if len(t.tokens) == 0 {
		return
	}
	last := len(t.tokens) - 1
	start := t.tokens[last].Start
	if t.tokens[last].End < at || t.tokens[last].Solo { // something stood between: a bracket, a quote
		t.end()
		return
	}
	from := 0
	if last > 0 {
		from = t.ends[last-1]
	}
	w := string(t.arena[from:t.ends[last]])
	switch {
	case t.tokens[last].End > at && t.tokens[last].End-start > 2: // U.S.
		if i < len(t.s) && !opener(t.s[i:]) {
			return
		}
	case abbreviations[w], utf8.RuneCountInString(w) == 1 && !isDigit(w[0]):
		return
	}
	t.end()
}

func sameTokens(t *testing.T, s string) {
	t.Helper()
	for _, pattern := range []bool{false, true} {
		want := slowly(s, pattern)
		got := tokenise(s, pattern)
		if !slices.Equal(got, want) {
			t.Fatalf("tokens of %q (pattern %v):\n%+v, want\n%+v", s, pattern, got, want)
		}
	}
	// A scan goes on where it stood, and stops where it is told to.
	want := slowly(s, false)
	var scan Scan
	scan.Split("Left over. 中", Start{}, 100)
	from := len(scan.Pieces)
	most := len(want) / 2
	if cut := scan.Split(s, Start{}, most); cut != (len(want) > most) {
		t.Fatalf("%q: cut after %d of %d: %v", s, most, len(want), cut)
	}
	if got := scan.Tokens(nil, from); !slices.Equal(got, want[:most]) {
		t.Fatalf("first %d tokens of %q:\n%+v, want\n%+v", most, s, got, want[:most])
	}
}

func TestScanIsSlowly(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"The U.S. Treasury acted. Mr. Smith left!\n中国。美国 и", "l'Europe d’Ukraine 1,000 3.5 a.b", "한국은 \u1112\u1161\u11ab 제재", "ｻｲﾊﾞｰ攻撃ガ",
		strings.Repeat("ab", 40) + " " + strings.Repeat("é", 40) + strings.Repeat("中\u0301", 3) + "\u0301 x", "ﷺ\u200b中\ufe0f国", "a*b? *中? カ*",
		"\xff\xe4\xb8中\xe4", "漢字。「かな」", "กำขค ါ", "O’Brien's don't S's 's", "𠀀𠮷 𝐒𝐚𝐧",
	} {
		sameTokens(t, s)
	}
	// Every character by itself and between others.
	for r := rune(1); r < 0x30000; r++ {
		if utf8.ValidRune(r) && (r < 0x3400 || r%7 == 0) {
			sameTokens(t, "a"+string(r)+"b "+string(r)+"中"+string(r))
		}
	}
}

func FuzzScanIsSlowly(f *testing.F) {
	for _, s := range []string{"U.S. l'Europe 1,000", "中国，한국은 ガ", "a\u0301\u200b\xff", "..a.b.c..", "’s 's"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { sameTokens(t, s) })
}

func BenchmarkSplit(b *testing.B) {
	for name, s := range map[string]string{
		"en": strings.Repeat("The Treasury imposed sanctions on U.S. rivals, officials said. ", 80)[:5000],
		"zh": strings.Repeat("外交部发言人就制裁问题答记者问。", 110)[:5000-5000%3],
		"ru": strings.Repeat("Министерство иностранных дел заявило о санкциях. ", 60)[:5000],
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			var t Scan
			for b.Loop() {
				t.Reset()
				t.Split(s, Start{}, 30_000)
			}
		})
	}
}
