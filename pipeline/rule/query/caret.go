package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Caret shows the line of a query where the error is, and a second line that
// underlines it. A long line is cut around the place.
func Caret(source string, e Error) string {
	start := min(max(e.Start, 0), len(source))
	from := strings.LastIndexByte(source[:start], '\n') + 1
	line, _, _ := strings.Cut(source[from:], "\n")
	runes := []rune(strings.ToValidUTF8(strings.ReplaceAll(line, "\t", " "), "\uFFFD"))
	at := utf8.RuneCountInString(source[from:start])
	length := utf8.RuneCountInString(source[start:max(start, min(e.End, from+len(line)))])
	at = min(at, len(runes))
	length = min(max(length, 1), 40)
	low, high := max(0, at-40), min(len(runes), at+40)
	if high-low < len(runes) {
		for low > 0 && low < at && !unicode.IsSpace(runes[low]) {
			low++
		}
	}
	var top, under strings.Builder
	if low > 0 {
		top.WriteString("... ")
		under.WriteString("    ")
	}
	for i := low; i < high; i++ {
		r := runes[i]
		if !unicode.IsPrint(r) {
			r = ' '
		}
		top.WriteRune(r)
		switch {
		case i < at:
			under.WriteString(strings.Repeat(" ", columns(r)))
		case i < at+length:
			under.WriteString(strings.Repeat("^", columns(r)))
		}
	}
	if high < len(runes) {
		top.WriteString(" ...")
	}
	if at >= high {
		under.WriteByte('^')
	}
	return strings.TrimRight(top.String(), " ") + "\n" + under.String()
}

// columns is how wide a terminal shows a character.
func columns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		return 0
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3,
		r >= 0xF900 && r <= 0xFAFF, r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6, r >= 0x1F300 && r <= 0x1F9FF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// Position is the line and the column of a byte of a query, in characters
// from 1.
func Position(source string, at int) (line, column int) {
	at = min(max(at, 0), len(source))
	from := strings.LastIndexByte(source[:at], '\n') + 1
	return strings.Count(source[:at], "\n") + 1, utf8.RuneCountInString(source[from:at]) + 1
}
