package web

import (
	"strings"
	"testing"
	"unicode/utf8"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// show writes marks as brackets.
func show(ps []part) string {
	var b strings.Builder
	for _, p := range ps {
		if p.Mark {
			b.WriteString("[" + p.Text + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		spans []span
		want  string
	}{
		{"plain", nil, "plain"},
		{"", []span{{0, 1, ""}}, ""},
		{"one two three", []span{{4, 7, ""}}, "one [two] three"},
		{"one two three", []span{{8, 13, ""}, {0, 3, ""}}, "[one] two [three]"},
		{"one two three", []span{{0, 7, ""}, {4, 13, ""}}, "[one two three]"},
		{"one two three", []span{{0, 13, ""}, {4, 7, ""}}, "[one two three]"},
		{"one two", []span{{0, 3, ""}, {3, 4, ""}}, "[one][ ]two"},
		{"制裁名单", []span{{0, 6, ""}}, "[制裁]名单"},
		{"制裁名单", []span{{1, 6, ""}}, "制裁名单"}, // inside a character
		{"short", []span{{3, 99, ""}, {-1, 2, ""}, {2, 2, ""}, {4, 1, ""}}, "short"},
	} {
		if got := show(parts(tc.text, tc.spans)); got != tc.want {
			t.Errorf("parts(%q, %v) = %s, want %s", tc.text, tc.spans, got, tc.want)
		}
	}
}

func TestPassage(t *testing.T) {
	t.Parallel()
	const content = "A first line. The ministry denied the ban.\nLater the ban was lifted, and the ban was forgotten."
	second := strings.Index(content, "ban was lifted")
	ev := rule.Evidence{Field: "content", Text: "ban", Before: content[second-30 : second], After: content[second+3 : second+30], Start: second, End: second + 3}
	for _, tc := range []struct {
		name, title, summary, snippet string
		evidence                      []rule.Evidence
		want                          string
	}{
		{"summary by offsets", "t", "the ban is a ban", "", []rule.Evidence{{Field: "summary", Text: "ban", Start: 13, End: 16}}, "the ban is a [ban]"},
		{"a snippet of the summary", "t", "Long before. The ban is a ban", "…The ban is a ban", []rule.Evidence{{Field: "summary", Text: "ban", Start: 26, End: 29}}, "…The ban is a [ban]"},
		{"a snippet of the content, by its neighbours", "t", "", "…Later the ban was lifted, and the ban was forgotten.", []rule.Evidence{ev}, "…Later the [ban] was lifted, and the ban was forgotten."},
		{"over a line end", "t", "", "denied the ban. Later the ban was lifted", []rule.Evidence{ev}, "denied the ban. Later the [ban] was lifted"},
		{"evidence elsewhere", "t", "", "nothing of it", []rule.Evidence{ev}, "nothing of it"},
		{"a lie about offsets", "t", "the ban", "", []rule.Evidence{{Field: "summary", Text: "ban", Start: 1 << 40, End: 1<<40 + 3}, {Field: "summary", Text: "ban", Start: -5, End: -2}}, "the ban"},
		{"the title once more", "The ban is back", "The ban is back", "The ban", []rule.Evidence{{Field: "title", Text: "ban", Start: 4, End: 7}}, ""},
	} {
		d := alert.Data{Item: alert.Item{Title: tc.title, Summary: tc.summary}, Rules: []rule.Match{{Snippet: tc.snippet, Evidence: tc.evidence}}}
		if got := show(passage(d)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestWebLink(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]string{
		"https://a.example/x?y#z": "https://a.example/x?y#z", "http://a.example": "http://a.example", "HTTPS://a.example/": "https://a.example/",
		"javascript:alert(1)": "", "JaVaScRiPt:alert(1)": "", " javascript:alert(1)": "", "java\nscript:alert(1)": "", "data:text/html,x": "",
		"vbscript:x": "", "//a.example/": "", "/x": "", "": "", "https:///x": "", "http:x": "", "file:///etc/passwd": "",
	} {
		if got := webLink(link); got != want {
			t.Errorf("webLink(%q) = %q, want %q", link, got, want)
		}
	}
}

// Events come from the stream, where an older version or another writer may
// have put them: whatever the offsets say, the text is shown whole.
func FuzzHighlight(f *testing.F) {
	f.Add("Treasury sanctions two", "…sanctions two", "sanctions", "Treasury ", " two", 9, 18, "title")
	f.Add("制裁名单", "制裁", "裁", "制", "名", 3, 6, "summary")
	f.Fuzz(func(t *testing.T, summary, snippet, word, before, after string, start, end int, field string) {
		d := alert.Data{Item: alert.Item{Title: "t", Summary: summary}, Rules: []rule.Match{{Snippet: snippet,
			Evidence: []rule.Evidence{{Field: field, Text: word, Before: before, After: after, Start: start, End: end}, {Field: "content", Text: word, Before: before, After: after}}}}}
		ps := passage(d)
		whole := ""
		for _, p := range ps {
			whole += p.Text
			if p.Mark && p.Text != word && utf8.ValidString(word) && !strings.Contains(oneLine(word), oneLine(p.Text)) && !strings.Contains(oneLine(p.Text), oneLine(word)) {
				t.Errorf("marked %q, evidence %q", p.Text, word)
			}
		}
		if ps != nil && whole != snippet && whole != summary {
			t.Errorf("the passage %q is neither %q nor %q", whole, snippet, summary)
		}
		if got := show(markField(summary, field, d.Rules)); len(got) < len(summary) {
			t.Errorf("markField lost text: %q of %q", got, summary)
		}
		webLink(snippet)
	})
}
