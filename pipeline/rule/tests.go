package rule

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
)

// test is one of a rule's own tests, checked.
type test struct {
	fires    bool
	severity Severity // "" for any
	item     feed.Item
	line     int
	column   int
}

// TestResult is how one of a rule's own tests ended.
type TestResult struct {
	Rule    string `json:"rule"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Index   int    `json:"index"` // from 1
	Title   string `json:"title"` // the first text of the item
	Fires   bool   `json:"fires"` // as the test wants it
	OK      bool   `json:"ok"`
	Message string `json:"message,omitempty"` // what went wrong
}

// tests checks the tests of a rule; Test runs them.
func (a *assembly) tests(p *placedRule) {
	f, e := p.file, p.written()
	fires, silent := false, false
	for i, t := range e.Tests {
		at := f.find("rules", p.i, "tests", i)
		if t.Fires == nil {
			a.fail(f, at, "write fires: true or fires: false", "test %d of rule %s does not say what it expects", i+1, e.ID)
			continue
		}
		if t.Title+t.Summary+t.Content == "" {
			a.fail(f, at, "write a title, a summary or a content", "test %d of rule %s has no text", i+1, e.ID)
		}
		if t.Severity != "" {
			a.severity(f, e.ID, t.Severity, "rules", p.i, "tests", i, "severity")
			if !*t.Fires {
				a.fail(f, f.find("rules", p.i, "tests", i, "severity"), "leave it out", "a test that must not fire has no severity")
			}
		}
		for _, c := range []struct {
			key, value string
			known      []string
		}{{"kind", t.Kind, feed.Kinds}, {"tier", t.Tier, feed.Tiers}} {
			if c.value != "" && !slices.Contains(c.known, c.value) {
				a.fail(f, f.find("rules", p.i, "tests", i, c.key), didYouMean(c.value, c.known, "%s"), "unknown %s %s", c.key, problem.Quote(c.value))
			}
		}
		if t.Country != "" && !isCode(t.Country) {
			a.fail(f, f.find("rules", p.i, "tests", i, "country"), "the ISO code: CN, US, EU, UN", "%s is no country", problem.Quote(t.Country))
		}
		if t.URL != "" {
			if u, err := url.Parse(t.URL); err != nil || !u.IsAbs() {
				a.fail(f, f.find("rules", p.i, "tests", i, "url"), "write the whole address: https://...", "%s is no address", problem.Quote(t.URL))
			}
		}
		fires, silent = fires || *t.Fires, silent || !*t.Fires
	}
	at := f.find("rules", p.i, "tests")
	if !fires {
		a.fail(f, at, `add one: - {fires: true, title: "..."}`, "rule %s has no test that must fire", e.ID)
	}
	if !silent {
		a.fail(f, at, `add one: - {fires: false, title: "..."}`, "rule %s has no test that must not fire", e.ID)
	}
}

func (t *testEntry) item() feed.Item {
	it := feed.Item{Feed: t.Feed, Title: t.Title, Summary: t.Summary, Content: t.Content, Link: t.URL, Language: t.Language,
		Authors: []string{}, Categories: t.Category, Cut: []string{},
		Source: feed.Source{ID: t.Feed, Title: t.Source, Kind: t.Kind, Tier: t.Tier, Country: t.Country, Tags: t.Tags}}
	if t.Author != "" {
		it.Authors = []string{t.Author}
	}
	return it
}

// Test runs the tests of all rules that are not disabled. They are read from
// the files again: a set does not keep them.
func (s *Set) Test() []TestResult {
	var out []TestResult
	tests := map[*version]map[string][]test{}
	for _, r := range s.rules {
		if r.disabled {
			continue
		}
		for i, t := range r.tests(tests) {
			x := TestResult{Rule: r.id, File: r.file.name, Line: t.line, Column: t.column, Index: i + 1, Fires: t.fires, Title: t.item.Title + t.item.Summary + t.item.Content}
			if t.item.Title != "" {
				x.Title = t.item.Title
			} else if t.item.Summary != "" {
				x.Title = t.item.Summary
			}
			x.Message = s.run(r, t)
			x.OK = x.Message == ""
			out = append(out, x)
		}
		if n := r.spell().Tests; n > 0 && tests[r.file] == nil {
			out = append(out, TestResult{Rule: r.id, File: r.file.name, Message: "the file has changed since it was loaded: its tests are not known"})
		}
	}
	return out
}

// tests returns the tests of a rule. read keeps those of the files that were
// read again, nil for one that has changed since.
func (r *rule) tests(read map[*version]map[string][]test) []test {
	all, ok := read[r.file]
	if !ok {
		entries, root := r.file.entries()
		if entries != nil {
			all = make(map[string][]test, len(entries))
		}
		for i := range entries {
			for j := range entries[i].Tests {
				t := &entries[i].Tests[j]
				x := test{severity: Severity(t.Severity), item: t.item()}
				if t.Fires != nil {
					x.fires = *t.Fires
				}
				if at := problem.Find(root, "rules", i, "tests", j); at != nil {
					x.line, x.column = at.Line, at.Column
				}
				all[entries[i].ID] = append(all[entries[i].ID], x)
			}
		}
		read[r.file] = all
	}
	return all[r.id]
}

// run tells what is wrong with a test, or "".
func (s *Set) run(r *rule, t test) string {
	var hit *Match
	for _, h := range s.Match(t.item).Channels {
		for i := range h.Rules {
			if h.Rules[i].ID == r.id {
				hit = &h.Rules[i]
			}
		}
	}
	switch {
	case hit == nil && t.fires:
		return "should fire, but does not: " + s.WhyNot(r.id, t.item)
	case hit != nil && !t.fires:
		words := []string{}
		for _, e := range hit.Evidence[:min(len(hit.Evidence), 5)] {
			words = append(words, fmt.Sprintf("%q", e.Text))
		}
		return "should not fire, but does, on " + strings.Join(words, ", ")
	case hit != nil && t.severity != "" && hit.Severity != t.severity:
		return fmt.Sprintf("fires with severity %s, want %s", hit.Severity, t.severity)
	}
	return ""
}
