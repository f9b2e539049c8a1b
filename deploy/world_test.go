package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"newsmonitor"
	"newsmonitor/cmd/monitor/demo"
	"newsmonitor/pipeline"
	"newsmonitor/pipeline/poll"
)

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// until polls a condition; everything here waits for other processes.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so after %v: %s", limit, what)
		}
		select {
		case <-t.Context().Done():
			t.FailNow()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// demoSettings are those of `monitor demo`, without fixed ports, pushing to a
// webhook.
func demoSettings(t *testing.T, webhook string) pipeline.Settings {
	t.Helper()
	dir := t.TempDir()
	notify := filepath.Join(dir, "notify.yaml")
	text := fmt.Sprintf("destinations:\n  - {name: desk, service: webhook, url: %q, severity: low}\n", webhook)
	if err := os.WriteFile(notify, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := poll.DefaultOptions()
	o.MinInterval, o.PerHost, o.HostGap, o.Version = 100*time.Millisecond, 64, 0, "test"
	o.AllowNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return pipeline.Settings{
		Files: pipeline.Files{Rules: []string{pipeline.BuiltinName}, Builtin: newsmonitor.Builtin, Notify: notify},
		Data:  filepath.Join(dir, "data"), MaxStore: 256 << 20, KeepItems: time.Hour, KeepAlerts: time.Hour, NATSManage: true, Prefix: "news",
		NATSListen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Poll: o, Instance: "test", Owner: "test", Version: "test", Canary: time.Second,
	}
}

// story serves the demo's feeds until the test ends; it is told again and
// again, so that there is always news.
func story(t *testing.T, pace float64) (*demo.Story, string) {
	t.Helper()
	s, err := demo.Load()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l, pace) }()
	t.Cleanup(func() { cancel(); <-done })
	return s, "http://" + l.Addr().String()
}

// hook is a destination that takes everything.
func hook(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(s.Close)
	return s.URL
}

// daemon is a running Monitor.
type daemon struct {
	place pipeline.Place
	stop  func()
}

func warnings(t *testing.T) slog.Handler {
	return slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn})
}

func startDaemon(t *testing.T, s pipeline.Settings) *daemon {
	t.Helper()
	return startLogging(t, s, warnings(t))
}

func startLogging(t *testing.T, s pipeline.Settings, log slog.Handler) *daemon {
	t.Helper()
	m, err := pipeline.Open(t.Context(), s, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{}
	if d.place, err = m.Place(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, nil) }()
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

func get(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
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

// prometheus is a real one.
type prometheus struct{ url string }

// startPrometheus runs one in dir, which has rule files if there are any.
func startPrometheus(t *testing.T, dir, config string, args ...string) *prometheus {
	t.Helper()
	program := tool(t, "prometheus", "prometheus")
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(program, append([]string{"--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=" + addr, "--log.level=error"}, args...)...)
	cmd.Dir, cmd.Stderr = dir, testLog{t}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &prometheus{"http://" + addr}
	until(t, time.Minute, "Prometheus is ready", func() bool {
		resp, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

type sample struct {
	Metric map[string]string
	Value  []any
}

// query runs PromQL now.
func (p *prometheus) query(expr string) ([]sample, error) {
	resp, err := http.PostForm(p.url+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s", answer.Error)
	}
	return answer.Data.Result, nil
}
