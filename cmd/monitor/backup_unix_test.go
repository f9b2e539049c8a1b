//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// TestBackupAndRestore: a backup of a running daemon, restored to another
// folder, goes on from there: what came since is alerted, nothing is repeated.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	w := newPress(t, 2)
	p := w.run(t, "--http", "127.0.0.1:0", "--canary", "0")
	where := page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
	p.drain()
	w.add(30)
	if !w.seen(20 * time.Second) {
		t.Fatal("not polled")
	}
	status(t, where, func(st web.Status) bool { return st.Streams[0].Messages == 60 && st.Readers[0].Lag == 0 })
	monitor := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("monitor", args...)
		cmd.Dir = w.dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	monitor("backup", "live.tar", "--server", where)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	monitor("backup", "stopped.tar", "--server", "http://127.0.0.1:1")
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".backup*")); len(left) > 0 {
		t.Errorf("leaves %v behind", left)
	}
	for _, file := range []string{"live.tar", "stopped.tar"} {
		dir := strings.TrimSuffix(file, ".tar")
		monitor("restore", file, "--data", dir)
		if out, err := exec.Command("monitor", "restore", filepath.Join(w.dir, file), "--data", filepath.Join(w.dir, dir)).CombinedOutput(); err == nil || !strings.Contains(string(out), "holds a store") {
			t.Errorf("a second restore to the same folder: %v\n%s", err, out)
		}
		w.add(5)
		monitor("--data", dir, "--allow-net", "127.0.0.0/8", "--min-interval", "100ms", "--host-gap", "0s", "--backlog", "all", "--once")
		w.settled(t, func() *stream.Store {
			s, err := stream.Open(t.Context(), stream.Options{Dir: filepath.Join(w.dir, dir), Listen: "off", MaxStore: 8 << 30, ReadOnly: true, Owner: "test",
				Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return s
		})
	}
	if _, err := os.Stat(filepath.Join(w.dir, "live.restoring")); err == nil {
		t.Error("a folder of the restore is left")
	}
}
