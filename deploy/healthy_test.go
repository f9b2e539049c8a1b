package deploy_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
