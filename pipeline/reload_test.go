package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
)

// shipping is a publisher that has a batch of new items each time it is asked,
// until it is told to stop.
type shipping struct {
	*httptest.Server
	item    string // title, after its number
	items   atomic.Int64
	raised  atomic.Int64 // of items, as far as is known
	stopped atomic.Bool
}

const batch = 20

func newShipping(t *testing.T, item string) *shipping {
	s := &shipping{item: item}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		last := s.items.Load()
		// On a slow machine it waits: else the reader would never catch up.
		if !s.stopped.Load() && last-s.raised.Load() < 20*batch {
			last = s.items.Add(batch)
		}
		var b strings.Builder
		b.WriteString(`<?xml version="1.0"?><rss version="2.0"><channel><title>Port</title>`)
		for n := last; n > max(0, last-2*batch); n-- { // the last batch again, as feeds do
			fmt.Fprintf(&b, `<item><guid>%d</guid><title>Shipment %d: %s</title><link>https://example.org/%d</link><pubDate>%s</pubDate></item>`,
				n, n, s.item, n, time.Now().UTC().Format(time.RFC1123Z))
		}
		b.WriteString(`</channel></rss>`)
		w.Header().Set("Content-Type", "application/rss+xml")
		_, _ = io.WriteString(w, b.String())
	}))
	t.Cleanup(s.Close)
	return s
}

// replace writes a file as editors do: beside it, then in its place.
func (w *world) replace(t *testing.T, name, text string) {
	t.Helper()
	w.write(t, "aside/new", text)
	if err := os.Rename(filepath.Join(w.dir, "aside/new"), filepath.Join(w.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestReloadAtStart: a file that changes after it was read, and before anybody
// watches it, is read again.
func TestReloadAtStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, err := pipeline.Open(t.Context(), w.settings(), slog.New(slog.NewTextHandler(testLog{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	had := m.Config()
	w.replace(t, "feeds.yaml", "feeds: []\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, nil) }()
	until(t, "the file is read again", func() bool { return m.Config() != had })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestReloadUnderLoad edits a rule file and a list again and again while some
// 200 items a second come in. The rules of a generation all carry its number,
// and all use the list, of which each generation has another word: an item
// that was matched by half a file, or by a file with the list of another
// generation's load, would show both, or miss a rule.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	generations := 8
	if os.Getenv("NEWSMONITOR_LONG") != "" {
		generations = 100
	}
	const rulesOfFile = 30
	file := func(generation int) string {
		var b strings.Builder
		b.WriteString("channel: shipping\ntitle: Shipping\nrules:\n")
		for i := range rulesOfFile {
			fmt.Fprintf(&b, "  - id: shipment-%d\n    title: generation %d\n    severity: medium\n    match: shipment* AND @goods AND NOT generation%d\n"+
				"    tests:\n      - {fires: true, title: A shipment of good0 good1 good2 good3 good4 good5 good6 good7 good8 good9}\n      - {fires: false, title: Nothing}\n", i, generation, generation)
		}
		return b.String()
	}
	list := func(generation int) string {
		return fmt.Sprintf("lists:\n  - {name: goods, terms: [good%d]}\n", generation%10)
	}
	s := newShipping(t, "good0 good1 good2 good3 good4 good5 good6 good7 good8 good9")
	w := newWorld(t)
	w.write(t, "rules/sanctions.yaml", file(0))
	w.write(t, "rules/lists/goods.yaml", list(0))
	w.write(t, "feeds.yaml", fmt.Sprintf("feeds:\n  - {id: port, title: The Port, url: '%s/feed.xml', kind: ministry, tier: authoritative, country: US, language: en, every: 100ms}\n", s.URL))
	d := start(t, w.settings())
	sub := d.listen(t, "news.*.shipping.>") // alerts and what is folded into stories

	seen := map[string]bool{} // items
	latest := -1
	read := func() {
		t.Helper()
		m, err := sub.NextMsg(30 * time.Second)
		if err != nil {
			t.Fatalf("after %d of %d items, generation %d: %v", len(seen), s.items.Load(), latest, err)
		}
		var e alert.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		if seen[e.Data.Item.Key] {
			t.Errorf("%s is raised twice", e.Data.Item.Title)
		}
		seen[e.Data.Item.Key] = true
		s.raised.Store(int64(len(seen)))
		if len(e.Data.Rules) != rulesOfFile {
			t.Fatalf("%s: %d rules, want %d", e.Data.Item.Title, len(e.Data.Rules), rulesOfFile)
		}
		good := ""
		for _, r := range e.Data.Rules {
			if r.Title != e.Data.Rules[0].Title {
				t.Fatalf("%s: rules of two generations: %s, %s", e.Data.Item.Title, e.Data.Rules[0].Title, r.Title)
			}
			for _, x := range r.Evidence {
				if x.List != "goods" {
					continue
				}
				if good == "" {
					good = x.Text
				}
				if x.Text != good {
					t.Fatalf("%s: words of two lists: %s, %s", e.Data.Item.Title, good, x.Text)
				}
			}
		}
		var generation int
		if _, err := fmt.Sscanf(e.Data.Rules[0].Title, "generation %d", &generation); err != nil || good == "" {
			t.Fatalf("%s: %q, list %q", e.Data.Item.Title, e.Data.Rules[0].Title, good)
		}
		if generation < latest {
			t.Fatalf("%s: generation %d after %d", e.Data.Item.Title, generation, latest)
		}
		latest = generation
	}
	for g := 1; g <= generations; g++ {
		if g%4 == 0 { // refused whole: the one before goes on
			w.replace(t, "rules/sanctions.yaml", file(g)+"  - {id: wrong}\n")
			until(t, "the mistake is reported", func() bool {
				return strings.Contains(d.get(t, "/metrics"), "monitor_config_last_reload_successful 0")
			})
			continue
		}
		w.replace(t, "rules/lists/goods.yaml", list(g))
		w.replace(t, "rules/sanctions.yaml", file(g))
		for latest < g {
			read()
		}
	}
	s.stopped.Store(true)
	for len(seen) < int(s.items.Load()) {
		read()
	}
	t.Logf("%d items, %d generations", len(seen), latest)
}
