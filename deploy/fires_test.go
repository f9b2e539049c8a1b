package deploy_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
)

// faster is how much faster everything goes in these tests than in a shipped
// deployment: every duration of the shipped rules and of the shipped scrape is
// divided by it, and so are the self-test's and the feeds' intervals.
const faster = 30

var (
	inBrackets = regexp.MustCompile(`\[(\d+)([smhd])\]`)
	inFields   = regexp.MustCompile(`((?:for|interval|scrape_interval|evaluation_interval): )(\d+)([smhd])`)
	inSeconds  = regexp.MustCompile(`(\d+) # s`)
	unit       = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
)

func hurry(number, u string) string {
	n, _ := strconv.Atoi(number)
	return fmt.Sprintf("%dms", (time.Duration(n) * unit[u] / faster).Milliseconds())
}

// scaled is a shipped file of Prometheus with all durations divided by faster.
func scaled(text string) string {
	text = inBrackets.ReplaceAllStringFunc(text, func(s string) string {
		m := inBrackets.FindStringSubmatch(s)
		return "[" + hurry(m[1], m[2]) + "]"
	})
	text = inFields.ReplaceAllStringFunc(text, func(s string) string {
		m := inFields.FindStringSubmatch(s)
		return m[1] + hurry(m[2], m[3])
	})
	return inSeconds.ReplaceAllStringFunc(text, func(s string) string {
		n, _ := strconv.ParseFloat(inSeconds.FindStringSubmatch(s)[1], 64)
		return fmt.Sprintf("%g # s", n/faster)
	})
}

// silent leaves out the Alertmanager, which nobody runs here.
func silent(config string) string {
	return strings.Replace(config, "- targets: [127.0.0.1:9093]", "- targets: []", 1)
}

// watchman is a Prometheus with the shipped rules, faster.
func watchman(t *testing.T, target string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"monitor.recording.yml", "monitor.alerts.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(scaled(read(t, "prometheus/"+name))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := strings.Replace(silent(scaled(read(t, "prometheus/prometheus.yml"))), "127.0.0.1:8080", target, 1)
	return startPrometheus(t, dir, config, "--query.lookback-delta=10s")
}

// firing lists the alerts that fire now.
func (p *prometheus) firing(t *testing.T) (out []string) {
	t.Helper()
	got, err := p.query(`ALERTS{alertstate="firing"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range got {
		out = append(out, s.Metric["alertname"])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fires waits until all of these alerts fire; each may do so in its own time.
func (p *prometheus) fires(t *testing.T, limit time.Duration, names ...string) {
	t.Helper()
	begun, missing := time.Now(), slices.Clone(names)
	for deadline := begun.Add(limit); len(missing) > 0; {
		for _, n := range p.firing(t) {
			if i := slices.Index(missing, n); i >= 0 {
				t.Logf("%s fires after %v", n, time.Since(begun).Round(time.Second))
				missing = slices.Delete(missing, i, i+1)
			}
		}
		if time.Now().After(deadline) {
			t.Errorf("after %v these do not fire: %v (those that do: %v)", limit, missing, p.firing(t))
			return
		}
		<-time.After(200 * time.Millisecond)
	}
}

// quiet waits until none of these alerts fires any more; without names: none.
func (p *prometheus) quiet(t *testing.T, limit time.Duration, names ...string) {
	t.Helper()
	left := func() []string {
		return slices.DeleteFunc(p.firing(t), func(n string) bool { return len(names) > 0 && !slices.Contains(names, n) })
	}
	for deadline := time.Now().Add(limit); len(left()) > 0; {
		if time.Now().After(deadline) {
			t.Errorf("after %v these still fire: %v", limit, left())
			return
		}
		<-time.After(200 * time.Millisecond)
	}
}

// press is a server of feeds that can be stopped and started again.
type press struct {
	addr   string
	server *http.Server
	items  atomic.Int64 // of each feed
	large  atomic.Int64 // bytes of content of each item
	broken atomic.Bool  // the last feed answers 503
}

func (p *press) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.broken.Load() && r.URL.Path == "/4" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	n, content := p.items.Load(), strings.Repeat("All quiet at the ministry. ", int(p.large.Load())/27)
	w.Header().Set("Content-Type", "application/rss+xml")
	fmt.Fprintf(w, `<rss version="2.0"><channel><title>Press%s</title>`, r.URL.Path)
	for i := range n {
		fmt.Fprintf(w, `<item><guid>%s-%d</guid><title>Sanctions, part %d of%s</title><pubDate>%s</pubDate><description>%s</description></item>`,
			r.URL.Path, i, i, r.URL.Path, time.Now().UTC().Format(time.RFC1123Z), content)
	}
	fmt.Fprint(w, `</channel></rss>`)
}

func (p *press) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", cmp.Or(p.addr, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	p.addr, p.server = l.Addr().String(), &http.Server{Handler: p}
	go func() { _ = p.server.Serve(l) }()
}

func (p *press) stop() { _ = p.server.Close() }

func (p *press) feeds() (out []feed.Feed) {
	for i := range 5 {
		out = append(out, feed.Feed{ID: fmt.Sprint("press-", i), Title: fmt.Sprint("Press ", i), URL: fmt.Sprintf("http://%s/%d", p.addr, i),
			Kind: "ministry", Tier: "authoritative", Country: "US", Language: "en", Identity: "guid", Every: time.Minute / faster})
	}
	return out
}

const sanctionsRule = `channel: sanctions
title: Sanctions
rules:
  - id: sanctions
    title: Sanctions
    severity: critical
    match: title:sanctions
    tests:
      - {fires: true, title: Sanctions, severity: critical}
      - {fires: false, title: Talks}
`

// fireWorld is a daemon that nothing ails yet.
type fireWorld struct {
	press  *press
	rules  string
	hangs  atomic.Bool
	settle pipeline.Settings
}

func newFireWorld(t *testing.T) *fireWorld {
	t.Helper()
	w := &fireWorld{press: &press{}, rules: filepath.Join(t.TempDir(), "rules")}
	w.press.start(t)
	t.Cleanup(func() { w.press.stop() })
	w.press.items.Store(1)
	if err := os.MkdirAll(w.rules, 0o755); err != nil {
		t.Fatal(err)
	}
	w.rule(t, sanctionsRule)
	desk := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for w.hangs.Load() && r.Context().Err() == nil {
			select {
			case <-r.Context().Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}))
	t.Cleanup(desk.Close)
	w.settle = demoSettings(t, desk.URL)
	w.settle.Files.Rules, w.settle.Files.Extra = []string{w.rules}, w.press.feeds()
	w.settle.Canary, w.settle.MaxStore = time.Minute/faster, 8<<20
	w.settle.Poll = poll.DefaultOptions()
	o := &w.settle.Poll
	o.MinInterval, o.PerHost, o.HostGap, o.AllowNet = 100*time.Millisecond, 64, 0, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return w
}

func (w *fireWorld) rule(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.rules, "sanctions.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("takes minutes: NEWSMONITOR_LONG=1")
	}
	tool(t, "prometheus", "prometheus")
}

func (d *daemon) target() string { return strings.TrimPrefix(d.place.HTTP, "http://") }

// TestAlertsFire makes the faults that the alerts are for, with a real
// Prometheus and the shipped rules, all durations divided by faster.
func TestAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	w := newFireWorld(t)
	d := startDaemon(t, w.settle)
	p := watchman(t, d.target())
	until(t, time.Minute, "the feeds are read", func() bool {
		got, err := p.query(`job:monitor_feeds_fresh:ratio == 1`)
		return err == nil && len(got) == 1
	})
	<-time.After(20 * time.Minute / faster)
	if now := p.firing(t); len(now) > 0 {
		t.Errorf("nothing ails it and these fire: %v", now)
	}

	w.hangs.Store(true) // a critical alert that the destination never acknowledges
	w.press.broken.Store(true)
	w.press.large.Store(300 << 10) // and items that fill the stream
	w.press.items.Store(4)
	w.rule(t, strings.Replace(sanctionsRule, "match: ", "mach: ", 1))
	p.fires(t, 4*time.Minute, "MonitorNotifyStuck", "MonitorRulesRefused", "MonitorStreamNearlyFull", "MonitorFeedStale")
	w.press.stop()
	p.fires(t, 3*time.Minute, "MonitorFeedsFreshnessLow")

	w.hangs.Store(false)
	w.press.broken.Store(false)
	w.press.start(t)
	w.rule(t, sanctionsRule)
	p.quiet(t, 4*time.Minute, "MonitorNotifyStuck", "MonitorRulesRefused", "MonitorFeedStale", "MonitorFeedsFreshnessLow")
	d.stop()
	p.fires(t, time.Minute, "MonitorDown")
}

// TestStoreAlertsFire does the same with a reader that hangs and a NATS that
// stops.
func TestStoreAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	dir, port := t.TempDir(), natsserver.RANDOM_PORT
	serve := func() *natsserver.Server {
		ns, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true})
		if err != nil {
			t.Fatal(err)
		}
		go ns.Start()
		if !ns.ReadyForConnections(30 * time.Second) {
			t.Fatal("NATS does not start")
		}
		port = ns.Addr().(*net.TCPAddr).Port
		return ns
	}
	ns := serve()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	w := newFireWorld(t)
	w.settle.NATS, w.settle.MaxStore = ns.ClientURL(), 256<<20
	d := startDaemon(t, w.settle)
	p := watchman(t, d.target())
	until(t, time.Minute, "self-tests succeed", func() bool {
		got, err := p.query(`sum(monitor_alert_pipeline_duration_seconds_count{canary="true"}) > 5`)
		return err == nil && len(got) == 1
	})

	// Another process has the raiser, lives, and does nothing.
	nc, err := nats.Connect(ns.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	readers, err := js.KeyValue(t.Context(), "READERS")
	if err != nil {
		t.Fatal(err)
	}
	leases, err := js.KeyValue(t.Context(), "LEASES")
	if err != nil {
		t.Fatal(err)
	}
	place, err := readers.Get(t.Context(), "raise")
	if err != nil {
		t.Fatal(err)
	}
	hung := regexp.MustCompile(`"owner":"[^"]*"`).ReplaceAll(place.Value(), []byte(`"owner":"hung"`))
	ctx, release := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = leases.Put(ctx, "node.hung", []byte(`{"host":"hung","pid":1}`))
			_, _ = readers.Put(ctx, "raise", hung)
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
		_ = leases.Delete(context.Background(), "node.hung")
	}()
	p.fires(t, 3*time.Minute, "MonitorCanaryLate", "MonitorReaderLag", "MonitorShardsUnheld")
	<-time.After(40 * time.Second) // so many self-tests wait that a month's allowance burns
	release()
	<-done
	p.fires(t, 2*time.Minute, "MonitorLatencyBurnFast") // the self-tests that waited
	p.quiet(t, 4*time.Minute, "MonitorCanaryLate", "MonitorReaderLag", "MonitorShardsUnheld", "MonitorLatencyBurnFast")

	ns.Shutdown()
	ns.WaitForShutdown()
	p.fires(t, 3*time.Minute, "MonitorNATSDisconnected", "MonitorCanaryLate", "MonitorPublishErrors")
	ns = serve()
	p.quiet(t, 4*time.Minute, "MonitorNATSDisconnected", "MonitorCanaryLate", "MonitorPublishErrors")
}

// TestHealthyIsQuiet: no alert fires in an hour of the demo, by the shipped
// rules at their own pace.
func TestHealthyIsQuiet(t *testing.T) {
	long(t)
	t.Parallel()
	hours, err := time.ParseDuration(cmp.Or(os.Getenv("NEWSMONITOR_HEALTHY"), "1h"))
	if err != nil {
		t.Fatal(err)
	}
	if deadline, ok := t.Deadline(); ok && time.Until(deadline) < hours+5*time.Minute {
		t.Skipf("takes %v: go test -timeout %v, or NEWSMONITOR_HEALTHY=10m", hours, hours+10*time.Minute)
	}
	s := demoSettings(t, hook(t))
	s.Canary = time.Minute
	told, at := story(t, 0.1)
	s.Files.Extra = told.Feeds(at)
	d := startDaemon(t, s)
	dir := t.TempDir()
	for _, name := range []string{"monitor.recording.yml", "monitor.alerts.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, "prometheus/"+name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := startPrometheus(t, dir, strings.Replace(silent(read(t, "prometheus/prometheus.yml")), "127.0.0.1:8080", d.target(), 1))
	for end := time.Now().Add(hours); time.Now().Before(end); <-time.After(15 * time.Second) {
		if now := p.firing(t); len(now) > 0 {
			t.Errorf("%v: %v", time.Until(end), now)
		}
	}
	got, err := p.query(`sum(monitor_alerts_total)`)
	if err != nil || len(got) != 1 {
		t.Fatalf("no alerts counted: %v", err)
	}
	t.Logf("%v alerts in %v, none of ours", got[0].Value[1], hours)
}
