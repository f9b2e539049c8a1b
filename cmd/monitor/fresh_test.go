package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline/rule"
)

// TestFresh measures the shipped rules on items that were written from the
// definitions of the channels by somebody who had not seen a rule, and labelled
// before a rule was tried on them. The rules have since been improved on what
// fresh.jsonl showed, so that it says little about other items; on unseen.jsonl
// they have not, and should not: who does writes new ones. First-try figures
// stand at the head of the floor files.
func TestFresh(t *testing.T) {
	t.Parallel()
	set := shippedRules(t)
	for _, name := range []string{"fresh", "unseen"} {
		t.Run(name, func(t *testing.T) {
			gold, err := readGold("testdata/" + name + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			floors, err := readFloors("testdata/" + name + "-floors.yaml")
			if err != nil {
				t.Fatal(err)
			}
			v := judge(set, gold)
			var table strings.Builder
			if err := v.show(&table, style{}); err != nil {
				t.Fatal(err)
			}
			t.Log("\n" + table.String())
			for _, b := range v.below(floors) {
				t.Error(b)
			}
			t.Run("severity", func(t *testing.T) { freshSeverity(t, set, name) })
			if name == "fresh" {
				t.Run("spread", func(t *testing.T) { freshSpread(t, set, gold) })
			}
		})
	}
}

// freshSeverityFloors are the shares of raised themes whose severity must be the
// one that was expected. At the first try 72 of 82 of fresh.jsonl were, and 27
// of 37 of unseen.jsonl, where wire reports of a state naming a culprit stayed
// medium.
var freshSeverityFloors = map[string]float64{"fresh": 0.85, "unseen": 0.70}

// freshSeverity compares severities with those that the items' writer expected
// by the table of severities, where he gave one.
func freshSeverity(t *testing.T, set *rule.Set, name string) {
	b, err := os.ReadFile("testdata/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	right, raised := 0, 0
	for line := range bytes.Lines(b) {
		var l struct {
			labelled
			Severity map[string]string
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		hits := set.Match(l.item()).Channels
		for ch, want := range l.Severity {
			for _, h := range hits {
				if h.Channel != ch {
					continue
				}
				raised++
				if string(h.Severity) == want {
					right++
				} else {
					t.Logf("%s %s: %s, expected %s: %s", l.ID, ch, h.Severity, want, l.Title)
				}
			}
		}
	}
	if raised == 0 {
		t.Fatal("no item with a severity raised anything")
	}
	got := float64(right) / float64(raised)
	t.Logf("%d of %d severities as expected (%.3f)", right, raised, got)
	if floor := freshSeverityFloors[name]; got < floor {
		t.Errorf("%.3f of the severities are as expected, at least %.3f should be", got, floor)
	}
}

// freshSpread keeps the figures figures about all channels and languages.
func freshSpread(t *testing.T, set *rule.Set, gold []labelled) {
	themes, langs, none, states := map[string]int{}, map[string]int{}, 0, 0
	ids := map[string]bool{}
	for _, l := range gold {
		if ids[l.ID] {
			t.Errorf("the id %s is used twice", l.ID)
		}
		ids[l.ID] = true
		for _, th := range l.Themes {
			themes[th]++
		}
		langs[l.Lang[:2]]++
		if slices.Contains(l.Themes, noTheme) {
			none++
		}
		if l.States != nil {
			states++
		}
	}
	for _, ch := range set.Channels() {
		if ch.Slug != "statistics" && themes[ch.Slug] < 12 {
			t.Errorf("%d items of channel %s, at least 12 should be", themes[ch.Slug], ch.Slug)
		}
	}
	for _, l := range []string{"en", "zh", "ru", "de", "fr", "ja", "ko"} {
		if langs[l] < 8 {
			t.Errorf("%d items in %s, at least 8 should be", langs[l], l)
		}
	}
	if none*3 < len(gold) || states < 110 {
		t.Errorf("%d of %d items without a theme, %d with states", none, len(gold), states)
	}
}
