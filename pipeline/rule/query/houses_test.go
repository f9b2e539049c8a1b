package query

import (
	"fmt"
	"strings"
	"testing"
)

// TestHouses reads what analysts bring from elsewhere: taken with one meaning,
// or refused with a proposal, which the golden file holds.
func TestHouses(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, c := range []struct{ house, q string }{
		{"Factiva", "sanctions near5 Iran"},
		{"Factiva", "sanctions NEAR5 Iran"},
		{"Factiva", "export ADJ3 controls"},
		{"Factiva", "export adj controls"},
		{"Factiva", "export adj3 controls"},
		{"Factiva", "sanctions w/5 Iran"},
		{"Factiva", "sanctions SAME Iran"},
		{"Factiva", "atleast3(sanctions)"},
		{"Factiva", "ATLEAST3 sanctions"},
		{"Factiva", "hd=sanctions"},
		{"Factiva", "hlp=sanctions"},
		{"Factiva", "by=smith"},
		{"Factiva", "la=en AND sanctions"},
		{"Factiva", "re=china AND sanctions"},
		{"Factiva", "sanctions/F50/"},
		{"Factiva", "/f50/ sanctions"},
		{"Factiva", "wc>500 AND sanctions"},
		{"Factiva", "comput$3"},
		{"Factiva", "sanctions AND NOT sport"},
		{"Factiva", "sanctions NOT sport"},
		{"Meltwater", "sanctions NEAR Iran"},
		{"Meltwater", "sanctions NEAR/4 Iran"},
		{"Meltwater", "sanctions ONEAR/4 Iran"},
		{"Meltwater", "ingress:sanctions"},
		{"Meltwater", "title:sanctions"},
		{"Meltwater", "sanction*^3"},
		{"Meltwater", `tags:"x"`},
		{"Lexis", "sanctions W/5 Iran"},
		{"Lexis", "sanctions PRE/5 Iran"},
		{"Lexis", "sanctions W/S Iran"},
		{"Lexis", "sanctions W/P Iran"},
		{"Lexis", "sanctions W/SEG Iran"},
		{"Lexis", "sanction! AND Iran"},
		{"Lexis", "ATLEAST5(sanctions)"},
		{"Lexis", "HLEAD(sanctions)"},
		{"Lexis", "HEADLINE(sanctions)"},
		{"Lexis", "ALLCAPS(who)"},
		{"Lexis", "PLURAL(sanction)"},
		{"Lexis", "sanctions BUT NOT sport"},
		{"Westlaw", "sanctions /s Iran"},
		{"Westlaw", "sanctions /p Iran"},
		{"Westlaw", "sanctions /5 Iran"},
		{"Westlaw", "export +2 controls"},
		{"Brandwatch", "sanctions NEAR/5f Iran"},
		{"Brandwatch", "raw:NASA"},
		{"Brandwatch", "site:example.org"},
		{"Brandwatch", `"export controls"~5`},
		{"Lucene", `"export controls"~5`},
		{"Lucene", "+sanctions -sport"},
		{"Lucene", "sanctions -sport"},
		{"Lucene", "sanctions && Iran"},
		{"Lucene", "sanctions || Iran"},
		{"Lucene", "sanctions AND !sport"},
		{"Lucene", "sanction~"},
		{"Lucene", "sanction~2"},
		{"Lucene", "/sanct.*/"},
		{"Lucene", "title:[a TO b]"},
		{"Lucene", "sanctions^2"},
		{"Google", "intitle:sanctions"},
		{"Google", "site:example.org AND sanctions"},
		{"Google", "sanctions AROUND(5) Iran"},
		{"Google", "sanctions | Iran"},
		{"Google", "sanctions -sport OR Iran"},
		{"Chinese keyboard", "（制裁 OR “出口管制”） NEAR/10 中国"},
		{"Chinese keyboard", "制裁，中国"},
		{"Chinese keyboard", "制裁、中国"},
		{"Chinese keyboard", "title：制裁"},
		{"lower case", "sanctions and Iran"},
		{"lower case", "中国 except 发展中国家"},
		{"lower case", "Trinidad and Tobago"},
		{"lower case", "sanctions AND and"},
	} {
		n, errs := Parse(c.q)
		fmt.Fprintf(&b, "%-17s %s\n", c.house, c.q)
		if n != nil {
			fmt.Fprintf(&b, "%18s%s\n", "is ", Format(n))
		}
		for _, e := range errs {
			if e.Hint == "" || e.Start >= e.End {
				t.Errorf("Parse(%q): %s: no place or no proposal", c.q, e.Message)
			}
			fmt.Fprintf(&b, "%18s%s\n%18s%s\n", "", e.Message, "-> ", e.Hint)
		}
	}
	golden(t, "houses.golden", b.String())
}

// TestLimits is about every limit of matching.md 5.9 that a query alone can
// break: what keeps it is taken, one more is refused, and the limit is named.
func TestLimits(t *testing.T) {
	t.Parallel()
	many := func(n int, sep string, f func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = f(i)
		}
		return strings.Join(parts, sep)
	}
	numbered := func(i int) string { return fmt.Sprintf("w%d", i) }
	wild := func(i int) string { return fmt.Sprintf("word%d*", i) }
	for _, c := range []struct {
		name, good, bad, limit string
	}{
		{"text", "a" + strings.Repeat(" ", MaxText-1), "a" + strings.Repeat(" ", MaxText), "65536"},
		{"parts", many(MaxNodes-1, " OR ", numbered), many(MaxNodes, " OR ", numbered), "5000"},
		{"depth", strings.Repeat("(", MaxDepth-1) + "a" + strings.Repeat(")", MaxDepth-1), strings.Repeat("(", MaxDepth) + "a" + strings.Repeat(")", MaxDepth), "64"},
		{"depth of NOT", strings.Repeat("NOT ", MaxDepth-2) + "a", strings.Repeat("NOT ", MaxDepth) + "a", "64"},
		{"distance", "a NEAR/100 b", "a NEAR/101 b", "100"},
		{"distance in order", "a ONEAR/100 b", "a ONEAR/101 b", "100"},
		{"alternatives", "a NEAR/5 (" + many(MaxNearWords, " OR ", numbered) + ")", "a NEAR/5 (" + many(MaxNearWords+1, " OR ", numbered) + ")", "500"},
		{"alternatives that hide", "a SENT (" + many(MaxNearWords-1, " OR ", numbered) + " OR x)", "a SENT (" + many(MaxNearWords, " OR ", func(i int) string { return fmt.Sprintf("(w%d EXCEPT x)", i) }) + ")", "500"},
		{"phrase", `"` + many(MaxPhrase, " ", numbered) + `"`, `"` + many(MaxPhrase+1, " ", numbered) + `"`, "32"},
		{"wildcards", many(MaxWild, " OR ", wild), many(MaxWild+1, " OR ", wild), "200"},
		{"letters before a wildcard", "abc*", "ab*", "3"},
		{"letters of Katakana before a wildcard", "サ*", "サイ OR *サ", "*"},
		{"letters of other scripts", "сан*", "са*", "3"},
		{"weight", "a^100", "a^101", "100"},
		{"count", "ATLEAST/500(a)", "ATLEAST/501(a)", "500"},
		{"count of some", "SOME/500(@x)", "SOME/501(@x)", "500"},
		{"first", "FIRST/10000(a)", "FIRST/10001(a)", "10000"},
		{"word", strings.Repeat("a", 64), strings.Repeat("a", 65), "64"},
	} {
		if n, errs := Parse(c.good); n == nil {
			t.Errorf("%s: what keeps the limit is refused: %v", c.name, errs)
		}
		n, errs := Parse(c.bad)
		if n != nil {
			t.Errorf("%s: what breaks the limit is taken", c.name)
			continue
		}
		if e := errs[0]; !strings.Contains(e.Message, c.limit) || e.Hint == "" {
			t.Errorf("%s: %q (%q), want the limit %s named and a proposal", c.name, e.Message, e.Hint, c.limit)
		}
	}
}
