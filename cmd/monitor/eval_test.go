package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/rule"
)

// talksRules is a set with one channel, a state and a body.
func talksRules(t *testing.T) *rule.Set {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"talks.yaml": `
channel: talks
rules:
  - {id: talks, title: Talks, severity: low, match: talks, tests: [{fires: true, title: Talks}, {fires: false, title: Tales}]}
`,
		"other.yaml": `
channel: other
rules:
  - {id: other, title: Other, severity: low, match: tales, tests: [{fires: true, title: Tales}, {fires: false, title: Talks}]}
`,
		"lists/states.yaml": `
states:
  - {code: FR, names: [France]}
  - {code: EU, names: [Union]}
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, l := pipeline.Files{Rules: []string{dir}, Builtin: builtin}.LoadRules()
	if errs := l.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}

func TestJudge(t *testing.T) {
	t.Parallel()
	set := talksRules(t)
	states := func(s ...string) *[]string { return &s }
	for _, c := range []struct {
		name   string
		items  []labelled
		all    tally
		none   share
		states tally
		other  map[string]int
	}{
		{name: "right", items: []labelled{{Title: "Talks", Themes: []string{"talks"}}}, all: tally{Right: 1}},
		{name: "missed", items: []labelled{{Title: "Chats", Themes: []string{"talks"}}}, all: tally{Missed: 1}},
		{name: "alarm", items: []labelled{{Title: "Talks", Themes: []string{"none"}}, {Title: "Chats", Themes: []string{"talks"}}},
			all: tally{Alarms: 1, Missed: 1}, none: share{1, 1}},
		{name: "may raise", items: []labelled{{Title: "Talks", Themes: []string{"none"}, Optional: []string{"talks"}}}, none: share{0, 1}},
		{name: "may not raise", items: []labelled{{Title: "Chats", Themes: []string{"none"}, Optional: []string{"talks"}}}, none: share{0, 1}},
		{name: "nobody looked for the other channel", items: []labelled{{Title: "Tales", Themes: []string{"none"}}, {Title: "Talks", Themes: []string{"talks"}}},
			all: tally{Right: 1}, none: share{0, 1}, other: map[string]int{"other": 1}},
		{name: "states", items: []labelled{
			{Title: "France", Themes: []string{"none"}, States: states("FR")},
			{Title: "France again", Themes: []string{"none"}, States: states()},
			{Title: "Nobody", Themes: []string{"none"}, States: states("FR")},
			{Title: "France unlabelled", Themes: []string{"none"}},
			{Title: "The Union is no state", Themes: []string{"none"}, States: states()},
		}, none: share{0, 5}, states: tally{1, 1, 1}},
		{name: "bodies count where they are labelled", items: []labelled{
			{Title: "The Union", Themes: []string{"none"}, States: states("EU")},
			{Title: "The Union", Themes: []string{"none"}, States: states()},
		}, none: share{0, 2}, states: tally{1, 1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := judge(set, c.items)
			if c.other == nil {
				c.other = map[string]int{}
			}
			if got := v.score("", ""); got != c.all {
				t.Errorf("judge(%s): all %+v, want %+v", c.name, got, c.all)
			}
			if v.none != c.none {
				t.Errorf("judge(%s): none %+v, want %+v", c.name, v.none, c.none)
			}
			if v.states != c.states {
				t.Errorf("judge(%s): states %+v, want %+v", c.name, v.states, c.states)
			}
			if d := cmp.Diff(c.other, v.unjudged); d != "" {
				t.Errorf("judge(%s): unjudged (-want +got)\n%s", c.name, d)
			}
			if len(v.misses) != c.all.Missed || len(v.alarms) != c.all.Alarms {
				t.Errorf("judge(%s): %d misses and %d alarms listed, counted %+v", c.name, len(v.misses), len(v.alarms), c.all)
			}
		})
	}
}

// A floor that nothing can fall below would check nothing.
func TestFloors(t *testing.T) {
	t.Parallel()
	v := judge(talksRules(t), []labelled{
		{Title: "Talks", Themes: []string{"talks"}}, {Title: "Chats", Themes: []string{"talks"}}, {Title: "Talks", Themes: []string{"none"}},
	})
	for _, c := range []struct {
		floor floor
		want  string
	}{
		{floor{"talks", "recall", 0.5, "f:1"}, ""},
		{floor{"talks", "recall", 0.51, "f:1"}, "f:1: talks recall 0.500 is below 0.510"},
		{floor{"talks", "precision", 0.51, "f:1"}, "f:1: talks precision 0.500 is below 0.510"},
		{floor{"none", "alarms", 1, "f:1"}, ""},
		{floor{"none", "alarms", 0.9, "f:1"}, "f:1: alarms 1.000 is above 0.900"},
		{floor{"other", "recall", 0, "f:1"}, "f:1: other recall cannot be told: there is nothing to count"},
		{floor{"states", "recall", 0, "f:1"}, "f:1: states recall cannot be told: there is nothing to count"},
	} {
		if got := strings.Join(v.below([]floor{c.floor}), "\n"); got != c.want {
			t.Errorf("below(%+v) = %q, want %q", c.floor, got, c.want)
		}
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		share      share
		text, json string
	}{{share{0, 0}, "-", "null"}, {share{0, 3}, "0.000", "0.0000"}, {share{2, 3}, "0.667", "0.6667"}, {share{3, 3}, "1.000", "1.0000"}} {
		j, err := c.share.MarshalJSON()
		if err != nil || c.share.String() != c.text || string(j) != c.json {
			t.Errorf("%+v prints %s and %s (%v), want %s and %s", c.share, c.share, j, err, c.text, c.json)
		}
	}
}
