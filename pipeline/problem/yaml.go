package problem

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	maxYAML  = 1 << 20 // bytes of one file
	maxNodes = 200_000 // after aliases are followed: a bomb stops here
	maxDepth = 100     // of nesting, so that an anchor inside itself ends
	maxSaid  = 200     // problems of one file; whoever has more needs another tool
)

// YAML decodes b into the value that into points to: strictly, so that unknown
// keys, keys written twice and values of a wrong type are problems, all of
// them at once and each with its place. The root node comes back as far as b
// could be read, for callers that have more to say about places; it is nil
// when b is not YAML at all. With errors in the list, into holds what could be
// decoded: enough to look for more problems, never enough to run with.
func YAML(file string, b []byte, into any) (*yaml.Node, List) {
	if len(b) > maxYAML {
		return nil, List{{File: file, Severity: Error,
			Message: fmt.Sprintf("the file has %d bytes, more than 1 MiB", len(b)), Hint: "split it into several files"}}
	}
	var doc yaml.Node
	if err := yaml.Load(b, &doc, yaml.WithV4Defaults()); err != nil && !strings.HasSuffix(err.Error(), "no documents in stream") {
		return nil, syntax(file, b, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil, List{{File: file, Line: 1, Column: 1, Severity: Error, Message: "the file is empty"}}
	}
	root := doc.Content[0]
	c := checker{file: file}
	c.check(root, reflect.TypeOf(into), "", 0)
	if c.nodes > maxNodes || c.deep {
		return nil, List{At(file, root, "too many values, or nested too deep, once aliases are followed").
			WithHint("write repeated parts out, or split the file")}
	}
	if err := root.Load(into, yaml.WithV4Defaults(), yaml.WithUniqueKeys(false)); err != nil {
		for _, p := range values(file, root, err) {
			if !slices.ContainsFunc(c.list, func(q Problem) bool { return q.Line == p.Line && q.Column == p.Column }) {
				c.list = append(c.list, p)
			}
		}
	}
	c.list.Sort()
	if len(c.list) > maxSaid {
		more := len(c.list) - maxSaid
		c.list = append(c.list[:maxSaid], Problem{File: file, Severity: Error, Message: fmt.Sprintf("and %d more problems", more)})
	}
	return root, c.list
}

// At is a problem at the place of n; without n it means the file as a whole.
func At(file string, n *yaml.Node, format string, args ...any) Problem {
	p := Problem{File: file, Severity: Error, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

// WithHint returns p with a hint.
func (p Problem) WithHint(format string, args ...any) Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// AsWarning returns p as something that does not keep the file from use.
func (p Problem) AsWarning() Problem {
	p.Severity = Warning
	return p
}

// Find returns the value at a path of mapping keys (string) and list indexes
// (int) below root, following aliases. When the path ends early it returns the
// last node there is, so that a missing key is reported at its mapping.
func Find(root *yaml.Node, path ...any) *yaml.Node {
	n := resolve(root)
	for _, step := range path {
		if n == nil {
			return nil
		}
		var next *yaml.Node
		switch s := step.(type) {
		case int:
			if n.Kind == yaml.SequenceNode && s >= 0 && s < len(n.Content) {
				next = n.Content[s]
			}
		case string:
			_, next = pair(n, s)
		}
		if next == nil {
			return n
		}
		n = resolve(next)
	}
	return n
}

// Key returns the key node of name in the mapping n, or nil: problems about a
// key itself (not allowed here, missing its partner) point there.
func Key(n *yaml.Node, name string) *yaml.Node {
	k, _ := pair(resolve(n), name)
	return k
}

// Has tells whether the mapping n has the key.
func Has(n *yaml.Node, name string) bool { return Key(n, name) != nil }

func pair(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// checker walks a node tree beside the Go type that it should fill.
type checker struct {
	file  string
	list  List
	nodes int
	deep  bool
	known map[reflect.Type]*known // structs met so far
}

type known struct {
	fields map[string]reflect.Type
	order  []string
}

var (
	nodeType   = reflect.TypeFor[yaml.Node]()
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
	customType = reflect.TypeFor[interface{ UnmarshalYAML(*yaml.Node) error }]()
)

func (c *checker) check(n *yaml.Node, t reflect.Type, name string, depth int) {
	c.nodes++
	if depth > maxDepth {
		c.deep = true
	}
	if c.nodes > maxNodes || c.deep {
		return
	}
	if n.Kind == yaml.AliasNode {
		c.check(n.Alias, t, name, depth+1)
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	free := t == nodeType || t.Kind() == reflect.Interface ||
		reflect.PointerTo(t).Implements(customType) || reflect.PointerTo(t).Implements(textType)
	switch {
	case isNull(n):
		// As if the key were not there; required keys are the caller's business.
	case free:
		c.inner(n, depth)
	case t.Kind() == reflect.Struct:
		c.object(n, t, name, depth)
	case t.Kind() == reflect.Map:
		if n.Kind != yaml.MappingNode {
			c.wrong(n, name, "a mapping (key: value)")
			return
		}
		c.twice(n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.check(n.Content[i+1], t.Elem(), n.Content[i].Value, depth+1)
		}
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		if n.Kind != yaml.SequenceNode {
			c.wrong(n, name, "a list ([a, b] or lines that begin with -)")
			return
		}
		for _, e := range n.Content {
			c.check(e, t.Elem(), name, depth+1)
		}
	default:
		if n.Kind != yaml.ScalarNode {
			c.wrong(n, name, "a single value")
		}
	}
}

// inner counts, and finds keys written twice, where no type says what to expect.
func (c *checker) inner(n *yaml.Node, depth int) {
	if n.Kind == yaml.MappingNode {
		c.twice(n)
	}
	for _, e := range n.Content {
		c.check(e, reflect.TypeFor[any](), "", depth+1)
	}
}

func (c *checker) object(n *yaml.Node, t reflect.Type, name string, depth int) {
	if n.Kind != yaml.MappingNode {
		c.wrong(n, name, "a mapping (key: value)")
		return
	}
	c.twice(n)
	if c.known[t] == nil {
		if c.known == nil {
			c.known = map[reflect.Type]*known{}
		}
		c.known[t] = &known{}
		c.known[t].fields, c.known[t].order = keys(t)
	}
	fields, order := c.known[t].fields, c.known[t].order
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		ft, ok := fields[k.Value]
		if !ok {
			p := At(c.file, k, "unknown key %s", Quote(k.Value))
			if near := Nearest(k.Value, order); near != "" {
				p = p.WithHint("did you mean %q?", near)
			} else {
				p = p.WithHint("known here: %s", strings.Join(order, ", "))
			}
			c.list = append(c.list, p)
			continue
		}
		c.check(v, ft, k.Value, depth+1)
	}
}

func (c *checker) twice(n *yaml.Node) {
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if first, ok := seen[k.Value]; ok && k.Kind == yaml.ScalarNode {
			c.list = append(c.list, At(c.file, k, "key %s is written twice", Quote(k.Value)).
				WithHint("the first is in line %d", first.Line))
			continue
		}
		seen[k.Value] = k
	}
}

func (c *checker) wrong(n *yaml.Node, name, want string) {
	what := ""
	if name != "" {
		what = Quote(name) + ": "
	}
	c.list = append(c.list, At(c.file, n, "%swant %s, have %s", what, want, kind(n)))
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a truth value"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// keys returns the yaml keys of a struct with their types, and their order.
func keys(t reflect.Type) (map[string]reflect.Type, []string) {
	m := map[string]reflect.Type{}
	var order []string
	for f := range t.Fields() {
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		tag, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case tag == "-":
		case strings.Contains(opts, "inline"):
			ft := f.Type
			for ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				sub, names := keys(ft)
				for _, n := range names {
					m[n] = sub[n]
				}
				order = append(order, names...)
			}
		default:
			if tag == "" {
				tag = strings.ToLower(f.Name)
			}
			m[tag] = f.Type
			order = append(order, tag)
		}
	}
	return m, order
}

// syntax tells what keeps b from being YAML.
func syntax(file string, b []byte, err error) List {
	var one *yaml.LoadError
	var many *yaml.LoadErrors
	switch {
	case errors.As(err, &many):
		var l List
		for _, e := range many.Errors {
			l = append(l, Problem{File: file, Line: e.Mark.Line, Column: e.Mark.Column, Severity: Error, Message: clean(e.Message)})
		}
		return l
	case errors.As(err, &one):
		p := Problem{File: file, Line: one.Mark.Line, Column: one.Mark.Column, Severity: Error, Message: "not YAML: " + clean(one.Message)}
		if one.ContextMsg != "" {
			p.Message = "not YAML: " + clean(one.ContextMsg) + ": " + clean(one.Message)
		}
		if strings.Contains(one.Message, "cannot start any token") && p.Line > 0 {
			lines := strings.Split(string(b), "\n")
			if p.Line <= len(lines) && strings.Contains(lines[p.Line-1], "\t") {
				p.Hint = "indent with spaces: YAML takes no tabs"
			}
		}
		if strings.Contains(one.Message, "mapping values are not allowed") {
			p.Hint = "put a text that holds \": \" into quotes"
		}
		return List{p}
	}
	return List{{File: file, Severity: Error, Message: "not YAML: " + clean(err.Error())}}
}

// values tells which values have a wrong type or were refused by their own
// decoder.
func values(file string, root *yaml.Node, err error) List {
	var many *yaml.LoadErrors
	if !errors.As(err, &many) {
		return List{At(file, root, "%s", clean(err.Error()))}
	}
	var l List
	for _, e := range many.Errors {
		p := Problem{File: file, Line: e.Mark.Line, Column: e.Mark.Column, Severity: Error, Message: clean(e.Message)}
		if _, into, ok := strings.Cut(e.Message, " into "); ok && strings.HasPrefix(e.Message, "cannot construct ") {
			have := ""
			if _, v, ok := strings.Cut(e.Message, "`"); ok {
				have, _, _ = strings.Cut(v, "`")
			}
			p.Message = fmt.Sprintf("%s is not %s", Quote(have), expected(into))
		}
		l = append(l, p)
	}
	return l
}

func expected(goType string) string {
	switch {
	case strings.Contains(goType, "int"):
		return "a whole number"
	case strings.Contains(goType, "float"):
		return "a number"
	case strings.Contains(goType, "bool"):
		return "true or false"
	case strings.Contains(goType, "time.Time"):
		return "a date"
	case strings.Contains(goType, "time.Duration"):
		return "a duration such as 15m or 2h"
	}
	return "what belongs here"
}

// Quote shows a word of a file in a message: one line, cut, without anything
// that a terminal would obey.
func Quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}
