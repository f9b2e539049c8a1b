package feed

import (
	"strings"
	"unicode/utf8"
)

// identifier keeps a guid as served, but for what no line should hold.
func identifier(s string, limit int) (string, bool) {
	s = strings.TrimSpace(s)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || hidden(r) || r == utf8.RuneError }) {
		s = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || hidden(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, "\uFFFD"))
	}
	if len(s) <= limit {
		return s, false
	}
	return cut(s, limit), true
}

// words cleans categories; empty ones and repeats go.
func words(in []string) []string {
	out := []string{}
	seen := map[string]bool{}
	for _, s := range in {
		s, _ = plainLine(s, maxWord)
		if s != "" && !seen[s] && len(out) < maxWords {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// people cleans authors: a name where there is one, else the address.
func people(in []string) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, person(s))
	}
	return words(out)
}

// person takes the name out of "mail@host (Name)" and "Name <mail@host>".
func person(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 4*maxWord {
		return s
	}
	if i, j := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')'); i >= 0 && j > i {
		inside, before := strings.TrimSpace(s[i+1:j]), strings.TrimSpace(s[:i])
		switch {
		case mail(before) && inside != "":
			return inside
		case mail(inside) && before != "":
			return before
		}
	}
	if i, j := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>'); i > 0 && j > i && mail(s[i+1:j]) {
		return strings.Trim(strings.TrimSpace(s[:i]), `"`)
	}
	return s
}

func mail(s string) bool {
	at := strings.IndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s, " \t")
}
