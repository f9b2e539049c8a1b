//go:build unix

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// press is a scripted world of publishers, one a host, that add items all the
// time and remember which ones they have shown.
type press struct {
	dir    string
	mu     sync.Mutex
	feeds  []*column
	titles int
	window int           // items that a document lists; 0: all
	asked  chan struct{} // a token for an answer, while somebody waits
}

type column struct {
	id, url string
	items   []string
	titles  []string
	shown   []bool // of titles: an answer held it; a feed that was ill for long can have dropped some unseen
	answers int
	askers  map[string]int // answers by the User-Agent that asked
}

func newPress(t *testing.T, hosts int) *press {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs SIGSTOP and the whole of 127.0.0.0/8")
	}
	w := &press{dir: t.TempDir(), asked: make(chan struct{}, 1)}
	var list strings.Builder
	list.WriteString("feeds:\n")
	for i := range hosts {
		c := &column{id: fmt.Sprint("f", i)}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.7.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(rw, c, r.UserAgent()) })}}
		srv.Start()
		t.Cleanup(srv.Close)
		c.url = srv.URL + "/f.xml"
		fmt.Fprintf(&list, "  - {id: %s, title: F, url: %q, kind: ministry, tier: authoritative, country: US, language: en, every: 200ms}\n", c.id, c.url)
		w.feeds = append(w.feeds, c)
	}
	write(t, filepath.Join(w.dir, "feeds.yaml"), list.String())
	w.rules(t)
	return w
}

// rules writes one, so that it is known which items alert.
func (w *press) rules(t *testing.T) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(w.dir, "rules"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(w.dir, "rules", "s.yaml"), `{channel: s, title: S, rules: [{id: s, title: S, severity: low, match: sanctions,
  tests: [{fires: true, title: Sanctions}, {fires: false, title: Talks}]}]}`)
}

func (w *press) serve(rw http.ResponseWriter, c *column, asker string) {
	w.mu.Lock()
	from, to := 0, len(c.items)
	if w.window > 0 {
		from = max(0, to-w.window)
	}
	body := "<rss><channel><title>T</title>" + strings.Join(c.items[from:to], "") + "</channel></rss>"
	w.mu.Unlock()
	if _, err := io.WriteString(rw, body); err != nil {
		return
	}
	w.mu.Lock()
	for i := range c.shown[from:to] {
		c.shown[from+i] = true
	}
	c.answers++
	if c.askers == nil {
		c.askers = map[string]int{}
	}
	c.askers[asker]++
	w.mu.Unlock()
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// add gives each feed n items, of which a third calls for an alert.
func (w *press) add(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.feeds {
		for range n {
			w.addTo(c)
		}
	}
}

// addTo gives one feed an item. Called with mu held.
func (w *press) addTo(c *column) {
	w.titles++
	title := fmt.Sprintf("Talks, part %d", w.titles)
	if w.titles%3 == 0 {
		title = fmt.Sprintf("Sanctions, part %d", w.titles)
	}
	c.titles, c.shown = append(c.titles, title), append(c.shown, false)
	c.items = append(c.items, fmt.Sprintf("<item><guid>%d</guid><title>%s</title><pubDate>%s</pubDate></item>", w.titles, title, time.Now().UTC().Format(time.RFC1123Z)))
}

// pending is how many items nobody has been shown yet.
func (w *press) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.feeds {
		for _, shown := range c.shown {
			if !shown {
				n++
			}
		}
	}
	return n
}

// run starts a daemon on the press; it returns when the daemon works.
func (w *press) run(t *testing.T, args ...string) *process {
	t.Helper()
	return startProcess(t, w.dir, append(w.flags(), args...)...)
}

func (w *press) flags() []string {
	return []string{"--allow-net", "127.0.0.0/8", "--min-interval", "100ms", "--host-gap", "0s", "--nats-listen", "off", "--backlog", "all"}
}

// seen waits until all items were shown to somebody.
func (w *press) seen(limit time.Duration) bool {
	deadline := time.After(limit)
	for w.pending() > 0 {
		select {
		case <-w.asked:
		case <-deadline:
			return false
		}
	}
	return true
}

// moment is somewhere in the daemon's work: after an answer, while it is
// parsed, appended, raised or remembered.
func (w *press) moment(t *testing.T, most time.Duration) {
	t.Helper()
	select {
	case <-w.asked:
	default:
	}
	select {
	case <-w.asked:
	case <-time.After(40 * time.Second):
		t.Fatal("nobody asks any more")
	}
	<-time.After(rand.N(most) * time.Duration(1+rand.N(4)))
}
