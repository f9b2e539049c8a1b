package feed

import (
	"html"
	"strings"
	"unicode/utf8"
)

// references decodes XML's and HTML's references, once, and says what was
// wrong: "entity" for a bare "&" or a name nobody knows, "control" for a
// number that is no character.
func references(s string) (_ string, bad string) {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			b.WriteString(s)
			return b.String(), bad
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s[:min(len(s), 40)], ';')
		if end < 2 || strings.ContainsAny(s[1:end], " \t\r\n&<") {
			b.WriteByte('&')
			s, bad = s[1:], "entity"
			continue
		}
		span := s[:end+1]
		s = s[end+1:]
		if span[1] == '#' {
			d := html.UnescapeString(span)
			if r, n := utf8.DecodeRuneInString(d); n == len(d) && r != utf8.RuneError && legal(r) {
				b.WriteRune(r)
			} else {
				bad = "control"
			}
			continue
		}
		d := html.UnescapeString(span)
		if d == span || strings.HasSuffix(d, ";") && d != ";" { // HTML would take a prefix without ";"
			b.WriteString(span)
			bad = "entity"
			continue
		}
		b.WriteString(d)
	}
}

func decodeReferences(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	d, _ := references(s)
	return d
}

// legal tells whether XML 1.0 (2.2) allows a character.
func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// escape appends s as XML text, without the characters that XML forbids.
func escape(out []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var with string
		switch c := s[i]; {
		case c == '&':
			with = "&amp;"
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c == '"':
			with = "&#34;"
		case c == '\r':
			with = "\n"
		case c < ' ' && c != '\t' && c != '\n':
		case c == 0xEF && i+2 < len(s) && s[i+1] == 0xBF && s[i+2] >= 0xBE: // U+FFFE, U+FFFF
			out = append(out, s[from:i]...)
			i += 2
			from = i + 1
			continue
		default:
			continue
		}
		out = append(append(out, s[from:i]...), with...)
		from = i + 1
	}
	return append(out, s[from:]...)
}
