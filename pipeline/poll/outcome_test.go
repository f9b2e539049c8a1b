package poll

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeltaAnswers(t *testing.T) {
	bubble(t, func(w *world) {
		full := "c|http://x.test/c|C||\nb|http://x.test/b|B||\na|http://x.test/a|A||"
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			switch {
			case n == 1:
				return 200, h("ETag", `"1"`), full
			case r.Header.Get("A-IM") != "feed" || r.Header.Get("If-None-Match") == "":
				t.Errorf("request %d: A-IM %q, If-None-Match %q", n, r.Header.Get("A-IM"), r.Header.Get("If-None-Match"))
			case n < 8: // only what is new
				return 226, h("ETag", `"2"`, "IM", "feed"), "d|http://x.test/d|D||"
			}
			return 200, h("ETag", `"3"`), "d|http://x.test/d|D||\n" + full
		})
		p := w.poller(one(time.Hour))
		w.runFor(p, 7*time.Hour+30*time.Minute)
		if len(w.kinds()) > 0 {
			t.Errorf("events %v: a list of changes is no gap", w.kinds())
		}
		w.runFor(p, 3*time.Hour)
		for _, title := range []string{"A", "B", "C", "D"} {
			w.published(1, title)
		}
		if st := w.memory.state("x"); st.ETag != `"3"` {
			t.Errorf("ETag %s", st.ETag)
		}
	})
}

func TestDeltaOfSomethingElse(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n == 1 {
				return 200, h("ETag", `"1"`), "a|http://x.test/a|A||"
			}
			return 226, h("ETag", `"2"`, "IM", "vcdiff"), "a|http://x.test/a|Garbage||"
		})
		w.runFor(w.poller(one(time.Hour)), 2*time.Hour)
		w.reasonIs("x", ReasonProtocol)
		w.published(0, "Garbage")
	})
}

// TestOurOwnOutage holds the difference between a publisher's trouble and
// ours: when nothing answers, nobody is to blame, and all is well as soon as
// the network is back.
func TestOurOwnOutage(t *testing.T) {
	bubble(t, func(w *world) {
		const every = 15 * time.Minute
		feeds := append(manyFeeds(30, every), aFeed("dead", "http://dead.test/", every))
		offline := false
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if offline || r.URL.Host == "dead.test" {
				return 0, h(fault, "reset"), ""
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		p := w.poller(feeds...)
		w.runFor(p, 24*time.Hour)
		offline = true
		w.runFor(p, 10*time.Hour)
		for _, e := range w.events {
			if e.Feed != "dead" && !strings.Contains(e.Text, "this machine's own network") {
				t.Errorf("event %q", e.Text)
			}
		}
		offline = false
		n := len(w.site.seen())
		w.runFor(p, every+every/4)
		asked := map[string]bool{}
		for _, r := range w.site.seen()[n:] {
			asked[r.url] = true
		}
		if len(asked) < 30 {
			t.Errorf("%d of 30 feeds were asked within an interval after ten hours offline", len(asked))
		}
		if n := w.site.count["http://dead.test/"]; n > 70 {
			t.Errorf("the dead feed was asked %d times in a day and a half", n)
		}
		// A day offline is a day of nothing; then it counts as theirs.
		if o := (&outage{heard: noon, silent: map[string]bool{"a": true, "b": true, "c": true}}); !o.ours(noon.Add(time.Hour)) || o.ours(noon.Add(25*time.Hour)) {
			t.Error("an outage of ours is believed for a day")
		}
	})
}

func TestCrossGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWorld(t).poller()
		h := p.host("busy.test:80")
		h.busy = 1
		begun := time.Now()
		err := p.cross(context.Background(), &turn{at: p.host("from.test:80")}, "busy.test:80")
		if f := (*Failure)(nil); !errors.As(err, &f) || f.Reason != ReasonTimeout || time.Since(begun) != patience {
			t.Errorf("%v after %s; want to give up after %s", err, time.Since(begun), patience)
		}
		h.busy = 0
		h.limit("a", time.Now().Add(time.Hour))
		h.limit("b", time.Now().Add(time.Hour))
		err = p.cross(context.Background(), &turn{at: p.host("from.test:80")}, "busy.test:80")
		if f := (*Failure)(nil); !errors.As(err, &f) || f.Reason != ReasonRateLimited || f.RetryAfter != time.Hour {
			t.Errorf("%v; want to obey the host that it leads to", err)
		}
		if p.host("from.test:80").busy != -2 { // two turns that this test had not taken
			t.Error("the first host's turn was not given back")
		}
	})
}

func TestHostsOfRedirectsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWorld(t).poller()
		for i := range 5 * strayHosts {
			at := &turn{}
			if err := p.cross(context.Background(), at, "h"+time.Duration(i).String()+".test:80"); err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			p.giveBack(at)
			p.mu.Unlock()
			time.Sleep(p.HostGap)
		}
		if n := len(p.hosts); n > strayHosts+2 {
			t.Errorf("%d hosts are remembered", n)
		}
	})
}

// TestRefusedForGood: an item that the store will never take costs that item
// and nothing else, is told once, and does not come back with each poll.
func TestRefusedForGood(t *testing.T) {
	bubble(t, func(w *world) {
		w.memory.tooLarge = "Big"
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			body := "c|http://x.test/c|C||\nb|http://x.test/b|Big||\na|http://x.test/a|A||"
			switch {
			case n >= 6:
				body = "d|http://x.test/d|D||\n" + strings.Replace(body, "Big", "Small", 1)
			case n >= 3:
				body = "d|http://x.test/d|D||\n" + body
			}
			return 200, nil, body
		})
		p := w.poller(one(time.Hour))
		w.runFor(p, 90*time.Minute)
		w.published(1, "A", "C")
		w.published(0, "Big")
		if st := p.Snapshot()[0]; st.State != StateOK || !slices.Contains(st.Notes, "an item is not kept: the store refuses it for good; the log says why") {
			t.Errorf("state %s, notes %q", st.State, st.Notes)
		}
		if m := gathered(t, w.reg); m[`monitor_items_total{outcome="invalid"}`] != 1 || m[`monitor_items_total{outcome="new"}`] != 2 {
			t.Errorf("metrics: %v", m)
		}
		w.runFor(p, 3*time.Hour)
		w.published(1, "A", "C", "D")
		w.published(0, "Big")
		if gathered(t, w.reg)[`monitor_items_total{outcome="invalid"}`] != 1 {
			t.Error("the refused item is offered again")
		}
		w.runFor(p, 3*time.Hour)
		w.published(1, "A", "C", "D", "Small") // edited, it fits
		if st := p.Snapshot()[0]; len(st.Notes) > 0 {
			t.Errorf("notes %q", st.Notes)
		}
	})
}
