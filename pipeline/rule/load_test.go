package rule

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline/feed"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestWrongFiles loads each testdata/wrong/*.txt, files parted by lines that
// begin with "-- ", and holds the problems against the golden file.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/wrong/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("testdata/wrong: %v, %d files", err, len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			m := fstest.MapFS{}
			for _, part := range strings.Split("\n"+string(b), "\n-- ")[1:] {
				file, text, _ := strings.Cut(part, " --\n")
				m[file] = &fstest.MapFile{Data: []byte(text + "\n")}
			}
			s, problems := Load(Dir{Name: "rules", FS: m})
			if s == nil || len(problems) == 0 {
				t.Fatalf("Load: set %v, problems %v", s, problems)
			}
			got := problems.Error() + "\n"
			file := strings.TrimSuffix(name, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s (-want +got):\n%s", file, cmp.Diff(string(want), got))
			}
		})
	}
}

func fires(s *Set, title string) string {
	var out []string
	for _, h := range s.Match(feed.Item{Title: title}).Channels {
		for _, m := range h.Rules {
			out = append(out, m.ID)
		}
	}
	return strings.Join(out, " ")
}

func TestReload(t *testing.T) {
	t.Parallel()
	a := one("a", "    match: alpha\n")
	b := one("b", "    match: '@words'\n")
	words := "lists:\n  - {name: words, terms: [beta]}\n"
	s, problems := Load(dir("a.yaml", a, "b.yaml", b, "lists/w.yaml", words))
	if len(problems) > 0 || fires(s, "alpha beta") != "a b" {
		t.Fatalf("Load: fires %q, %v", fires(s, "alpha beta"), problems)
	}
	for _, c := range []struct {
		name     string
		files    []string
		title    string
		fires    string
		problems int
		stale    string
	}{
		{"a good change is taken", []string{"a.yaml", one("a", "    match: gamma\n"), "b.yaml", b, "lists/w.yaml", words}, "alpha beta gamma", "a b", 0, "[]"},
		{"a gone file takes its rules", []string{"b.yaml", b, "lists/w.yaml", words}, "alpha beta", "b", 0, "[]"},
		{"a wrong file stays, the others are taken", []string{"a.yaml", one("a", "    match: (alpha\n"), "b.yaml", one("b", "    match: delta OR @words\n"), "lists/w.yaml", words},
			"alpha delta", "a b", 1, "[rules/a.yaml]"},
		{"no yaml", []string{"a.yaml", ":\t{", "b.yaml", b, "lists/w.yaml", words}, "alpha beta", "a b", 1, "[rules/a.yaml]"},
		{"a wrong list stays", []string{"a.yaml", a, "b.yaml", b, "lists/w.yaml", "lists:\n  - {name: words, terms: ['(beta']}\n"}, "alpha beta", "a b", 1, "[rules/lists/w.yaml]"},
		{"a gone list stays for who needs it", []string{"a.yaml", a, "b.yaml", b}, "alpha beta", "a b", 1, "[rules/b.yaml]"},
		{"a new file may not take an id", []string{"a.yaml", a, "b.yaml", b, "lists/w.yaml", words, "0.yaml", one("a", "    match: zeta\n")}, "alpha beta zeta", "a b", 1, "[]"},
		{"a new wrong file is left out", []string{"a.yaml", a, "b.yaml", b, "lists/w.yaml", words, "c.yaml", one("c", "    match: '*'\n")}, "alpha beta", "a b", 1, "[]"},
		{"a rule may move", []string{"a.yaml", one("b", "    match: '@words'\n"), "b.yaml", one("a", "    match: alpha\n"), "lists/w.yaml", words}, "alpha beta", "a b", 0, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, problems := s.Reload(dir(c.files...))
			if got := fires(n, c.title); got != c.fires {
				t.Errorf("fires %q, want %q", got, c.fires)
			}
			if got := len(problems.Errors()); got != c.problems {
				t.Errorf("%d problems, want %d:\n%v", got, c.problems, problems)
			}
			if got := fmt.Sprint(n.Stale()); got != c.stale {
				t.Errorf("stale %s, want %s", got, c.stale)
			}
			// What was kept once is kept again, and forgotten when mended.
			n, _ = n.Reload(dir(c.files...))
			if got := fires(n, c.title); got != c.fires {
				t.Errorf("again: fires %q, want %q", got, c.fires)
			}
			n, problems = n.Reload(dir("a.yaml", a, "b.yaml", b, "lists/w.yaml", words))
			if got := fires(n, "alpha beta"); got != "a b" || len(problems) > 0 || len(n.Stale()) > 0 {
				t.Errorf("mended: fires %q, stale %v, %v", got, n.Stale(), problems)
			}
		})
	}
}

func TestDirs(t *testing.T) {
	t.Parallel()
	base := Dir{Name: "builtin", FS: files("a.yaml", one("a", "    match: alpha\n"), "b.yaml", one("b", "    match: '@words'\n"),
		"lists/w.yaml", "lists:\n  - {name: words, terms: [beta]}\n", "voices.yaml", someVoices)}
	over := Dir{Name: "/etc/rules", FS: files(
		"a.yaml", "channel: a\nrules:\n  - {id: a, disabled: too noisy here}\n",
		"lists/w.yaml", "lists:\n  - {name: words, terms: [gamma, White House]}\n",
		"voices.yaml", "voices:\n  - {voice: mine, title: M, tier: authoritative, match: 外交部}\n",
		"c.yaml", one("c", "    match: epsilon\n"))}
	s, problems := Load(base, over)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := fires(s, "alpha beta gamma epsilon"); got != "b c" {
		t.Errorf("fires %q, want b c", got)
	}
	if got := fires(s, "the White House"); got != "b" {
		t.Errorf("White House fires %q, want b", got)
	}
	for _, r := range s.Rules() {
		if r.ID == "a" && (r.Disabled != "too noisy here" || r.Query != "alpha" || r.File != "builtin/a.yaml" || r.Line != 4) {
			t.Errorf("rule a is listed as %+v", r)
		}
	}
	if v := s.Match(feed.Item{Title: "外交部发言人"}).Voice.ID; v != "mine" {
		t.Errorf("voice %q, want mine", v)
	}
	if got := s.WhyNot("a", feed.Item{Title: "alpha"}); got != "the rule is disabled: too noisy here" {
		t.Errorf("WhyNot: %s", got)
	}
	_, problems = Load(over)
	if len(problems.Errors()) != 1 || !strings.Contains(problems[0].Message, "no rule a to disable") {
		t.Errorf("alone: %v", problems)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	version := func(query, words string) string {
		t.Helper()
		s := loadOne(t, query, "lists/w.yaml", "lists:\n  - {name: words, terms: ["+words+"]}\n")
		v := s.Rules()[0].Version
		if len(v) != 12 {
			t.Errorf("version %q", v)
		}
		return v
	}
	is := version("a OR @words", "x")
	for _, c := range []struct {
		query, words string
		same         bool
	}{{"( a OR @words )", "x", true}, {"a OR @words", "x, y", false}, {"b OR @words", "x", false}} {
		if got := version(c.query, c.words) == is; got != c.same {
			t.Errorf("version of %s with %s: same %v, want %v", c.query, c.words, got, c.same)
		}
	}
}

func TestOwnTests(t *testing.T) {
	t.Parallel()
	s, problems := Load(dir("a.yaml", `channel: a
title: A
rules:
  - id: a
    title: A
    severity: medium
    match: alpha AND NOT title:beta
    raise: [{to: high, when: 'tier:authoritative'}]
    tests:
      - {fires: true, title: alpha, tier: authoritative, severity: high}
      - {fires: true, title: alpha, severity: high}
      - {fires: true, title: alpha beta}
      - {fires: false, title: alpha}
      - {fires: false, title: gamma}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, r := range s.Test() {
		got = append(got, fmt.Sprintf("%d:%d %v %s", r.Line, r.Column, r.OK, r.Message))
	}
	want := []string{"10:9 true ", "11:9 false fires with severity medium, want high",
		`12:9 false should fire, but does not: match: NOT fails: the item has "beta"`,
		`13:9 false should not fire, but does, on "alpha"`, "14:9 true "}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	s := loadOne(t, "x", "lists/states.yaml", someStates)
	q, problems := s.Query("title:sanction* AND state:CN")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if m, ok := q.Match(feed.Item{Title: "Sanctions on China"}); !ok || len(m.Evidence) != 1 || m.Evidence[0].Text != "Sanctions" {
		t.Errorf("Match: %v %+v", ok, m)
	}
	if _, ok := q.Match(feed.Item{Title: "Sanctions on Japan"}); ok {
		t.Error("matches Japan")
	}
	if _, problems := s.Query("a b"); len(problems) != 1 || problems[0].Line != 1 || problems[0].Column != 3 {
		t.Errorf("wrong query: %v", problems)
	}
	if _, problems := s.Query("@nothing"); len(problems) != 1 {
		t.Errorf("unknown list: %v", problems)
	}
}

// TestShipped holds the project's own rules to what check demands.
func TestShipped(t *testing.T) {
	t.Parallel()
	d := Dir{Name: "rules", FS: os.DirFS("../../rules")}
	if found, _ := filepath.Glob("../../rules/*.yaml"); len(found) == 0 {
		t.Fatal("no rules/*.yaml")
	}
	s, problems := Load(d)
	if len(problems.Errors()) > 0 {
		t.Fatal(problems.Errors())
	}
	for _, r := range s.Test() {
		if !r.OK {
			t.Errorf("%s:%d:%d: %s: %q %s", r.File, r.Line, r.Column, r.Rule, r.Title, r.Message)
		}
	}
}

func FuzzMatch(f *testing.F) {
	s := loadOne(f, "(sanction* NEAR/5 @states) OR ATLEAST/2(\"a * b\") OR SOME/2(STEM(talks), CASE(US), EXACT(裏)) OR FIRST/3(制裁 SENT 中国) OR url:org OR (한국 PARA b)", "lists/states.yaml", someStates, "voices.yaml", someVoices)
	f.Add("US sanctions", "on China. 外交部", "a x b a\nb. 制裁中国", "https://example.org", "钟声", "CN")
	f.Fuzz(func(t *testing.T, title, summary, content, link, author, country string) {
		it := feed.Item{Title: title, Summary: summary, Content: content, Link: link, Authors: []string{author}, Source: feed.Source{Country: country}}
		r := s.Match(it)
		if d := cmp.Diff(r, s.Match(it)); d != "" {
			t.Fatalf("twice differs: %s", d)
		}
		texts := map[string]string{"title": title, "summary": summary, "content": content, "url": link, "author": author}
		for _, h := range r.Channels {
			for _, m := range h.Rules {
				if len(m.Evidence) == 0 || len(m.Evidence) > maxEvidence || len([]rune(m.Snippet)) > maxSnippet+2 {
					t.Fatalf("%d places, snippet %q", len(m.Evidence), m.Snippet)
				}
				for _, e := range m.Evidence {
					if texts[e.Field][e.Start:e.End] != e.Text || len([]rune(e.Before)) > maxContext || len([]rune(e.After)) > maxContext {
						t.Fatalf("evidence %+v", e)
					}
				}
			}
		}
		s.WhyNot("x", it)
	})
}

// TestExpansion is about the words that a query has through its lists.
func TestExpansion(t *testing.T) {
	t.Parallel()
	words := func(from, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "w%d, ", from+i)
		}
		return b.String()
	}
	lists := "lists:\n  - {name: half, terms: [" + words(0, 5000) + "]}\n  - {name: rest, terms: ['@half', " + words(5000, 4999) + "]}\n"
	for _, c := range []struct {
		query string
		good  bool
	}{{"'@rest OR a'", true}, {"'@rest OR @rest OR @half OR a'", true}, {"'@rest OR a OR b'", false}} {
		s, problems := Load(dir("a.yaml", one("a", "    slow_ok: true\n    match: "+c.query+"\n"), "lists/l.yaml", lists))
		if got := len(problems.Errors()) == 0; got != c.good || !c.good && !strings.Contains(problems.Errors()[0].Message, "more than 10000") {
			t.Errorf("%s: %v", c.query, problems)
		}
		if c.good {
			_, problems = s.Query(strings.Trim(c.query, "'") + " OR c")
			if len(problems.Errors()) == 0 {
				t.Errorf("a search may be larger than a rule: %s", c.query)
			}
		}
	}
}
