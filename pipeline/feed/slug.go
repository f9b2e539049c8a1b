package feed

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Slug makes an id from a title: a-z, 0-9 and single hyphens, at most 60
// characters; "" when the title has no Latin letter and no digit.
func Slug(title string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(title)) {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		case r == 'ß':
			b.WriteString("ss")
		default:
			gap = true
		}
	}
	s := b.String()
	if len(s) > 60 {
		if i := strings.LastIndexByte(s[:61], '-'); i > 30 {
			return s[:i]
		}
		return s[:60]
	}
	return s
}
