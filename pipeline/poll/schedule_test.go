package poll

import (
	"net/http"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) // a Sunday

func fixed(v float64) func() float64 { return func() float64 { return v } }

func TestInterval(t *testing.T) {
	t.Parallel()
	p := Pace{Min: time.Minute}
	for _, c := range []struct{ every, want time.Duration }{
		{0, usualInterval}, {time.Second, time.Minute}, {time.Hour, time.Hour},
	} {
		if got := p.Interval(feed.Feed{Every: c.every}, Rhythm{}, noon); got != c.want {
			t.Errorf("Interval(every %s) = %s, want %s", c.every, got, c.want)
		}
	}
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	const every = 10 * time.Minute
	for _, c := range []struct {
		name   string
		random float64
		fresh  time.Duration
		wish   Wish
		wait   time.Duration
		before time.Duration // of notBefore, 0: none
	}{
		{name: "plain", wait: every},
		{name: "jitter is later only", random: 0.5, wait: every + 30*time.Second},
		{name: "max-age shorter than ours", fresh: time.Minute, wait: every, before: time.Minute},
		{name: "max-age longer", fresh: time.Hour, wait: time.Hour, before: time.Hour},
		{name: "max-age of a year", fresh: 365 * 24 * time.Hour, wait: longest, before: longest},
		{name: "ttl", wish: Wish{TTL: 2 * time.Hour}, wait: 2 * time.Hour, before: 2 * time.Hour},
		{name: "ttl negative", wish: Wish{TTL: -2 * time.Hour}, wait: every},
		{name: "skip the hours from 12 to 14", wish: Wish{SkipHours: []int{12, 13, 14}}, wait: 3 * time.Hour, before: 3 * time.Hour},
		{name: "skip Sunday", wish: Wish{SkipDays: []time.Weekday{time.Sunday}}, wait: 12 * time.Hour, before: 12 * time.Hour},
		{name: "skip three days", wish: Wish{SkipDays: []time.Weekday{0, 1, 2}}, wait: longest + every, before: longest + every},
		{name: "skip all days", wish: Wish{SkipDays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}, wait: every},
		{name: "skip nonsense", wish: Wish{SkipHours: []int{-1, 99}}, wait: every},
	} {
		due, before := Pace{Random: fixed(c.random)}.Success(noon, every, c.fresh, c.wish)
		if got := due.Sub(noon); got != c.wait {
			t.Errorf("%s: due after %s, want %s", c.name, got, c.wait)
		}
		if before.IsZero() != (c.before == 0) || !before.IsZero() && before.Sub(noon) != c.before {
			t.Errorf("%s: not before %s, want %s", c.name, before, c.before)
		}
	}
}

func TestFailureGapsGrow(t *testing.T) {
	t.Parallel()
	const every = 10 * time.Minute
	for _, random := range []float64{0, 0.5, 0.999} {
		p := Pace{Random: fixed(random)}
		var last time.Duration
		for n := 1; n < 60; n++ {
			due, _ := p.Failure(noon, every, Failing{Times: n, Waited: last})
			wait := due.Sub(noon)
			if n > 1 && wait < longest && float64(wait) < 1.5*float64(last) {
				t.Errorf("gap %d is %s after %s, want half as long again", n, wait, last)
			}
			if wait < every || wait > longest {
				t.Errorf("gap %d is %s, want within %s and a day", n, wait, every)
			}
			last = wait
		}
		if last != longest {
			t.Errorf("backoff ends at %s, want a day", last)
		}
	}
}

// TestFailuresComeApart holds the jitter to its purpose: a thousand feeds that
// failed in the same second are spread over the whole step, evenly.
func TestFailuresComeApart(t *testing.T) {
	t.Parallel()
	const every, feeds = 10 * time.Minute, 1000
	for n := 2; n < 6; n++ {
		var tenths [10]int
		for i := range feeds {
			due, _ := Pace{Random: fixed(float64(i) / feeds)}.Failure(noon, every, Failing{Times: n, Waited: every})
			tenths[min(int(10*(due.Sub(noon)-every*3/2)/every), 9)]++
		}
		for i, got := range tenths {
			if got < feeds/11 || got > feeds/9 {
				t.Errorf("failure %d, tenth %d of the step: %d of %d feeds", n, i, got, feeds)
			}
		}
	}
}

func TestFailureObeysRetryAfter(t *testing.T) {
	t.Parallel()
	p := Pace{Random: fixed(0)}
	for _, c := range []struct{ retry, want time.Duration }{
		{0, 10 * time.Minute}, {time.Minute, 10 * time.Minute}, {2 * time.Hour, 2 * time.Hour}, {90 * 24 * time.Hour, longest}, {-time.Hour, 10 * time.Minute},
	} {
		due, before := p.Failure(noon, 10*time.Minute, Failing{Times: 1, RetryAfter: c.retry})
		if got := due.Sub(noon); got != c.want {
			t.Errorf("Retry-After %s: due after %s, want %s", c.retry, got, c.want)
		}
		if before.IsZero() != (c.retry <= 0) {
			t.Errorf("Retry-After %s: not before %s", c.retry, before)
		}
	}
	for _, c := range []struct {
		name    string
		every   time.Duration
		failing Failing
		want    time.Duration
	}{
		{"weekly feed is not asked daily because it failed", probeGone, Failing{Times: 3}, probeGone},
		{"wait made by Retry-After is not doubled", 10 * time.Minute, Failing{Times: 2, Waited: longest}, 22*time.Minute + 30*time.Second},
		{"brief trouble ends at six hours", 10 * time.Minute, Failing{Times: 50, Waited: longest, Brief: true}, longest / 4},
		{"after a month once a week", 10 * time.Minute, Failing{Times: 90, Waited: 6 * longest, For: longFailure + 1}, probeGone},
	} {
		if due, _ := p.Failure(noon, c.every, c.failing); due.Sub(noon) != c.want {
			t.Errorf("%s: due after %s, want %s", c.name, due.Sub(noon), c.want)
		}
	}
}

func TestStartSpreads(t *testing.T) {
	t.Parallel()
	p := Pace{Random: fixed(0)}
	for _, c := range []struct {
		every time.Duration
		i, n  int
		want  time.Duration
	}{
		{time.Hour, 0, 1, 0}, {time.Hour, 199, 200, 9950 * time.Millisecond}, {2 * time.Hour, 50_000, 100_000, 2500 * time.Second},
		{time.Hour, 99_999, 100_000, time.Hour}, {time.Second, 500, 1000, time.Second / 2},
	} {
		got := p.Start(noon, c.every, c.i, c.n).Sub(noon)
		if d := got - c.want; d < -time.Second || d > time.Second {
			t.Errorf("Start(every %s, %d of %d) = %s, want %s", c.every, c.i, c.n, got, c.want)
		}
	}
}

func TestSavedDistrustsAWrongClock(t *testing.T) {
	t.Parallel()
	p := Pace{Random: fixed(0)}
	for _, c := range []struct {
		state string
		due   time.Duration
		want  time.Duration
	}{
		{StateOK, time.Hour, time.Hour}, {StateOK, -time.Hour, -time.Hour}, {StateOK, 50 * 365 * 24 * time.Hour, time.Hour},
		{StateGone, 7 * 24 * time.Hour, 7 * 24 * time.Hour}, {StateFailing, 7 * 24 * time.Hour, time.Hour},
	} {
		if got := p.Saved(noon, time.Hour, State{State: c.state, NextDue: noon.Add(c.due)}).Sub(noon); got != c.want {
			t.Errorf("%s, saved due in %s: due in %s, want %s", c.state, c.due, got, c.want)
		}
	}
}

// TestAnchor: what a clock that was ahead saved waits no longer than it was to
// wait then, and is not dated after now.
func TestAnchor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ahead, due, want time.Duration }{
		"the same clock":     {-10 * time.Minute, time.Hour, 50 * time.Minute},
		"seconds apart":      {30 * time.Second, time.Hour, time.Hour + 30*time.Second},
		"20 hours ahead":     {20 * time.Hour, time.Hour, time.Hour},
		"a month ahead":      {30 * 24 * time.Hour, time.Hour, time.Hour},
		"3 hours behind":     {-3 * time.Hour, time.Hour, -2 * time.Hour},
		"asked to wait long": {2 * time.Hour, 24 * time.Hour, 24 * time.Hour},
	} {
		saved := noon.Add(c.ahead)
		st := State{LastPoll: saved, LastSuccess: saved, LastNew: noon.Add(-time.Hour), NextDue: saved.Add(c.due), NotBefore: saved.Add(c.due),
			Rhythm: Rhythm{}.arrived([]time.Time{noon.Add(-time.Hour), saved})}
		st.anchor(noon)
		if got := st.NextDue.Sub(noon); got != c.want || !st.NotBefore.Equal(st.NextDue) {
			t.Errorf("%s: due in %s and not before %s, want %s", name, got, st.NotBefore.Sub(noon), c.want)
		}
		if st.LastSuccess.After(noon.Add(clockSlack)) || st.Rhythm.last().After(noon.Add(clockSlack)) || st.Rhythm.Day > int32(noon.Unix()/86400) {
			t.Errorf("%s: last success %s, last news %s, day %d: after now", name, st.LastSuccess, st.Rhythm.last(), st.Rhythm.Day)
		}
		if !st.LastNew.Equal(noon.Add(-time.Hour)) {
			t.Errorf("%s: what lies behind us was changed: %s", name, st.LastNew)
		}
	}
	var never State
	if never.anchor(noon); !never.NextDue.IsZero() || !never.LastPoll.IsZero() {
		t.Errorf("a state that was never saved: %+v", never)
	}
}

func TestHeaderWishes(t *testing.T) {
	t.Parallel()
	const date = "Sun, 22 Nov 2026 10:00:00 GMT" // two hours behind our clock
	for _, c := range []struct {
		header http.Header
		fresh  time.Duration
		retry  time.Duration
	}{
		{h("Cache-Control", "public, max-age=600"), 10 * time.Minute, 0},
		{h("Cache-Control", "max-age=600, no-store"), 0, 0},
		{h("Cache-Control", "max-age=600", "Age", "500"), 100 * time.Second, 0},
		{h("Cache-Control", "max-age=600", "Age", "700"), 0, 0},
		{h("Cache-Control", `max-age="60"`), time.Minute, 0},
		{h("Cache-Control", "MAX-AGE = 60"), time.Minute, 0},
		{h("Cache-Control", "max-age=-5"), 0, 0},
		{h("Cache-Control", "max-age=99999999999999999999999"), longest, 0},
		{h("Cache-Control", "s-maxage=600"), 0, 0},
		{h("Cache-Control", "max-age=60", "Expires", "Sun, 22 Nov 2026 20:00:00 GMT"), time.Minute, 0},
		{h("Date", date, "Expires", "Sun, 22 Nov 2026 10:00:20 GMT"), 20 * time.Second, 0},
		{h("Expires", "0"), 0, 0},
		{h("Expires", "Sun, 22 Nov 2026 11:00:00 GMT"), 0, 0},
		{h("Retry-After", "120"), 0, 2 * time.Minute},
		{h("Retry-After", " 120 "), 0, 2 * time.Minute},
		{h("Retry-After", "-1"), 0, 0},
		{h("Retry-After", "soon"), 0, 0},
		{h("Retry-After", "99999999999999999999"), 0, longest},
		{h("Date", date, "Retry-After", "Sun, 22 Nov 2026 10:30:00 GMT"), 0, 30 * time.Minute},
		{h("Retry-After", "Sun, 22 Nov 2026 12:30:00 GMT"), 0, 30 * time.Minute},
		{h("Retry-After", "Sun, 22 Nov 2020 12:30:00 GMT"), 0, 0},
	} {
		if got := freshFor(c.header, noon); got != c.fresh {
			t.Errorf("freshFor(%v) = %s, want %s", c.header, got, c.fresh)
		}
		if got := retryAfter(c.header, noon); got != c.retry {
			t.Errorf("retryAfter(%v) = %s, want %s", c.header, got, c.retry)
		}
	}
}
