package feed

import (
	"strings"
)

// Limits of one tag: what is longer was not written for a reader.
const (
	maxTag   = 1 << 20 // bytes; a longer one is dropped whole
	maxAttrs = 64      // the others are dropped
)

type tokenKind uint8

const (
	textToken  tokenKind = iota // characters with references
	cdataToken                  // characters as they are
	startToken
	endToken
)

type token struct {
	kind  tokenKind
	text  string // of text and CDATA
	name  string // as written, with its prefix
	attrs []attr
	empty bool // <name/>
}

type attr struct{ name, value string } // value with its references

// scanner reads markup as browsers do: whatever does not look like a tag is
// text, and nothing is an error. Comments, processing instructions and DTDs
// are passed over, so that entities are never declared, much less expanded.
type scanner struct {
	s    string
	i    int
	cut  bool // the document ends inside a tag or a CDATA section
	bare bool // a "<" was text
	dtd  bool // the document type was passed
	tok  token
}

// next moves to the next token and reports false at the end.
func (z *scanner) next() bool {
	from := z.i // of text not given out yet
	for z.i < len(z.s) {
		lt := strings.IndexByte(z.s[z.i:], '<')
		if lt < 0 {
			break
		}
		at := z.i + lt
		rest := z.s[at:]
		if len(rest) < 2 {
			z.i = len(z.s)
			break
		}
		c := rest[1]
		switch {
		case strings.HasPrefix(rest, "<![CDATA["):
			if at > from {
				return z.give(from, at)
			}
			body := rest[9:]
			end := strings.Index(body, "]]>")
			if end < 0 {
				z.cut, z.i = true, len(z.s)
				return false
			}
			z.i = at + 9 + end + 3
			z.tok = token{kind: cdataToken, text: body[:end]}
			return true
		case c == '!' || c == '?':
			if at > from {
				return z.give(from, at)
			}
			z.i = at + z.pass(rest)
			from = z.i
		case c == '/' || nameStart(c):
			n, ok := z.tag(rest)
			if !ok { // a tag without its end, or no tag
				if n == 0 {
					if at > from {
						return z.give(from, at)
					}
					z.cut, z.i = true, len(z.s)
					return false
				}
				z.bare = true
				z.i = at + n // not at+1: what is inside the quotes of a failed tag would be tried again and again
				continue
			}
			if at > from {
				return z.give(from, at)
			}
			z.i = at + n
			return true
		default:
			z.bare = true
			z.i = at + 1
		}
	}
	if from < len(z.s) && from < z.i || z.i < len(z.s) {
		return z.give(from, len(z.s))
	}
	return false
}

func (z *scanner) give(from, to int) bool {
	z.tok = token{kind: textToken, text: z.s[from:to]}
	z.i = to
	return true
}

// pass returns the length of a comment, an instruction or a DTD.
func (z *scanner) pass(rest string) int {
	end := func(i, n int) int {
		if i < 0 {
			return len(rest)
		}
		return i + n
	}
	switch {
	case strings.HasPrefix(rest, "<!--"):
		return end(strings.Index(rest, "-->"), 3)
	case strings.HasPrefix(rest, "<?"):
		return end(strings.Index(rest, ">"), 1)
	}
	// A DTD with an internal subset: up to the ">" after its "]". There is one in
	// a document; others would be searched to the end each.
	gt := strings.IndexByte(rest, '>')
	if !z.dtd && strings.EqualFold(rest[:min(len(rest), 9)], "<!DOCTYPE") && gt >= 0 {
		z.dtd = true
		open := strings.IndexByte(rest[:gt], '[')
		if open < 0 {
			return gt + 1
		}
		if i := strings.Index(rest[open:], "]"); i >= 0 {
			for { // a "]" inside the subset is followed by something else than ">"
				j := open + i + 1
				for j < len(rest) && (rest[j] == ' ' || rest[j] == '\n' || rest[j] == '\r' || rest[j] == '\t') {
					j++
				}
				if j < len(rest) && rest[j] == '>' {
					return j + 1
				}
				k := strings.Index(rest[open+i+1:], "]")
				if k < 0 {
					break
				}
				i += 1 + k
			}
		}
	}
	return end(gt, 1)
}

// tag reads the tag at the start of rest into z.tok and returns its length.
// Not ok and 0 means that the document ends inside it, not ok and more that as
// many bytes are text.
func (z *scanner) tag(rest string) (int, bool) {
	i := 1
	t := token{kind: startToken}
	if rest[1] == '/' {
		t.kind = endToken
		i = 2
		if len(rest) > 2 && !nameStart(rest[2]) {
			return 1, false
		}
	}
	n := i
	for n < len(rest) && nameByte(rest[n]) {
		n++
	}
	t.name = rest[i:n]
	if n == i {
		return 0, false
	}
	i = n
	for {
		for i < len(rest) && (space(rest[i]) || rest[i] == '/' && i+1 < len(rest) && rest[i+1] != '>') {
			i++
		}
		if i >= len(rest) {
			if t.kind == endToken { // "</rss" at the very end
				z.tok = t
				return i, true
			}
			return 0, false
		}
		if i > maxTag {
			t.attrs = nil
		}
		switch rest[i] {
		case '>':
			z.tok = t
			return i + 1, true
		case '/':
			if i+1 >= len(rest) {
				return 0, false
			}
			t.empty = t.kind == startToken
			z.tok = t
			return i + 2, true
		case '<':
			return i, false // the next tag begins before this one has ended
		}
		// name, or name = value
		j := i
		for j < len(rest) && !space(rest[j]) && rest[j] != '=' && rest[j] != '>' && rest[j] != '<' && rest[j] != '/' {
			j++
		}
		name := rest[i:j]
		k := j
		for k < len(rest) && space(rest[k]) {
			k++
		}
		if k >= len(rest) {
			return 0, false
		}
		if rest[k] != '=' {
			if j == i { // nothing that could be a name
				return max(i, 1), false
			}
			i = j
			continue
		}
		k++
		for k < len(rest) && space(rest[k]) {
			k++
		}
		if k >= len(rest) {
			return 0, false
		}
		var value string
		if q := rest[k]; q == '"' || q == '\'' {
			e := strings.IndexByte(rest[k+1:], q)
			if e < 0 {
				return 0, false
			}
			value, k = rest[k+1:k+1+e], k+e+2
		} else {
			e := k
			for e < len(rest) && !space(rest[e]) && rest[e] != '>' && rest[e] != '<' {
				e++
			}
			value, k = rest[k:e], e
		}
		if len(t.attrs) < maxAttrs && len(value) <= maxTag {
			t.attrs = append(t.attrs, attr{name, value})
		}
		i = k
	}
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func nameStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' || c >= 0x80
}

func nameByte(c byte) bool {
	return nameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.'
}
