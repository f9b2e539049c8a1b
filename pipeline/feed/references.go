package feed

import (
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// octets joins runs of references that are the bytes of UTF-8, one by
// one ("&#226;&#128;&#153;" for a quotation mark), as generators write that
// take a byte for a character. Only runs with a byte that is no character
// (80-9F) count: others may be meant.
func octets(s string) (_ string, found bool) {
	if !strings.Contains(s, ";&") {
		return s, false
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		var run []byte
		n := 0 // bytes of s in the run
		for {
			c, width := octet(s[n:])
			if width == 0 {
				break
			}
			run, n = append(run, c), n+width
		}
		if n == 0 {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		if utf8.Valid(run) && slices.ContainsFunc(run, func(c byte) bool { return c >= 0x80 && c < 0xA0 }) {
			b.Write(run)
			found = true
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	if !found {
		return "", false
	}
	b.WriteString(s)
	return b.String(), true
}

// octet reads a reference to a number of 128 to 255 at the start of s.
func octet(s string) (c byte, width int) {
	end := strings.IndexByte(s[:min(len(s), 9)], ';')
	if end < 3 || s[0] != '&' {
		return 0, 0
	}
	if s[1] != '#' {
		r, n := utf8.DecodeRuneInString(html.UnescapeString(s[:end+1]))
		if n != 2 || r > 0xFF || r < 0x80 {
			return 0, 0
		}
		return byte(r), end + 1
	}
	digits, base := s[2:end], 10
	if len(digits) > 1 && digits[0]|0x20 == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 8)
	if err != nil || n < 0x80 {
		return 0, 0
	}
	return byte(n), end + 1
}

// references decodes XML's and HTML's references, once, and says what was
// wrong: "entity" for a bare "&" or a name nobody knows, "control" for a
// number that is no character.
func references(s string) (_ string, bad string) {
	if joined, ok := octets(s); ok {
		s, bad = joined, "charset"
	}
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
		if c := common(span); c != 0 {
			b.WriteByte(c)
			continue
		}
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

// common decodes the references that are nearly all there are.
func common(span string) byte {
	switch span {
	case "&lt;":
		return '<'
	case "&gt;":
		return '>'
	case "&amp;":
		return '&'
	case "&quot;", "&#34;":
		return '"'
	case "&apos;", "&#39;", "&#039;":
		return '\''
	}
	return 0
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
