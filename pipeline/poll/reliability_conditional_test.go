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

// A: conditional requests.

func TestReliabilityConditional(t *testing.T) {
	const hour = time.Hour
	validators := map[string]func(v int) http.Header{
		"case-001 ok": func(v int) http.Header {
			return h("ETag", fmt.Sprintf(`"v%d"`, v), "Last-Modified", fmt.Sprintf("day %d", v))
		},
		"case-002 etag-only":          func(v int) http.Header { return h("ETag", fmt.Sprintf(`"v%d"`, v)) },
		"case-002 etag-weak":          func(v int) http.Header { return h("ETag", fmt.Sprintf(`W/"v%d"`, v)) },
		"case-002 etag-unquoted":      func(v int) http.Header { return h("ETag", fmt.Sprintf("v%d", v)) },
		"case-003 last-modified-only": func(v int) http.Header { return h("Last-Modified", fmt.Sprintf("Sun, 0%d Nov 2026 10:00:00 GMT", v)) },
		"case-003 last-modified-odd":  func(v int) http.Header { return h("Last-Modified", fmt.Sprintf("2026-11-0%d 7 Uhr", v)) },
		"case-006 etag-moves-date-stays": func(v int) http.Header {
			return h("ETag", fmt.Sprintf(`"v%d"`, v), "Last-Modified", "Sun, 01 Nov 2026 10:00:00 GMT")
		},
	}
	for name, header := range validators {
		scene(t, name, func(w *world) {
			s := &publisher{items: 3, header: header}
			w.site.set(s.answer)
			w.runFor(w.poller(one(hour)), 20*hour)
			s.items = 4
			w.runFor(w.poller(one(hour)), 20*hour)
			if with, without := w.conditional(); without != 1 || with < 30 {
				w.Errorf("%d requests with validators, %d without; want 1 without", with, without)
			}
			all, version := w.site.seen(), 3
			for i, r := range all[1:] {
				if r.etag == header(4).Get("ETag") && r.since == header(4).Get("Last-Modified") {
					version = 4
				}
				if want := header(version); r.etag != want.Get("ETag") || r.since != want.Get("Last-Modified") {
					w.Errorf("request %d: %+v, want %v byte for byte", i+2, r, want)
				}
			}
			if version != 4 {
				w.Error("the newer validators were never sent")
			}
			w.published(1, "Item 1", "Item 4")
		})
	}
	scene(t, "case-004 no-validators", func(w *world) {
		s := &publisher{items: 3, header: func(int) http.Header { return nil }}
		w.site.set(s.answer)
		w.runFor(w.poller(one(hour)), 20*hour)
		if with, _ := w.conditional(); with > 0 {
			w.Errorf("%d requests with invented validators", with)
		}
		for _, gap := range w.gaps(one(hour).URL) {
			if gap < hour {
				w.Errorf("asked again after %s", gap)
			}
		}
		if n := w.memory.revisions(); n != 3 {
			w.Errorf("%d revisions stored, want 3", n)
		}
	})
	scene(t, "case-005 etag-churns", func(w *world) {
		parsed := 0
		w.parse = func(d feed.Document) (*feed.Parsed, error) { parsed++; return plainParse(d) }
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			return 200, h("ETag", fmt.Sprintf(`"%d"`, n)), "a|http://x.test/a|A||"
		})
		p := w.poller(one(hour))
		w.runFor(p, 20*hour)
		for i, r := range w.site.seen() {
			if i > 0 && r.etag != fmt.Sprintf(`"%d"`, i) {
				w.Errorf("request %d with %s, want the newest ETag", i, r.etag)
			}
		}
		if parsed != 1 || w.memory.revisions() != 1 {
			w.Errorf("%d documents parsed, %d revisions; the bytes were the same each time", parsed, w.memory.revisions())
		}
		if n := gathered(w.T, w.reg)[`monitor_items_total{outcome="updated"}`]; n != 0 {
			w.Errorf("%v items count as updated", n)
		}
	})
	scene(t, "case-007 304-new-etag", func(w *world) {
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			if n == 2 {
				return 304, h("ETag", `"renamed"`), ""
			}
			if n > 2 {
				return 304, nil, "" // bare: erases nothing
			}
			return 200, h("ETag", `"first"`, "Last-Modified", "then"), "a|http://x.test/a|A||"
		})
		w.runFor(w.poller(one(hour)), 6*hour)
		for i, r := range w.site.seen() {
			want := []string{"", `"first"`, `"renamed"`}[min(i, 2)]
			if r.etag != want || i > 0 && r.since != "then" {
				w.Errorf("request %d: %+v, want %s", i, r, want)
			}
		}
	})
	scene(t, "case-008 304-always", func(w *world) { stuck(w, h("ETag", `"always"`)) })
	scene(t, "case-008 last-modified-1970", func(w *world) { stuck(w, h("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT")) })
	scene(t, "case-009 304-unasked", func(w *world) {
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 304, nil, "" })
		w.runFor(w.poller(one(hour)), 48*hour)
		w.reasonIs("x", ReasonProtocol)
		st := w.memory.state("x")
		if st.State != StateFailing || !st.LastSuccess.IsZero() {
			w.Errorf("%s, last success %s; want failing since ever", st.State, st.LastSuccess)
		}
		grow(w, w.gaps(one(hour).URL))
	})
	scene(t, "case-010 conditionals-ignored", func(w *world) {
		s := &publisher{items: 3, pretend: true}
		w.site.set(s.answer)
		p := w.poller(one(hour))
		w.runFor(p, 20*hour)
		if w.memory.revisions() != 3 {
			w.Errorf("%d revisions stored, want 3", w.memory.revisions())
		}
		if notes := strings.Join(p.Snapshot()[0].Notes, "; "); !strings.Contains(notes, "never 304") {
			w.Errorf("notes %q, want to be told that the server never says 304", notes)
		}
	})
	for name, kind := range map[string]string{"case-011 truncated": "cut", "case-012 close-delimited-cut": "open"} {
		scene(t, name, func(w *world) {
			w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
				header := h("ETag", fmt.Sprintf(`"%d"`, n))
				if n >= 3 {
					return 200, header, "a|http://x.test/a|A||\nb|http://x.test/b|T||"
				}
				header.Set(fault, kind)
				return 200, header, "a|http://x.test/a|A||\ncut"
			})
			p := w.poller(one(hour))
			w.runFor(p, time.Minute)
			w.reasonIs("x", ReasonTruncated)
			if w.memory.revisions() != 0 {
				w.Error("something of a cut body was stored")
			}
			w.runFor(p, 12*hour)
			for i, r := range w.site.seen() {
				if i < 3 && r.etag != "" {
					w.Errorf("request %d with %s, the ETag of a broken body", i, r.etag)
				}
			}
			w.published(1, "T")
		})
	}
	scene(t, "case-013 kill -9, and another name", func(w *world) {
		s := &publisher{items: 3}
		w.site.set(s.answer)
		f := one(hour)
		w.kill(w.poller(f), 3*hour)
		w.runFor(w.poller(f), 2*hour)
		f.Title = "Renamed"
		w.runFor(w.poller(f), 2*hour)
		if with, without := w.conditional(); without != 1 || with < 5 {
			w.Errorf("%d requests with validators, %d without; want 1 without", with, without)
		}
	})
	scene(t, "case-014 another URL", func(w *world) {
		s := &publisher{items: 3}
		w.site.set(s.answer)
		w.runFor(w.poller(one(hour)), 3*hour)
		n := len(w.site.seen())
		w.runFor(w.poller(aFeed("x", "http://x.test/other", hour)), time.Minute)
		if got := w.site.seen()[n:]; len(got) != 1 || got[0].etag != "" || got[0].since != "" {
			w.Errorf("requests %+v; want one without the other address's validators", got)
		}
	})
	scene(t, "case-015 validators survive an outage", func(w *world) {
		s := &publisher{items: 3}
		w.site.set(s.answer)
		p := w.poller(one(hour))
		w.runFor(p, hour/2)
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, h(fault, "hang"), "" })
		w.runFor(p, 9*hour)
		if st := w.memory.state("x"); st.Failures < 3 {
			w.Errorf("%d failures, want at least 3", st.Failures)
		}
		w.site.set(s.answer)
		w.runFor(p, 30*hour)
		if with, without := w.conditional(); without != 1 || with < 5 {
			w.Errorf("%d requests with validators, %d without; want 1 without", with, without)
		}
	})
	scene(t, "case-100 empty-feed, and back", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n%3 == 2 {
				return 200, nil, "ttl 0s\n"
			}
			return 200, nil, "a|http://x.test/a|A||\nb|http://x.test/b|B||"
		})
		w.runFor(w.poller(one(hour)), 20*hour)
		w.published(1, "A", "B")
		if st := w.memory.state("x"); st.State != StateOK {
			w.Errorf("state %s, want ok: an empty feed is a feed", st.State)
		}
	})
	scene(t, "case-099 html-sometimes", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n%2 == 0 {
				return 200, h("ETag", `"page"`), "html"
			}
			return 200, h("ETag", `"feed"`), fmt.Sprintf("a|http://x.test/a|A||\n%d|http://x.test/%d|T %d||", n, n, n)
		})
		w.runFor(w.poller(one(hour)), 12*hour)
		for _, r := range w.site.seen() {
			if r.etag == `"page"` {
				w.Error("the ETag of a web page was sent")
			}
		}
		w.published(1, "A", "T 1", "T 3", "T 5")
	})
}

// stuck plays a server that says 304 to whoever asks with validators.
func stuck(w *world, validators http.Header) {
	w.opt.FullRefresh = 8 * 24 * time.Hour
	items := 1
	w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
		if r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
			return 304, nil, ""
		}
		var lines []string
		for i := range items {
			lines = append(lines, fmt.Sprintf("%d|http://x.test/%d|Item %d||", i, i, i))
		}
		return 200, validators.Clone(), strings.Join(lines, "\n")
	})
	p := w.poller(one(6 * time.Hour))
	w.runFor(p, 24*time.Hour)
	items = 2
	w.runFor(p, 9*24*time.Hour)
	w.published(1, "Item 0", "Item 1")
	if notes := strings.Join(p.Snapshot()[0].Notes, "; "); !strings.Contains(notes, "nothing has changed when something has") {
		w.Errorf("notes %q, want the feed marked suspect", notes)
	}
	items = 3
	w.runFor(p, 25*time.Hour)
	w.published(1, "Item 2") // now within a day
	full := 0
	var last time.Time
	for _, r := range w.site.seen() {
		if r.etag+r.since == "" {
			if !last.IsZero() && r.at.Sub(last) < 24*time.Hour {
				w.Errorf("unconditional again after %s", r.at.Sub(last))
			}
			full, last = full+1, r.at
		}
	}
	if full < 3 || full > 5 {
		w.Errorf("%d unconditional requests in eleven days", full)
	}
}

// grow wants each gap half as long again as the last, up to a day.
func grow(w *world, gaps []time.Duration) {
	w.Helper()
	if len(gaps) < 3 {
		w.Errorf("gaps %v, want at least three", gaps)
	}
	for i := 1; i < len(gaps); i++ {
		if gaps[i] < longest-time.Hour && float64(gaps[i]) < 1.49*float64(gaps[i-1]) {
			w.Errorf("gap %s after %s, want half as long again", gaps[i], gaps[i-1])
		}
	}
	if slices.ContainsFunc(gaps, func(d time.Duration) bool { return d > longest+time.Minute }) {
		w.Errorf("gaps %v, want at most a day", gaps)
	}
}
