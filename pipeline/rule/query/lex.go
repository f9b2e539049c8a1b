package query

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind uint8

const (
	end kind = iota
	open
	shut
	comma
	phrase
	word
	list   // @name
	scope  // field: or fact:, or what stands before a colon
	weight // ^n
	slop   // ~n
	operator
	function // its ( is the next token
)

// token is one lexical piece of a query. text is without quotes and escapes;
// quoted tells whether there were any.
type token struct {
	kind       kind
	text       string
	n          int
	op         Op
	start, end int
	quoted     bool
	number     float64
}

type lexer struct {
	s string
	i int
}

var quotes = map[rune]rune{'"': '"', '“': '”', '„': '“', '＂': '＂', '”': '”'}

// wordRune tells what a word may hold, escapes apart.
func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || unicode.Is(unicode.Nl, r) ||
		strings.ContainsRune(".'’‘-‐‑–&+/#*?_·・ʼ＊", r) || r == 0x200C || r == 0x200D || r == 0xAD
}

func (l *lexer) next() (token, *Error) {
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		if !unicode.IsSpace(r) && r != 0xFEFF && r != 0x200B {
			break
		}
		l.i += n
	}
	start := l.i
	if start >= len(l.s) {
		return token{kind: end, start: start, end: start}, nil
	}
	r, n := utf8.DecodeRuneInString(l.s[start:])
	one := func(k kind) (token, *Error) {
		l.i += n
		return token{kind: k, text: l.s[start:l.i], start: start, end: l.i}, nil
	}
	switch r {
	case '(', '（':
		return one(open)
	case ')', '）':
		return one(shut)
	case ',', '，':
		return one(comma)
	case '^', '~':
		return l.number(start, r)
	case '@', '＠':
		l.i += n
		for l.i < len(l.s) && (isSlug(l.s[l.i]) || l.s[l.i] == '_') {
			l.i++
		}
		if l.i == start+n {
			return token{}, l.fail(start, l.i, "write the name of a list after it: @states", "@ without a name")
		}
		return token{kind: list, text: l.s[start+n : l.i], start: start, end: l.i}, nil
	}
	if shutting, ok := quotes[r]; ok {
		return l.phrase(start, n, shutting)
	}
	return l.word(start)
}

func isSlug(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}

func (l *lexer) fail(start, stop int, hint, format string, args ...any) *Error {
	e := errorAt(start, stop, hint, format, args...)
	return &e
}

func (l *lexer) number(start int, r rune) (token, *Error) {
	l.i++
	from := l.i
	for l.i < len(l.s) && (l.s[l.i] >= '0' && l.s[l.i] <= '9' || l.s[l.i] == '.') {
		l.i++
	}
	k, hint := weight, "a weight is a number: sanction*^2"
	if r == '~' {
		k, hint = slop, `a distance is a number: "export controls"~3`
	}
	f, err := strconv.ParseFloat(l.s[from:l.i], 64)
	if err != nil {
		return token{}, l.fail(start, max(l.i, start+1), hint, "%c without a number", r)
	}
	return token{kind: k, text: l.s[start:l.i], number: f, n: int(min(f, 1e6)), start: start, end: l.i}, nil
}

func (l *lexer) phrase(start, n int, shutting rune) (token, *Error) {
	var b strings.Builder
	l.i += n
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		switch {
		case r == '\\' && l.i+1 < len(l.s):
			l.i++
			r, n = utf8.DecodeRuneInString(l.s[l.i:])
			if r == '*' || r == '?' {
				return token{}, l.literal()
			}
		case r == shutting || r == '"', r == '”' && shutting != '"':
			l.i += n
			return token{kind: phrase, text: strings.Join(strings.Fields(b.String()), " "), quoted: true, start: start, end: l.i}, nil
		}
		b.WriteString(l.s[l.i : l.i+n])
		l.i += n
	}
	return token{}, l.fail(start, start+n, "close it with a second quotation mark", "quotation mark without its partner")
}

// literal refuses \\* and \\?, which no token of an item holds.
func (l *lexer) literal() *Error {
	return l.fail(l.i-1, l.i+1, "leave it out", "%c is no part of any word", l.s[l.i])
}

func (l *lexer) word(start int) (token, *Error) {
	var b strings.Builder
	escaped := false
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		if r == '\\' && l.i+1 < len(l.s) {
			escaped = true
			l.i++
			r, n = utf8.DecodeRuneInString(l.s[l.i:])
			if r == '*' || r == '?' {
				return token{}, l.literal()
			}
		} else if !wordRune(r) {
			break
		}
		b.WriteString(l.s[l.i : l.i+n])
		l.i += n
	}
	t := token{kind: word, text: b.String(), start: start, end: l.i, quoted: escaped}
	var c rune
	if l.i < len(l.s) {
		c, _ = utf8.DecodeRuneInString(l.s[l.i:])
	}
	switch {
	case t.text == "":
		return token{}, l.unexpected(start)
	case c == ':' || c == '：':
		if t.text == "STEM" || t.text == "EXACT" || t.text == "CASE" {
			return l.stem(t)
		}
		l.i += utf8.RuneLen(c)
		t.kind, t.end = scope, l.i
		if strings.HasPrefix(l.s[l.i:], "//") {
			return token{}, l.fail(start, l.i, `quote it, and look in the address: url:"example.org/news"`, "an address cannot stand bare")
		}
		return t, nil
	case c == '=' && !escaped:
		l.i++
		t.end = l.i
		if t.text == "hd" || t.text == "HD" { // Factiva: headline
			t.kind, t.text = scope, "title"
			return t, nil
		}
		return token{}, l.fail(start, l.i, "a field is followed by a colon, such as title:word; known fields: "+strings.Join(Fields, ", "), "%s= is not known here", t.text)
	}
	if escaped {
		return t, nil
	}
	return l.reserved(t, c)
}

func (l *lexer) stem(t token) (token, *Error) {
	l.i++
	from := l.i
	for l.i < len(l.s) && isSlug(l.s[l.i]) {
		l.i++
	}
	t.end = l.i
	if t.text != "STEM" {
		return token{}, l.fail(t.start, t.end, t.text+"(...) takes no language", "%s: with a colon", t.text)
	}
	t.kind, t.op, t.text = function, Stem, l.s[from:l.i]
	return t, nil
}

func (l *lexer) unexpected(start int) *Error {
	r, n := utf8.DecodeRuneInString(l.s[start:])
	hint := "only letters, digits and . ' - & + / # may stand in a word: put it into quotes"
	switch r {
	case '|':
		hint = "write OR"
	case '!':
		hint = "write NOT before a word, or * after the beginning of one"
	case '=', '<', '>', ':', '：':
		hint = "a field is written title:word, without a space"
	case '[', ']', '{', '}':
		hint = "group with parentheses"
	case '、', '；', ';':
		hint = "write OR between alternatives"
	case '\\':
		hint = "a backslash takes the meaning from the character after it"
	}
	return l.fail(start, start+n, hint, "unexpected character %s", show(string(r)))
}

// reserved finds the operators and functions among the words, ours and those
// of other houses. next is the character that follows.
func (l *lexer) reserved(t token, next rune) (token, *Error) {
	head, tail, slash := strings.Cut(t.text, "/")
	n, err := strconv.Atoi(tail)
	number := slash && err == nil && n >= 0
	called := next == '(' || next == '（'
	op := func(o Op, k kind) (token, *Error) {
		t.kind, t.op, t.n = k, o, n
		return t, nil
	}
	switch t.text {
	case "AND", "OR", "NOT", "SENT", "PARA", "EXCEPT":
		return op(map[string]Op{"AND": And, "OR": Or, "NOT": Not, "SENT": Sent, "PARA": Para, "EXCEPT": Except}[t.text], operator)
	case "CASE", "EXACT", "STEM":
		if called {
			return op(map[string]Op{"CASE": Case, "EXACT": Exact, "STEM": Stem}[t.text], function)
		}
	case "CAPS", "ALLCAPS", "NOCAPS":
		if called {
			return token{}, l.fail(t.start, t.end, "CASE(US) compares with the case as you write it", "%s( is not known here", t.text)
		}
	case "HLEAD":
		if called {
			return token{}, l.fail(t.start, t.end, "write (title:x OR FIRST/50(x))", "HLEAD( is not known here")
		}
	case "SAME", "W/P", "w/p", "W/S", "w/s":
		o, is := "PARA", "the same paragraph"
		if strings.HasSuffix(strings.ToLower(t.text), "/s") {
			o, is = "SENT", "the same sentence"
		}
		return token{}, l.fail(t.start, t.end, "write "+o+" for "+is, "%s is not known here", t.text)
	case "&", "&&":
		return token{}, l.fail(t.start, t.end, "write AND", "%s is not known here", t.text)
	}
	switch head {
	case "NEAR", "ONEAR":
		o := Near
		if head == "ONEAR" {
			o = Onear
		}
		if number {
			return op(o, operator)
		}
		return token{}, l.fail(t.start, t.end, "say how many words may stand between: "+head+"/10", "%s without a number", head)
	case "ATLEAST", "SOME", "FIRST":
		o := map[string]Op{"ATLEAST": Atleast, "SOME": Some, "FIRST": First}[head]
		switch {
		case number && called:
			return op(o, function)
		case slash || called:
			return token{}, l.fail(t.start, t.end, "write "+head+"/3(word)", "%s wants a number and parentheses", head)
		}
	}
	if d, ok := distance(t.text, "NEAR"); ok { // Factiva: at most d words apart
		t.kind, t.op, t.n = operator, Near, d-1
		return t, nil
	}
	if d, ok := distance(t.text, "ADJ"); ok {
		t.kind, t.op, t.n = operator, Onear, d-1
		return t, nil
	}
	if d, ok := distance(strings.ToUpper(t.text), "ATLEAST"); ok && called {
		t.kind, t.op, t.n = function, Atleast, d
		return t, nil
	}
	lower := strings.ToLower(head)
	if number && (lower == "w" || lower == "pre") {
		m := strconv.Itoa(n)
		hint := "Factiva reads it in order: ONEAR/" + strconv.Itoa(max(n-1, 0)) + "; Lexis in any order: NEAR/" + strconv.Itoa(max(n-1, 0))
		if lower == "pre" {
			hint = "if at most " + m + " words may stand between, in order: ONEAR/" + m + "; if the second may be word " + m + " after the first: ONEAR/" + strconv.Itoa(max(n-1, 0))
		}
		return token{}, l.fail(t.start, t.end, hint, "%s means different things in different houses", t.text)
	}
	if lower == "near" || lower == "onear" || lower == "within" && number {
		to := "NEAR/10"
		if number {
			to = "NEAR/" + tail
		}
		if lower == "onear" {
			to = "O" + to
		}
		return token{}, l.fail(t.start, t.end, "did you mean "+to+"? a word that looks like an operator goes into quotes", "%s is no operator", t.text)
	}
	if slash && (strings.HasPrefix(t.text, "/F") || strings.HasPrefix(t.text, "/f")) && strings.HasSuffix(t.text, "/") {
		return token{}, l.fail(t.start, t.end, "write FIRST/50(word)", "%s is not known here", t.text)
	}
	if next == '!' {
		return token{}, l.fail(t.start, l.i+1, "write "+t.text+"*", "%s! is not known here", t.text)
	}
	if called && t.text == strings.ToUpper(t.text) && t.text != strings.ToLower(t.text) {
		return token{}, l.fail(t.start, t.end, "functions are ATLEAST/n SOME/n FIRST/n CASE EXACT STEM; between a word and ( write AND or OR", "function %s is not known", show(t.text))
	}
	return t, nil
}

// distance reads Factiva's near5 and adj5.
func distance(s, name string) (int, bool) {
	rest, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(rest)
	return n, err == nil && n >= 1
}
