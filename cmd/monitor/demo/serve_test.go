package demo

import (
	"context"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

var testStart = time.Date(2026, 11, 22, 14, 0, 0, 400e6, time.UTC)

// stage is a Handler whose clock the test moves.
type stage struct {
	*Story
	h     http.Handler
	after atomic.Int64
}

func newStage(t testing.TB) *stage {
	st := &stage{Story: mustLoad(t)}
	st.h = st.Handler(st.now, testStart, 1)
	return st
}

func (st *stage) now() time.Time             { return testStart.Add(time.Duration(st.after.Load())) }
func (st *stage) moveTo(since time.Duration) { st.after.Store(int64(since)) }

// answer is a response, read to its end.
type answer struct {
	code   int
	header http.Header
	body   string
}

// get asks with alternating header names and values.
func (st *stage) get(t testing.TB, target string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	st.h.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// read is what the daemon makes of a feed as it stands.
func (st *stage) read(t testing.TB, f feed.Feed) *feed.Parsed {
	t.Helper()
	r := st.get(t, f.URL)
	if r.code != http.StatusOK {
		t.Fatalf("GET %s: %d", f.URL, r.code)
	}
	p, err := feed.Parse(feed.Document{Feed: f, URL: f.URL, ContentType: r.header.Get("Content-Type"), Body: []byte(r.body), Fetched: st.now()})
	if err != nil {
		t.Fatalf("parse %s: %v", f.ID, err)
	}
	return p
}

// TestParsed reads every feed at the end of the story through the daemon's own
// parser: each item whole, in its own language, dated by the demonstration.
func TestParsed(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.moveTo(st.Length(1))
	keys := map[string]bool{}
	read := 0
	for _, f := range st.Feeds("http://127.0.0.1:1234") {
		p := st.read(t, f)
		if len(p.Repairs) > 0 {
			t.Errorf("%s had to be repaired: %v", f.ID, p.Repairs)
		}
		if p.Title != f.Title || p.Language != f.Language {
			t.Errorf("%s calls itself %q in %q, want %q in %q", f.ID, p.Title, p.Language, f.Title, f.Language)
		}
		want := []Event{} // newest first, as the documents are
		for _, e := range st.Events {
			if e.Feed == f.ID {
				want = append([]Event{e}, want...)
			}
		}
		if len(p.Items) != len(want) {
			t.Errorf("%s holds %d items, want %d", f.ID, len(p.Items), len(want))
			continue
		}
		for i, it := range p.Items {
			read++
			e := want[i]
			if it.Title != e.Title || it.Summary != e.Summary {
				t.Errorf("%s: got %q, %q, want %q, %q", f.ID, it.Title, it.Summary, e.Title, e.Summary)
			}
			if text := strings.Join(e.paragraphs(), "\n"); it.Content != text {
				t.Errorf("%s: content\n%s\nwant\n%s", f.ID, it.Content, text)
			}
			if at := testStart.Add(e.at).Truncate(time.Second); !it.Published.Equal(at) || it.Quality != "declared" {
				t.Errorf("%s: published %s (%s), want %s", f.ID, it.Published, it.Quality, at)
			}
			if it.Language != e.Lang {
				t.Errorf("%s: %q is in %q, want %q", f.ID, it.Title, it.Language, e.Lang)
			}
			if len(it.Authors) != 1 || it.Authors[0] != e.Author {
				t.Errorf("%s: written by %q, want %q", f.ID, it.Authors, e.Author)
			}
			if keys[it.Key] {
				t.Errorf("%s: key %s stands for two items", f.ID, it.Key)
			}
			keys[it.Key] = true
			if r := st.get(t, it.Link); r.code != http.StatusOK || !strings.Contains(html.UnescapeString(r.body), e.Author) {
				t.Errorf("%s: the link %s leads nowhere", f.ID, it.Link)
			}
		}
	}
	if read != len(st.Events) {
		t.Errorf("%d items read, want %d", read, len(st.Events))
	}
}

// TestOrder moves the clock from event to event: each appears on its feed when
// its time has come, above those before, and changes no other feed.
func TestOrder(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	feeds := st.Feeds("http://127.0.0.1:1234")
	tags := map[string]string{}
	for _, f := range feeds {
		if p := st.read(t, f); len(p.Items) != 0 {
			t.Errorf("%s holds %d items before the story begins", f.ID, len(p.Items))
		}
		tags[f.ID] = st.get(t, f.URL).header.Get("ETag")
	}
	for _, e := range st.Events {
		st.moveTo(e.at - 1)
		for _, f := range feeds {
			if tag := st.get(t, f.URL).header.Get("ETag"); tag != tags[f.ID] {
				t.Errorf("just before %q: %s has changed", e.Title, f.ID)
			}
		}
		st.moveTo(e.at)
		for _, f := range feeds {
			tag := st.get(t, f.URL).header.Get("ETag")
			if changed := tag != tags[f.ID]; changed != (f.ID == e.Feed) {
				t.Errorf("at %q: %s changed: %t", e.Title, f.ID, changed)
			}
			tags[f.ID] = tag
			if f.ID != e.Feed {
				continue
			}
			if p := st.read(t, f); len(p.Items) == 0 || p.Items[0].Title != e.Title {
				t.Errorf("at %q: not on top of %s", e.Title, f.ID)
			}
		}
	}
	last := st.Length(1)
	for _, later := range []time.Duration{time.Second, time.Hour, 1000 * time.Hour} {
		st.moveTo(last + later)
		for _, f := range feeds {
			if tag := st.get(t, f.URL).header.Get("ETag"); tag != tags[f.ID] {
				t.Errorf("%s after the end: %s has changed", later, f.ID)
			}
		}
	}
}

func TestConditional(t *testing.T) {
	t.Parallel()
	for _, f := range mustLoad(t).Feeds("http://127.0.0.1:1234") {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			st := newStage(t)
			var own []Event
			for _, e := range st.Events {
				if e.Feed == f.ID {
					own = append(own, e)
				}
			}
			before, at := own[0].at-1, own[0].at
			quiet := at + 2*time.Second

			st.moveTo(before)
			empty := st.get(t, f.URL)
			tag := empty.header.Get("ETag")
			if !strings.HasPrefix(tag, `"`) {
				t.Fatalf("ETag %s is missing or weak", tag)
			}
			if r := st.get(t, f.URL, "If-None-Match", tag); r.code != http.StatusNotModified || r.body != "" {
				t.Errorf("unchanged by ETag: %d", r.code)
			}

			st.moveTo(at)
			fresh := st.get(t, f.URL, "If-None-Match", tag, "If-Modified-Since", empty.header.Get("Last-Modified"))
			if fresh.code != http.StatusOK || fresh.header.Get("ETag") == tag {
				t.Errorf("a new item: %d, ETag %s", fresh.code, fresh.header.Get("ETag"))
			}
			if lm := fresh.header.Get("Last-Modified"); lm != "" {
				t.Errorf("in the second of the new item: Last-Modified %s cannot tell the bodies apart", lm)
			}

			st.moveTo(quiet)
			settled := st.get(t, f.URL)
			lm := settled.header.Get("Last-Modified")
			if want := testStart.Add(at).Truncate(time.Second).Format(http.TimeFormat); lm != want {
				t.Errorf("Last-Modified %q, want %q", lm, want)
			}
			for _, header := range [][]string{
				{"If-None-Match", settled.header.Get("ETag")},
				{"If-None-Match", `"other", W/` + settled.header.Get("ETag")},
				{"If-Modified-Since", lm},
				{"If-None-Match", settled.header.Get("ETag"), "If-Modified-Since", testStart.AddDate(-1, 0, 0).Format(http.TimeFormat)},
			} {
				if r := st.get(t, f.URL, header...); r.code != http.StatusNotModified || r.header.Get("ETag") == "" {
					t.Errorf("%v: %d, want 304", header, r.code)
				}
			}
			for _, header := range [][]string{
				{"If-None-Match", tag, "If-Modified-Since", lm}, // the ETag decides
				{"If-Modified-Since", testStart.Add(at - time.Minute).Format(http.TimeFormat)},
			} {
				if r := st.get(t, f.URL, header...); r.code != http.StatusOK {
					t.Errorf("%v: %d, want 200", header, r.code)
				}
			}
		})
	}
}

// TestItemPages: an item's page is there from the moment on which the item is.
func TestItemPages(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	second := "/items/" + itemID(testStart, 1)
	st.moveTo(st.Events[0].at)
	for target, want := range map[string]int{
		"/": http.StatusOK, "/items/" + itemID(testStart, 0): http.StatusOK, second: http.StatusNotFound,
		"/items/": http.StatusNotFound, "/feeds/": http.StatusNotFound, "/feeds/demo-us-doj.json": http.StatusNotFound, "/etc/passwd": http.StatusNotFound,
	} {
		if r := st.get(t, target); r.code != want {
			t.Errorf("GET %s: %d, want %d", target, r.code, want)
		}
	}
	st.moveTo(st.Events[1].at)
	if r := st.get(t, second); r.code != http.StatusOK {
		t.Errorf("GET %s once it happened: %d", second, r.code)
	}
	r := httptest.NewRequest(http.MethodPost, "/feeds/demo-us-doj.xml", nil)
	w := httptest.NewRecorder()
	st.h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", w.Code)
	}
}

// TestServe runs the real server once: it answers, and ends with ctx.
func TestServe(t *testing.T) {
	t.Parallel()
	s := mustLoad(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln, 0) }()

	f := s.Feeds("http://" + ln.Addr().String())[0]
	r, err := http.Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK || !strings.Contains(string(b), "http://"+ln.Addr().String()+"/items/") {
		t.Errorf("GET %s: %s, no link to an item in\n%s", f.URL, r.Status, b)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve after the end: %v", err)
	}
	if err := s.Serve(t.Context(), ln, 0); err == nil {
		t.Error("Serve on a closed listener reports nothing")
	}
}
