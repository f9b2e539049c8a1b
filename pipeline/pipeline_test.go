package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/web"
)

// publisher is a ministry's server: one RSS document that grows.
type publisher struct {
	*httptest.Server
	mu    sync.Mutex
	items []string
	asked []http.Header
	down  bool
	poked chan struct{} // one token a request
}

func newPublisher(t *testing.T) *publisher {
	p := &publisher{poked: make(chan struct{}, 1000)}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Header.Clone())
	if p.down {
		p.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body := `<?xml version="1.0"?><rss version="2.0"><channel><title>Ministry</title>` + strings.Join(p.items, "") + `</channel></rss>`
	etag := fmt.Sprintf(`"v%d"`, len(p.items))
	p.mu.Unlock()
	p.poked <- struct{}{}
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/rss+xml")
	_, _ = io.WriteString(w, body)
}

func (p *publisher) publish(id, title string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = append([]string{fmt.Sprintf(`<item><guid>%s</guid><title>%s</title><link>https://example.org/%s</link><pubDate>%s</pubDate></item>`,
		id, title, id, time.Now().UTC().Format(time.RFC1123Z))}, p.items...)
}

func (p *publisher) requests() []http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]http.Header{}, p.asked...)
}

const rules = `channel: sanctions
title: Sanctions
about: For the tests.
rules:
  - id: listing
    title: A listing
    severity: high
    match: 'sanction* AND ("North Korea" OR 朝鲜)'
    tests:
      - {fires: true, title: Sanctions on North Korea}
      - {fires: false, title: A sanctioned marathon}
`

// world is the files and the folder of a daemon.
type world struct {
	dir string
	pub *publisher
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t.TempDir(), newPublisher(t)}
	w.write(t, "rules/sanctions.yaml", rules)
	w.write(t, "feeds.yaml", fmt.Sprintf(`feeds:
  - {id: ministry, title: The Ministry, url: "%s/feed.xml", kind: ministry, tier: authoritative, country: US, language: en, every: 1m}
  - {id: unwatched, title: No feed, kind: think-tank, tier: non-authoritative, country: CN, language: zh, disabled: "no feed; HTML pages only"}
`, w.pub.URL))
	return w
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) settings() pipeline.Settings {
	o := poll.DefaultOptions()
	o.MinInterval, o.HostGap, o.PerHost, o.Timeout = 100*time.Millisecond, 0, 64, 5*time.Second
	o.AllowNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return pipeline.Settings{
		Files: pipeline.Files{Feeds: []string{filepath.Join(w.dir, "feeds.yaml")}, Rules: []string{filepath.Join(w.dir, "rules")}},
		Data:  filepath.Join(w.dir, "data"), MaxStore: 1 << 30, KeepItems: time.Hour, KeepAlerts: time.Hour, NATSManage: true,
		Prefix: "news", NATSListen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Poll: o, Instance: "test", Owner: "test", Version: "test",
	}
}

// daemon is a running Monitor.
type daemon struct {
	*pipeline.Monitor
	place  pipeline.Place
	reload chan struct{}
	stop   func()
}

func start(t *testing.T, s pipeline.Settings) *daemon {
	t.Helper()
	m, err := pipeline.Open(t.Context(), s, slog.New(slog.NewTextHandler(testLog{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{Monitor: m, reload: make(chan struct{})}
	if d.place, err = m.Place(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx, d.reload) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
		m.Close()
	})
	t.Cleanup(d.stop)
	return d
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// listen subscribes as a stranger would: an independent connection, no
// credentials.
func (d *daemon) listen(t *testing.T, subject string) *nats.Subscription {
	t.Helper()
	nc, err := nats.Connect(d.place.NATS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

func next(t *testing.T, sub *nats.Subscription) alert.Event {
	t.Helper()
	m, err := sub.NextMsg(20 * time.Second)
	if err != nil {
		t.Fatalf("no event: %v", err)
	}
	validate(t, m.Data)
	e, err := alert.Decode(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	family := "alerts"
	if e.Type == alert.Folded {
		family = "folded"
	}
	if want := fmt.Sprintf("news.%s.%s.%s.%s.%s", family, e.Data.Channel, e.Severity, e.Data.Item.Feed, e.Data.ID); m.Subject != want {
		t.Errorf("subject %s, want %s", m.Subject, want)
	}
	return e
}

func validate(t *testing.T, b []byte) {
	t.Helper()
	f, err := os.Open("../deploy/schemas/alert.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(alert.SchemaURI, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(alert.SchemaURI)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("event breaks the schema: %v\n%s", err, b)
	}
}

func (d *daemon) get(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get(d.place.HTTP + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// until asks again until ok; it waits on the daemon, not on the clock.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 20 s: %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestEndToEnd: an item that a ministry publishes arrives at an independent
// NATS client as an event that keeps the contract and says why; after a restart
// nothing is alerted again, and the validators are sent again.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pub.publish("1", "An ordinary day")
	s := w.settings()
	s.Poll.MinInterval = 100 * time.Millisecond
	w.every(t, "100ms")
	d := start(t, s)
	sub := d.listen(t, "news.alerts.>")
	<-w.pub.poked
	w.pub.publish("2", "Treasury announces sanctions against North Korea")
	e := next(t, sub)
	if e.Type != alert.Raised || e.Severity != "high" || e.Data.Channel != "sanctions" || e.Data.Source.Tier != "authoritative" {
		t.Errorf("event %+v", e)
	}
	if r := e.Data.Rules; len(r) != 1 || r[0].ID != "listing" || len(r[0].Evidence) < 2 {
		t.Fatalf("the event does not say why: %+v", r)
	}
	for _, ev := range e.Data.Rules[0].Evidence {
		if got := e.Data.Item.Title[ev.Start:ev.End]; got != ev.Text {
			t.Errorf("evidence %q stands at %q", ev.Text, got)
		}
	}
	until(t, "the alert is on the API and the page", func() bool {
		return strings.Contains(d.get(t, "/api/v1/alerts"), e.ID) && strings.Contains(d.get(t, "/"), "Treasury announces")
	})
	d.stop()

	before := len(w.pub.requests())
	for len(w.pub.poked) > 0 {
		<-w.pub.poked
	}
	d = start(t, s)
	sub = d.listen(t, "news.>")
	for range 3 {
		<-w.pub.poked
	}
	for _, h := range w.pub.requests()[before:] {
		if h.Get("If-None-Match") != `"v2"` {
			t.Errorf("a request after the restart sends If-None-Match %q, want the stored validator", h.Get("If-None-Match"))
		}
	}
	w.pub.publish("3", "More sanctions on North Korea")
	for { // the next alert is the new item's: nothing was repeated
		m, err := sub.NextMsg(20 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m.Subject, "news.alerts.") {
			if e, _ := alert.Decode(m.Data); e.Data.Item.Title != "More sanctions on North Korea" {
				t.Errorf("alerted again: %s", m.Data)
			}
			break
		}
	}
}

// every sets the interval of the watched feed.
func (w *world) every(t *testing.T, every string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "feeds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "feeds.yaml", strings.Replace(string(b), "every: 1m", "every: "+every, 1))
}

// TestReload: a rule added while the daemon runs is used from then on; a file
// with a mistake keeps its last good version whole and is reported; nothing
// restarts.
func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every(t, "100ms")
	d := start(t, w.settings())
	sub := d.listen(t, "news.alerts.>")
	w.pub.publish("1", "Talks resume")
	until(t, "item 1 is stored", func() bool { return strings.Contains(d.get(t, "/metrics"), `monitor_items_total{outcome="new"} 1`) })

	w.write(t, "rules/talks.yaml", strings.NewReplacer("sanctions", "talks", "listing", "talks-resumed", `'sanction* AND ("North Korea" OR 朝鲜)'`, "talks AND resume*",
		"Sanctions on North Korea", "Talks resumed", "A sanctioned marathon", "A marathon").Replace(rules))
	until(t, "the new rule is listed", func() bool { return strings.Contains(d.get(t, "/api/v1/rules"), "talks-resumed") })
	w.pub.publish("2", "Talks will resume")
	if e := next(t, sub); e.Data.Channel != "talks" || e.Data.Item.Title != "Talks will resume" {
		t.Errorf("event %+v", e.Data)
	}

	w.write(t, "rules/sanctions.yaml", strings.Replace(rules, "sanction* AND", "sanction* NEER", 1))
	until(t, "the mistake is reported", func() bool {
		return strings.Contains(d.get(t, "/api/v1/status"), "sanctions.yaml") && strings.Contains(d.get(t, "/metrics"), "monitor_config_last_reload_successful 0")
	})
	w.pub.publish("3", "Sanctions against North Korea")
	if e := next(t, sub); e.Data.Channel != "sanctions" {
		t.Errorf("the refused file's last good version does not run: %+v", e.Data)
	}
	w.write(t, "rules/sanctions.yaml", rules)
	until(t, "the mended file is taken", func() bool {
		return strings.Contains(d.get(t, "/metrics"), "monitor_config_last_reload_successful 1")
	})
}

// TestOnce: one round, then the end, with the numbers.
func TestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pub.publish("1", "Sanctions on North Korea")
	w.pub.publish("2", "An ordinary day")
	s := w.settings()
	s.HTTP, s.NATSListen = "off", "off"
	for i, want := range []string{
		`{"feeds":1,"answered":1,"unchanged":0,"failed":0,"waiting":0,"items":2,"alerts":1,"folded":0}`,
		`{"feeds":1,"answered":1,"unchanged":1,"failed":0,"waiting":0,"items":0,"alerts":0,"folded":0}`,
	} {
		m, err := pipeline.Open(t.Context(), s, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := m.Once(t.Context())
		m.Close()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := json.Marshal(sum); string(b) != want {
			t.Errorf("run %d: %s, want %s", i+1, b, want)
		}
	}
}

// TestUnreachable: without a network the daemon stays up and says so.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pub.Close()
	d := start(t, w.settings())
	until(t, "the feed is failing in API and metrics", func() bool {
		var st web.Status
		if err := json.Unmarshal([]byte(d.get(t, "/api/v1/status")), &st); err != nil {
			t.Fatal(err)
		}
		return st.Feeds["failing"] == 1 && st.Feeds["disabled"] == 1 && strings.Contains(d.get(t, "/metrics"), `monitor_feeds{state="failing"} 1`)
	})
	for path, want := range map[string]string{"/livez": "ok", "/readyz": "ok", "/api/v1/feeds": `"reason":"connect"`, "/sources": "no feed; HTML pages only"} {
		if got := d.get(t, path); !strings.Contains(got, want) {
			t.Errorf("%s does not say %q: %s", path, want, got)
		}
	}
}

// TestFeedEvents: a feed that turns bad and recovers is told live, as an event
// that says what to do.
func TestFeedEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every(t, "100ms")
	d := start(t, w.settings())
	sub := d.listen(t, "news.feeds.ministry.>")
	<-w.pub.poked
	for i, want := range []string{"failing", "recovered"} {
		w.pub.mu.Lock()
		w.pub.down = i == 0
		w.pub.mu.Unlock()
		m, err := sub.NextMsg(20 * time.Second)
		if err != nil {
			t.Fatalf("no event %s: %v", want, err)
		}
		var e struct {
			SpecVersion, ID, Type, Source, Subject string
			Data                                   poll.Event
		}
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		if m.Subject != "news.feeds.ministry."+want || e.SpecVersion != "1.0" || e.ID == "" || e.Type != "newsmonitor.feed."+want+".v1" ||
			e.Source != "/newsmonitor/test/feeds/ministry" || e.Data.Event != want || e.Data.Feed != "ministry" || e.Data.Text == "" {
			t.Errorf("event %s is %s", want, m.Data)
		}
	}
}

// TestMetricsAreClean holds /metrics against Prometheus' own linter.
func TestMetricsAreClean(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool; .ci/run installs it (Debian's package prometheus)")
	}
	w := newWorld(t)
	w.pub.publish("1", "Sanctions on North Korea")
	d := start(t, w.settings())
	until(t, "an alert is counted", func() bool {
		return strings.Contains(d.get(t, "/metrics"), `monitor_alerts_total{channel="sanctions",severity="high"} 1`)
	})
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(d.get(t, "/metrics"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestOffline: past alerts can be read without a daemon and without a listener.
func TestOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pub.publish("1", "Sanctions on North Korea")
	s := w.settings()
	m, err := pipeline.Open(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Once(t.Context())
	m.Close()
	if err != nil {
		t.Fatal(err)
	}
	transport, done, err := pipeline.Offline(t.Context(), s.Data, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	until(t, "the alert is there", func() bool {
		resp, err := (&http.Client{Transport: transport}).Get("http://127.0.0.1/api/v1/alerts")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(b), "Sanctions on North Korea")
	})
	if _, _, err := pipeline.Offline(t.Context(), t.TempDir(), nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "holds no store") {
		t.Errorf("an empty folder: %v", err)
	}
}
