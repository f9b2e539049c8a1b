package poll

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"newsmonitor/pipeline/feed"
)

// I to L, as far as they are poll's: store, clock, metrics.

// rounds is a feed that shows the last 20 of ever more items, one more at
// each request.
func rounds(_ *http.Request, n int) (int, http.Header, string) {
	var b strings.Builder
	for i := n; i > max(n-20, 0); i-- {
		fmt.Fprintf(&b, "%[1]d|http://x.test/%[1]d|Item %[1]d||\n", i)
	}
	return 200, h("ETag", fmt.Sprintf(`"%d"`, n)), b.String()
}

// check holds a store to what may never break: each item once, in the order
// of its sequence, and everything that a state remembers is really stored.
func (m *memory) check(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, revisions := range m.stored {
		for i, r := range revisions {
			if i > 0 && r.sequence <= revisions[i-1].sequence {
				t.Errorf("%s: revision %d at sequence %d", name, i, r.sequence)
			}
			if i > 0 && r.item.Revision == revisions[i-1].item.Revision {
				t.Errorf("%s is stored twice", name)
			}
		}
	}
	for id, st := range m.states {
		for key, k := range st.Items {
			old := m.stored[id+"/"+key]
			if len(old) == 0 || old[len(old)-1].sequence < k.Sequence || k.Sequence == 0 {
				t.Errorf("%s remembers item %s at %d, stored are %d revisions", id, key, k.Sequence, len(old))
			}
		}
	}
}

func TestReliabilityOutside(t *testing.T) {
	const every = 10 * time.Minute
	scene(t, "case-121 labels", func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			if n%3 == 0 {
				return 400 + n, h("Content-Type", fmt.Sprintf("type/%d", n)), "EVIL"
			}
			return 200, nil, fmt.Sprintf("EVIL%[1]d|http://EVIL.test/%[1]d|EVIL %[1]d||", n)
		})
		p := w.poller(one(time.Minute))
		w.runFor(p, time.Minute)
		before := len(gathered(w.T, w.reg))
		w.runFor(p, 10*time.Hour)
		after := gathered(w.T, w.reg)
		if len(after) != before || before == 0 {
			w.Errorf("%d series became %d", before, len(after))
		}
		for name := range after {
			if strings.Contains(name, "EVIL") {
				w.Errorf("a feed's text is part of %s", name)
			}
		}
	})
	scene(t, "case-130 the store is away for ten minutes", func(w *world) {
		w.site.set(rounds)
		p := w.poller(one(2*time.Minute), aFeed("y", "http://y.test/", 2*time.Minute))
		w.runFor(p, 3*time.Minute)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for range 2 { // there for a while, then away
			time.Sleep(5 * time.Minute) // bubble time
			w.memory.mu.Lock()
			w.memory.failing = 1 << 30
			w.memory.mu.Unlock()
			time.Sleep(10 * time.Minute)
			w.memory.mu.Lock()
			w.memory.failing = 0
			w.memory.mu.Unlock()
		}
		time.Sleep(10 * time.Minute)
		stop()
		<-done
		w.memory.check(w.T)
		n := w.site.count[one(every).URL]
		for i := 1; i <= n; i++ {
			w.published(2, fmt.Sprintf("Item %d", i)) // once from each feed
		}
	})
	for k := 1; k <= 24; k++ {
		scene(t, "case-138 "+fmt.Sprintf("the store dies at call %d", k), func(w *world) {
			w.site.set(rounds)
			w.opt.Lazy = 0
			feeds := []feed.Feed{one(every), aFeed("y", "http://y.test/", every)}
			w.memory.crash = k
			w.runFor(w.poller(feeds...), time.Hour)
			w.memory.mu.Lock()
			w.memory.failing, w.memory.crash = 0, 0
			w.memory.mu.Unlock()
			w.memory.check(w.T)
			w.runFor(w.poller(feeds...), time.Hour)
			w.memory.check(w.T)
			for _, f := range feeds {
				for i := 1; i <= w.site.count[f.URL]; i++ {
					if len(w.memory.stored[f.ID+"/"+hash(32, f.ID, fmt.Sprint(i))]) != 1 {
						w.Errorf("item %d of %s is not stored once", i, f.ID)
					}
				}
			}
		})
	}
	scene(t, "case-139 a state of an older version", func(w *world) {
		s := &publisher{items: 3}
		w.site.set(s.answer)
		w.runFor(w.poller(one(every)), time.Minute)
		// What an older version wrote: another parser, other revisions, and
		// none of the newer fields.
		st := w.memory.state("x")
		b, err := json.Marshal(st)
		if err != nil {
			w.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil {
			w.Fatal(err)
		}
		for _, name := range []string{"rhythm", "moved_since", "adopted", "suspect", "never_304", "last_unchanged", "silent_told"} {
			delete(fields, name)
		}
		fields["parser"] = feed.ParserVersion - 1
		fields["from the future"] = true
		b, _ = json.Marshal(fields)
		var old State
		if err := json.Unmarshal(b, &old); err != nil {
			w.Fatal(err)
		}
		for key, k := range old.Items {
			k.Revisions = []string{"made by another parser"}
			old.Items[key] = k
		}
		w.memory.states["x"] = old
		n := len(w.site.seen())
		s.items = 4
		w.runFor(w.poller(one(every)), time.Hour)
		if r := w.site.seen()[n]; r.etag == "" {
			w.Error("the first request after the upgrade is not conditional")
		}
		w.published(1, "Item 1", "Item 2", "Item 3", "Item 4")
	})
	for name, jumps := range map[string][]time.Duration{
		"case-140 clock a day forth, then back": {24 * time.Hour, -24 * time.Hour},
		"case-142 suspended for 8 h":            {8 * time.Hour},
		"case-141 clock in 1970, then right":    {30 * 365 * 24 * time.Hour},
	} {
		scene(t, name, func(w *world) {
			var offset atomic.Int64
			if len(jumps) == 1 && jumps[0] > 365*24*time.Hour {
				offset.Store(int64(-jumps[0]))
			}
			w.now = func() time.Time { return time.Now().Round(0).Add(time.Duration(offset.Load())) } // no monotonic reading: the worst clock
			w.opt.Concurrency = 300
			feeds := manyFeeds(300, every)
			p := w.poller(feeds...)
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- p.Run(ctx) }()
			for _, jump := range append([]time.Duration{0}, jumps...) {
				offset.Add(int64(jump))
				begun, n := time.Now(), len(w.site.seen())
				time.Sleep(every + every/5 + time.Minute) // bubble time
				asked := map[string]bool{}
				second := map[int64]int{}
				for _, r := range w.site.seen()[n:] {
					asked[r.url] = true
					second[int64(r.at.Sub(begun)/time.Second)]++
				}
				if len(asked) != len(feeds) {
					w.Errorf("after a jump of %s %d of %d feeds were asked within an interval", jump, len(asked), len(feeds))
				}
				for s, n := range second {
					if n > 2*startRate {
						w.Errorf("after a jump of %s %d requests in second %d", jump, n, s)
					}
				}
			}
			stop()
			<-done
		})
	}
	scene(t, "case-141 a due time of another century", func(w *world) {
		w.runFor(w.poller(one(every)), time.Minute)
		st := w.memory.state("x")
		st.NextDue, st.LastPoll = time.Now().AddDate(50, 0, 0), time.Now().AddDate(50, 0, 0)
		w.memory.states["x"] = st
		n := len(w.site.seen())
		w.runFor(w.poller(one(every)), 30*time.Minute)
		if len(w.site.seen()) == n {
			w.Error("not asked within half an hour")
		}
	})
	scene(t, "case-143 leap day and daylight saving", func(w *world) {
		// The bubble begins on 1 January 2000: February 29 and both changes of
		// the clocks lie ahead.
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			w.Skip("this machine has no time zones: ", err)
		}
		w.now = func() time.Time { return time.Now().In(zone) }
		w.runFor(w.poller(one(time.Hour)), 320*24*time.Hour)
		for _, gap := range w.gaps(one(every).URL) {
			if gap < time.Hour || gap > 67*time.Minute {
				w.Errorf("a gap of %s", gap)
			}
		}
	})
	live(t, "case-145 metrics of 1,000 feeds", func(t *testing.T) {
		reg := prometheus.NewRegistry()
		m := newMemory()
		p, err := New(Config{Options: DefaultOptions(), States: m, Inbox: m, Parse: plainParse, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		feeds := manyFeeds(1000, time.Hour)
		p.Update(feeds)
		p.mu.Lock()
		for _, e := range p.order {
			e.loaded = true
			p.show(e)
		}
		p.mu.Unlock()
		var rec *httptest.ResponseRecorder
		best := time.Hour
		for range 5 {
			rec = httptest.NewRecorder()
			begun := time.Now()
			promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			best = min(best, time.Since(begun))
		}
		if best > 2*time.Second { // 100 ms on a machine that does nothing else
			t.Errorf("took %s", best)
		}
		if n := rec.Body.Len(); n > 2<<20 || !strings.Contains(rec.Body.String(), `monitor_feed_info{`) {
			t.Errorf("%d bytes", n)
		}
		for _, line := range strings.Split(rec.Body.String(), "\n") {
			if _, class, ok := strings.Cut(line, `monitor_fetch_errors_total{reason="`); ok {
				class, _, _ = strings.Cut(class, `"`)
				if !strings.Contains(" "+strings.Join(Reasons, " ")+" ", " "+class+" ") {
					t.Errorf("class %q is not in the list", class)
				}
			}
		}
	})
}
