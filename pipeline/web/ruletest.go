package web

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// What people take from the page into the rule files: YAML that `monitor
// check` reads. Texts are written as JSON strings, which YAML takes as they
// are.

const maxTestContent = 4000 // bytes of a content that a test carries

// ruleTest is a test to copy into a rule.
type ruleTest struct {
	Rule, Title, File string
	YAML              string
}

// notRelevant is the alert's item as a test for each of the alert's rules.
func (s *Server) notRelevant(ctx context.Context, st alert.Stored) []ruleTest {
	d := st.Event.Data
	it := feed.Item{Feed: d.Item.Feed, Title: d.Item.Title, Summary: d.Item.Summary, Language: d.Item.Language, Source: d.Source}
	for _, rev := range s.revisions(ctx, st.Event) {
		if rev.Revision == d.Item.Revision {
			it = rev
		}
	}
	files := map[string]string{}
	for _, r := range s.rules() {
		files[r.ID] = r.File
	}
	var out []ruleTest
	for _, m := range d.Rules {
		title := m.Title
		if title == "" {
			title = m.ID
		}
		out = append(out, ruleTest{m.ID, title, files[m.ID], "      - " + testYAML(false, it, m.Evidence)})
	}
	return out
}

// testYAML is one test in the flow form of the shipped rules.
func testYAML(fires bool, it feed.Item, evidence []rule.Evidence) string {
	var b strings.Builder
	b.WriteString("{fires: ")
	if fires {
		b.WriteString("true")
	} else {
		b.WriteString("false")
	}
	field := func(name, value string) {
		if value != "" {
			b.WriteString(", " + name + ": " + quoted(value))
		}
	}
	field("title", it.Title)
	if it.Summary != it.Title {
		field("summary", it.Summary)
	}
	field("content", testContent(it, evidence))
	if it.Title == "" && it.Summary == "" && it.Content == "" {
		field("title", "(without a title)")
	}
	if slices.Contains(feed.Kinds, it.Source.Kind) {
		field("kind", it.Source.Kind)
	}
	if slices.Contains(feed.Tiers, it.Source.Tier) {
		field("tier", it.Source.Tier)
	}
	if countryCode.MatchString(it.Source.Country) {
		field("country", it.Source.Country)
	}
	field("language", langAttr(it.Language))
	return b.String() + "}\n"
}

// testContent is the whole content when it is short, else the part of it that
// holds the evidence.
func testContent(it feed.Item, evidence []rule.Evidence) string {
	if it.Content == it.Summary || it.Content == "" {
		return ""
	}
	if len(it.Content) <= maxTestContent {
		return it.Content
	}
	from, to := len(it.Content), 0
	for _, e := range evidence {
		if e.Field == "content" && 0 <= e.Start && e.Start < e.End && e.End <= len(it.Content) && (to == 0 || e.End-from < maxTestContent) {
			from, to = min(from, e.Start), max(to, e.End)
		}
	}
	if to == 0 {
		return ""
	}
	for n := 0; from > 0 && n < 300 && it.Content[from-1] != '\n'; n++ { // from the paragraph's beginning
		from--
	}
	for n := 0; to < len(it.Content) && n < 300 && it.Content[to] != '\n'; n++ {
		to++
	}
	return strings.ToValidUTF8(it.Content[from:to], "")
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// quoted is a double-quoted scalar, of characters that YAML takes.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, visible(strings.ToValidUTF8(s, " ")))
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
