package poll

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// B: pace.

// rss is a small document of our own with something in its channel.
func rss(channel string, titles ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel><title>x</title>` + channel)
	for _, t := range titles {
		fmt.Fprintf(&b, "<item><guid>%[1]s</guid><link>http://x.test/%[1]s</link><title>%[1]s</title></item>", t)
	}
	return b.String() + "</channel></rss>"
}

// wishes plays a feed whose answers carry something about their pace; T is
// added after the first answer.
func wishes(header http.Header, channel string) func(*http.Request, int) (int, http.Header, string) {
	return func(_ *http.Request, n int) (int, http.Header, string) {
		if n == 1 {
			return 200, header.Clone(), rss(channel, "A")
		}
		return 200, header.Clone(), rss(channel, "T", "A")
	}
}

func TestReliabilityPace(t *testing.T) {
	const hour = time.Hour
	const date = "Sun, 22 Nov 2026 10:00:00 GMT" // of servers whose clock is off: the bubble's is 2000
	every := 10 * time.Minute
	for _, c := range []struct {
		name, channel string
		header        http.Header
		least         time.Duration // between requests
		most          time.Duration
	}{
		{"case-016 max-age", "", h("Cache-Control", "max-age=7200"), 2 * hour, 2*hour + time.Minute},
		{"case-016 expires", "", h("Date", date, "Expires", "Sun, 22 Nov 2026 12:00:00 GMT"), 2 * hour, 2*hour + time.Minute},
		{"case-016 ttl", "<ttl>120</ttl>", nil, 2 * hour, 2*hour + time.Minute},
		{"case-017 max-age-year", "", h("Cache-Control", "max-age=31536000"), longest, longest + time.Minute},
		{"case-017 ttl of a month", "<ttl>43200</ttl>", nil, longest, longest + time.Minute},
		{"case-017 ttl-absurd", "<ttl>99999999</ttl>", nil, every, longest + time.Minute}, // feed may take it for nonsense
		{"case-018 date-skew", "", h("Date", "Tue, 24 Nov 2026 10:00:00 GMT", "Expires", "Tue, 24 Nov 2026 10:00:20 GMT"), every, every + time.Minute},
		{"case-019 no-store", "", h("Cache-Control", "no-store, max-age=9999"), every, every + time.Minute},
		{"case-019 expires-zero", "", h("Expires", "0"), every, every + time.Minute},
		{"case-030 skip-all", "<skipDays><day>Monday</day><day>Tuesday</day><day>Wednesday</day><day>Thursday</day><day>Friday</day><day>Saturday</day><day>Sunday</day></skipDays>",
			nil, every, every + time.Minute},
		{"case-030 ttl-negative", "<ttl>-60</ttl>", nil, every, every + time.Minute},
		{"case-030 update-period-junk", "<sy:updatePeriod>sometimes</sy:updatePeriod><sy:updateFrequency>NaN</sy:updateFrequency>", nil, every, every + time.Minute},
		{"case-031 update-period 3,600 an hour", "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>3600</sy:updateFrequency>", nil, every, every + time.Minute},
	} {
		scene(t, c.name, func(w *world) {
			w.parse = feed.Parse
			w.site.set(wishes(c.header, c.channel))
			p := w.poller(one(every))
			w.runFor(p, time.Minute)
			due := p.Snapshot()[0].NextDue
			w.runFor(p, 4*c.least)
			got := w.site.seen()
			if len(got) < 4 {
				w.Fatalf("%d requests", len(got))
			}
			if d := got[1].at.Sub(due).Abs(); d > time.Second {
				w.Errorf("asked at %s, shown as due at %s", got[1].at, due)
			}
			for _, gap := range w.gaps(one(every).URL) {
				if gap < c.least || gap > c.most {
					w.Errorf("asked again after %s, want %s to %s", gap, c.least, c.most)
				}
			}
			w.published(1, "T")
		})
	}
	for _, c := range []struct {
		name    string
		status  int
		header  http.Header
		reason  string
		waiting time.Duration // what is asked of us, 0: nothing sensible
	}{
		{"case-020 429-seconds", 429, h("Retry-After", "7200"), ReasonRateLimited, 2 * hour},
		{"case-020 503-date", 503, h("Date", date, "Retry-After", "Sun, 22 Nov 2026 12:00:00 GMT"), ReasonServer, 2 * hour},
		{"case-021 429-huge", 429, h("Retry-After", "99999999999999999999"), ReasonRateLimited, longest},
		{"case-022 429-garbage", 429, h("Retry-After", "when it suits"), ReasonRateLimited, 0},
		{"case-022 429-negative", 429, h("Retry-After", "-7200"), ReasonRateLimited, 0},
		{"case-022 429-plain", 429, nil, ReasonRateLimited, 0},
	} {
		scene(t, c.name, func(w *world) {
			refusals := 6
			if c.waiting > 0 {
				refusals = 1
			}
			w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
				if n <= refusals {
					return c.status, c.header.Clone(), ""
				}
				return 200, nil, "a|http://x.test/a|T||"
			})
			p := w.poller(one(every))
			w.runFor(p, time.Minute)
			w.reasonIs("x", c.reason)
			if n := gathered(w.T, w.reg)[`monitor_fetch_errors_total{reason="`+c.reason+`"}`]; n != 1 {
				w.Errorf("class %s counted %v times, want 1", c.reason, n)
			}
			w.runFor(p, 3*longest)
			gaps := w.gaps(one(every).URL)
			if c.waiting > 0 {
				if len(gaps) == 0 || gaps[0] < c.waiting || gaps[0] > c.waiting+time.Minute {
					w.Errorf("asked again after %v, want %s", gaps[:min(1, len(gaps))], c.waiting)
				}
			} else {
				grow(w, gaps[:refusals])
			}
			w.published(1, "T")
		})
	}
	scene(t, "case-023 two feeds speak for their host", func(w *world) {
		var feeds []feed.Feed
		for i := range 10 {
			feeds = append(feeds, aFeed(fmt.Sprintf("f%d", i), fmt.Sprintf("http://x.test/%d", i), every))
		}
		var second time.Time
		limited := 0
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Host != "x.test" {
				return 200, nil, "a|http://x.test/a|A||"
			}
			if limited++; limited == 2 {
				second = time.Now()
			}
			return 429, h("Retry-After", "7200"), ""
		})
		w.runFor(w.poller(append(feeds, aFeed("other", "http://other.test/", every))...), 90*time.Minute)
		if limited != 2 {
			w.Errorf("the host was asked %d times, want no more after the second refusal at %s", limited, second)
		}
		if n := w.site.count["http://other.test/"]; n < 8 {
			w.Errorf("the other host was asked %d times", n)
		}
	})
	for _, status := range []int{400, 401, 403, 404, 500, 502, 503, 504} {
		scene(t, "case-024 "+fmt.Sprintf("http-%d, and back: case-025", status), func(w *world) {
			var lines strings.Builder
			w.log = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelInfo}))
			w.site.set(func(*http.Request, int) (int, http.Header, string) { return status, nil, "a page of theirs" })
			p := w.poller(one(every))
			w.runFor(p, 16*longest)
			if n := len(w.site.seen()); n < 16 {
				w.Errorf("%d requests in 16 days: never give up", n)
			}
			grow(w, w.gaps(one(every).URL))
			want := ReasonClient
			if status >= 500 {
				want = ReasonServer
			}
			w.reasonIs("x", want)
			if n := strings.Count(lines.String(), "\n"); n != 1 {
				w.Errorf("%d log lines for one change of state:\n%s", n, lines.String())
			}
			w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, nil, "a|http://x.test/a|T||" })
			n := len(w.site.seen())
			w.runFor(p, 26*hour)
			w.published(1, "T")
			got := w.site.seen()[n:]
			if len(got) < 3 || got[2].at.Sub(got[1].at) > every+every/10+time.Second {
				w.Errorf("after the recovery %d requests; want the normal interval at once", len(got))
			}
		})
	}
	scene(t, "case-025 success within the current backoff", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n <= 4 {
				return 500, nil, ""
			}
			return 200, nil, "a|http://x.test/a|T||"
		})
		w.runFor(w.poller(one(every)), 10*hour)
		w.published(1, "T")
		if st := w.memory.state("x"); st.State != StateOK || st.Failures != 0 {
			w.Errorf("state %+v, want ok", st)
		}
	})
	scene(t, "case-026 flapping", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n%2 == 0 {
				return 500, nil, ""
			}
			return 200, nil, fmt.Sprintf("%d|http://x.test/%d|T %d||", n, n, n)
		})
		w.opt.Lazy = 0
		p := w.poller(one(every))
		w.runFor(p, 6*hour)
		for _, k := range w.kinds() {
			if strings.HasSuffix(k, EventFailing) || strings.HasSuffix(k, EventRecovered) {
				w.Errorf("event %q: a single failure is no alarm", k)
			}
		}
		all := gathered(w.T, w.reg)
		good, bad := all[`monitor_feed_fetches_total{feed="x",result="success"}`], all[`monitor_feed_fetches_total{feed="x",result="error"}`]
		if ratio := good / (good + bad); ratio < 0.4 || ratio > 0.6 {
			w.Errorf("success ratio %v (%v, %v), want about a half", ratio, good, bad)
		}
		w.published(1, "T 1", "T 3")
	})
	scene(t, "case-027 gone", func(w *world) {
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 410, nil, "" })
		p := w.poller(one(every))
		w.runFor(p, 60*longest)
		gaps := w.gaps(one(every).URL)
		if n := len(gaps); n < 8 || n > 11 {
			w.Errorf("%d requests in sixty days, want three and then one a week", n+1)
		}
		for i, gap := range gaps {
			if i < goneAfter-1 && gap < hour {
				w.Errorf("confirmed after %s, want hours", gap)
			}
			if i >= goneAfter-1 && (gap < probeGone || gap > probeGone+longest) {
				w.Errorf("gap %d of a gone feed is %s, want a week", i, gap)
			}
		}
		if st := p.Snapshot()[0]; st.State != StateGone || !strings.Contains(st.Advice, "once a week") {
			w.Errorf("%s, %q; want gone and what to do", st.State, st.Advice)
		}
	})
	scene(t, "case-028 gone-once", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n == 2 {
				return 410, nil, ""
			}
			return 200, nil, fmt.Sprintf("%d|http://x.test/%d|T %d||", n, n, n)
		})
		w.runFor(w.poller(one(every)), 6*hour)
		w.published(1, "T 1", "T 3")
	})
	scene(t, "case-029 skip-hours-now", func(w *world) {
		w.parse = feed.Parse
		w.site.set(wishes(nil, "<skipHours><hour>1</hour><hour>2</hour><hour>3</hour></skipHours><skipDays><day>Sunday</day></skipDays>"))
		w.runFor(w.poller(one(every)), 14*longest)
		n := 0
		for _, r := range w.site.seen()[1:] {
			at := r.at.UTC()
			if at.Hour() >= 1 && at.Hour() <= 3 {
				w.Errorf("asked at %s, in an hour to be skipped", at)
			}
			// skipDays can send us away for a day at most: a whole one.
			if at.Weekday() == time.Sunday {
				w.Errorf("asked at %s, on a day to be skipped", at)
			}
			n++
		}
		if n < 500 {
			w.Errorf("%d requests in two weeks", n)
		}
	})
	scene(t, "case-032 interval below the floor", func(w *world) {
		p := w.poller(one(time.Second))
		w.runFor(p, time.Hour)
		for _, gap := range w.gaps(one(every).URL) {
			if gap < time.Minute {
				w.Errorf("asked again after %s, the floor is a minute", gap)
			}
		}
		if st := p.Snapshot()[0]; st.Interval != time.Minute {
			w.Errorf("shown interval %s", st.Interval)
		}
	})
	scene(t, "case-033 mean gap", func(w *world) {
		w.random = func() func() float64 { // any sequence in [0,1)
			x := 0.0
			return func() float64 { x += 0.618; x -= float64(int(x)); return x }
		}()
		w.runFor(w.poller(one(time.Minute)), 10*hour)
		gaps := w.gaps(one(every).URL)
		var sum time.Duration
		for _, gap := range gaps {
			if sum += gap; gap < time.Minute {
				w.Errorf("too soon: %s", gap)
			}
		}
		if mean := sum / time.Duration(len(gaps)); mean > 66*time.Second {
			w.Errorf("mean gap %s, want at most 1.1 times the interval", mean)
		}
	})
	scene(t, "case-035 slow", func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Host == "slow.test" {
				time.Sleep(3 * time.Second) // bubble time
			}
			return 200, nil, "a|http://x.test/a|T||"
		})
		w.runFor(w.poller(one(time.Minute), aFeed("slow", "http://slow.test/", time.Minute)), hour)
		for _, gap := range w.gaps(one(time.Minute).URL) {
			if gap > 66*time.Second {
				w.Errorf("the other feed waited %s", gap)
			}
		}
		if w.memory.state("slow").State != StateOK {
			w.Error("three seconds are no failure")
		}
	})
}
