package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline/web"
)

// TestReplicasScale: three replicas on an external server poll three times what
// one polls, with feeds on 128 hosts; or it says which limit of the machine they
// meet. With slow publishers a replica's limit is its 16 places; with fast ones
// it is the CPU, which replicas, server and publishers share here.
func TestReplicasScale(t *testing.T) {
	if !long() {
		t.Skip("a long form that wants the machine for itself: set NEWSMONITOR_LONG=1")
	}
	for _, tc := range []struct {
		name  string
		takes time.Duration // of an answer
	}{{"slow publishers", 200 * time.Millisecond}, {"fast publishers", 0}} {
		t.Run(tc.name, func(t *testing.T) {
			one, _ := polled(t, 1, tc.takes)
			three, busy := polled(t, 3, tc.takes)
			t.Logf("%.0f polls a second by one, %.0f by three: %.2f times; with three the machine's CPUs are %.0f %% busy", one, three, three/one, 100*busy)
			if three < 2.5*one && busy < .85 {
				t.Errorf("three replicas poll %.2f times what one polls, and the CPU is no reason", three/one)
			}
		})
	}
}

// polled measures the requests a second of some replicas, and how busy the
// machine is meanwhile, 0 to 1.
func polled(t *testing.T, replicas int, takes time.Duration) (rate, busy float64) {
	t.Helper()
	const hosts, each, lasts = 128, 10, 15 * time.Second
	w := &press{dir: t.TempDir(), asked: make(chan struct{}, 1)}
	w.rules(t)
	var requests atomic.Int64
	var list strings.Builder
	list.WriteString("feeds:\n")
	for h := range hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.9.%d:0", h+1))
		if err != nil {
			t.Fatal(err)
		}
		srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			<-time.After(takes)
			rw.Header().Set("ETag", `"1"`)
			if r.Header.Get("If-None-Match") != "" {
				rw.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = io.WriteString(rw, "<rss><channel><title>T</title><item><guid>1</guid><title>Talks</title></item></channel></rss>")
		})}}
		srv.Start()
		t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
		for i := range each {
			fmt.Fprintf(&list, "  - {id: f%d-%d, title: F, url: \"%s/%d\", kind: ministry, tier: authoritative, country: US, language: en, every: 100ms}\n", h, i, srv.URL, i)
		}
	}
	write(t, filepath.Join(w.dir, "feeds.yaml"), list.String())
	ns := startNATS(t)
	var ps []*process
	where := ""
	for range replicas {
		p := w.run(t, "--http", "127.0.0.1:0", "--nats", ns.url(), "--per-host", "4", "--canary", "0")
		where = page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
		p.drain()
		ps = append(ps, p)
	}
	status(t, where, func(st web.Status) bool { return shares(st, replicas) && st.Feeds["ok"] == hosts*each })
	idle, all := cpuTicks(t)
	start, had := time.Now(), requests.Load()
	<-time.After(lasts)
	rate = float64(requests.Load()-had) / time.Since(start).Seconds()
	idleAfter, allAfter := cpuTicks(t)
	busy = 1 - (idleAfter-idle)/(allAfter-all)
	for _, p := range ps {
		p.stop(t)
	}
	return rate, busy
}

// cpuTicks are those of the whole machine since it started.
func cpuTicks(t *testing.T) (idle, all float64) {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, w := range strings.Fields(line)[1:9] { // what follows is counted in these already
		n, _ := strconv.ParseFloat(w, 64)
		all += n
		if i == 3 || i == 4 { // idle, waiting for the disk
			idle += n
		}
	}
	return idle, all
}
