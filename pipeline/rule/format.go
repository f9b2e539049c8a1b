package rule

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

const lineWidth = 100 // columns of a formatted file, where it can be

// Format writes the queries of a rule file in their canonical form: those
// under match, unless and when. Everything else, comments and the kind of
// every scalar included, stays byte for byte as it is. A file with a wrong
// query comes back with the problems only.
func Format(name string, src []byte) ([]byte, problem.List) {
	v := decode(kindOf(src), name, src)
	if worst(v.own) {
		return nil, v.own
	}
	var edits []edit
	var problems problem.List
	for _, n := range v.queries() {
		tree, errs := query.Parse(n.Value)
		for _, e := range errs {
			if !e.Warning {
				problems = append(problems, queryProblem(v, n, n.Value, e))
			}
		}
		if tree != nil {
			edits = append(edits, rewrite(src, n, tree))
		}
	}
	if len(problems) > 0 {
		problems.Sort()
		return nil, problems
	}
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from })
	out := slices.Clone(src)
	for _, e := range edits {
		out = slices.Replace(out, e.from, e.to, []byte(e.text)...)
	}
	if p := v.differs(name, out); p != nil {
		return nil, problem.List{*p}
	}
	return out, nil
}

// kindOf is the name that a file of its content has in a directory of rules:
// what is formatted may stand anywhere, or come from standard input.
func kindOf(src []byte) string {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil || len(doc.Content) == 0 {
		return "rules.yaml"
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.SequenceNode, problem.Has(root, "voices"):
		return "voices.yaml"
	case problem.Has(root, "lists"), problem.Has(root, "states"), problem.Has(root, "bare"):
		return "lists/lists.yaml"
	}
	return "rules.yaml"
}

// queries returns the scalars that hold the queries of a channel file or of
// voices.yaml, each once.
func (f *version) queries() []*yaml.Node {
	var out []*yaml.Node
	add := func(text string, path ...any) {
		if n := f.find(path...); strings.TrimSpace(text) != "" && n.Kind == yaml.ScalarNode && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	for i, r := range f.channel.Rules {
		add(r.Match, "rules", i, "match")
		add(r.Unless, "rules", i, "unless")
		for j, x := range r.Raise {
			add(x.When, "rules", i, "raise", j, "when")
		}
	}
	for i, x := range f.voices.Voices {
		add(x.Match, "voices", i, "match")
	}
	return out
}

// edit replaces bytes of a file.
type edit struct {
	from, to int
	text     string
}

// rewrite puts the canonical form of a query in the place of its scalar.
func rewrite(src []byte, n *yaml.Node, tree *query.Node) edit {
	lines := bytes.SplitAfter(src, []byte("\n"))
	start := 0 // of the line that the scalar begins in
	for _, l := range lines[:n.Line-1] {
		start += len(l)
	}
	end := "\n"
	if bytes.HasSuffix(lines[n.Line-1], []byte("\r\n")) {
		end = "\r\n"
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return block(lines[n.Line:], start+len(lines[n.Line-1]), n, tree, end)
	}
	from := start + columnByte(string(lines[n.Line-1]), n.Column)
	from += len(decoration(src[from:]))
	line, column := locate(src, n, len(n.Value))
	to := 0
	for _, l := range lines[:line-1] {
		to += len(l)
	}
	to += columnByte(string(lines[line-1]), column)
	quote := byte(0)
	if c := src[from]; n.Style&yaml.SingleQuotedStyle != 0 && c == '\'' || n.Style&yaml.DoubleQuotedStyle != 0 && c == '"' {
		quote = c
		to += bytes.IndexByte(src[to:], quote) + 1 // white space may stand before it
	}
	to = max(to, from)
	text := query.Format(tree)
	if text == strings.Join(strings.Fields(n.Value), " ") {
		return edit{from, to, string(src[from:to])} // broken into lines by its author, perhaps
	}
	return edit{from, to, scalar(text, quote)}
}

// decoration is a tag or an anchor before a scalar.
func decoration(s []byte) []byte {
	i := 0
	for i < len(s) && (s[i] == '!' || s[i] == '&') {
		for i < len(s) && s[i] != ' ' && s[i] != '\n' {
			i++
		}
		for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r') {
			i++
		}
	}
	return s[:i]
}

// scalar is a query as a scalar on one line. A plain one stays plain where
// YAML reads it the same in any place.
func scalar(text string, quote byte) string {
	switch {
	case quote == '"' && !strings.ContainsAny(text, `\"`):
		return `"` + text + `"`
	case quote == 0 && bare(text):
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// bare tells that text can stand without quotation marks.
func bare(text string) bool {
	if strings.ContainsAny(text, `#,[]{}"'&*!|>%@`+"`") || strings.Contains(text, ": ") || strings.HasSuffix(text, ":") ||
		strings.HasPrefix(text, "-") || strings.HasPrefix(text, "?") {
		return false
	}
	var back string
	return yaml.Unmarshal([]byte("["+text+"]"), &[]any{}) == nil && yaml.Unmarshal([]byte(text), &back) == nil && back == text && isText(text)
}

// isText tells a word from what YAML takes for a number, a date or a truth.
func isText(s string) bool {
	var v any
	if yaml.Unmarshal([]byte(s), &v) != nil {
		return false
	}
	_, ok := v.(string)
	return ok
}

// block rewrites the lines of a block scalar, of which rest begins after the
// line of its indicator, at byte at.
func block(rest [][]byte, at int, n *yaml.Node, tree *query.Node, end string) edit {
	lead := func(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }
	value := strings.TrimLeft(n.Value, "\n")
	indent, from, to, pos := -1, at, at, at
	for _, l := range rest {
		s := strings.TrimRight(string(l), "\r\n")
		blank := strings.TrimSpace(s) == ""
		switch {
		case indent < 0 && blank:
			from = pos + len(l) // empty lines before the text stay
		case indent < 0:
			indent = max(lead(s)-lead(value), 0)
			to = pos + len(s)
		case !blank && lead(s) < indent:
			return edit{from, to, lay(tree, indent, end)}
		case !blank:
			to = pos + len(s)
		}
		pos += len(l)
	}
	return edit{from, to, lay(tree, indent, end)}
}

func lay(tree *query.Node, indent int, end string) string {
	pad := strings.Repeat(" ", indent)
	return pad + strings.ReplaceAll(query.Layout(tree, lineWidth-indent), "\n", end+pad)
}

// differs holds a formatted file against the one it came from: the same but
// for the form of its queries. It says where it is not.
func (f *version) differs(name string, out []byte) *problem.Problem {
	again := decode(kindOf(out), name, out)
	was, is := f.queries(), again.queries()
	bad := func(n *yaml.Node) *problem.Problem {
		p := problem.At(name, n, "this query cannot be formatted in its place").WithHint("write it as a block: match: | and the query in the next lines")
		return &p
	}
	if len(was) != len(is) || worst(again.own) {
		for _, p := range again.own.Errors() {
			return bad(&yaml.Node{Line: p.Line, Column: p.Column})
		}
		return bad(f.root())
	}
	for i := range was {
		x, _ := query.Parse(was[i].Value)
		y, _ := query.Parse(is[i].Value)
		if x == nil || y == nil || query.Format(x) != query.Format(y) {
			return bad(was[i])
		}
		was[i].Value, is[i].Value = "", ""
	}
	if fmt.Sprint(values(f.root())) != fmt.Sprint(values(again.root())) {
		return bad(f.root())
	}
	return nil
}

// values is all that a file says, without the places.
func values(n *yaml.Node) []string {
	if n == nil {
		return nil
	}
	out := []string{fmt.Sprint(n.Kind), n.Tag, n.Value, n.HeadComment, n.LineComment, n.FootComment}
	for _, k := range n.Content {
		out = append(out, values(k)...)
	}
	return out
}
