package poll

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// D: redirects.

func TestReliabilityRedirects(t *testing.T) {
	const hour = time.Hour
	old := aFeed("x", "http://x.test/old", 6*hour)
	document := func(r *http.Request, items ...string) (int, http.Header, string) {
		etag := fmt.Sprintf(`"%d"`, len(items))
		if r.Header.Get("If-None-Match") == etag {
			return 304, nil, ""
		}
		var b strings.Builder
		for _, it := range items {
			fmt.Fprintf(&b, "%[1]s|http://x.test/%[1]s|%[1]s||\n", it)
		}
		return 200, h("ETag", etag), b.String()
	}
	for status, name := range map[int]string{301: "case-048 redirect-301", 308: "case-048 redirect-308"} {
		scene(t, name, func(w *world) {
			items := []string{"A"}
			w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
				if r.URL.Path == "/old" {
					return status, h("Location", "/new"), ""
				}
				return document(r, items...)
			})
			p := w.poller(old)
			w.runFor(p, 47*hour)
			if n := len(w.gaps("http://x.test/old")); n < 6 {
				w.Errorf("the configured address was asked %d times in two days, want each time", n)
			}
			w.runFor(p, 20*hour)
			n := len(w.site.seen())
			items = []string{"T", "A"}
			w.runFor(p, 48*hour)
			for _, r := range w.site.seen()[n:] {
				if r.url != "http://x.test/new" {
					w.Errorf("asked %s after five answers over two days that agreed", r.url)
				}
			}
			for _, r := range w.site.seen()[2:] {
				if strings.HasSuffix(r.url, "new") && r.etag == "" {
					w.Error("a whole document for nothing")
				}
			}
			w.published(1, "A", "T")
			st := p.Snapshot()[0]
			if notes := strings.Join(st.Notes, "; "); !st.Adopted || st.NewURL != "http://x.test/new" || !strings.Contains(notes, "feeds.yaml") {
				w.Errorf("shown: %q to %q", notes, st.NewURL)
			}
			if !slices.Equal(w.kinds(), []string{"x moved"}) {
				w.Errorf("events %v", w.kinds())
			}
			if st.Feed.URL != old.URL {
				w.Errorf("the catalogue's url became %s", st.Feed.URL)
			}
			// A restart remembers.
			n = len(w.site.seen())
			w.runFor(w.poller(old), 12*hour)
			if r := w.site.seen()[n]; r.url != "http://x.test/new" || r.etag == "" {
				w.Errorf("after a restart %+v", r)
			}
		})
	}
	for name, c := range map[string]struct {
		status   int
		location string
	}{
		"case-049 redirect-302": {302, "http://x.test/new"}, "case-049 redirect-303": {303, "http://x.test/new"},
		"case-049 redirect-307": {307, "http://x.test/new"}, "case-049 redirect-relative": {302, "new"},
	} {
		scene(t, name, func(w *world) {
			w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
				if r.URL.Path == "/old" {
					return c.status, h("Location", c.location), ""
				}
				return document(r, []string{"A", "T"}[:min(n, 2)]...)
			})
			p := w.poller(old)
			w.runFor(p, 100*hour)
			a, b := len(w.gaps(old.URL)), len(w.gaps("http://x.test/new"))
			if a != b || a < 10 {
				w.Errorf("configured address asked %d times, target %d", a, b)
			}
			w.published(1, "A", "T")
			if st := p.Snapshot()[0]; st.NewURL != "" {
				w.Errorf("a temporary redirect counts as a move to %s", st.NewURL)
			}
		})
	}
	scene(t, "case-050 the new address dies", func(w *world) {
		dead := false
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			switch {
			case r.URL.Path == "/old" && dead:
				return document(r, "A", "T")
			case r.URL.Path == "/old":
				return 301, h("Location", "/new"), ""
			case dead:
				return 404, nil, ""
			}
			return document(r, "A")
		})
		p := w.poller(old)
		w.runFor(p, 80*hour)
		if !p.Snapshot()[0].Adopted {
			w.Fatal("not adopted")
		}
		dead = true
		w.runFor(p, 40*hour)
		w.published(1, "T")
		if st := p.Snapshot()[0]; st.State != StateOK || st.Adopted {
			w.Errorf("%s, adopted %v; want ok by the configured address", st.State, st.Adopted)
		}
	})
	scene(t, "case-051 redirect-other-host", func(w *world) {
		moved := false
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if moved && r.URL.Host == "x.test" {
				return 301, h("Location", "http://elsewhere.test/feed"), ""
			}
			return document(r, "A", "B")
		})
		p := w.poller(old)
		w.runFor(p, 12*hour)
		moved = true
		w.runFor(p, 24*hour)
		w.published(1, "A", "B")
		if len(w.events) != 1 || !strings.Contains(w.events[0].Text, "another host") {
			w.Errorf("events %+v", w.events)
		}
	})
	live(t, "case-052 redirect-credentials", func(t *testing.T) { credentials(t) })
	live(t, "case-053 redirect-downgrade", func(t *testing.T) {
		plain := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a|http://x.test/a|A||") })
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, plain+"/feed", http.StatusFound)
		}))
		roots := trust(t, s, true)
		o := DefaultOptions()
		o.AllowNet = anyLoopback
		c := newFetcher(o, roots)
		t.Cleanup(c.Close)
		w := newWorld(t)
		m := w.memory
		p, err := New(Config{Options: o, States: m, Inbox: m, Parse: plainParse, Fetch: c.Fetch})
		if err != nil {
			t.Fatal(err)
		}
		p.Update([]feed.Feed{aFeed("x", s.URL+"/", hour)})
		if _, err := p.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(p.Snapshot()[0].Notes, "; "); !strings.Contains(notes, "from https to http") {
			t.Errorf("notes %q: a downgrade must not be silent", notes)
		}
	})
	for name, c := range map[string]struct {
		path   string
		reason string
		most   int32
	}{
		"case-054 redirect-chain-5":    {"/hop/5", "", 6},
		"case-055 redirect-chain-50":   {"/hop/50", ReasonRedirect, 11},
		"case-055 redirect-endless":    {"/hop/1000000", ReasonRedirect, 11},
		"case-055 redirect-loop":       {"/loop", ReasonRedirect, 11},
		"case-056 redirect-nowhere":    {"/nowhere", ReasonRedirect, 1},
		"case-056 meta-refresh":        {"/meta", ReasonHTMLPage, 1},
		"case-056 redirect-to-login":   {"/members", ReasonHTMLPage, 2},
		"case-157 pages-loop, endless": {"/pages", "", 1},
		"case-067 html-parked":         {"/parked", ReasonHTMLPage, 1},
		"case-066 xxe, stylesheet":     {"/xxe", "", 1},
	} {
		live(t, name, func(t *testing.T) { follows(t, c.path, c.reason, c.most) })
	}
	scene(t, "case-057 301 once", func(w *world) {
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			if r.URL.Path == "/old" && n == 3 {
				return 301, h("Location", "/new"), ""
			}
			return document(r, "A")
		})
		p := w.poller(old)
		w.runFor(p, 100*hour)
		if n := w.site.count["http://x.test/new"]; n != 1 {
			w.Errorf("the target of one slip was asked %d times", n)
		}
		if st := p.Snapshot()[0]; st.NewURL != "" || len(w.kinds()) > 0 {
			w.Errorf("a slip is shown as a move: %q, %v", st.NewURL, w.kinds())
		}
	})
}

// credentials polls a feed with secrets whose server redirects elsewhere, and
// looks for the secret wherever a poll leaves something.
func credentials(t *testing.T) {
	const secret = "s3cret-value"
	var leaked, sent atomic.Int32
	look := func(n *atomic.Int32, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.Header, r.URL), secret) {
			n.Add(1)
		}
	}
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		look(&leaked, r)
		http.Error(w, "no "+secret, http.StatusTeapot)
	})
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		look(&sent, r)
		http.Redirect(w, r, other+"/", http.StatusMovedPermanently)
	})
	var log strings.Builder
	m := newMemory()
	file := t.TempDir() + "/token"
	write(t, file, secret+"\n")
	f := aFeed("x", home+"/", time.Hour)
	f.Headers = map[string]feed.Secret{"Authorization": {File: file}}
	o := DefaultOptions()
	o.AllowNet = anyLoopback
	p, err := New(Config{Options: o, States: m, Inbox: m, Parse: plainParse,
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]feed.Feed{f})
	if _, err := p.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sent.Load() != 1 || leaked.Load() != 0 {
		t.Errorf("the secret went %d times home and %d times elsewhere", sent.Load(), leaked.Load())
	}
	if out := log.String() + fmt.Sprintf("%+v %+v", m.state("x"), p.Snapshot()); strings.Contains(out, secret) {
		t.Errorf("the secret shows: %s", out)
	}
}

// follows polls one path of a server that redirects in many ways, with the
// real parser, and counts what is asked. Everything else on that server is a
// trap.
func follows(t *testing.T, path, want string, most int32) {
	var asked atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var n int
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/meta":
			_, _ = io.WriteString(w, `<html><head><meta http-equiv="refresh" content="0; url=/trap"></head><body>moved</body></html>`)
		case "/members":
			http.Redirect(w, r, "/login", http.StatusFound)
		case "/login", "/parked":
			_, _ = io.WriteString(w, `<!DOCTYPE html><html><head><title>Sign in</title><script src="/trap"></script></head><body><img src="/trap"><form></form></body></html>`)
		case "/pages":
			_, _ = io.WriteString(w, rss(`<link>http://x.test/</link><atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="next" href="/pages"/>`, "T"))
		case "/xxe":
			_, _ = io.WriteString(w, `<?xml version="1.0"?><?xml-stylesheet href="/trap"?><!DOCTYPE rss SYSTEM "/trap" [<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY t SYSTEM "/trap">]>`+
				`<rss version="2.0"><channel><title>x</title><item><guid>1</guid><title>T</title><enclosure url="/trap"/></item></channel></rss>`)
		default:
			if _, err := fmt.Sscanf(r.URL.Path, "/hop/%d", &n); err == nil && n > 0 {
				http.Redirect(w, r, fmt.Sprintf("/hop/%d", n-1), http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, rss("", "T"))
		}
	})
	m := newMemory()
	o := DefaultOptions()
	o.AllowNet, o.Backlog = anyLoopback, BacklogAll
	p, err := New(Config{Options: o, States: m, Inbox: m, Parse: feed.Parse})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]feed.Feed{aFeed("x", url+path, time.Hour)})
	if _, err := p.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := m.state("x"); st.Reason != want {
		t.Errorf("reason %q (%s), want %q", st.Reason, st.Error, want)
	}
	if n := asked.Load(); n > most {
		t.Errorf("%d requests in one poll, want at most %d", n, most)
	}
	if n := m.revisions(); (n == 1) != (want == "") {
		t.Errorf("%d items stored", n)
	}
}
