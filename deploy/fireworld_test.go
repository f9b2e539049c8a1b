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
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/poll"
)

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("takes minutes: NEWSMONITOR_LONG=1")
	}
	tool(t, "prometheus", "prometheus")
}

// press is a server of feeds that can be stopped and started again.
type press struct {
	addr   string
	server *http.Server
	date   time.Time    // of all items
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
			r.URL.Path, i, i, r.URL.Path, p.date.Format(time.RFC1123Z), content)
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

// catalogue is a feeds.yaml of n feeds of the press.
func (p *press) catalogue(n int, every time.Duration) string {
	text := "feeds:\n"
	for i := range n {
		text += fmt.Sprintf("  - {id: press-%d, title: Press %d, url: 'http://%s/%d', kind: ministry, tier: authoritative, country: US, language: en, identity: guid, every: %v}\n",
			i, i, p.addr, i, every)
	}
	return text
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
	dir    string
	hangs  atomic.Bool // the destination does not answer
	settle pipeline.Settings
}

func newFireWorld(t *testing.T) *fireWorld {
	t.Helper()
	w := &fireWorld{press: &press{date: time.Now().UTC()}, dir: t.TempDir()}
	w.press.start(t)
	t.Cleanup(func() { w.press.stop() })
	w.press.items.Store(1)
	w.write(t, "rules/sanctions.yaml", sanctionsRule)
	w.write(t, "feeds.yaml", w.press.catalogue(5, time.Minute/faster))
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
	w.settle.Files.Rules, w.settle.Files.Feeds = []string{w.file("rules")}, []string{w.file("feeds.yaml")}
	w.settle.Canary, w.settle.MaxStore = time.Minute/faster, 256<<20
	w.settle.Poll = poll.DefaultOptions()
	o := &w.settle.Poll
	o.MinInterval, o.PerHost, o.HostGap, o.AllowNet = 100*time.Millisecond, 64, 0, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return w
}

func (w *fireWorld) file(name string) string { return filepath.Join(w.dir, name) }

func (w *fireWorld) write(t *testing.T, name, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(w.file(name)), 0o755)
	if err == nil {
		err = os.WriteFile(w.file(name), []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) target() string { return strings.TrimPrefix(d.place.HTTP, "http://") }

// natsBox is an external NATS that can be stopped and started again.
type natsBox struct {
	dir  string
	port int
	*natsserver.Server
}

func startNATS(t *testing.T) *natsBox {
	t.Helper()
	n := &natsBox{dir: t.TempDir(), port: natsserver.RANDOM_PORT}
	n.start(t)
	t.Cleanup(n.stop)
	return n
}

func (n *natsBox) start(t *testing.T) {
	t.Helper()
	ns, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: n.port, JetStream: true, StoreDir: n.dir, SyncAlways: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	if !ns.ReadyForConnections(30 * time.Second) {
		t.Fatal("NATS does not start")
	}
	n.port, n.Server = ns.Addr().(*net.TCPAddr).Port, ns
}

func (n *natsBox) stop() {
	n.Shutdown()
	n.WaitForShutdown()
}

// administer is an administrator's connection.
func (n *natsBox) administer(t *testing.T) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(n.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// hung is another process that can take the raiser, live, and do nothing.
type hung struct {
	readers, leases jetstream.KeyValue
}

func newHung(t *testing.T, js jetstream.JetStream) *hung {
	t.Helper()
	h := &hung{}
	var err error
	if h.readers, err = js.KeyValue(t.Context(), "READERS"); err != nil {
		t.Fatal(err)
	}
	if h.leases, err = js.KeyValue(t.Context(), "LEASES"); err != nil {
		t.Fatal(err)
	}
	return h
}

// hold takes the raiser until release is called.
func (h *hung) hold(t *testing.T) (release func()) {
	t.Helper()
	place, err := h.readers.Get(t.Context(), "raise")
	if err != nil {
		t.Error(err)
		return func() {}
	}
	taken := regexp.MustCompile(`"owner":"[^"]*"`).ReplaceAll(place.Value(), []byte(`"owner":"hung"`))
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = h.leases.Put(ctx, "node.hung", []byte(`{"host":"hung","pid":1}`))
			_, _ = h.readers.Put(ctx, "raise", taken)
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
		_ = h.leases.Delete(context.Background(), "node.hung")
	}()
	return func() { end(); <-done }
}

// built is the program as it is shipped.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "monitor")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/monitor").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// free is an address that nobody listens on now.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
