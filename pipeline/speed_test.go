package pipeline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"newsmonitor"
	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// The benchmarks of the promise: how long an alert takes from the body's last
// byte, and how many items go through with all shipped rules. Their figures
// rest on the disk's fsync, which is measured in the same run.

func speedSettings(b *testing.B, feeds []feed.Feed) Settings {
	b.Helper()
	o := poll.DefaultOptions()
	o.MinInterval, o.HostGap, o.PerHost, o.Timeout, o.Backlog = 50*time.Millisecond, 0, 64, 5*time.Second, poll.BacklogAll
	o.AllowNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return Settings{Files: Files{Rules: []string{BuiltinName}, Builtin: newsmonitor.Builtin, Extra: feeds}, Data: filepath.Join(b.TempDir(), "data"), MaxStore: 8 << 30,
		KeepItems: time.Hour, KeepAlerts: time.Hour, Prefix: "news", NATSListen: "off", HTTP: "off", Poll: o, Instance: "test", Owner: "test", Version: "test"}
}

// story is text as ministries write it; each tenth calls for an alert.
func story(n int) (title, text string) {
	title = fmt.Sprintf("Minister opens the annual conference on regional transport, part %d", n)
	if n%10 == 0 {
		title = fmt.Sprintf("Treasury sanctions hackers of the Chinese Ministry of State Security, part %d", n)
	}
	return title, title + ". The office said in a statement on Tuesday that the programme would go on as planned, and that partners in several countries had been told of the next steps. " +
		strings.Repeat("Questions about the budget will be answered by the committee in the coming weeks, when the figures of the last quarter are published. ", 8)
}

func storyItem(n int) feed.Item {
	title, text := story(n)
	it := feed.Item{Feed: "f", GUID: fmt.Sprint(n), Title: title, Content: text, Link: fmt.Sprintf("https://example.org/%d", n), Fetched: time.Now().UTC(),
		Source: feed.Source{ID: "f", Title: "F", Kind: "ministry", Tier: "authoritative", Country: "US"}}
	it.Key = alert.ID("f", it.GUID)
	it.Revision = alert.ID("revision", title)
	return it
}

// fsyncs measures what the disk takes to keep a small write, now and then,
// until stop.
type fsyncs struct {
	stop chan struct{}
	done sync.WaitGroup
	took []time.Duration
}

func measureFsync(b *testing.B, dir string) *fsyncs {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	s := &fsyncs{stop: make(chan struct{})}
	block := make([]byte, 2<<10)
	s.done.Go(func() {
		defer func() { _ = f.Close() }()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			start := time.Now()
			_, _ = f.Write(block)
			_ = f.Sync()
			s.took = append(s.took, time.Since(start))
		}
	})
	return s
}

// end returns the median and the 99th percentile.
func (s *fsyncs) end() (p50, p99 time.Duration) {
	close(s.stop)
	s.done.Wait()
	return quantile(s.took, .5), quantile(s.took, .99)
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, int(float64(len(d))*q))]
}

// stamps notes when an item's first alert, its most severe, was acknowledged by
// ALERTS.
type stamps struct {
	alert.Outbox
	mu   sync.Mutex
	at   map[string]time.Time // by the item's title
	wake chan struct{}
}

func (s *stamps) Append(ctx context.Context, e alert.Event, after uint64) (uint64, error) {
	seq, err := s.Outbox.Append(ctx, e, after)
	if err != nil {
		return seq, err
	}
	s.WhenStored(ctx, func() {
		now := time.Now()
		s.mu.Lock()
		if title := e.Data.Item.Title; s.at[title].IsZero() {
			s.at[title] = now
		}
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	})
	return seq, err
}

// columns is a publisher of several feeds that grow.
type columns struct {
	window int // how many items a document lists
	mu     sync.Mutex
	items  [][]string
	titles [][]string
	shown  []int                // titles of each that an answer held
	made   map[string]time.Time // when an item was added
	last   map[string]time.Time // when the last byte of an alert's item was first written
}

func (c *columns) add(n, to int) {
	title, text := story(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items[to] = append(c.items[to], fmt.Sprintf("<item><guid>%d</guid><title>%s</title><description>%s</description><link>https://example.org/%d</link><pubDate>%s</pubDate></item>",
		n, title, text, n, time.Now().UTC().Format(time.RFC1123Z)))
	c.titles[to] = append(c.titles[to], title)
	c.made[title] = time.Now()
}

// serve writes a document of the newest items.
func (c *columns) serve(w http.ResponseWriter, i int) {
	c.mu.Lock()
	n := len(c.items[i])
	body := "<rss><channel><title>T</title>" + strings.Join(c.items[i][max(0, n-c.window):n], "") + "</channel></rss>"
	c.mu.Unlock()
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = io.WriteString(w, body)
	_ = http.NewResponseController(w).Flush()
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.titles[i][c.shown[i]:n] {
		c.last[t] = now
	}
	c.shown[i] = max(c.shown[i], n)
}

func newColumns(b *testing.B, n, window int, every time.Duration) (*columns, []feed.Feed) {
	c := &columns{window: window, items: make([][]string, n), titles: make([][]string, n), shown: make([]int, n), made: map[string]time.Time{}, last: map[string]time.Time{}}
	var feeds []feed.Feed
	mux := http.NewServeMux()
	for i := range n {
		mux.HandleFunc(fmt.Sprintf("/%d", i), func(w http.ResponseWriter, _ *http.Request) { c.serve(w, i) })
	}
	srv := httptest.NewServer(mux)
	b.Cleanup(srv.Close)
	for i := range n {
		feeds = append(feeds, feed.Feed{ID: fmt.Sprint("f", i), Title: "F", URL: fmt.Sprintf("%s/%d", srv.URL, i), Kind: "ministry", Tier: "authoritative", Country: "US", Language: "en", Every: every})
	}
	return c, feeds
}

func openSpeed(b *testing.B, feeds []feed.Feed) *Monitor {
	b.Helper()
	m, err := Open(b.Context(), speedSettings(b, feeds), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Close)
	return m
}

// BenchmarkAlert: from the body's last byte to the acknowledged alert, with 100
// items a second of which a tenth alert. A document lists 20 items, more than
// the median of real feeds (16): two seconds' worth. A tenth alerts: less than
// 6000x has too few for a 99th percentile.
func BenchmarkAlert(b *testing.B) {
	benchmarkFlow(b, 10*time.Millisecond, 10, 20, 100*time.Millisecond)
}

// BenchmarkAlertStore: what of BenchmarkAlert the store takes: the same items at
// the same rate are stored, delivered and alerted on, and none is fetched, read
// or judged.
func BenchmarkAlertStore(b *testing.B) {
	m := openSpeed(b, []feed.Feed{{ID: "f", Title: "F", Kind: "ministry", Tier: "authoritative", Country: "US", Language: "en", Disabled: "no feed"}})
	out := &stamps{Outbox: m.raiser.Outbox, at: map[string]time.Time{}, wake: make(chan struct{}, 1)}
	judged := m.config.Load().Rules.Match(storyItem(0))
	m.raiser.Outbox, m.raiser.Early = out, nil
	m.raiser.Match = func(it feed.Item) rule.Result {
		if strings.HasPrefix(it.Title, "Treasury") {
			return judged
		}
		return rule.Result{}
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 2)
	go func() { done <- m.desk.Run(ctx) }()
	go func() { done <- m.raiser.Run(ctx) }()
	disk := measureFsync(b, m.settings.Data)
	begun := map[string]time.Time{}
	start, n := time.Now(), 0
	for b.Loop() {
		it := storyItem(n)
		begun[it.Title] = time.Now()
		if _, err := m.store.Items().Append(ctx, []poll.Draft{{Item: it}}); err != nil {
			b.Fatal(err)
		}
		n++
		time.Sleep(time.Until(start.Add(time.Duration(n) * 10 * time.Millisecond)))
	}
	out.await(b, (n+9)/10)
	var lags []time.Duration
	for title, at := range out.at {
		lags = append(lags, at.Sub(begun[title]))
	}
	reportLags(b, lags, disk)
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkJudge: what an item that alerts costs to judge, at once and ten
// milliseconds after the one before, as in BenchmarkAlert. In between nothing is
// done but looking at the clock: what is dearer then is what a machine that is
// shared with others takes away from the caches meanwhile.
func BenchmarkJudge(b *testing.B) {
	m := openSpeed(b, nil)
	match := m.config.Load().Rules.Match
	for _, apart := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		b.Run(apart.String(), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				it := storyItem(10 * len(took))
				for from := time.Now(); time.Since(from) < apart; {
				}
				start := time.Now()
				alert.Judge(match, it).Make()
				took = append(took, time.Since(start))
			}
			b.ReportMetric(float64(quantile(took, .5).Microseconds()), "p50-µs")
		})
	}
}

// BenchmarkAlertBusy: the same with 1,000 items a second, of 50 feeds that are
// asked each second: 20 items of a document's 60 are new, three seconds' worth
// for a machine that is busy with other things. (No real feed may be asked more
// often than once a minute; ten times a second, as above, the daemon would read
// 30,000 items a second for the 1,000 and append them by ones and twos.)
func BenchmarkAlertBusy(b *testing.B) {
	benchmarkFlow(b, time.Millisecond, 50, 60, time.Second)
}

// benchmarkFlow publishes an item each gap, to one feed after the other.
func benchmarkFlow(b *testing.B, gap time.Duration, feeds, window int, every time.Duration) {
	c, list := newColumns(b, feeds, window, every)
	m := openSpeed(b, list)
	out := &stamps{Outbox: m.raiser.Outbox, at: map[string]time.Time{}, wake: make(chan struct{}, 1)}
	m.raiser.Outbox = out
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, nil) }()
	for len(m.poller.Snapshot()) < feeds { // its shards are taken
		time.Sleep(10 * time.Millisecond)
	}
	disk := measureFsync(b, m.settings.Data)
	start := time.Now()
	n := 0
	for b.Loop() {
		c.add(n, n%feeds)
		n++
		time.Sleep(time.Until(start.Add(time.Duration(n) * gap)))
	}
	added := time.Now()
	out.await(b, (n+9)/10)
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	var lags []time.Duration
	var late time.Duration // the last items, but for the time that they waited to be asked for
	for title, at := range out.at {
		lags = append(lags, at.Sub(c.last[title]))
		if made := c.made[title]; made.After(added.Add(-every)) {
			late = max(late, at.Sub(made)-every*11/10)
		}
	}
	reportLags(b, lags, disk)
	b.ReportMetric(float64(n)/(added.Sub(start)+late).Seconds(), "items/s")
}

// await waits for the alerts of so many items.
func (s *stamps) await(b *testing.B, want int) {
	b.Helper()
	deadline := time.After(time.Minute)
	for have := 0; have < want; {
		select {
		case <-s.wake:
		case <-deadline:
			b.Fatalf("%d of %d alerts", have, want)
		}
		s.mu.Lock()
		have = len(s.at)
		s.mu.Unlock()
	}
}

// reportLags says how late alerts were, beside what the disk took meanwhile:
// p50-fsyncs is how many of the disk's fsyncs half of them fit in with a
// millisecond for all the rest, at best 2.
func reportLags(b *testing.B, lags []time.Duration, disk *fsyncs) {
	b.Helper()
	fsync, slow := disk.end()
	p50, p99 := quantile(lags, .5), quantile(lags, .99)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	b.ReportMetric(ms(p50), "p50-ms")
	b.ReportMetric(ms(p99), "p99-ms")
	b.ReportMetric(ms(fsync), "fsync-p50-ms")
	b.ReportMetric(ms(slow), "fsync-p99-ms")
	b.ReportMetric(ms(p50-time.Millisecond)/ms(fsync), "p50-fsyncs")
	b.ReportMetric(float64(len(lags)), "alerts")
}

// BenchmarkBacklog: stored items that the raiser has still to judge, a tenth of
// which alert.
func BenchmarkBacklog(b *testing.B) {
	m := openSpeed(b, []feed.Feed{{ID: "f", Title: "F", Kind: "ministry", Tier: "authoritative", Country: "US", Language: "en", Disabled: "no feed"}})
	total := 100_000
	if testing.Short() {
		total = 10_000
	}
	var drafts []poll.Draft
	for n := range total {
		drafts = append(drafts, poll.Draft{Item: storyItem(n)})
		if len(drafts) == 1000 || n == total-1 {
			if _, err := m.store.Items().Append(b.Context(), drafts); err != nil {
				b.Fatal(err)
			}
			drafts = drafts[:0]
		}
	}
	disk := measureFsync(b, m.settings.Data)
	b.ResetTimer()
	for range b.N { // one is a whole backlog; a second would find it done
		start := time.Now()
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 2)
		go func() { done <- m.desk.Run(ctx) }() // the raiser waits for its mutes
		go func() { done <- m.raiser.Run(ctx) }()
		if err := m.caughtUp(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
		if b.N == 1 {
			raised, _ := m.raiser.Metrics.Raised()
			b.ReportMetric(float64(total)/took.Seconds(), "items/s")
			b.ReportMetric(float64(raised), "alerts")
		}
	}
	fsync, _ := disk.end()
	b.ReportMetric(float64(fsync.Microseconds())/1e3, "fsync-p50-ms")
}

// BenchmarkStart: the time to ready with a million items stored, after a clean
// stop. It fills the store first: set NEWSMONITOR_LONG=1.
func BenchmarkStart(b *testing.B) {
	total := 100_000
	if os.Getenv("NEWSMONITOR_LONG") != "" {
		total = 1_000_000
	}
	s := speedSettings(b, []feed.Feed{{ID: "f", Title: "F", Kind: "ministry", Tier: "authoritative", Country: "US", Language: "en", Disabled: "no feed"}})
	m, err := Open(b.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	var drafts []poll.Draft
	for n := range total {
		it := storyItem(n)
		it.Content = ""
		drafts = append(drafts, poll.Draft{Item: it})
		if len(drafts) == 1000 || n == total-1 {
			if _, err := m.store.Items().Append(b.Context(), drafts); err != nil {
				b.Fatal(err)
			}
			drafts = drafts[:0]
		}
	}
	m.Close()
	b.ResetTimer()
	for b.Loop() {
		m, err := Open(b.Context(), s, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		if err := m.store.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		m.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(total), "items")
}
