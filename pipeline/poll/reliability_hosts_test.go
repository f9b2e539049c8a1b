package poll

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"newsmonitor/pipeline/feed"
)

// C: hosts, start, stop.

func TestReliabilityHosts(t *testing.T) {
	const every = 15 * time.Minute
	hosted := func(feeds, hosts int) (all []feed.Feed) {
		for i := range feeds {
			all = append(all, aFeed(fmt.Sprintf("f%04d", i), fmt.Sprintf("http://h%d.test/%d", i%hosts, i), every))
		}
		return all
	}
	scene(t, "case-036 a thousand feeds start", func(w *world) {
		begun := time.Now()
		w.runFor(w.poller(hosted(1000, 20)...), 2*every)
		second := map[int]int{}
		for _, r := range w.site.seen() {
			second[int(r.at.Sub(begun)/time.Second)]++
		}
		for s, n := range second {
			if n > 2*startRate {
				w.Errorf("%d requests in second %d", n, s)
			}
		}
		for name, n := range w.site.most {
			if n > 1 {
				w.Errorf("%d requests at a time to %s", n, name)
			}
		}
		if n := len(w.site.count); n != 1000 {
			w.Errorf("%d feeds were asked", n)
		}
	})
	scene(t, "case-037 five restarts in a minute", func(w *world) {
		feeds := hosted(50, 50)
		w.runFor(w.poller(feeds...), time.Minute)
		n := len(w.site.seen())
		for range 5 {
			w.runFor(w.poller(feeds...), 12*time.Second)
		}
		if extra := len(w.site.seen()) - n; n != 50 || extra > 0 {
			w.Errorf("%d requests at first, %d more by restarts", n, extra)
		}
	})
	scene(t, "case-038 SIGTERM in the middle of polls", func(w *world) {
		feeds := hosted(52, 52)
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Host < "h2.test" && r.URL.Host != "h10.test" {
				return 200, h(fault, "hang", "ETag", `"never"`), ""
			}
			return 200, h("ETag", `"1"`), "a|http://x.test/a|A||"
		})
		begun := time.Now()
		w.runFor(w.poller(feeds...), 2*time.Second)
		if took := time.Since(begun); took > 12*time.Second {
			w.Errorf("the stop took %s", took-2*time.Second)
		}
		for _, f := range feeds {
			st := w.memory.state(f.ID)
			if st.ETag == `"never"` || st.ETag != "" && len(st.Items) == 0 {
				w.Errorf("%s: validators %q without items", f.ID, st.ETag)
			}
		}
	})
	scene(t, "case-039 everything hangs, then answers", func(w *world) {
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, nil, "a|http://x.test/a|A||" })
		w.opt.Concurrency = 100
		p := w.poller(hosted(100, 100)...)
		w.runFor(p, 20*time.Minute)
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, h(fault, "hang"), "" })
		w.runFor(p, 6*time.Hour)
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			return 200, nil, "a|http://x.test/a|A||\nt|http://x.test/t|T||"
		})
		n := len(w.site.seen())
		w.runFor(p, time.Minute)
		if burst := len(w.site.seen()) - n; burst > 2*100/15+4 {
			w.Errorf("%d requests in the first minute after, want at most twice the usual", burst)
		}
		w.runFor(p, every+every/5)
		w.published(100, "T") // each feed has its own
	})
	scene(t, "case-041 hanging feeds delay no healthy ones", func(w *world) {
		w.opt.Concurrency = 10
		feeds := hosted(110, 110)
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			var i int
			if _, _ = fmt.Sscanf(r.URL.Path, "/%d", &i); i < 60 {
				return 200, h(fault, "hang"), ""
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		w.runFor(w.poller(feeds...), 12*time.Hour)
		late := 0
		for _, f := range feeds[60:] {
			for i, gap := range w.gaps(f.URL) {
				if i > 3 && gap > every+every/10+every/20 {
					late++
				}
			}
		}
		if late > 20 { // of 50 feeds and 44 polls each
			w.Errorf("%d polls of healthy feeds came late", late)
		}
	})
	scene(t, "case-043 reload with one feed more", func(w *world) {
		feeds := hosted(20, 20)
		p := w.poller(feeds...)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Minute) // bubble time
		n := len(w.site.seen())
		before := p.Snapshot()
		p.Update(append(feeds, aFeed("new", "http://new.test/", every)))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.site.seen()[n:]; len(got) != 1 || got[0].url != "http://new.test/" {
			w.Errorf("requests %+v, want the new feed's only", got)
		}
		for i, st := range p.Snapshot()[:20] {
			if !st.NextDue.Equal(before[i].NextDue) {
				w.Errorf("the timer of %s moved", st.Feed.ID)
			}
		}
		stop()
		<-done
	})
	for name, h2 := range map[string]bool{"case-046 idle-close": false, "case-046 h2-goaway": true} {
		live(t, name, func(t *testing.T) { connections(t, h2) })
	}
	live(t, "case-047 set-cookie", func(t *testing.T) {
		var cookies atomic.Int32
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			cookies.Add(int32(len(r.Header.Values("Cookie")) + len(r.Header.Values("Referer"))))
			http.SetCookie(w, &http.Cookie{Name: "who", Value: "you", Path: "/"})
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/feed", http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, document)
		})
		c := loopback(t)
		for range 3 {
			if _, err := get(c, url+"/"); err != nil {
				t.Error(err)
			}
		}
		if cookies.Load() != 0 {
			t.Error("a cookie or a Referer was sent")
		}
	})
	scene(t, "case-048 redirects to one host take turns there", func(w *world) {
		// Forty publishers, one common address behind them.
		w.opt.Concurrency = 40
		w.site.took = 200 * time.Millisecond
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Host != "hub.test" {
				return 302, h("Location", "http://hub.test"+r.URL.Path), ""
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		feeds := hosted(40, 40)
		w.runFor(w.poller(feeds...), 2*time.Hour)
		if n := w.site.most["hub.test"]; n != 1 {
			w.Errorf("%d requests at a time to the host behind", n)
		}
		var last time.Time
		n := 0
		for _, r := range w.site.seen() {
			if !strings.Contains(r.url, "hub.test") {
				continue
			}
			if gap := r.at.Sub(last); n > 0 && gap < time.Second {
				w.Errorf("asked the host behind again after %s", gap)
			}
			last = r.at
			n++
		}
		if n < 40*7 {
			w.Errorf("%d requests arrived", n)
		}
		for _, f := range feeds {
			if st := w.memory.state(f.ID); st.State != StateOK {
				w.Errorf("%s is %s: %s", f.ID, st.State, st.Error)
			}
		}
	})
}

// connections polls a server that closes its connections again and again.
func connections(t *testing.T, h2 bool) {
	var opened atomic.Int32
	var n atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%10 == 0 {
			w.Header().Set("Connection", "close") // over HTTP/2 a GOAWAY
		}
		_, _ = io.WriteString(w, document)
	}))
	s.EnableHTTP2 = h2
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	roots := trust(t, s, h2)
	o := DefaultOptions()
	o.AllowNet = anyLoopback
	c := newFetcher(o, roots)
	t.Cleanup(c.Close)
	for i := range 100 {
		if _, err := get(c, s.URL); err != nil {
			t.Fatalf("poll %d: %v", i, err)
		}
	}
	if got := opened.Load(); got > 20 {
		t.Errorf("%d connections for 100 polls, want them used again", got)
	}
	if idle := c.trip.(*guarded).direct.IdleConnTimeout; idle > 90*time.Second {
		t.Errorf("idle connections are kept for %s", idle)
	}
}
