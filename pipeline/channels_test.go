package pipeline

import (
	"testing"
	"time"
)

func TestUsualGap(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	series := func(gaps ...time.Duration) []time.Time {
		at := []time.Time{start}
		for _, g := range gaps {
			at = append(at, at[len(at)-1].Add(g))
		}
		return at
	}
	for _, c := range []struct {
		name string
		at   []time.Time
		want time.Duration
	}{
		{"one alert", series(), 0},
		{"too few", series(5*day, 5*day, 5*day), 0},
		{"too short a time", series(day, day, day, day, day), 0},
		{"each two days", series(2*day, 2*day, 2*day, 2*day), 2 * day},
		{"bursts are one", series(time.Minute, 2*day, time.Minute, 2*day-time.Minute, 2*day, 2*day-time.Minute), 2 * day},
	} {
		if got := usualGap(c.at); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
