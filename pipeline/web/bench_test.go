package web

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// many is a Log of any number of alerts: event n is made when it is asked for.
type many struct {
	n     int
	extra chan alert.Stored
}

func (m *many) event(seq uint64) alert.Stored {
	i := int(seq)
	const headline = "Treasury sanctions two hackers for an intrusion into a ministry's mail"
	summary := strings.Repeat("The designation freezes what both own under the country's law, the ministry said. ", 5)
	st := made{
		item: fmt.Sprint(i / 3), title: headline, summary: summary[:400], channel: fmt.Sprintf("channel-%d", i%11), feed: fmt.Sprintf("feed-%d", i/3%120),
		country: []string{"US", "CN", "RU", "EU", "GB"}[i/3%5], tier: []string{"authoritative", "non-authoritative"}[i/3%2],
		language: []string{"en", "zh-Hans", "ru"}[i/3%3], severity: rule.Severities[i%4], states: [][]string{{"CN", "US"}, {"US"}, {"RU", "UA"}, nil}[i/3%4],
		at: noon.Add(time.Duration(i-m.n) * time.Minute),
		rules: []rule.Match{{ID: fmt.Sprintf("rule-%d", i%40), Title: "A state or body imposes sanctions", Severity: rule.High, Version: "abc", Snippet: summary[:200],
			Evidence: []rule.Evidence{mark("title", headline, "sanctions"), mark("title", headline, "hackers"), mark("summary", summary, "freezes")}}},
	}.stored()
	st.Sequence = seq
	return st
}

func (m *many) Follow(ctx context.Context, after uint64, fn func(alert.Stored) error) error {
	for seq := after + 1; seq <= uint64(m.n); seq++ {
		if err := fn(m.event(seq)); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case st := <-m.extra:
			if err := fn(st); err != nil {
				return err
			}
		}
	}
}

func (m *many) Get(_ context.Context, seq uint64) (alert.Stored, error) {
	// As the store does it: the event comes as JSON.
	b, err := alert.Encode(m.event(seq).Event)
	if err != nil {
		return alert.Stored{}, err
	}
	e, err := alert.Decode(b)
	return alert.Stored{Sequence: seq, Subject: m.event(seq).Subject, Event: e}, err
}

func (m *many) Last(context.Context) (uint64, uint64, error) { return 1, uint64(m.n), nil }

// loaded is a server whose index holds n alerts.
func loaded(tb testing.TB, n int) *Server {
	tb.Helper()
	log := &many{n: n, extra: make(chan alert.Stored)}
	s, err := New(Config{Addr: "127.0.0.1:8080", Alerts: log, Now: func() time.Time { return noon }, Metrics: newRegistry(), Log: discard()})
	if err != nil {
		tb.Fatal(err)
	}
	s.tail.begin(uint64(n))
	for seq := 1; seq <= n; seq++ {
		s.tail.take(cheap(seq, n))
	}
	return s
}

// cheap is what the index takes of event n, without its texts.
func cheap(i, n int) alert.Stored {
	key := fmt.Sprintf("%032x", i/3+1)
	e := alert.Event{Type: alert.Raised, Time: noon.Add(time.Duration(i-n) * time.Minute), Severity: rule.Severities[i%4]}
	e.Data.ID, e.Data.Channel, e.Data.Item.Key = fmt.Sprintf("%032x", i+1), fmt.Sprintf("channel-%d", i%11), key
	e.Data.Source.ID, e.Data.Source.Country = fmt.Sprintf("feed-%d", i/3%120), []string{"US", "CN", "RU", "EU", "GB"}[i/3%5]
	e.Data.Source.Tier, e.Data.Item.Language = []string{"authoritative", "non-authoritative"}[i/3%2], []string{"en", "zh-Hans", "ru"}[i/3%3]
	e.Data.States = [][]string{{"CN", "US"}, {"US"}, {"RU", "UA"}, nil}[i/3%4]
	e.Data.Story.ID = e.Data.ID
	e.Data.Rules = []rule.Match{{ID: fmt.Sprintf("rule-%d", i%40)}}
	return alert.Stored{Sequence: uint64(i), Subject: "news.alerts.x", Event: e}
}

func fetch(tb testing.TB, s *Server, target string) int {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "127.0.0.1:8080"
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		tb.Fatalf("GET %s: %d %s", target, w.Code, w.Body.String())
	}
	return w.Body.Len()
}

// BenchmarkFirstPaint is the page of 200 alerts: under 100 ms is promised.
func BenchmarkFirstPaint(b *testing.B) {
	s := loaded(b, 20_000)
	for b.Loop() {
		b.SetBytes(int64(fetch(b, s, "/?limit=200")))
	}
}

// BenchmarkMillion is a filtered first page of a million alerts: under 200 ms
// is promised.
func BenchmarkMillion(b *testing.B) {
	s := loaded(b, 1_000_000)
	for _, target := range []string{"/", "/?state=US&state=CN&severity=critical", "/?channel=channel-3&country=RU&language=ru&tier=authoritative", "/?feed=feed-7&rule=rule-1", "/timeline?state=US", "/api/v1/alerts?channel=channel-3"} {
		b.Run(target, func(b *testing.B) {
			for b.Loop() {
				fetch(b, s, target)
			}
		})
	}
}

// TestPromisedSpeed holds the promises with room for a loaded machine: the
// benchmarks have the figures.
func TestPromisedSpeed(t *testing.T) {
	if raceOn || os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("measures time, with a million alerts; NEWSMONITOR_LONG=1 runs it")
	}
	s := loaded(t, 1_000_000)
	for target, most := range map[string]time.Duration{"/?limit=200": 100 * time.Millisecond, "/?state=US&state=CN&severity=critical": 200 * time.Millisecond,
		"/?channel=channel-3&country=RU&language=ru": 200 * time.Millisecond} {
		best := time.Hour
		for range 5 {
			start := time.Now()
			fetch(t, s, target)
			best = min(best, time.Since(start))
		}
		t.Logf("GET %s: %v at best of five", target, best)
		if best > 5*most { // of a machine that does much else
			t.Errorf("GET %s takes %v, want %v", target, best, most)
		}
	}
}

// TestManyPagesHearOfAnAlert opens 500 live streams and tells how soon the
// last one has a new alert, and what they cost.
func TestManyPagesHearOfAnAlert(t *testing.T) {
	const pages = 500
	log := newMemory()
	_, url := start(t, Config{Alerts: log, Now: time.Now})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	transport := &http.Transport{MaxConnsPerHost: 0, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var heard, listening atomic.Int64
	done := make(chan struct{})
	for range pages {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/alerts/stream", nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			in := bufio.NewScanner(res.Body)
			in.Buffer(make([]byte, 0, 8<<10), 64<<10)
			for in.Scan() {
				switch {
				case strings.HasPrefix(in.Text(), "retry:"):
					listening.Add(1)
				case strings.HasPrefix(in.Text(), "data:"):
					if heard.Add(1) == pages {
						close(done)
					}
				}
			}
		})
	}
	waitFor(t, "500 pages to listen", func() bool { return listening.Load() == pages })
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	start := time.Now()
	log.append(made{title: "New one"}.stored())
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%d of %d pages heard of the alert in 30 s", heard.Load(), pages)
	}
	took := time.Since(start)
	t.Logf("the last of %d pages has the alert after %v; they cost %d MB here, this test's clients included", pages, took.Round(time.Millisecond), used>>20)
	if used > 100<<20 && !raceOn {
		t.Errorf("%d pages cost %d MB, want less than 100", pages, used>>20)
	}
	if took > 10*time.Second { // 1 s is promised; the machine does much else
		t.Errorf("the last page has it after %v", took)
	}
	cancel()
	wg.Wait()
}
