package poll

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

func TestFailingRecoveredGone(t *testing.T) {
	bubble(t, func(w *world) {
		status := func(s int) {
			w.site.set(func(*http.Request, int) (int, http.Header, string) { return s, nil, "a|http://x.test/a|A||" })
		}
		f := aFeed("x", "http://x.test/", 10*time.Minute)
		status(200)
		w.runFor(w.poller(f), time.Minute)
		status(500)
		w.runFor(w.poller(f), 3*time.Hour)
		n := len(w.site.seen())
		if n > 6 {
			t.Errorf("%d requests in three bad hours, want them ever further apart", n)
		}
		status(200)
		w.runFor(w.poller(f), 4*time.Hour)
		status(410)
		w.runFor(w.poller(f), 30*24*time.Hour)
		if want := []string{"x failing", "x recovered", "x failing", "x gone"}; !slices.Equal(w.kinds(), want) {
			t.Errorf("events %v, want %v", w.kinds(), want)
		}
		var gone int
		for _, r := range w.site.seen() {
			if time.Since(r.at) < 28*24*time.Hour {
				gone++
			}
		}
		if gone < 3 || gone > 5 {
			t.Errorf("a gone feed was asked %d times in 28 days, want once a week", gone)
		}
		status(200)
		w.runFor(w.poller(f), 9*24*time.Hour)
		if last := w.kinds()[len(w.kinds())-1]; last != "x recovered" {
			t.Errorf("last event %q, want a recovery", last)
		}
	})
}

func TestRetryAfterOfTwoFeedsHoldsTheHost(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Path == "/0" || r.URL.Path == "/1" {
				return 429, h("Retry-After", "1800"), ""
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		var feeds []feed.Feed
		for i := range 6 {
			feeds = append(feeds, aFeed(fmt.Sprintf("f%d", i), fmt.Sprintf("http://x.test/%d", i), time.Minute))
		}
		w.runFor(w.poller(append(feeds, aFeed("y", "http://y.test/", time.Minute))...), 25*time.Minute)
		var second time.Time
		refused := 0
		for _, r := range w.site.seen() {
			limited := strings.HasSuffix(r.url, "/0") || strings.HasSuffix(r.url, "/1")
			if limited {
				refused++
				second = r.at
			} else if refused == 2 && strings.Contains(r.url, "x.test") && r.at.After(second) && time.Since(second) > 0 {
				t.Errorf("%s asked %s after the second 429 of its host", r.url, r.at.Sub(second))
			}
		}
		if refused != 2 {
			t.Errorf("feeds that were told to wait half an hour were asked %d times, want 2", refused)
		}
		if n := w.site.count["http://y.test/"]; n < 20 {
			t.Errorf("the other host was asked %d times in 25 minutes", n)
		}
	})
}

func TestServersWishes(t *testing.T) {
	for name, answer := range map[string]struct {
		header http.Header
		body   string
	}{
		"max-age": {h("Cache-Control", "public, max-age=7200"), "a|http://x.test/a|A||"},
		"expires": {h("Date", "Mon, 02 Jan 2006 15:04:05 GMT", "Expires", "Mon, 02 Jan 2006 17:04:05 GMT"), "a|http://x.test/a|A||"},
		"ttl":     {nil, "ttl 2h\na|http://x.test/a|A||"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, answer.header, answer.body })
				w.runFor(w.poller(aFeed("x", "http://x.test/", time.Minute)), 9*time.Hour)
				got := w.site.seen()
				for i := 1; i < len(got); i++ {
					if gap := got[i].at.Sub(got[i-1].at); gap < 2*time.Hour || gap > 2*time.Hour+time.Minute {
						t.Errorf("asked after %s, want two hours", gap)
					}
				}
				if len(got) < 4 {
					t.Errorf("%d requests in 9 hours", len(got))
				}
			})
		})
	}
}

func TestFullRefreshOfAServerStuckOn304(t *testing.T) {
	bubble(t, func(w *world) {
		w.opt.FullRefresh = 24 * time.Hour
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			if r.Header.Get("If-None-Match") != "" {
				return 304, nil, ""
			}
			return 200, h("ETag", `"stuck"`), fmt.Sprintf("%d|http://x.test/%d|T %d||", n, n, n)
		})
		w.runFor(w.poller(aFeed("x", "http://x.test/", time.Hour)), 50*time.Hour)
		full := 0
		for _, r := range w.site.seen() {
			if r.etag == "" {
				full++
			}
		}
		if full != 2 && full != 3 {
			t.Errorf("%d unconditional requests in 50 hours, want one a day", full)
		}
	})
}

func TestAPanicCostsOnePoll(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			if r.URL.Host == "bad.test" && n == 1 {
				return 200, nil, "panic"
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		p := w.poller(aFeed("bad", "http://bad.test/", time.Minute), aFeed("ok", "http://ok.test/", time.Minute))
		w.runFor(p, 10*time.Minute)
		if want := []string{"bad failing", "bad recovered"}; !slices.Equal(w.kinds(), want) {
			t.Errorf("events %v, want %v", w.kinds(), want)
		}
		if w.memory.revisions() != 2 {
			t.Errorf("%d items, want one of each feed", w.memory.revisions())
		}
	})
}

func TestMovedIsToldOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Path == "/old" {
				return 301, h("Location", "/new"), ""
			}
			if r.Header.Get("If-None-Match") == `"1"` {
				return 304, nil, ""
			}
			return 200, h("ETag", `"1"`), "a|http://x.test/a|A||"
		})
		f := aFeed("x", "http://x.test/old", 10*time.Minute)
		w.runFor(w.poller(f), time.Hour)
		w.runFor(w.poller(f), time.Hour)
		if want := []string{"x moved"}; !slices.Equal(w.kinds(), want) {
			t.Fatalf("events %v, want %v", w.kinds(), want)
		}
		if e := w.events[0]; e.NewURL != "http://x.test/new" || e.URL != f.URL || e.State != StateOK {
			t.Errorf("event %+v", e)
		}
		for i, r := range w.site.seen() {
			if old := strings.HasSuffix(r.url, "/old"); old && r.etag != "" || !old && i > 1 && r.etag != `"1"` {
				t.Errorf("request %d to %s with ETag %q: a validator belongs to the address that gave it", i, r.url, r.etag)
			}
		}
	})
}

func TestFloodAndGapAreTold(t *testing.T) {
	bubble(t, func(w *world) {
		w.opt.Backlog = 72 * time.Hour
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			// First 30 items, then 6 others, then 30 others of long ago.
			items, date := 30, ""
			switch n {
			case 2:
				items = 6
			case 3:
				date = "1990-01-01T00:00:00Z"
			}
			var b strings.Builder
			for i := range items {
				fmt.Fprintf(&b, "%d-%d|http://x.test/%d-%d|T|%s|\n", n, i, n, i, date)
			}
			return 200, nil, b.String()
		})
		w.runFor(w.poller(aFeed("x", "http://x.test/", 10*time.Minute)), 25*time.Minute)
		if want := []string{"x gap", "x flood"}; !slices.Equal(w.kinds(), want) {
			t.Fatalf("events %v, want %v", w.kinds(), want)
		}
		for _, e := range w.events {
			if e.Text == "" || e.State != StateOK {
				t.Errorf("event %+v", e)
			}
		}
	})
}

func TestCutAnswersAreNeverTheBasisOfAQuestion(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			return 200, h("ETag", fmt.Sprintf(`"%d"`, n)), "a|http://x.test/a|A||\ncut"
		})
		w.runFor(w.poller(aFeed("x", "http://x.test/", 10*time.Minute)), 35*time.Minute)
		for _, r := range w.site.seen() {
			if r.etag != "" {
				t.Errorf("asked with %s, the ETag of half a document", r.etag)
			}
		}
		if w.memory.revisions() != 1 || w.memory.state("x").State != StateOK {
			t.Errorf("the whole items of a badly ended document count: %d", w.memory.revisions())
		}
	})
}

func TestNotWatched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		feed feed.Feed
		want bool
	}{
		{feed.Feed{URL: "https://x.test/"}, true}, {feed.Feed{URL: "http://x.test/"}, true}, {feed.Feed{URL: "rsshub:/a"}, false},
		{feed.Feed{}, false}, {feed.Feed{URL: "file:///etc/passwd"}, false}, {feed.Feed{URL: "https://x.test/", Disabled: "why"}, false},
	} {
		if got := notWatched(&c.feed); (got == "") != c.want {
			t.Errorf("notWatched(%+v) = %q", c.feed, got)
		}
	}
}

func TestStandardLogQuotesNobody(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, _ = fmt.Fprint(StandardLog(log), "Unsolicited response received on idle HTTP channel starting with \"EVIL\"")
	if out := b.String(); strings.Contains(out, "EVIL") || !strings.Contains(out, "idle connection") {
		t.Errorf("logged %q", out)
	}
}

func TestAnswerThatEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.poller()
	f := aFeed("x", "http://x.test/", time.Hour)
	a := &Answer{Status: 200, Body: []byte("a|http://x.test/a|A||\ncut"), URL: f.URL, ETag: `"1"`, Open: true, Fetched: noon}
	v := p.judge(f, State{}, a, nil)
	if v.failed == nil || v.failed.Reason != ReasonTruncated || len(v.news.Drafts) > 0 || v.state.ETag != "" {
		t.Errorf("%+v; want it refused as truncated", v)
	}
	a.Body = []byte("a|http://x.test/a|A||")
	if v := p.judge(f, State{}, a, nil); v.failed != nil || len(v.news.Drafts) != 1 || v.state.ETag != `"1"` {
		t.Errorf("%+v; want a whole document to count", v)
	}
}
