package rule

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestLocate finds the word HERE of a scalar again in the file, however YAML
// has folded, indented or escaped it.
func TestLocate(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"k: a HERE b",
		"k: HERE",
		"k: 'it''s HERE'",
		`k: "a \"b\" \u4e2d HERE"`,
		"k: \"a\\tb\\\n    c HERE\"",
		"k: |\n  a\n    b HERE\n",
		"k: |\n\n  中国\n  HERE\n",
		"k: >\n  a\n  b\n\n  HERE c\n",
		"k: >-\n  制裁 HERE\n",
		"k: a\n  b\n  HERE c\n",
		"k: 'a\n\n  HERE'\n",
		"k: !!str 'a HERE'",
		"- {x: y, k: 'a HERE'}",
		"k: |2\n     a\n   HERE\n",
		"k: |\r\n  a\r\n  HERE\r\n",
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		n := doc.Content[0]
		for n.Kind != yaml.ScalarNode {
			n = n.Content[len(n.Content)-1]
		}
		line, column := locate([]byte(src), n, strings.Index(n.Value, "HERE"))
		lines := strings.Split(src, "\n")
		if line < 1 || line > len(lines) {
			t.Errorf("%q: line %d", src, line)
			continue
		}
		r := []rune(lines[line-1])
		if column < 1 || column > len(r) || !strings.HasPrefix(string(r[column-1:]), "HERE") {
			t.Errorf("%q: at %d:%d, which is not HERE", src, line, column)
		}
	}
}

func FuzzLocate(f *testing.F) {
	f.Add("k: |\n  a\n  b", 3)
	f.Add("k: \"a\\x", 3)
	f.Fuzz(func(t *testing.T, src string, at int) {
		var doc yaml.Node
		if yaml.Unmarshal([]byte(src), &doc) != nil {
			return
		}
		var walk func(n *yaml.Node)
		walk = func(n *yaml.Node) {
			if n.Kind == yaml.ScalarNode {
				if line, column := locate([]byte(src), n, at); line < 0 || column < 0 || line > strings.Count(src, "\n")+2 {
					t.Fatalf("%q: %d:%d", src, line, column)
				}
			}
			for _, k := range n.Content {
				walk(k)
			}
		}
		walk(&doc)
	})
}
