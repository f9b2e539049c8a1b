package alert

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/rule"
)

type told []Stored

func (l told) FollowSince(_ context.Context, since time.Time, fn func(Stored) error) error {
	for _, st := range l {
		if !st.Event.Time.Before(since) {
			if err := fn(st); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestToday: a rule over its budget is named, for as long as its alerts are of
// the last day; folded ones and updates do not count.
func TestToday(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 30, 0, 0, time.UTC)
	var events told
	add := func(ago time.Duration, typ, reason string, rules ...string) {
		e := Event{Type: typ, Time: now.Add(-ago)}
		for _, r := range rules {
			e.Data.Rules = append(e.Data.Rules, rule.Match{ID: r})
		}
		if typ == Folded {
			e.Data.Folded = &Fold{Reason: reason}
		}
		events = append(events, Stored{Event: e})
	}
	add(30*time.Hour, Raised, "", "noisy")
	for i := range 4 {
		add(time.Duration(i)*time.Hour, Raised, "", "noisy", "calm")
		add(time.Duration(i)*time.Hour, Updated, "", "calm")
		add(time.Duration(i)*time.Hour, Folded, FoldStory, "calm")
	}
	add(time.Hour, Folded, FoldMute, "calm")
	reg := prometheus.NewRegistry()
	today := NewToday(events, func() map[string]int { return map[string]int{"noisy": 3, "calm": 4, "silent": 1} }, func() time.Time { return now }, reg)
	if err := today.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := today.Over(); !slices.Equal(got, []string{"noisy"}) || today.Rule("noisy") != 4 || today.Rule("calm") != 4 {
		t.Errorf("over: %v, noisy %d, calm %d", got, today.Rule("noisy"), today.Rule("calm"))
	}
	if got := today.Folded(); got[FoldStory] != 4 || got[FoldMute] != 1 || got[FoldBacklog] != 0 {
		t.Errorf("folded: %v", got)
	}
	want := "# HELP monitor_rule_over_budget 1 for a rule that raised more alerts in the last 24 hours than its budget says.\n# TYPE monitor_rule_over_budget gauge\n"
	for _, r := range []string{"calm 0", "noisy 1", "silent 0"} {
		id, v, _ := strings.Cut(r, " ")
		want += fmt.Sprintf("monitor_rule_over_budget{rule=%q} %s\n", id, v)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	now = now.Add(23 * time.Hour)
	if len(today.Over()) != 0 {
		t.Errorf("a day later still over: %v", today.Over())
	}
}
