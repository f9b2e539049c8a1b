package poll

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"newsmonitor/pipeline/feed"
)

// What many feeds cost. The figures of 100,000 need NEWSMONITOR_LONG=1; the
// same with a twentieth of them is always tested.

// lean is a store that remembers nothing but that it was asked: what is
// measured is the poller's own memory.
type lean struct{ loads, saves, items, asked atomic.Int64 }

func (l *lean) Load(context.Context, string) (State, uint64, error) {
	l.loads.Add(1)
	return State{}, 0, nil
}

func (l *lean) Save(_ context.Context, _ string, _ State, version uint64) (uint64, error) {
	l.saves.Add(1)
	return version + 1, nil
}

func (l *lean) Append(_ context.Context, drafts []Draft) ([]uint64, error) {
	sequences := make([]uint64, len(drafts))
	for i := range sequences {
		sequences[i] = uint64(l.items.Add(1))
	}
	return sequences, nil
}

func onHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestReliabilityScale(t *testing.T) {
	n := 5_000
	if os.Getenv("NEWSMONITOR_LONG") != "" {
		n = 100_000
	}
	const every, perItem = 15 * time.Minute, 20
	t.Run("case-040 many feeds", func(t *testing.T) {
		feeds := make([]feed.Feed, n)
		for i := range feeds {
			feeds[i] = aFeed(fmt.Sprintf("feed-%06d", i), fmt.Sprintf("https://www.publisher-%d.example/feeds/%d/rss.xml", i, i), every)
		}
		synctest.Test(t, func(t *testing.T) {
			before := onHeap()
			goroutines := runtime.NumGoroutine()
			store := &lean{}
			var asked, parsed atomic.Int64
			o := DefaultOptions()
			o.Backlog = BacklogAll
			p, err := New(Config{Options: o, States: store, Inbox: store, Log: slog.New(slog.DiscardHandler), Random: fixed(0.5),
				Parse: func(d feed.Document) (*feed.Parsed, error) { parsed.Add(1); return plainParse(d) },
				Fetch: func(_ context.Context, r Request) (*Answer, error) {
					asked.Add(1)
					if r.ETag != "" {
						return &Answer{Status: 304, Unchanged: true, Conditional: true, URL: r.Feed.URL}, nil
					}
					var b strings.Builder
					for i := range perItem {
						fmt.Fprintf(&b, "%[1]s/%[2]d|%[1]s/%[2]d|Title %[2]d of %[1]s||\n", r.Feed.URL, i)
					}
					return &Answer{Status: 200, Body: []byte(b.String()), ETag: `"` + r.Feed.ID + `-0123456789abcdef"`, LastModified: "Sun, 22 Nov 2026 10:00:00 GMT",
						URL: r.Feed.URL, Fetched: time.Now()}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			p.Update(feeds)
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- p.Run(ctx) }()
			time.Sleep(every) // bubble time: each has been asked once
			if got := asked.Load(); got < int64(n) {
				t.Errorf("%d requests in the first interval", got)
			}
			full, saves := asked.Load(), store.saves.Load()
			used := cpu()
			time.Sleep(every + every/15) // 5 % of it is jitter
			used = cpu() - used
			quiet := asked.Load() - full
			size := onHeap() - before
			var rss uint64
			if b, err := os.ReadFile("/proc/self/statm"); err == nil {
				_, _ = fmt.Sscan(strings.Fields(string(b))[1], &rss)
				rss *= uint64(os.Getpagesize())
			}
			t.Logf("%d feeds of %d items: %d MB on the heap, %d bytes a feed; process %d MB; quiet poll %s of CPU, %.2f %% of a core; %d of %d quiet states written",
				n, perItem, size>>20, size/uint64(n), rss>>20, used/time.Duration(max(quiet, 1)), 100*used.Seconds()/every.Seconds(), store.saves.Load()-saves, quiet)
			if quiet < int64(n)*9/10 || quiet > int64(n)*11/10 {
				t.Errorf("%d requests in the second interval, want each feed once", quiet)
			}
			if parsed.Load() != int64(n) {
				t.Errorf("%d documents parsed, want each once", parsed.Load())
			}
			if wrote := store.saves.Load() - saves; wrote > 2*int64(every/time.Second)+quietBurst {
				t.Errorf("%d quiet states written in %s", wrote, every)
			}
			if per := size / uint64(n); per > 4<<10 {
				t.Errorf("%d bytes a feed, want at most 4 KB: 400 MB for 100,000", per)
			}
			if extra := runtime.NumGoroutine() - goroutines; extra > 200 {
				t.Errorf("%d goroutines more: timers must not grow with feeds", extra)
			}
			stop()
			<-done
			runtime.KeepAlive(feeds)
		})
	})
}

// TestColdStart wants the first poll soon, however many states there are to
// be read: half a minute's worth here.
func TestColdStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &lean{}
		first := make(chan time.Time, 1)
		p, err := New(Config{Options: DefaultOptions(), States: slowly{store}, Inbox: store, Parse: plainParse,
			Fetch: func(context.Context, Request) (*Answer, error) {
				select {
				case first <- time.Now():
				default:
				}
				return nil, failure(ReasonConnect, "not now")
			}})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		p.Update(manyFeeds(20_000, 15*time.Minute))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		took := (<-first).Sub(begun)
		stop()
		<-done
		if took > 5*time.Second {
			t.Errorf("the first poll came after %s", took)
		}
	})
}

// slowly is a store whose every answer takes 12 ms.
type slowly struct{ *lean }

func (s slowly) Load(ctx context.Context, id string) (State, uint64, error) {
	time.Sleep(12 * time.Millisecond) // bubble time
	return s.lean.Load(ctx, id)
}

func TestPackedItemsAreTheSame(t *testing.T) {
	t.Parallel()
	for _, items := range []map[string]Known{nil, {}, {
		hash(32, "a"): {GUID: hash(16, "g"), Link: hash(16, "l"), Title: hash(16, "t"), Sequence: 1 << 40, Revisions: []string{"0123456789abcdef", "ABC", "odd", ""}},
		"not hex":     {Missed: 4},
		"":            {Sequence: 1},
		"0a":          {Revisions: []string{strings.Repeat("é", 200)}},
	}} {
		p := pack(items)
		got := p.unpack()
		if fmt.Sprint(got) != fmt.Sprint(items) || (got == nil) != (items == nil) || p.listed() != listed(items) {
			t.Errorf("%v became %v, %d listed", items, got, p.listed())
		}
	}
}
