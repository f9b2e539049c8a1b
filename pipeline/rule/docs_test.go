package rule

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
)

// TestDocs runs the page for analysts: its queries, its mistakes, its files
// and its table of other houses.
func TestDocs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if n := strings.Count(page, "\n"); n > 300 {
		t.Errorf("the page has %d lines; it should stay one page", n)
	}
	states, err := os.ReadFile("../../rules/lists/states.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m := fstest.MapFS{"lists/states.yaml": {Data: states}}
	fences := regexp.MustCompile("(?ms)^```([a-z]+) ?([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(page, -1)
	for _, f := range fences {
		if f[1] == "yaml" {
			m[strings.TrimPrefix(f[2], "rules/")] = &fstest.MapFile{Data: []byte(f[3])}
		}
	}
	s, problems := Load(Dir{Name: "rules", FS: m})
	if len(problems) > 0 {
		t.Errorf("the files of the page:\n%v", problems)
	}
	if len(s.Rules()) == 0 || len(s.Voices()) == 0 {
		t.Error("the page shows no rule or no voice")
	}
	for _, r := range s.Test() {
		if !r.OK {
			t.Errorf("the rule of the page, test %q: %s", r.Title, r.Message)
		}
	}
	seen := map[query.Op]bool{}
	for _, f := range fences {
		switch f[1] {
		case "query":
			docsQuery(t, s, f[3], seen)
		case "wrong":
			docsWrong(t, f[3])
		}
	}
	for op := query.Or; op <= query.Word; op++ {
		if !seen[op] {
			t.Errorf("no example of operator %d", op)
		}
	}
	docsTable(t, page)
}

// docsQuery runs one example: a query, then items as
// "fires: title | summary | content {facts}".
func docsQuery(t *testing.T, s *Set, text string, seen map[query.Op]bool) {
	t.Helper()
	src, items, _ := strings.Cut(text, "\n")
	q, problems := s.Query(src)
	if len(problems) > 0 {
		t.Errorf("%s: %v", src, problems)
		return
	}
	n, _ := query.Parse(src)
	query.Walk(n, func(x *query.Node) bool { seen[x.Op] = true; return true })
	fires, silent := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(items), "\n") {
		want, rest, ok := strings.Cut(line, ": ")
		if !ok || want != "fires" && want != "silent" {
			t.Errorf("%s: line %q is neither fires: nor silent:", src, line)
			continue
		}
		var about struct{ Tier, Kind, Country, Language string }
		if i := strings.Index(rest, "{"); i >= 0 {
			if err := yaml.Unmarshal([]byte(rest[i:]), &about); err != nil {
				t.Errorf("%s: %q: %v", src, line, err)
			}
			rest = rest[:i]
		}
		p := strings.Split(rest+"||", "|")
		it := feed.Item{Title: strings.TrimSpace(p[0]), Summary: strings.TrimSpace(p[1]), Content: strings.TrimSpace(p[2]), Language: about.Language,
			Source: feed.Source{Tier: about.Tier, Kind: about.Kind, Country: about.Country}}
		if _, got := q.Match(it); got != (want == "fires") {
			t.Errorf("%s: %q fires %v", src, rest, got)
		}
		if want == "fires" {
			fires++
		} else {
			silent++
		}
	}
	if fires == 0 || silent == 0 {
		t.Errorf("%s: wants an example and a counter-example", src)
	}
}

func docsWrong(t *testing.T, text string) {
	t.Helper()
	src, says, _ := strings.Cut(text, "\nsays: ")
	n, errs := query.Parse(src)
	if n != nil || len(errs) == 0 {
		t.Errorf("%s is not wrong", src)
		return
	}
	if said := errs[0].Message + "\n" + errs[0].Hint; !strings.Contains(said, strings.TrimSpace(says)) {
		t.Errorf("%s says %q", src, said)
	}
}

// docsTable holds the spellings of other houses against ours: read as the
// same, or refused with a proposal.
func docsTable(t *testing.T, page string) {
	t.Helper()
	rows := 0
	for _, line := range strings.Split(page, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 2 || !strings.Contains(line, "`") {
			continue
		}
		rows++
		code := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1)
		ours := code[len(code)-1][1]
		n, errs := query.Parse(ours)
		if n == nil || query.Format(n) != ours {
			t.Errorf("%s is not our form: %v", ours, errs)
			continue
		}
		for _, c := range code[:len(code)-1] {
			switch n, errs := query.Parse(c[1]); {
			case n != nil && query.Format(n) != ours:
				t.Errorf("%s is read as %s, the table says %s", c[1], query.Format(n), ours)
			case n == nil && errs[0].Hint == "":
				t.Errorf("%s is refused without a proposal", c[1])
			}
		}
	}
	if rows < 15 {
		t.Errorf("the table has %d rows", rows)
	}
}
