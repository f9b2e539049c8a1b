package feed

import (
	"bytes"
	"regexp"
	"strings"
)

var languageElement = regexp.MustCompile(`(?i)<(?:\w+:)?language>\s*([a-z]{2}(?:[-_][a-z]{2,4})?)|xml:lang\s*=\s*["']([a-z]{2}(?:-[a-z]{2,4})?)`)

// hints is the language that feeds.yaml or the document name, in small letters.
func hints(doc Document, b []byte) string {
	if doc.Feed.Language != "" {
		return strings.ToLower(doc.Feed.Language)
	}
	if m := languageElement.FindSubmatch(b[:min(len(b), 4096)]); m != nil {
		return strings.ToLower(strings.ReplaceAll(string(append(m[1], m[2]...)), "_", "-"))
	}
	return ""
}

// guess names the charset of bytes that are no UTF-8 and that nobody
// declared. Latin letters above ASCII stand alone among ASCII; the letters of
// other scripts stand in runs, of even length where a character takes two
// bytes.
func guess(b []byte, lang string) string {
	s := count(b)
	base, _, _ := strings.Cut(lang, "-")
	switch {
	case s.high == 0:
		return "windows-1252"
	case s.big5 && (strings.HasPrefix(lang, "zh-tw") || strings.HasPrefix(lang, "zh-hk") || strings.HasPrefix(lang, "zh-hant")):
		return "big5"
	case base == "ja" && s.sjis && !s.euc, s.sjis && s.sjisKana*4 > s.high:
		return "shift_jis"
	case base == "ja" && s.euc, s.euc && s.eucKana*5 > s.pairs:
		return "euc-jp"
	case base == "ko" && s.euc:
		return "euc-kr"
	case s.isolated*2 > s.high || base == "fr" || base == "de" || base == "es" || base == "pt" || base == "en" && s.isolated*4 > s.high:
		if base == "cs" || base == "pl" || base == "hu" || base == "sk" || base == "hr" || base == "ro" {
			return "windows-1250"
		}
		if base == "tr" {
			return "windows-1254"
		}
		return "windows-1252"
	case base == "ru" || base == "uk" || base == "bg" || base == "be":
		if s.low1251 >= s.lowKOI8 {
			return "windows-1251"
		}
		return "koi8-r"
	case base == "zh" && s.euc:
		return "gb18030"
	case s.euc && s.hangul*100 >= s.pairs*85:
		return "euc-kr"
	case s.euc && s.gb1*100 >= s.pairs*60 && s.odd == 0:
		return "gb18030"
	case s.big5 && s.bigFrequent*100 >= s.bigPairs*70 && s.ascii2 > 0:
		return "big5"
	case s.low1251*100 >= s.high*60:
		return "windows-1251"
	case s.lowKOI8*100 >= s.high*60:
		return "koi8-r"
	case s.euc:
		return "gb18030"
	case s.big5:
		return "big5"
	}
	return "windows-1252"
}

// shape is what bytes above ASCII look like.
type shape struct {
	high     int // bytes above ASCII
	isolated int // of them, those with ASCII on both sides
	odd      int // runs of odd length

	euc     bool // all high bytes come in pairs of A1-FE
	pairs   int
	hangul  int // pairs that are Hangul in KS X 1001 (lead B0-C8)
	gb1     int // pairs of GB 2312's frequent characters (lead B0-D7), and its punctuation
	eucKana int // pairs that are kana in JIS X 0208 (lead A4, A5)

	sjis     bool // all high bytes fit Shift JIS
	sjisKana int  // bytes of its kana (lead 82, 83)

	big5        bool // all high bytes fit Big5
	bigPairs    int
	bigFrequent int // pairs of its frequent characters (lead A4-C6), and its punctuation
	ascii2      int // pairs whose second byte is ASCII: not EUC

	low1251, lowKOI8 int // small Cyrillic letters in either
}

func count(b []byte) shape {
	s := shape{euc: true, sjis: true, big5: true}
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			next := bytes.IndexFunc(b[i:], func(r rune) bool { return r >= 0x80 })
			if next < 0 {
				break
			}
			i += next
		}
		j := i
		for j < len(b) && b[j] >= 0x80 {
			c := b[j]
			if c >= 0xE0 {
				s.low1251++
			}
			if c >= 0xC0 && c <= 0xDF {
				s.lowKOI8++
			}
			j++
		}
		n := j - i
		s.high += n
		if n == 1 {
			s.isolated++
		}
		if n%2 == 1 {
			s.odd++
			s.euc = false
		}
		for k := i; k+1 < j; k += 2 {
			s.pairs++
			lead, trail := b[k], b[k+1]
			if lead < 0xA1 || trail < 0xA1 {
				s.euc = false
			}
			if lead >= 0xB0 && lead <= 0xC8 {
				s.hangul++
			}
			if lead >= 0xB0 && lead <= 0xD7 || lead == 0xA1 || lead == 0xA3 {
				s.gb1++
			}
			if lead == 0xA4 || lead == 0xA5 {
				s.eucKana++
			}
		}
		i = max(j, s.double(b, i, j))
	}
	return s
}

// double reads the run b[i:j] as Shift JIS and as Big5, whose second bytes may
// be ASCII, and returns where the later of the two readings ends.
func (s *shape) double(b []byte, i, j int) int {
	k := i
	for k < j && s.sjis {
		c := b[k]
		switch {
		case c >= 0xA1 && c <= 0xDF: // half-width kana
			k++
		case (c >= 0x81 && c <= 0x9F || c >= 0xE0 && c <= 0xFC) && k+1 < len(b) && b[k+1] >= 0x40 && b[k+1] != 0x7F:
			if c == 0x82 || c == 0x83 {
				s.sjisKana++
			}
			k += 2
		default:
			s.sjis = false
		}
	}
	m := i
	for m < j && s.big5 {
		c := b[m]
		if c < 0xA1 || c > 0xF9 || m+1 >= len(b) || b[m+1] < 0x40 || b[m+1] > 0x7E && b[m+1] < 0xA1 {
			s.big5 = false
			break
		}
		s.bigPairs++
		if c >= 0xA4 && c <= 0xC6 || c == 0xA1 {
			s.bigFrequent++
		}
		if b[m+1] < 0x80 {
			s.ascii2++
		}
		m += 2
	}
	return max(k, m)
}
