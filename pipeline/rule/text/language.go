package text

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Language judges what a text is written in: its script first, then what was
// declared if that is written so, then its commonest little words. It returns
// "" when nothing tells. Many Chinese sites declare en-US: the script wins.
func Language(s, declared string) string {
	t := &Scan{}
	return LanguageOf(declared, func(i int) []byte {
		if i == 0 {
			t.Split(s, Start{}, littleWords)
		}
		if i == len(t.Pieces) {
			return nil
		}
		return t.Folded(&t.Pieces[i])
	}, s)
}

// LanguageOf is Language of a text in parts that is split already: word is
// asked for its folded words one after the other until it gives nil.
func LanguageOf(declared string, word func(i int) []byte, parts ...string) string {
	script := scriptOf(parts)
	base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(declared)), "-")
	if base != "" && len(declared) <= 35 && wellFormed(declared) && scripts[base] == script {
		return strings.TrimSpace(declared)
	}
	switch script {
	case "":
		if wellFormed(declared) {
			return strings.TrimSpace(declared)
		}
		return ""
	case "Latn":
		// A language that the table does not know is most probably written in
		// Latin letters.
		if _, ok := scripts[base]; !ok && base != "" && wellFormed(declared) {
			return strings.TrimSpace(declared)
		}
		return little(word)
	case "Cyrl":
		if containsAny(parts, "іїєґІЇЄҐ") {
			return "uk"
		}
	case "Arab":
		if containsAny(parts, "پچژگی") {
			return "fa"
		}
	}
	return usual[script]
}

// wellFormed keeps a stranger's word to the form of BCP 47.
func wellFormed(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) < 2 || len(s) > 35 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

var scripts = map[string]string{
	"zh": "Hani", "yue": "Hani", "ja": "Jpan", "ko": "Kore",
	"ru": "Cyrl", "uk": "Cyrl", "be": "Cyrl", "bg": "Cyrl", "mk": "Cyrl", "kk": "Cyrl", "ky": "Cyrl", "tg": "Cyrl", "mn": "Cyrl", "sr": "Cyrl",
	"ar": "Arab", "fa": "Arab", "ur": "Arab", "ps": "Arab", "ug": "Arab", "ckb": "Arab",
	"he": "Hebr", "yi": "Hebr", "el": "Grek", "th": "Thai", "lo": "Laoo", "km": "Khmr", "my": "Mymr", "hi": "Deva", "ne": "Deva", "mr": "Deva",
	"bn": "Beng", "ta": "Taml", "te": "Telu", "ka": "Geor", "hy": "Armn", "am": "Ethi",
	"en": "Latn", "fr": "Latn", "de": "Latn", "es": "Latn", "it": "Latn", "pt": "Latn", "nl": "Latn", "pl": "Latn", "cs": "Latn", "sk": "Latn",
	"hu": "Latn", "ro": "Latn", "sv": "Latn", "no": "Latn", "nb": "Latn", "nn": "Latn", "da": "Latn", "fi": "Latn", "et": "Latn", "lv": "Latn",
	"lt": "Latn", "tr": "Latn", "vi": "Latn", "id": "Latn", "ms": "Latn", "hr": "Latn", "sl": "Latn", "ca": "Latn", "ga": "Latn", "sq": "Latn", "az": "Latn", "uz": "Latn",
}

var usual = map[string]string{"Hani": "zh", "Jpan": "ja", "Kore": "ko", "Cyrl": "ru", "Arab": "ar", "Hebr": "he", "Grek": "el", "Thai": "th", "Laoo": "lo",
	"Khmr": "km", "Mymr": "my", "Deva": "hi", "Beng": "bn", "Taml": "ta", "Telu": "te", "Geor": "ka", "Armn": "hy", "Ethi": "am"}

var tabled = []struct {
	code  string
	table *unicode.RangeTable
}{
	{"Latn", unicode.Latin}, {"Hani", unicode.Han}, {"Cyrl", unicode.Cyrillic}, {"Arab", unicode.Arabic}, {"Kore", unicode.Hangul}, {"Hebr", unicode.Hebrew},
	{"Grek", unicode.Greek}, {"Thai", unicode.Thai}, {"Laoo", unicode.Lao}, {"Khmr", unicode.Khmer}, {"Mymr", unicode.Myanmar}, {"Deva", unicode.Devanagari},
	{"Beng", unicode.Bengali}, {"Taml", unicode.Tamil}, {"Telu", unicode.Telugu}, {"Geor", unicode.Georgian}, {"Armn", unicode.Armenian}, {"Ethi", unicode.Ethiopic},
}

func containsAny(parts []string, chars string) bool {
	for _, s := range parts {
		if strings.ContainsAny(s, chars) {
			return true
		}
	}
	return false
}

// scriptOfRune has, for letters of the BMP, the place of their script in
// tabled, from 1.
var scriptOfRune = func() *[1 << 16]uint8 {
	t := new([1 << 16]uint8)
	for i := range tabled {
		for _, r := range tabled[i].table.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				if t[c] == 0 && unicode.IsLetter(c) {
					t[c] = uint8(i + 1)
				}
			}
		}
	}
	return t
}()

func tabledOf(r rune) int {
	if r < 1<<16 {
		return int(scriptOfRune[r])
	}
	if unicode.IsLetter(r) {
		for i := range tabled {
			if unicode.Is(tabled[i].table, r) {
				return i + 1
			}
		}
	}
	return 0
}

// scriptOf is the script of most of a text. A character of a script that
// writes a word in one or two counts three times. Kana make Han Japanese, but
// not a name in Katakana or the の of a Chinese shop sign.
func scriptOf(parts []string) string {
	const latin, han, korean = 0, 1, 4 // in tabled
	var count [32]int
	letters, hiragana, katakana := 0, 0, 0 // letters of ASCII
	for _, s := range parts {
		for i := 0; i < len(s); {
			if c := s[i]; c < utf8.RuneSelf {
				letters += int(asciiLetter[c])
				i++
				continue
			}
			r, n := decode(s[i:])
			i += n
			switch {
			case r >= 0x3041 && r <= 0x309F && r != 'の':
				hiragana++
			case r >= 0x3041 && r <= 0x30FF:
				katakana++
			default:
				if k := tabledOf(r); k > 0 {
					if k--; k == han || k == korean {
						count[k] += 2
					}
					count[k]++
				}
			}
		}
	}
	count[latin] += letters
	best, most := "", 0
	for i, n := range count[:len(tabled)] {
		if i == han && (hiragana*10 > n/3 || katakana*2 > n/3) {
			if n += 3 * (hiragana + katakana); n > most {
				best, most = "Jpan", n
			}
			continue
		}
		if n > most {
			best, most = tabled[i].code, n
		}
	}
	return best
}

var littleLanguages = [...]string{"en", "fr", "de", "es", "it", "pt", "nl", "pl", "sv", "tr", "vi", "id"}

const littleWords = 400 // are looked at

// little tells languages in Latin letters by words that stand in every second
// sentence; there must be at least two, and clearly more than of any other.
func little(word func(i int) []byte) string {
	var n [len(littleLanguages)]int
	for i := range littleWords {
		w := word(i)
		if w == nil {
			break
		}
		if len(w) > commonestLength {
			continue
		}
		for m := commonest.of(w); m != 0; m &= m - 1 {
			n[bits.TrailingZeros16(m)]++
		}
	}
	best, most, second := "", 0, 0
	for i, l := range littleLanguages {
		switch {
		case n[i] > most:
			best, most, second = l, n[i], most
		case n[i] > second:
			second = n[i]
		}
	}
	if most < 2 || most <= second {
		return ""
	}
	return best
}

const commonestLength = 6 // bytes of the longest

// spoken has the languages of little words as bits, by littleLanguages: a table
// with gaps, by the bytes of a word.
type spoken [1 << 10]struct {
	key       uint64
	languages uint16
}

func (t *spoken) of(word []byte) uint16 {
	key, i := t.find(word)
	if t[i].key != key {
		return 0
	}
	return t[i].languages
}

// find returns the key of a word and where it is, or belongs.
func (t *spoken) find(word []byte) (key uint64, i int) {
	for j, c := range word {
		key |= uint64(c) << (8 * j)
	}
	for i = int(key * 0x9E3779B97F4A7C15 >> 54); t[i].key != 0 && t[i].key != key; {
		i = (i + 1) % len(t)
	}
	return key, i
}

var asciiLetter = func() (t [utf8.RuneSelf]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = 1, 1
	}
	return t
}()

var commonest = func() *spoken {
	m := &spoken{}
	for l, words := range map[string]string{
		"en": "the of and to in is for on that with by as at from was has have its are an be it over after will says new",
		"fr": "le la les des et est une du dans pour que qui sur au aux avec par plus ne pas sont ses",
		"de": "der die das und ist den von mit dem fur auf ein eine nicht sich des im zu auch als nach bei wird",
		"es": "el los las y en que del una por con para se su al es lo como mas sus fue",
		"it": "il di che e la per un del della con non si gli da sono nel alla le i piu",
		"pt": "o os as e do da em que um uma para com nao dos das no na por se mais ao",
		"nl": "de het een en van in op dat is voor met zijn niet aan te door ook naar bij wordt",
		"pl": "w i na z do nie sie jest ze o przez po od za dla oraz",
		"sv": "och att det som en pa ar av for den med till inte har om ett",
		"tr": "ve bir bu ile icin de da olarak daha cok gibi olan",
		"vi": "va cua la cac trong cho mot nhung voi nguoi duoc khong co tai",
		"id": "yang dan di dari untuk dengan ini itu pada dalam tidak akan oleh",
	} {
		for _, w := range strings.Fields(words) {
			key, i := m.find([]byte(w))
			m[i].key = key
			m[i].languages |= 1 << slices.Index(littleLanguages[:], l)
		}
	}
	return m
}()
