package feed

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, line, block string }{
		{"plain", "plain", "plain"},
		{"  a \n\t b  ", "a b", "a b"},
		{"A &amp; B", "A & B", "A & B"},
		{"AT&amp;amp;T", "AT&amp;T", "AT&amp;T"},
		{"<b>A</b> &lt;b&gt;", "A <b>", "A <b>"},
		{"<p>One</p><p>Two</p>", "One Two", "One\nTwo"},
		{"One<br>Two<br/>Three", "One Two Three", "One\nTwo\nThree"},
		{"in<b>li</b>ne", "inline", "inline"},
		{"<td>a</td><td>b</td>", "a b", "a b"},
		{"a<script>x('<p>')</script>b<style>p{}</style>", "ab", "ab"},
		{"5 < 6 and 7 > 2", "5 < 6 and 7 > 2", "5 < 6 and 7 > 2"},
		{"i<3 you", "i<3 you", "i<3 you"},
		{"P<APT29 attacks", "P<APT29 attacks", "P<APT29 attacks"},
		{"Group <APT29> is back", "Group <APT29> is back", "Group <APT29> is back"},
		{"<foo>x</foo>", "x", "x"},
		{"cut <a href=\"http", "cut", "cut"},
		{"a <!-- comment --> b", "a b", "a b"},
		{"a <!-- open > b", "a b", "a b"},
		{"a\x00b\x1b[31mc\u0085d", "ab[31mc d", "ab[31mc d"},
		{"\u202Eevil\u202C \u2066x\u2069", "evil x", "evil x"},
		{"it\u0092s \u0093so\u0094", "it’s “so”", "it’s “so”"},
		{"a\u2028b\u00a0c", "a b c", "a b c"},
		{"一\u200b二", "一二", "一二"},
		{"bad \xff byte", "bad \uFFFD byte", "bad \uFFFD byte"},
		{"para one\nstill\n\npara two", "para one still para two", "para one still\npara two"},
		{"<iframe src=x>fallback</iframe><textarea><b>t</b></textarea>", "fallback t", "fallback t"},
		{"<svg onload=alert(1)><text>x</text></svg>", "x", "x"},
	} {
		if got, _ := plainLine(c.in, 1000); got != c.line {
			t.Errorf("plainLine(%q) = %q, want %q", c.in, got, c.line)
		}
		if got, _ := plainBlock(c.in, 1000); got != c.block {
			t.Errorf("plainBlock(%q) = %q, want %q", c.in, got, c.block)
		}
	}
}

func TestPlainLimit(t *testing.T) {
	t.Parallel()
	for _, in := range []string{strings.Repeat("字", 100), strings.Repeat("word ", 100), strings.Repeat("x", 100), strings.Repeat("<b>é</b>", 100)} {
		for limit := 1; limit < 40; limit++ {
			got, wasCut := plainLine(in, limit)
			if len(got) > limit || !utf8.ValidString(got) || !wasCut {
				t.Errorf("plainLine(%.10q, %d) = %q, cut %v", in, limit, got, wasCut)
			}
		}
	}
	if got, wasCut := plainLine("abc", 3); got != "abc" || wasCut {
		t.Errorf("what fits: %q, cut %v", got, wasCut)
	}
}

func TestLead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("This is a sentence of a long text. ", 100)
	if got := lead(long); utf8.RuneCountInString(got) > leadLength || !strings.HasSuffix(got, "text.") || len(got) < 300 {
		t.Errorf("lead = %q", got)
	}
	if got := lead(strings.Repeat("中", 3000)); utf8.RuneCountInString(got) > leadLength+1 {
		t.Errorf("lead of %d", utf8.RuneCountInString(got))
	}
	it := parseOne(t, "<title>t</title><link>https://a.example/1</link><description>"+long+"</description>")
	if it.Content == "" || it.Summary == "" || len(it.Summary) > leadLength || !strings.HasPrefix(it.Content, it.Summary) {
		t.Errorf("a long description: summary %d, content %d", len(it.Summary), len(it.Content))
	}
}

func TestPerson(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"press@a.example (Jane Doe)": "Jane Doe", "Jane Doe (press@a.example)": "Jane Doe", "Jane Doe <press@a.example>": "Jane Doe",
		"Jane Doe (Paris)": "Jane Doe (Paris)", "press@a.example": "press@a.example", "": "",
	} {
		if got := person(in); got != want {
			t.Errorf("person(%q) = %q, want %q", in, got, want)
		}
	}
}

// parseOne reads one item of RSS.
func parseOne(t *testing.T, inner string) Item {
	t.Helper()
	p, err := Parse(Document{Body: []byte(`<rss version="2.0"><channel><link>https://channel.example/</link><item>` + inner + `</item></channel></rss>`),
		URL: "https://origin.example/feed", Feed: Feed{ID: "one"}})
	if err != nil || len(p.Items) != 1 {
		t.Fatalf("Parse: %v, %+v", err, p)
	}
	return p.Items[0]
}
