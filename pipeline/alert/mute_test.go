package alert

import (
	"errors"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/rule"
)

func TestMuteCheck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	good := Mute{Scope: Scope{Feed: "us-doj-press"}, Until: now.Add(time.Hour), By: "A. Nalyst", Reason: "流量太大"}
	for _, tc := range []struct {
		name   string
		change func(*Mute)
		want   string // "" for none
	}{
		{"as it should be", func(*Mute) {}, ""},
		{"thirty days", func(m *Mute) { m.Until = now.Add(MaxMute) }, ""},
		{"longer", func(m *Mute) { m.Until = now.Add(MaxMute + time.Hour) }, "at most 30 days"},
		{"over already", func(m *Mute) { m.Until = now }, "has passed"},
		{"of nothing", func(m *Mute) { m.Scope = Scope{} }, "exactly one"},
		{"of two", func(m *Mute) { m.Scope.Rule = "x" }, "exactly one"},
		{"of no slug", func(m *Mute) { m.Scope.Feed = "a.b>*" }, "lower-case"},
		{"of no story", func(m *Mute) { m.Scope = Scope{Story: "abc"} }, "32 hexadecimal"},
		{"nameless", func(m *Mute) { m.By = "  " }, "a name is needed"},
		{"without a reason", func(m *Mute) { m.Reason = "" }, "a reason is needed"},
		{"long", func(m *Mute) { m.Reason = strings.Repeat("長", maxReason+1) }, "at most 300"},
		{"escape codes", func(m *Mute) { m.Reason = "x\x1b[2J" }, "visible characters"},
		{"two lines", func(m *Mute) { m.By = "a\nb" }, "visible characters"},
		{"turned round", func(m *Mute) { m.Reason = "a\u202eb" }, "visible characters"},
		{"broken", func(m *Mute) { m.Reason = "\xff" }, "visible characters"},
	} {
		m := good
		tc.change(&m)
		err := m.Check(now)
		if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, ErrNotAccepted) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	for name, a := range map[string]Ack{"": {By: "x", Verdict: VerdictSeen}, "a verdict is": {By: "x", Verdict: "spam"},
		"a name is needed": {Verdict: VerdictSeen}, "the note": {By: "x", Verdict: VerdictSeen, Note: "a\tb"}} {
		if err := a.Check(); (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %q", a, err, name)
		}
	}
}

func TestMuteHolds(t *testing.T) {
	t.Parallel()
	e := Event{Severity: rule.High, Data: Data{ID: "a", Channel: "sanctions", Story: Story{ID: "s"}, Item: Item{Feed: "mfa"}, Rules: []rule.Match{{ID: "r1"}, {ID: "r2"}}}}
	one := e
	one.Data.Rules = e.Data.Rules[:1]
	critical := e
	critical.Severity = rule.Critical
	for _, tc := range []struct {
		name string
		mute Mute
		e    Event
		want bool
	}{
		{"its feed", Mute{Scope: Scope{Feed: "mfa"}}, e, true},
		{"another feed", Mute{Scope: Scope{Feed: "mnd"}}, e, false},
		{"its channel", Mute{Scope: Scope{Channel: "sanctions"}}, e, true},
		{"its story", Mute{Scope: Scope{Story: "s"}}, e, true},
		{"one of its rules", Mute{Scope: Scope{Rule: "r1"}}, e, false},
		{"its only rule", Mute{Scope: Scope{Rule: "r1"}}, one, true},
		{"critical", Mute{Scope: Scope{Feed: "mfa"}}, critical, false},
		{"critical too", Mute{Scope: Scope{Feed: "mfa"}, Critical: true}, critical, true},
	} {
		if got := tc.mute.holds(tc.e); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

// TestMuteActive: a mute lasts no longer than was asked for, whatever clock made
// it.
func TestMuteActive(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		at, until time.Duration
		want      bool
	}{
		"in force":                    {-time.Hour, time.Hour, true},
		"over":                        {-2 * time.Hour, -time.Hour, false},
		"made by a clock a bit ahead": {time.Minute, time.Hour, true},
		"made by a clock days ahead":  {3 * 24 * time.Hour, 3*24*time.Hour + time.Hour, false},
	} {
		if got := (Mute{At: now.Add(tc.at), Until: now.Add(tc.until)}).Active(now); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
