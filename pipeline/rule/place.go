package rule

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// locate tells where in the file a byte of a decoded scalar stands, line and
// column from 1. YAML folds, indents and escapes what it decodes, so value and
// file are walked side by side.
func locate(src []byte, n *yaml.Node, offset int) (line, column int) {
	lines := strings.Split(string(src), "\n")
	if n == nil || n.Line < 1 || n.Line > len(lines) {
		return 0, 0
	}
	value := n.Value
	offset = min(max(offset, 0), len(value))
	line, column = n.Line, n.Column
	at := columnByte(lines[line-1], column) // byte in the line
	block := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	if block { // the text begins in the line after the indicator
		line, at = line+1, 0
	} else {
		at += len(decoration([]byte(lines[line-1][at:])))
	}
	if quoted {
		// The node may begin with a tag or an anchor.
		if i := strings.IndexAny(lines[line-1][at:], `"'`); i >= 0 {
			at += i + 1
		}
	}
	cur := func() string {
		if line-1 < len(lines) {
			return lines[line-1]
		}
		return ""
	}
	skip := func() { // white space that decoding took away, line ends included
		for line-1 < len(lines) {
			s := cur()
			for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\r') {
				at++
			}
			if at < len(s) || line >= len(lines) {
				return
			}
			line, at = line+1, 0
		}
	}
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		if r == ' ' || r == '\n' || r == '\t' {
			if i >= offset {
				break
			}
			// Written as an escape it stands there; else skip finds the next.
			if s := cur(); n.Style&yaml.DoubleQuotedStyle != 0 && at+1 < len(s) && s[at] == '\\' {
				at += escape(s[at:])
			}
			i += size
			continue
		}
		skip()
		s := cur()
		if n.Style&yaml.DoubleQuotedStyle != 0 && at < len(s) && s[at] == '\\' {
			if at+1 >= len(s) { // an escaped line end
				line, at = line+1, 0
				continue
			}
			if i >= offset {
				break
			}
			at += escape(s[at:])
			i += size
			continue
		}
		if i >= offset {
			break
		}
		at += utf8.RuneLen(r)
		if r == '\'' && n.Style&yaml.SingleQuotedStyle != 0 {
			at++ // written twice
		}
		i += size
	}
	s := cur()
	return line, utf8.RuneCountInString(s[:min(at, len(s))]) + 1
}

// escape is the length of a double-quoted escape.
func escape(s string) int {
	switch s[1] {
	case 'x':
		return min(4, len(s))
	case 'u':
		return min(6, len(s))
	case 'U':
		return min(10, len(s))
	}
	_, n := utf8.DecodeRuneInString(s[1:])
	return 1 + n
}

func columnByte(line string, column int) int {
	at := 0
	for ; column > 1 && at < len(line); column-- {
		_, n := utf8.DecodeRuneInString(line[at:])
		at += n
	}
	return at
}

// queryProblem turns a mistake in a query into a problem of its file: the
// proposal, then the line of the query with the place underlined.
func queryProblem(f *version, n *yaml.Node, source string, e query.Error) problem.Problem {
	p := problem.At(f.name, n, "%s", e.Message)
	p.Line, p.Column = locate(f.source(), n, e.Start)
	if e.Warning {
		p.Severity = problem.Warning
	}
	caret := strings.ReplaceAll(query.Caret(source, e), "\n", "\n    ")
	p.Hint = strings.TrimPrefix(e.Hint+"\n    "+caret, "\n    ")
	return p
}
