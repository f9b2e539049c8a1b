package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

const childEnv = "NOTIFY_TEST_CHILD" // folder of the child process that is killed

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m) // after all tests nothing of this room runs on
}

func openStore(ctx context.Context, dir, owner string) (*stream.Store, error) {
	return stream.Open(ctx, stream.Options{Dir: dir, Listen: "off", MaxStore: 1 << 30, KeepItems: time.Hour, KeepAlerts: time.Hour,
		Prefix: "news", Owner: owner, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
}

const killAlerts = 200 // of the test with kills

// child is a daemon's end: it appends alerts, of which it cannot know how many
// are there, and pushes them to the destinations of a file.
func child(dir string) error {
	ctx := context.Background()
	store, err := openStore(ctx, filepath.Join(dir, "data"), fmt.Sprint(os.Getpid()))
	if err != nil {
		return err
	}
	ds, l := Load(filepath.Join(dir, "notify.yaml"), Known{})
	if len(l) > 0 {
		return l
	}
	var all sync.WaitGroup
	for _, d := range ds {
		p := newPusher(Config{Alerts: store.Alerts(), Log: slog.New(slog.DiscardHandler)}, d, newMetrics(nil))
		if w, ok := p.sender.(*webhook); ok {
			w.client.Timeout = 300 * time.Millisecond
		}
		if m, ok := p.sender.(*mailer); ok {
			m.timeout = time.Second
		}
		all.Go(func() { p.run(ctx) })
	}
	fmt.Println("runs")
	for i := range killAlerts {
		_, err := store.Alerts().Append(ctx, raised(fmt.Sprint("item ", i), "sanctions", rule.High), 0)
		if err != nil && !errors.Is(err, alert.ErrAhead) {
			return err
		}
		pause(ctx, 5*time.Millisecond)
	}
	fmt.Println("appended")
	all.Wait()
	return nil
}

// TestKills: a mail sink and a webhook that answers 503, hangs and then
// answers 200 get every alert, over 20 kills; twice only what was in flight at
// a kill, and then with the same id.
func TestKills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills 20 processes")
	}
	dir := t.TempDir()
	var mu sync.Mutex
	acked := map[string]int{}
	requests := 0
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		requests++
		n := requests
		mu.Unlock()
		switch {
		case n%29 == 7:
			w.WriteHeader(http.StatusServiceUnavailable)
		case n%67 == 11:
			<-r.Context().Done() // hangs
		default:
			mu.Lock()
			acked[r.Header.Get("Webhook-Id")]++
			mu.Unlock()
		}
	}))
	t.Cleanup(hook.Close)
	letters := startSink(t, &sink{})
	file := fmt.Sprintf(`destinations:
  - {name: hook, service: webhook, url: "%s"}
  - {name: letters, service: mail, server: "%s", tls: none, from: m@example.org, to: [d@example.org], limit: {messages: 10000, per: 7d}}
`, hook.URL, letters.addr)
	if err := os.WriteFile(filepath.Join(dir, "notify.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	// The readers begin at the end of an empty stream.
	store, err := openStore(t.Context(), filepath.Join(dir, "data"), "first")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"notify-hook", "notify-letters"} {
		if _, _, _, err := store.Alerts().Own(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	store.Close()

	life := func() (*exec.Cmd, io.Reader) {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, out
	}
	for range 20 {
		cmd, out := life()
		_, _ = io.ReadFull(out, make([]byte, 5)) // it runs
		pause(t.Context(), time.Duration(20+rand.IntN(200))*time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	cmd, _ := life()
	idForm := regexp.MustCompile(`(?m)^Message-ID: <([0-9a-f]{32})\.`)
	mailed := func() map[string]int {
		m := map[string]int{}
		for _, l := range letters.all() {
			if id := idForm.FindStringSubmatch(l); id != nil {
				m[id[1]]++
			}
		}
		return m
	}
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		mu.Lock()
		n := len(acked)
		mu.Unlock()
		if n == killAlerts && len(mailed()) == killAlerts {
			break
		}
		pause(t.Context(), 50*time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	mu.Lock()
	defer mu.Unlock()
	for name, got := range map[string]map[string]int{"webhook": acked, "mail": mailed()} {
		twice := 0
		for i := range killAlerts {
			e := raised(fmt.Sprint("item ", i), "sanctions", rule.High)
			switch n := got[e.ID]; {
			case n == 0:
				t.Errorf("%s never got alert %d", name, i)
			case n > 1:
				twice += n - 1
			}
		}
		if twice > 20 {
			t.Errorf("%s got %d alerts twice: more than there were kills", name, twice)
		}
		t.Logf("%s: %d alerts, %d of them twice over 20 kills", name, len(got), twice)
	}
}

// pushAll sends n alerts at once to destinations that live, beside one that is
// dead if so wanted, and returns how long the last one of the living took.
func pushAll(tb testing.TB, n, living int, dead bool, far time.Duration) time.Duration {
	store, err := openStore(tb.Context(), tb.TempDir(), "me")
	if err != nil {
		tb.Fatal(err)
	}
	defer store.Close()
	ctx, stop := context.WithCancel(tb.Context())
	var all, work sync.WaitGroup
	begin := make(chan struct{})
	push := func(name, address string) {
		if _, _, _, err := store.Alerts().Own(ctx, "notify-"+name); err != nil {
			tb.Fatal(err)
		}
		d := &Destination{Name: name, Service: "webhook", url: secret{plain: address}, severity: rule.Medium, zone: time.UTC}
		p := newPusher(Config{Alerts: store.Alerts(), Log: slog.New(slog.DiscardHandler)}, d, newMetrics(nil))
		all.Go(func() { <-begin; p.run(ctx) })
	}
	for i := range living {
		left := n
		work.Add(1)
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			pause(r.Context(), far)
			if left--; left == 0 {
				work.Done()
			}
		}))
		defer srv.Close()
		push(fmt.Sprint("alive-", i), srv.URL)
	}
	if dead {
		srv := httptest.NewServer(nil)
		srv.Close()
		push("dead", srv.URL)
	}
	for i := range n {
		if _, err := store.Alerts().Append(ctx, raised(fmt.Sprint("item ", i), "sanctions", rule.High), 0); err != nil {
			tb.Fatal(err)
		}
	}
	start := time.Now()
	close(begin)
	work.Wait()
	took := time.Since(start)
	stop()
	all.Wait()
	return took
}

// TestIndependent: of three destinations one is dead; the others get all their
// alerts all the same. BenchmarkIndependent says in which time.
func TestIndependent(t *testing.T) {
	t.Parallel()
	pushAll(t, 200, 2, true, 0)
}

// BenchmarkIndependent compares 1,000 alerts to two destinations beside a dead
// one with the same to one alone; each receiver is 20 ms away.
func BenchmarkIndependent(b *testing.B) {
	const n, far = 1000, 20 * time.Millisecond
	var alone, three time.Duration
	for b.Loop() {
		alone += pushAll(b, n, 1, false, far)
		three += pushAll(b, n, 2, true, far)
	}
	b.ReportMetric(alone.Seconds()/float64(b.N), "alone-s")
	b.ReportMetric(three.Seconds()/float64(b.N), "three-s")
	b.ReportMetric(100*float64(three)/float64(alone), "%")
}

// TestPlaces: a new reader begins at the end; another process waits until the
// first lets go, and the fenced one is told.
func TestPlaces(t *testing.T) {
	t.Parallel()
	store, err := openStore(t.Context(), t.TempDir(), "me")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	a := store.Alerts()
	add := func(item string) {
		t.Helper()
		if _, err := a.Append(t.Context(), raised(item, "sanctions", rule.High), 0); err != nil {
			t.Fatal(err)
		}
	}
	add("old")
	seq, _, v, err := a.Own(t.Context(), "notify-x")
	if err != nil || seq != 1 {
		t.Fatalf("a new reader begins at %d, %v; want the end, 1", seq, err)
	}
	add("one")
	add("two")
	if got, err := a.After(t.Context(), seq, 10); err != nil || len(got) != 2 || got[0].Event.Data.Item.Title != "one" {
		t.Errorf("After: %d, %v", len(got), err)
	}
	if got, err := a.After(t.Context(), seq, 1); err != nil || len(got) != 1 {
		t.Errorf("After one: %d, %v", len(got), err)
	}
	if got, err := a.After(t.Context(), 3, 10); err != nil || len(got) != 0 {
		t.Errorf("After the end: %d, %v", len(got), err)
	}
	at := json.RawMessage(`{"at":"2026-11-22T07:30:00Z"}`)
	v2, err := a.SavePlace(t.Context(), "notify-x", 2, at, v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.SavePlace(t.Context(), "notify-x", 3, at, v); !errors.Is(err, alert.ErrAhead) {
		t.Errorf("a save with an old version: %v", err)
	}
	if err := a.Release(t.Context(), "notify-x", v2); err != nil {
		t.Fatal(err)
	}
	seq, back, _, err := a.Own(t.Context(), "notify-x")
	if err != nil || seq != 2 || string(back) != string(at) {
		t.Errorf("after a release: %d %v %v", seq, back, err)
	}
	waited := make(chan error, 1)
	go func() { waited <- a.Wait(t.Context(), 3) }()
	add("three")
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// TestSecretsNeverShow runs destinations of every service against a receiver
// that repeats all it is sent, and looks for the secret in all that we say.
func TestSecretsNeverShow(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader([]int{500, 403, 401, 418}[rand.IntN(4)])
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Header.Get("Authorization"), r.URL.RequestURI(), b)
	}))
	t.Cleanup(echo.Close)
	dir := t.TempDir()
	put := func(name, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("secret", hunter)
	put("url", echo.URL+"/services/"+hunter)
	put("library", "gotify://"+strings.TrimPrefix(echo.URL, "http://")+"/A"+strings.Repeat("x", 14)+"?disabletls=yes&title="+hunter)
	mails := startSink(t, &sink{auth: "PLAIN", answers: map[string]string{"AUTH": "535 no " + hunter}})
	put("notify.yaml", fmt.Sprintf(`destinations:
  - {name: a, service: webhook, url: {file: url}, token: {file: secret}, secret: {file: secret}}
  - {name: b, service: slack, url: {file: url}}
  - {name: c, service: teams, url: {file: url}}
  - {name: d, service: matrix, url: "%[1]s", token: {file: secret}, room: "!a:b"}
  - {name: e, service: ntfy, url: "%[1]s/topic", token: {file: secret}}
  - {name: f, service: telegram, url: "%[1]s", token: {file: secret}, chat: "1"}
  - {name: g, service: shoutrrr, url: {file: library}}
  - {name: h, service: mail, server: "%[2]s", tls: none, user: u, password: {file: secret}, from: a@b.example, to: [a@b.example]}
`, echo.URL, mails.addr))
	ds, l := Load(filepath.Join(dir, "notify.yaml"), Known{})
	if len(l) > 0 {
		t.Fatal(l)
	}
	store, err := openStore(t.Context(), filepath.Join(dir, "data"), "me")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	var logged lockedBuffer
	reg := prometheus.NewRegistry()
	n := New(Config{Alerts: store.Alerts(), Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: reg})
	n.Update(ds)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	own := func() (owned int) {
		for _, s := range n.Status(ctx) {
			if s.State != StateStandby {
				owned++
			}
		}
		return owned
	}
	for own() < len(ds) {
		if !pause(ctx, 20*time.Millisecond) {
			t.Fatal("not started")
		}
	}
	if _, err := store.Alerts().Append(ctx, raised("one", "sanctions", rule.High), 0); err != nil {
		t.Fatal(err)
	}
	failing := func() (f int) {
		for _, s := range n.Status(ctx) {
			if s.State == StateFailing {
				f++
			}
		}
		return f
	}
	for range 500 {
		if failing() == len(ds) {
			break
		}
		pause(ctx, 20*time.Millisecond)
	}
	statuses := fmt.Sprintf("%+v", n.Status(ctx))
	if failing() != len(ds) {
		t.Errorf("%d of %d fail: %s", failing(), len(ds), statuses)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"log": logged.String(), "status": statuses, "metrics": fmt.Sprint(families), "destinations": fmt.Sprintf("%v %+v %#v", ds[0], *ds[0], ds[0].token)} {
		if strings.Contains(text, hunter) {
			t.Errorf("the secret stands in %s:\n%s", where, text)
		}
	}
	for _, m := range mails.all() {
		if strings.Contains(m, hunter) {
			t.Error("the secret stands in a letter")
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
