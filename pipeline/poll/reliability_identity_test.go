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

// G (what is poll's) and H: identity and floods. 50 polls each.

// entries makes a document in RSS, read by the real parser.
type entries []struct{ guid, link, title, date, text string }

func (list entries) rss() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>`)
	for _, e := range list {
		b.WriteString("<item>")
		for name, v := range map[string]string{"guid": e.guid, "link": e.link, "title": e.title, "pubDate": e.date, "description": e.text} {
			if v != "" {
				fmt.Fprintf(&b, "<%[1]s>%[2]s</%[1]s>", name, v)
			}
		}
		b.WriteString("</item>")
	}
	return b.String() + "</channel></rss>"
}

func TestReliabilityIdentity(t *testing.T) {
	const every = 10 * time.Minute
	link := func(s string) string { return "http://x.test/news/" + s }
	const monday = "Mon, 03 Jan 2000 10:00:00 GMT"
	for name, at := range map[string]func(n int) entries{
		"case-103 guid-missing": func(n int) entries {
			return grown(n, entries{{"", link("a"), "A", "", "a"}}, entries{{"", link("t"), "T", "", "t"}})
		},
		"case-103 guid-empty": func(n int) entries {
			return grown(n, entries{{" ", link("a"), "A", "", "a"}}, entries{{" ", link("t"), "T", "", "t"}})
		},
		"case-103 guid-same": func(n int) entries {
			return grown(n, entries{{"1", link("a"), "A", "", "a"}, {"1", link("b"), "B", "", "b"}}, entries{{"1", link("t"), "T", "", "t"}})
		},
		"case-105 guid-new": func(n int) entries {
			return entries{{fmt.Sprintf("g%d", n), link("t"), "T", "", "t"}, {fmt.Sprintf("h%d", n), link("a"), "A", "", "a"}}
		},
		"case-105 guid-scheme": func(n int) entries {
			return entries{{fmt.Sprintf("http%s://x.test/t", []string{"", "s"}[n%2]), fmt.Sprintf("http%s://x.test/t", []string{"", "s"}[n%2]), "T", "", "t"}}
		},
		"case-106 link-session": func(n int) entries {
			return entries{{"t", link(fmt.Sprintf("t?sid=%d", n)), "T", "", "t"}, {"a", link(fmt.Sprintf("a?sid=%d", n)), "A", "", "a"}}
		},
		"case-106 redated": func(n int) entries {
			return entries{{"t", link("t"), "T", time.Date(2000, 1, 1, 0, n*10, 0, 0, time.UTC).Format(time.RFC1123), "t"}}
		},
		"case-106 reordered": func(n int) entries {
			list := entries{{"t", link("t"), "T", "", "t"}, {"a", link("a"), "A", "", "a"}, {"b", link("b"), "B", "", "b"}}
			if n%2 == 0 {
				slices.Reverse(list)
			}
			return list
		},
		"case-108 window-swings": func(n int) entries {
			list := entries{{"t", link("t"), "T", "", "t"}}
			for i := range 30 {
				list = append(list, entries{{fmt.Sprint(i), link(fmt.Sprint(i)), fmt.Sprintf("Item %d", i), "", "x"}}...)
			}
			return list[:[]int{31, 10, 20}[n%3]]
		},
		"case-108 rollback": func(n int) entries {
			if n%4 == 3 {
				return entries{{"a", link("a"), "A", "", "a"}}
			}
			return entries{{"t", link("t"), "T", "", "t"}, {"a", link("a"), "A", "", "a"}}
		},
		"case-114 dates-future":  func(int) entries { return entries{{"t", link("t"), "T", "Sat, 01 Jan 2050 10:00:00 GMT", "t"}} },
		"case-114 dates-1970":    func(int) entries { return entries{{"t", link("t"), "T", "Thu, 01 Jan 1970 00:00:00 GMT", "t"}} },
		"case-114 dates-none":    func(int) entries { return entries{{"t", link("t"), "T", "", "t"}} },
		"case-114 dates-garbage": func(int) entries { return entries{{"t", link("t"), "T", "yesterday, I think", "t"}} },
		"case-098 type-odd":      func(int) entries { return entries{{"t", link("t"), "T", monday, "t"}} },
	} {
		scene(t, name, func(w *world) {
			w.parse = feed.Parse
			w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
				return 200, h("Content-Type", "application/octet-stream"), at(n).rss()
			})
			w.runFor(w.poller(one(every)), 9*time.Hour)
			if n := len(w.site.seen()); n < 50 {
				w.Fatalf("%d polls, want 50", n)
			}
			w.published(1, "T")
			for _, s := range w.memory.stored {
				if d := s[0].item; !d.Fetched.Before(time.Now()) || d.Fetched.Before(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) {
					w.Errorf("%s fetched at %s: first seen is our clock's", d.Title, d.Fetched)
				}
			}
		})
	}
	scene(t, "case-106 rewritten", func(w *world) {
		// A text that changes at each poll is edited each time; it is one item.
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			return 200, nil, fmt.Sprintf("t|http://x.test/t|T||text %d", n%3)
		})
		w.runFor(w.poller(one(every)), 9*time.Hour)
		if len(w.memory.stored) != 1 || w.memory.revisions() != 3 {
			w.Errorf("%d items with %d revisions; want one item, and texts that return are not new", len(w.memory.stored), w.memory.revisions())
		}
	})
	scene(t, "case-104 guid-shared by two feeds", func(w *world) {
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, nil, "1|http://x.test/1|T||" })
		w.runFor(w.poller(aFeed("a", "http://a.test/", every), aFeed("b", "http://b.test/", every)), time.Hour)
		w.published(2, "T")
	})
	scene(t, "case-107 an edited item", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			return 200, nil, fmt.Sprintf("t|http://x.test/t|T||%s", []string{"first", "second"}[min(n/3, 1)])
		})
		w.runFor(w.poller(one(every)), 2*time.Hour)
		if len(w.memory.stored) != 1 || w.memory.revisions() != 2 {
			w.Errorf("%d items, %d revisions; want a second revision of the one", len(w.memory.stored), w.memory.revisions())
		}
	})
	scene(t, "case-109 an item that never left", func(w *world) {
		// ITEMS has aged it out; the feed lists it still.
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			return 200, nil, fmt.Sprintf("pinned|http://x.test/p|Pinned||\n%d|http://x.test/%d|N%d||", n, n, n)
		})
		p := w.poller(one(6 * time.Hour))
		w.runFor(p, 200*24*time.Hour)
		w.memory.mu.Lock()
		for name, s := range w.memory.stored {
			if s[0].item.Title == "Pinned" {
				delete(w.memory.stored, name)
			}
		}
		w.memory.mu.Unlock()
		w.runFor(p, 24*time.Hour)
		w.published(0, "Pinned")
	})
	scene(t, "case-110 taken over", func(w *world) {
		w.opt.Backlog = 72 * time.Hour
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			if r.URL.Host == "x.test" && n > 2 {
				var b strings.Builder
				for i := range 60 {
					fmt.Fprintf(&b, "c%d|http://casino.test/%d|Casino %d||\n", i, i, i)
				}
				return 200, nil, b.String()
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		w.runFor(w.poller(one(every), aFeed("other", "http://other.test/", every)), 2*time.Hour)
		held := 0
		for _, s := range w.memory.stored {
			if s[0].item.Held == HeldFlood {
				held++
			}
		}
		w.published(2, "A") // and the other feed goes on
		if held != 60 || !slices.Equal(w.kinds(), []string{"x flood"}) {
			w.Errorf("%d held, events %v; want 60 and one flood", held, w.kinds())
		}
	})
	scene(t, "case-111 new guids in 50 feeds at once", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			var b strings.Builder
			for i := range 20 {
				fmt.Fprintf(&b, "%d-%d|http://x.test/%d|Item %d||\n", n/3, i, i, i)
			}
			return 200, nil, b.String()
		})
		w.runFor(w.poller(manyFeeds(50, every)...), 3*time.Hour)
		if n := w.memory.revisions(); n != 50*20 {
			w.Errorf("%d stored, want each item of each feed once: 1000", n)
		}
	})
	for name, items := range map[string]int{"case-112 500 items between two polls": 500, "case-088 50000-items": 50_000} {
		scene(t, name, func(w *world) {
			w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
				if n == 1 {
					return 200, nil, "a|http://x.test/a|A||"
				}
				var b strings.Builder
				for i := range items {
					fmt.Fprintf(&b, "%d|http://x.test/%d|Item %d|%s|\n", i, i, i, noon.Add(-time.Duration(i)*time.Minute).Format(time.RFC3339))
				}
				return 200, nil, b.String()
			})
			p := w.poller(one(time.Hour))
			w.runFor(p, 3*time.Hour)
			want := min(items, p.MaxItems)
			w.published(1, "Item 0", fmt.Sprintf("Item %d", want-1))
			if n := w.memory.revisions(); n != want+1 {
				w.Errorf("%d stored, want %d", n, want+1)
			}
			notes := strings.Join(p.Snapshot()[0].Notes, "; ")
			if said := strings.Contains(notes, "lists 50000 items; only the newest 2000 are read"); said != (items > p.MaxItems) {
				w.Errorf("notes %q of %d items", notes, items)
			}
		})
	}
	scene(t, "case-113 more items than the feed shows", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			var b strings.Builder
			for i := range 5 {
				fmt.Fprintf(&b, "%[1]d|http://x.test/%[1]d|Item %[1]d||\n", n/3*30+i)
			}
			return 200, nil, b.String()
		})
		w.runFor(w.poller(one(every)), 35*time.Minute)
		if len(w.events) != 1 || w.events[0].Event != EventGap || !strings.Contains(w.events[0].Text, "may be missed") {
			w.Errorf("events %+v, want a gap", w.events)
		}
	})
	scene(t, "case-116 a new feed with 20 items", func(w *world) {
		w.opt.Backlog = 72 * time.Hour
		list := make(entries, 20)
		for i := range list {
			list[i] = entries{{fmt.Sprint(i), link(fmt.Sprint(i)), fmt.Sprintf("Item %d", i), "", "x"}}[0]
			list[i].date = time.Now().Add(-time.Duration(i) * 24 * time.Hour).Format(time.RFC1123)
		}
		w.parse = feed.Parse
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 200, nil, list.rss() })
		w.runFor(w.poller(one(every)), time.Hour)
		held, backlog := 0, 0
		for _, s := range w.memory.stored {
			switch d := s[0].item; {
			case d.Held == HeldBacklog:
				held++
			case d.Backlog:
				backlog++
			}
		}
		if held+backlog != 20 || backlog < 3 || backlog > 4 {
			w.Errorf("%d held, %d marked as backlog; want all 20, those of three days not held", held, backlog)
		}
	})
	scene(t, "case-120 log-forging", func(w *world) { forge(w) })
	scene(t, "case-148 log at info", func(w *world) { forge(w) })
}

// grown adds items from the tenth poll on.
func grown(n int, list, more entries) entries {
	if n < 10 {
		return list
	}
	return slices.Concat(more, list)
}

// forge lets servers write what looks like log records, wherever they can.
func forge(w *world) {
	const evil = "EVIL\r\nlevel=ERROR msg=forged\x1b[31m"
	var text, lines strings.Builder
	w.log = slog.New(slog.NewMultiHandler(slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&lines, nil)))
	w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
		switch r.URL.Host {
		case "a.test":
			return 500 + n%5, http.Header{"Server": {evil}, "Content-Type": {evil}}, evil
		case "b.test":
			return 301, http.Header{"Location": {"http://c.test/EVIL%0d%0alevel=ERROR"}}, evil
		}
		return 200, http.Header{"Etag": {evil}, "Content-Type": {evil}}, "1|http://x.test/1|" + evil + "||" + evil
	})
	feeds := []feed.Feed{aFeed("a", "http://a.test/", 10*time.Minute), aFeed("b", "http://b.test/", 10*time.Minute), aFeed("c", "http://c.test/", 10*time.Minute)}
	w.runFor(w.poller(feeds...), time.Hour)
	for _, out := range []string{text.String(), lines.String()} {
		if strings.Contains(out, "forged") || strings.Contains(out, "\x1b") {
			w.Errorf("a server wrote into the log: %s", out)
		}
		if n := strings.Count(out, "\n"); n > 2*len(feeds) {
			w.Errorf("%d lines for %d feeds", n, len(feeds))
		}
	}
	for _, r := range w.site.seen() {
		if strings.Contains(r.etag, "EVIL") {
			w.Errorf("sent the validator %q", r.etag)
		}
	}
}
