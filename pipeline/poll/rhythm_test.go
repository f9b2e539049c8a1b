package poll

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// office is a rhythm of news each working day at some hours (UTC), for weeks.
func office(weeks int, hours ...int) (r Rhythm, now time.Time) {
	day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) // a Monday
	for range weeks * 7 {
		if w := day.Weekday(); w != time.Saturday && w != time.Sunday {
			for _, h := range hours {
				r = r.arrived([]time.Time{day.Add(time.Duration(h)*time.Hour + 7*time.Minute)})
			}
		}
		day = day.Add(24 * time.Hour)
	}
	return r, day
}

func TestAutoLearns(t *testing.T) {
	t.Parallel()
	busy, monday := office(5, 13, 14, 15, 16)
	rare := Rhythm{}
	for i := range 12 {
		rare = rare.arrived([]time.Time{monday.AddDate(0, -i, 0)})
	}
	flood := Rhythm{}
	for i := range 500 {
		flood = flood.arrived([]time.Time{monday.Add(-time.Duration(i) * 11 * time.Minute)})
	}
	for _, c := range []struct {
		name        string
		rhythm      Rhythm
		at          time.Time
		least, most time.Duration
		why         string
	}{
		{"nothing known", Rhythm{}, monday, 15 * time.Minute, 15 * time.Minute, "not enough news yet"},
		{"its hours", busy, monday.Add(14 * time.Hour), autoLeast, 40 * time.Minute, "its usual hour now"},
		{"its night", busy, monday.Add(2 * time.Hour), time.Hour, autoMost, "not its usual hour"},
		{"just before its hours", busy, monday.Add(11*time.Hour + 50*time.Minute), autoLeast, 90 * time.Minute, ""},
		{"once a month", rare, monday, autoMost, autoMost, "days on average"},
		{"every eleven minutes", flood, monday, autoLeast, autoLeast, "64 arrivals"},
		{"and then quiet for a year", flood, monday.AddDate(1, 0, 0), autoMost, autoMost, ""},
	} {
		every, why := c.rhythm.learned(c.at, 15*time.Minute)
		if every < c.least || every > c.most || !strings.Contains(why, c.why) {
			t.Errorf("%s: %s (%s), want %s to %s and %q", c.name, every, why, c.least, c.most, c.why)
		}
		if again, _ := c.rhythm.learned(c.at, 15*time.Minute); again != every {
			t.Errorf("%s: %s, then %s: it must be a pure function", c.name, every, again)
		}
	}
	f := feed.Feed{Every: time.Minute, Auto: true}
	if got := (Pace{Min: time.Minute}).Interval(f, Rhythm{}, monday); got != autoLeast {
		t.Errorf("auto beginning at a minute is %s, want the bound", got)
	}
	if got := (Pace{Min: time.Hour}).Interval(f, flood, monday); got != time.Hour {
		t.Errorf("auto below the floor: %s", got)
	}
}

func TestRhythmIsSmallAndSorted(t *testing.T) {
	t.Parallel()
	var r Rhythm
	for i := range 1000 {
		n := len(r.Arrivals)
		before := slices.Clone(r.Arrivals)
		old := r
		r = r.arrived([]time.Time{noon.Add(time.Duration(i*7919%1000) * 13 * time.Minute), {}, time.Unix(-5, 0)})
		if !slices.Equal(old.Arrivals, before) || len(old.Arrivals) != n {
			t.Fatal("the rhythm before was changed: states are shared")
		}
	}
	if len(r.Arrivals) > maxArrivals || !slices.IsSorted(r.Arrivals) {
		t.Errorf("%d arrivals, sorted %v", len(r.Arrivals), slices.IsSorted(r.Arrivals))
	}
	same := Rhythm{}.arrived([]time.Time{noon, noon.Add(time.Minute), noon.Add(9 * time.Minute)})
	if len(same.Arrivals) != 1 {
		t.Errorf("%d arrivals of items that came together", len(same.Arrivals))
	}
}

func TestSilentAfterItsOwnRhythm(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	daily, _ := office(5, 9, 10, 11, 12, 13, 14, 15, 16)
	var monthly, young Rhythm
	for i := range 10 {
		monthly = monthly.arrived([]time.Time{noon.AddDate(0, -i, 0)})
		young = young.arrived([]time.Time{noon.Add(-time.Duration(i) * time.Hour)})
	}
	for _, c := range []struct {
		name        string
		rhythm      Rhythm
		least, most time.Duration
	}{
		{"nothing known", Rhythm{}, 0, 0},
		{"known for hours", young, 14 * day, 14 * day},
		{"working days", daily, 8 * day, 16 * day}, // a weekend is its longest so far
		{"monthly", monthly, 120 * day, 125 * day},
	} {
		if got := c.rhythm.silentAfter(); got < c.least || got > c.most {
			t.Errorf("%s: silent after %s, want %s to %s", c.name, short(got), short(c.least), short(c.most))
		}
	}
}

func TestSilentIsToldOnceAndEnds(t *testing.T) {
	bubble(t, func(w *world) {
		quiet := false
		begun := time.Now()
		var n int
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			if !quiet {
				n = int(time.Since(begun) / (5 * time.Hour))
			}
			return 200, nil, fmt.Sprintf("%[1]d|http://x.test/%[1]d|Item %[1]d||\n", n) + fmt.Sprintf("%[1]d|http://x.test/%[1]d|Item %[1]d||", n-1)
		})
		p := w.poller(aFeed("x", "http://x.test/", 2*time.Hour))
		w.runFor(p, 20*24*time.Hour)
		if len(w.kinds()) > 0 {
			t.Errorf("events %v of a feed with news each five hours", w.kinds())
		}
		quiet = true
		w.runFor(p, 3*24*time.Hour)
		if st := p.Snapshot()[0]; st.State != StateOK {
			t.Errorf("%s after three quiet days", st.State)
		}
		w.runFor(p, 20*24*time.Hour)
		st := p.Snapshot()[0]
		if st.State != StateSilent || !strings.Contains(st.Advice, "Open the publisher's page") {
			t.Errorf("%s, %q; want silent and what to do", st.State, st.Advice)
		}
		// A hiccup in between is not told, nor the silence again.
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 500, nil, "" })
		w.runFor(p, 2*time.Hour)
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			return 200, nil, fmt.Sprintf("%[1]d|http://x.test/%[1]d|Item %[1]d||\n", n)
		})
		w.runFor(w.poller(aFeed("x", "http://x.test/", 2*time.Hour)), 48*time.Hour)
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			return 200, nil, fmt.Sprintf("%[1]d|http://x.test/%[1]d|Item %[1]d||\nnew|http://x.test/new|News||", n)
		})
		w.runFor(p, 48*time.Hour)
		if want := []string{"x silent", "x recovered"}; !slices.Equal(w.kinds(), want) {
			t.Errorf("events %v, want %v", w.kinds(), want)
		}
	})
}

func TestAutoOverAWeek(t *testing.T) {
	bubble(t, func(w *world) {
		f := aFeed("x", "http://x.test/", 15*time.Minute)
		f.Auto = true
		n := 0
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			if at := time.Now().UTC(); at.Hour() >= 13 && at.Hour() < 17 && at.Minute() < 30 {
				n++
			}
			return 200, nil, fmt.Sprintf("%[1]d|http://x.test/%[1]d|Item %[1]d||\nkeep|http://x.test/k|K||", n)
		})
		p := w.poller(f)
		w.runFor(p, 14*24*time.Hour)
		before := len(w.site.seen())
		w.runFor(p, 7*24*time.Hour)
		var day, night int
		for _, r := range w.site.seen()[before:] {
			if h := r.at.UTC().Hour(); h >= 13 && h < 17 {
				day++
			} else {
				night++
			}
		}
		if float64(day)/4 < 3*float64(night)/20 || day < 7*8 {
			t.Errorf("%d polls in its four hours, %d in the twenty others; want most when there is news", day, night)
		}
		if st := p.Snapshot()[0]; !strings.Contains(st.Why, "arrivals since") {
			t.Errorf("why %q", st.Why)
		}
	})
}
