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
	if r < 0x80 {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.IndexByte(".'-&+/#*?_", byte(r)) >= 0
	}
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
	if r == '-' || r == '+' || r == '/' {
		if e := l.foreign(start, r); e != nil {
			return token{}, e
		}
	}
	return l.word(start)
}

// foreign refuses words that begin as other languages' signs do: "-b" would
// else be read as the word b, which is the opposite of what was meant.
func (l *lexer) foreign(start int, r rune) *Error {
	stop := start + 1
	for stop < len(l.s) && l.s[stop] != ' ' && l.s[stop] != '\n' && l.s[stop] != '\t' && l.s[stop] != '(' && l.s[stop] != ')' {
		stop++
	}
	said, rest := l.s[start:stop], l.s[start+1:stop]
	n, err := strconv.Atoi(rest)
	bad := func(hint string) *Error {
		l.i = stop
		return l.fail(start, stop, hint, "%s: no word begins with %c", show(said), r)
	}
	switch lower := strings.ToLower(rest); {
	case rest == "":
		return nil // a sign by itself holds no word, which is said elsewhere
	case err == nil && n >= 0 && r == '/':
		return bad("Westlaw counts the second word, in any order: NEAR/" + strconv.Itoa(max(n-1, 0)))
	case err == nil && n >= 0 && r == '+':
		return bad("Westlaw counts the second word, in order: ONEAR/" + strconv.Itoa(max(n-1, 0)) + "; a number to look for goes into quotes")
	case err == nil:
		return bad("a number with its sign goes into quotes; to leave items out write NOT")
	case r == '/' && lower == "s", r == '+' && lower == "s":
		return bad("write SENT for the same sentence")
	case r == '/' && lower == "p", r == '+' && lower == "p":
		return bad("write PARA for the same paragraph")
	case r == '/' && len(rest) > 2 && lower[0] == 'f' && strings.HasSuffix(rest, "/"):
		return bad("write FIRST/50(word)")
	case r == '/':
		return bad("regular expressions are not known: write wildcards (indict*, organi?ation) or alternatives (a OR b)")
	case r == '-':
		return bad("write NOT " + cut(rest))
	}
	return bad("every word of an AND must be there, without a sign: write " + cut(rest))
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
		if r == '~' && start > 0 && l.s[start-1] != '"' {
			hint = "fuzzy search is not known: write a wildcard (indict*) or the other spellings (a OR b)"
		}
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
	var b strings.Builder // what escapes have changed so far; from is where the rest begins
	from, escaped := start, false
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		if r == '\\' && l.i+1 < len(l.s) {
			escaped = true
			b.WriteString(l.s[from:l.i])
			l.i++
			from = l.i
			r, n = utf8.DecodeRuneInString(l.s[l.i:])
			if r == '*' || r == '?' {
				return token{}, l.literal()
			}
		} else if !wordRune(r) {
			break
		}
		l.i += n
	}
	text := l.s[start:l.i]
	if escaped {
		b.WriteString(l.s[from:l.i])
		text = b.String()
	}
	t := token{kind: word, text: text, start: start, end: l.i, quoted: escaped}
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
		hint := houseFields[strings.ToLower(t.text)]
		if hint == "" {
			hint = "a field is followed by a colon, such as title:word; known are " + strings.Join(Fields, " ")
		}
		return token{}, l.fail(start, l.i, hint, "%s= is not known here", t.text)
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
	case '<', '>':
		hint = "lengths and dates cannot be asked for; a field is written title:word"
	case '=', ':', '：':
		hint = "a field is written title:word, without a space"
	case '[', '{':
		hint = "group with parentheses; ranges are not known"
	case ']', '}':
		hint = "group with parentheses"
	case '$':
		hint = "write * for any ending: comput*"
	case '、', '；', ';':
		hint = "write OR between alternatives"
	case '\\':
		hint = "a backslash takes the meaning from the character after it"
	}
	return l.fail(start, start+n, hint, "unexpected character %s", show(string(r)))
}

var (
	operators = map[string]Op{"AND": And, "OR": Or, "NOT": Not, "SENT": Sent, "PARA": Para, "EXCEPT": Except}
	functions = map[string]Op{"ATLEAST": Atleast, "SOME": Some, "FIRST": First, "CASE": Case, "EXACT": Exact, "STEM": Stem}
)

// reserved finds the operators and functions among the words, ours and those
// of other houses. next is the character that follows.
func (l *lexer) reserved(t token, next rune) (token, *Error) {
	if plainWord(t.text) && next != '(' && next != '（' && next != '!' {
		return t, nil
	}
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
		return op(operators[t.text], operator)
	case "CASE", "EXACT", "STEM":
		if called {
			return op(functions[t.text], function)
		}
	case "SAME", "W/P", "w/p", "W/PARA", "w/para":
		return token{}, l.fail(t.start, t.end, "write PARA for the same paragraph", "%s is not known here", t.text)
	case "W/S", "w/s", "W/SENT", "w/sent":
		return token{}, l.fail(t.start, t.end, "write SENT for the same sentence", "%s is not known here", t.text)
	case "W/SEG", "w/seg":
		return token{}, l.fail(t.start, t.end, "put the field in front: title:(a AND b), content:(a AND b)", "%s is not known here", t.text)
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
		if f, ok := strings.CutSuffix(tail, "f"); ok && head == "NEAR" {
			if _, err := strconv.Atoi(f); err == nil { // Brandwatch: forward
				return token{}, l.fail(t.start, t.end, "in the order written: ONEAR/"+f, "%s is not known here", t.text)
			}
		}
		hint := "say how many words may stand between: " + head + "/10"
		if !slash {
			hint += " (Meltwater's NEAR alone is NEAR/4)"
		}
		return token{}, l.fail(t.start, t.end, hint, "%s without a number", head)
	case "ATLEAST", "SOME", "FIRST":
		o := functions[head]
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
	if d, ok := distance(strings.ToUpper(t.text), "ATLEAST"); ok {
		if called {
			t.kind, t.op, t.n = function, Atleast, d
			return t, nil
		}
		if strings.HasPrefix(t.text, "ATLEAST") {
			return token{}, l.fail(t.start, t.end, "write ATLEAST/"+strconv.Itoa(d)+"(word)", "%s without parentheses", t.text)
		}
	}
	if w, first, ok := strings.Cut(strings.ToLower(t.text), "/f"); ok && w != "" && strings.HasSuffix(first, "/") { // Factiva
		if n, err := strconv.Atoi(strings.TrimSuffix(first, "/")); err == nil {
			return token{}, l.fail(t.start, t.end, "write FIRST/"+strconv.Itoa(n)+"("+t.text[:len(w)]+")", "%s is not known here", t.text)
		}
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
	for _, f := range []struct {
		name, to string
	}{{"near", "NEAR/"}, {"adj", "ONEAR/"}} {
		if d, ok := distance(lower, f.name); ok && !slash {
			return token{}, l.fail(t.start, t.end, "did you mean "+f.to+strconv.Itoa(d-1)+"? a word that looks like an operator goes into quotes", "%s is no operator", t.text)
		}
	}
	if next == '!' {
		return token{}, l.fail(t.start, l.i+1, "write "+t.text+"*", "%s! is not known here", t.text)
	}
	if hint, ok := houseFunctions[strings.ToUpper(t.text)]; ok && called {
		return token{}, l.fail(t.start, t.end, hint, "%s( is not known here", t.text)
	}
	if called && t.text == strings.ToUpper(t.text) && t.text != strings.ToLower(t.text) {
		return token{}, l.fail(t.start, t.end, "functions are ATLEAST/n SOME/n FIRST/n CASE EXACT STEM; between a word and ( write AND or OR", "function %s is not known", show(t.text))
	}
	return t, nil
}

// plainWord tells most words from those that may be an operator of some house:
// these begin with a capital, or hold a digit or a slash, or are near and onear.
func plainWord(s string) bool {
	if s[0] >= 'A' && s[0] <= 'Z' || s == "near" || s == "onear" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c == '/' || c == '&' {
			return false
		}
	}
	return true
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
