package rule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/engine"
)

// worstRules is files of n rules.
func worstRules(n int, query func(i int) string) Dir {
	var pairs []string
	for from := 0; from < n; from += 1000 {
		var b strings.Builder
		b.WriteString("channel: x\ntitle: T\nrules:\n")
		for i := from; i < min(n, from+1000); i++ {
			fmt.Fprintf(&b, "  - {id: r%d, title: T, severity: low, allow_unanchored: true, slow_ok: true, match: '%s', tests: [{fires: true, title: x}, {fires: false, title: x}]}\n", i, query(i))
		}
		pairs = append(pairs, fmt.Sprintf("x%d.yaml", from), b.String())
	}
	return dir(pairs...)
}

var worstCases = []struct {
	name  string
	rules int
	query func(i int) string
	text  string
	cut   string
}{
	{"stop words", 10_000, func(i int) string { return fmt.Sprintf("the AND of AND to AND absent%d", i) }, strings.Repeat("the end of it to them and ", 2500), ""},
	{"stop words that hit", 2_000, func(i int) string { return fmt.Sprintf("(the OR absent%d) AND of AND to", i) }, strings.Repeat("the end of it to them and ", 2500), ""},
	{"distances of one word", 1_000, func(i int) string {
		return fmt.Sprintf("((aaa NEAR/%d aaa) NEAR/%d aaa) NEAR/1 (bbb OR c%d)", i%100, i%50, i)
	}, strings.Repeat("aaa ", 15_000), ""},
	{"distances of one word that miss", 1_000, func(i int) string {
		return fmt.Sprintf("((aaa NEAR/%d aaa) NEAR/%d aaa) NEAR/1 (bbb OR c%d)", i%100, i%50, i)
	}, strings.Repeat("aaa ", 15_000) + "\nbbb", engine.CutPlaces + " " + engine.CutSteps},
	{"a phrase of one word", 1_000, func(i int) string {
		return `"` + strings.Repeat("aaa ", 16) + fmt.Sprintf(`x%d" OR "`, i) + strings.Repeat("aaa * ", 8) + fmt.Sprintf(`y%d"`, i)
	}, strings.Repeat("aaa ", 15_000), ""},
	{"wildcards", 5_000, func(i int) string {
		return fmt.Sprintf("aaa%d* AND aa%c*%c* AND nothing", i%100, 'a'+i%26, 'a'+i/26%26)
	}, strings.Repeat("aaa1 aaa22 aaab aaaab aaazz ", 2000), ""},
	{"different words", 1_000, func(i int) string { return fmt.Sprintf("w%d* AND NOT w%d", i+100, i) }, differentWords(10_000), ""},
	{"denials", 10_000, func(i int) string { return fmt.Sprintf("feed:x AND NOT w%d", i) }, differentWords(10_000), ""},
}

func differentWords(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%d ", i*7919%1_000_003)
	}
	return b.String()
}

func worstSet(t testing.TB, i, share int) (*Set, feed.Item) {
	c := worstCases[i]
	s, problems := Load(worstRules(c.rules/share, c.query))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(c.name, errs[0])
	}
	return s, feed.Item{Title: "T", Content: c.text}
}

// TestWorst: the same answer each time, as steps are counted and no clock is
// looked at, and what a limit cut is said.
func TestWorst(t *testing.T) {
	t.Parallel()
	for i, c := range worstCases {
		s, it := worstSet(t, i, 20)
		first := s.Match(it)
		if got := strings.Join(first.Cut, " "); got != c.cut {
			t.Errorf("%s: cut %q, want %q", c.name, got, c.cut)
		}
		if diff := cmp.Diff(first, s.Match(it)); diff != "" {
			t.Errorf("%s: differs the second time:\n%s", c.name, diff)
		}
	}
}

// BenchmarkWorst: what a hostile item or a careless rule can cost.
func BenchmarkWorst(b *testing.B) {
	for i, c := range worstCases {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			s, it := worstSet(b, i, 1)
			hits := 0
			b.ReportAllocs()
			for b.Loop() {
				hits = 0
				for _, h := range s.Match(it).Channels {
					hits += len(h.Rules)
				}
			}
			b.ReportMetric(float64(hits), "hits")
		})
	}
}
