package feed

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// Limits of what we keep, in bytes of UTF-8.
const (
	maxTitle    = 2 << 10
	maxLink     = 4 << 10
	maxContent  = 256 << 10
	maxWord     = 256   // of an author or a category
	maxWords    = 100   // of them in an item
	longSummary = 2_000 // characters; a description longer than that is the content
	leadLength  = 500   // characters of the summary that is made of it
)

// plainLine turns HTML, or text that may be HTML, into one line of plain text.
func plainLine(s string, limit int) (_ string, wasCut bool) { return plain(s, limit, false) }

// plainBlock turns HTML into paragraphs of plain text, a line each.
func plainBlock(s string, limit int) (_ string, wasCut bool) { return plain(s, limit, true) }

// asLine and asBlock are the same for text that is known to be no HTML.
func asLine(s string, limit int) (string, bool) {
	w := writer{limit: limit}
	w.text(s)
	return w.done()
}

func asBlock(s string, limit int) (string, bool) {
	w := writer{limit: limit, block: true}
	for line := range strings.Lines(s) {
		w.text(line)
		w.newline()
	}
	return w.done()
}

// protect escapes text that is no HTML, so that plain gives it back.
func protect(s string) string {
	if strings.ContainsAny(s, "<&") {
		return html.EscapeString(s)
	}
	return s
}

func plain(s string, limit int, block bool) (string, bool) {
	w := writer{limit: limit, block: block}
	if len(s) > 32*limit { // markup without end, or far more text than is kept
		s, w.over = cut(s, 32*limit), true
	}
	if strings.IndexByte(s, '<') < 0 {
		s = unescape(s)
		if block && strings.Contains(s, "\n\n") { // text with blank lines between its paragraphs
			for part := range strings.SplitSeq(s, "\n\n") {
				w.text(part)
				w.newline()
			}
			return w.done()
		}
		w.text(s)
		return w.done()
	}
	s = openEnd(notDeclarations(s))
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(0)
	skip := 0 // script and the like that are open
	for at := 0; !w.full; {
		kind := z.Next()
		raw := s[at : at+len(z.Raw())] // what the tokenizer is at, without a copy
		at += len(raw)
		switch kind {
		case html.ErrorToken:
			return w.done()
		case html.TextToken:
			if skip == 0 {
				w.text(unescape(raw))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			b, attrs := z.TagName()
			name := string(b)
			if !dropped[name] {
				z.NextIsNotRawText() // tags in a title, textarea or iframe are no text
			}
			switch {
			case dropped[name]:
				if raw[len(raw)-2] != '/' {
					skip++
				}
			case skip > 0:
			case !attrs && stranger(name) && w.alone(s, name):
				w.text(raw) // "<APT29>" is no markup
			default:
				w.element(name)
			}
		case html.EndTagToken:
			b, _ := z.TagName()
			name := string(b)
			switch {
			case dropped[name]:
				skip = max(0, skip-1)
			case skip == 0:
				w.element(name)
			}
		}
	}
	return w.done()
}

func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	if joined, ok := octets(s); ok {
		s = joined
	}
	return html.UnescapeString(s)
}

// notDeclarations escapes a "<!" that begins neither a comment, a section nor a
// declaration: it is text.
func notDeclarations(s string) string {
	i := strings.Index(s, "<!")
	if i < 0 {
		return s
	}
	var b strings.Builder
	for ; i >= 0; i = strings.Index(s, "<!") {
		b.WriteString(s[:i])
		s = s[i+2:]
		if s != "" && (s[0] == '-' || s[0] == '[' || s[0] == '>' || s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z') {
			b.WriteString("<!")
		} else {
			b.WriteString("&lt;!")
		}
	}
	b.WriteString(s)
	return b.String()
}

// openEnd takes care of a last tag that never ends: cut markup goes, a "<" in
// text stays.
func openEnd(s string) string {
	if i := strings.LastIndex(s, "<!--"); i >= 0 && !strings.Contains(s[i:], "-->") {
		s = s[:i+2] + s[i+4:] // a comment without an end goes to the next ">"
	}
	i := strings.LastIndexByte(s, '<')
	if i < 0 {
		return s
	}
	if strings.IndexByte(s[i:], '>') >= 0 {
		return s
	}
	rest := s[i+1:]
	n := 0
	for n < len(rest) && (rest[n]|0x20 >= 'a' && rest[n]|0x20 <= 'z' || n == 0 && (rest[n] == '/' || rest[n] == '!')) {
		n++
	}
	name := strings.ToLower(strings.TrimLeft(rest[:n], "/!"))
	if strings.HasPrefix(rest, "!") || rest == "" || rest == "/" || known[name] && (n == len(rest) || strings.ContainsAny(rest[n:n+1], " \t\n/")) &&
		(n == len(rest) || strings.Contains(rest, "=") || !strings.Contains(strings.TrimSpace(rest[n:]), " ")) {
		return s[:i]
	}
	return s[:i] + "&lt;" + rest
}

// alone tells whether a tag has no partner that closes it. A text with very
// many such names is markup.
func (w *writer) alone(s, name string) bool {
	is, ok := w.names[name]
	if !ok && len(w.names) < 32 {
		if w.names == nil {
			w.names = map[string]bool{}
		}
		is = !strings.Contains(s, "</"+name)
		w.names[name] = is
	}
	return is
}

// stranger tells whether a tag's name is a word and not HTML's.
func stranger(name string) bool {
	return len(name) > 1 && !known[name] && !strings.ContainsAny(name, ":-_")
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

var (
	// dropped elements hold no text for readers.
	dropped = set("script style")
	// blocks begin a line.
	blocks = set(`address article aside blockquote body br center dd details dialog dir div dl dt fieldset figcaption figure footer
		form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option p pre section summary table
		tbody tfoot thead title tr ul xmp plaintext listing video audio`)
	// apart elements are blocks in a line: their text is a word of its own.
	apart = set("td th img input button select textarea label caption embed canvas map area source track")
	known = set(`a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br
		button canvas caption center cite code col colgroup command content data datalist dd del details dfn dialog dir div dl dt
		element em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i
		iframe image img input ins isindex kbd keygen label layer ilayer legend li link listing main map mark marquee math menu
		menuitem meta meter multicol nav nextid nobr noembed noframes noscript object ol optgroup option output p param picture
		plaintext portal pre progress q rb rp rt rtc ruby s samp script section select shadow slot small source spacer span strike
		strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr
		xmp xml path g rect circle defs use line polygon polyline ellipse text tspan symbol view mi mo mn mrow msup msub mfrac msqrt`)
)

// writer collapses white space and leaves out what no reader should see.
type writer struct {
	b     strings.Builder
	limit int
	block bool
	gap   bool // white space is due before the next character
	line  bool // a newline is
	full  bool
	over  bool // something was left out
	names map[string]bool
}

func (w *writer) element(name string) {
	switch {
	case blocks[name]:
		w.newline()
	case apart[name]:
		w.gap = true
	}
}

func (w *writer) newline() {
	if w.block {
		w.line = true
	}
	w.gap = true
}

func (w *writer) text(s string) {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c > ' ' && c != 0x7f {
				j := i + 1
				for j < len(s) && s[j] > ' ' && s[j] < 0x7f {
					j++
				}
				w.run(s[i:j])
				i = j
				if w.full {
					return
				}
				continue
			}
			i++
			if c == ' ' || c >= '\t' && c <= '\r' {
				w.gap = true
			}
		} else {
			r, n := utf8.DecodeRuneInString(s[i:])
			i += n
			if r >= 0x80 && r < 0xA0 && r != 0x85 { // windows-1252 labelled as Latin-1 or UTF-8
				r = c1[r-0x80]
			}
			switch {
			case r == utf8.RuneError && n == 1:
				w.put(utf8.RuneError)
			case unicode.IsSpace(r) || r == 0x200B:
				if r != 0x200B {
					w.gap = true
				}
			case hidden(r):
			default:
				w.put(r)
			}
		}
		if w.full {
			return
		}
	}
}

// hidden characters change how others look, and are no text of their own:
// C1 controls, bidirectional overrides and isolates, tags, non-characters.
func hidden(r rune) bool {
	return r == 0 || r >= 0x80 && r < 0xA0 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0xFEFF ||
		r >= 0xFFF9 && r <= 0xFFFB || r >= 0xE0000 && r <= 0xE007F || r&0xFFFE == 0xFFFE || r >= 0xFDD0 && r <= 0xFDEF
}

// c1 is windows-1252's upper half, which HTML (13.2.5.80) reads C1 as.
var c1 = [32]rune{'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ'}

// room writes the white space that is due before n bytes, if both fit.
func (w *writer) room(n int) bool {
	due := w.gap && w.b.Len() > 0
	if due {
		n++
	}
	if w.b.Len()+n > w.limit {
		w.full, w.over = true, true
		return false
	}
	if due && w.line {
		w.b.WriteByte('\n')
	} else if due {
		w.b.WriteByte(' ')
	}
	w.gap, w.line = false, false
	return true
}

func (w *writer) put(r rune) {
	if w.room(utf8.RuneLen(r)) {
		w.b.WriteRune(r)
	}
}

// run writes ASCII without white space; of a run that does not fit, its start.
func (w *writer) run(s string) {
	if len(s) > w.limit-w.b.Len()-1 {
		for i := 0; i < len(s) && !w.full; i++ {
			w.put(rune(s[i]))
		}
		return
	}
	if w.room(len(s)) {
		w.b.WriteString(s)
	}
}

func (w *writer) done() (string, bool) { return w.b.String(), w.over }

// oneLine cleans a short text that is no HTML.
func oneLine(s string) string {
	s, _ = asLine(s, maxTitle)
	return s
}

func runesOver(s string, n int) bool { return len(s) > n && utf8.RuneCountInString(s) > n }

// lead is the first sentences of a text, at most 500 characters.
func lead(s string) string {
	if !runesOver(s, leadLength) {
		return s
	}
	end, last, space, n := 0, 0, 0, 0
	for i, r := range s {
		if n++; n > leadLength {
			break
		}
		end = i + utf8.RuneLen(r)
		switch r {
		case '.', '!', '?':
			if end < len(s) && s[end] == ' ' {
				last = end
			}
		case '。', '！', '？':
			last = end
		case ' ':
			space = i
		}
	}
	switch {
	case last > end/3:
		return s[:last]
	case space > end/2:
		return s[:space] + "…"
	}
	return s[:end] + "…"
}
