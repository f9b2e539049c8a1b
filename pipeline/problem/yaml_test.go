package problem_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/problem"
)

type inner struct {
	Name  string        `yaml:"name"`
	Every time.Duration `yaml:"every"`
	Count int           `yaml:"count"`
	On    bool          `yaml:"on"`
	Free  yaml.Node     `yaml:"free"`
	Any   any           `yaml:"any"`
}

type base struct {
	Note string `yaml:"note"`
}

type outer struct {
	base   `yaml:",inline"`
	Title  string            `yaml:"title"`
	Tags   []string          `yaml:"tags"`
	Feeds  []inner           `yaml:"feeds"`
	Heads  map[string]*inner `yaml:"headers"`
	Hidden int               `yaml:"-"`
}

func TestYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"good", "title: x\nnote: y\nfeeds:\n  - {name: a, every: 5m, count: 3, on: yes}\n", ""},
		{"unknown", "titel: x\n", "f.yaml:1:1: unknown key \"titel\"\n    did you mean \"title\"?"},
		{"unknown far", "zzzzzz: x\n", "f.yaml:1:1: unknown key \"zzzzzz\"\n    known here: note, title, tags, feeds, headers"},
		{"nested", "feeds:\n  - name: a\n    cuont: 1\n  - {naem: b}\n", "f.yaml:3:5: unknown key \"cuont\"\n    did you mean \"count\"?\nf.yaml:4:6: unknown key \"naem\"\n    did you mean \"name\"?"},
		{"in map", "headers:\n  a: {nam: x}\n", "f.yaml:2:7: unknown key \"nam\"\n    did you mean \"name\"?"},
		{"twice", "title: a\ntags: []\ntitle: b\n", "f.yaml:3:1: key \"title\" is written twice\n    the first is in line 1"},
		{"twice in any", "feeds: [{any: {a: 1, a: 2}}]\n", "f.yaml:1:22: key \"a\" is written twice\n    the first is in line 1"},
		{"types", "title: [a]\ntags: x\nfeeds: {a: b}\n", "f.yaml:1:8: \"title\": want a single value, have a list\nf.yaml:2:7: \"tags\": want a list ([a, b] or lines that begin with -), have text\nf.yaml:3:8: \"feeds\": want a list ([a, b] or lines that begin with -), have a mapping"},
		{"values", "feeds:\n  - {count: many, on: perhaps, every: soon}\n", "f.yaml:2:13: \"many\" is not a whole number\nf.yaml:2:23: \"perhaps\" is not true or false\nf.yaml:2:39: \"soon\" is not a duration such as 15m or 2h"},
		{"keys and values at once", "titel: x\nfeeds:\n  - {count: many}\n", "f.yaml:1:1: unknown key \"titel\"\n    did you mean \"title\"?\nf.yaml:3:13: \"many\" is not a whole number"},
		{"column in characters", "{title: \"日本語\", titel: x}\n", "f.yaml:1:16: unknown key \"titel\"\n    did you mean \"title\"?"},
		{"empty", "# nothing\n", "f.yaml:1:1: the file is empty"},
		{"list at the root", "- a\n", "f.yaml:1:1: want a mapping (key: value), have a list"},
		{"escape codes stay out", "\"a\\e[31m\": x\n", "f.yaml:1:1: unknown key \"a\\x1b[31m\"\n    known here: note, title, tags, feeds, headers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var v outer
			root, l := problem.YAML("f.yaml", []byte(c.in), &v)
			got := ""
			if len(l) > 0 {
				got = l.Error()
			}
			if got != c.want {
				t.Errorf("YAML(%q)\n got %s\nwant %s", c.in, got, c.want)
			}
			if c.name == "good" && (root == nil || v.Note != "y" || !v.Feeds[0].On || v.Feeds[0].Every != 5*time.Minute) {
				t.Errorf("decoded %+v", v)
			}
		})
	}
}

func TestYAMLNotYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"title: x\n\ttags: []\n", "f.yaml:2:1:"},
		{"title: a: b\n", "f.yaml:1:9:"},
		{"title: \"x\n", "f.yaml:"},
		{"title: x\n---\ntitle: y\n", "f.yaml:"},
		{"a: \xff\xfe\n", "f.yaml"},
	} {
		var v outer
		_, l := problem.YAML("f.yaml", []byte(c.in), &v)
		if len(l.Errors()) == 0 || !strings.HasPrefix(l.Error(), c.want) {
			t.Errorf("YAML(%q) = %v, want an error at %s", c.in, l, c.want)
		}
	}
}

// An alias bomb, an anchor inside itself and a large file end in one problem
// each, and soon.
func TestYAMLBombs(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	for name, in := range map[string]string{
		"bomb":   bomb.String(),
		"self":   "a: &a [*a]\n",
		"deep":   strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"large":  "a: " + strings.Repeat("x", 1<<20),
		"tagged": "!!binary \"%%%\"",
	} {
		start := time.Now()
		var v map[string]any
		if _, l := problem.YAML("f.yaml", []byte(in), &v); len(l.Errors()) == 0 {
			t.Errorf("%s: no problem", name)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	var v map[string]any
	root, l := problem.YAML("f", []byte("x: &x {url: a}\nfeeds:\n  - url: one\n  - *x\n"), &v)
	if len(l) > 0 {
		t.Fatal(l)
	}
	if n := problem.Find(root, "feeds", 0, "url"); n.Value != "one" || n.Line != 3 || n.Column != 10 {
		t.Errorf("feeds 0 url = %q at %d:%d", n.Value, n.Line, n.Column)
	}
	if n := problem.Find(root, "feeds", 1, "url"); n.Value != "a" {
		t.Errorf("through the alias: %q", n.Value)
	}
	if n := problem.Find(root, "feeds", 0, "title"); n.Kind != yaml.MappingNode || n.Line != 3 {
		t.Errorf("a missing key is not reported at its mapping: %+v", n)
	}
	if n := problem.Find(nil, "a", 0); n != nil {
		t.Errorf("Find(nil) = %v", n)
	}
	if k := problem.Key(problem.Find(root, "feeds", 0), "url"); k == nil || k.Column != 5 {
		t.Errorf("Key = %v", k)
	}
	if problem.Has(root, "nothing") {
		t.Error("Has finds what is not there")
	}
	if p := problem.At("f", nil, "x"); p.Line != 0 {
		t.Errorf("At(nil) = %+v", p)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"title", "severity", "user_agent", "country", "tags"}
	for in, want := range map[string]string{
		"titel": "title", "Title": "title", "user-agent": "user_agent", "severty": "severity",
		"tag": "tags", "xyzzy": "", "": "", "countries": "country", "titles": "title", "sev": "severity",
	} {
		if got := problem.Nearest(in, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("title: x\nfeeds: [{name: a}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("<<: {title: x}\n? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v outer
		_, l := problem.YAML("f.yaml", b, &v)
		for _, p := range l {
			if strings.ContainsAny(p.Message, "\x00\x1b\n") {
				t.Errorf("raw control character in %q", p.Message)
			}
		}
	})
}
