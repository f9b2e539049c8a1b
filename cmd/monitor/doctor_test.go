package main

import (
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/rule"
)

// TestDoctorNamesTheDearestRule: a rule that slow_ok let through is named, by
// what it takes or by what the whole set takes on this machine.
func TestDoctorNamesTheDearestRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		took time.Duration
		cost float64
		want string
	}{
		{40 * time.Microsecond, 28, fine},
		{40 * time.Microsecond, 2 * dearSteps, warning},
		{100 * time.Millisecond, 28, warning},
	} {
		f := judgeCost(c.took, rule.Rule{ID: "everywhere", Price: rule.Price{Cost: c.cost}})
		if f.Verdict != c.want || !strings.Contains(f.Text, "everywhere") || (f.Hint != "") != (c.want == warning) {
			t.Errorf("%v and %v steps: %+v", c.took, c.cost, f)
		}
	}
}
