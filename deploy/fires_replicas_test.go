package deploy_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestReplicaAlertsFire: two processes on one NATS that were given different
// rules, one that is killed, and a bucket that an administrator left no room.
func TestReplicaAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	ns := startNATS(t)
	w := newFireWorld(t)
	other := strings.Replace(sanctionsRule, "match: title:sanctions", "match: title:sanctions OR title:embargo", 1)
	w.write(t, "other/sanctions.yaml", other)
	monitor, log := built(t), testLog{t}
	run := func(addr, rules string) *exec.Cmd {
		cmd := exec.Command(monitor, "--nats", ns.ClientURL(), "--http", addr, "--feeds", w.file("feeds.yaml"), "--rules", w.file(rules),
			"--allow-net", "127.0.0.0/8", "--min-interval", "100ms", "--per-host", "64", "--host-gap", "0s", "--log-level", "warn")
		cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	first, second := free(t), free(t)
	run(first, "rules")
	killed := run(second, "other")
	p := watchman(t, faster, first, second)
	p.is(t, `sum(up{job="monitor"}) == 2 and sum(monitor_shards_held) == 64`)

	js := ns.administer(t)
	bucket, err := js.Stream(t.Context(), "KV_FEEDS")
	if err != nil {
		t.Fatal(err)
	}
	room := func(bytes int64) {
		config := bucket.CachedInfo().Config
		config.MaxBytes = bytes
		if _, err := js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	room(1)
	ticks, news := time.NewTicker(time.Second), make(chan struct{})
	defer ticks.Stop()
	go func() { // without news there is little to save
		for {
			select {
			case <-ticks.C:
				w.press.items.Add(1)
			case <-news:
				return
			case <-t.Context().Done():
				return
			}
		}
	}()
	p.fires(t, "MonitorConfigMismatch", "MonitorStateWriteErrors")
	close(news)
	room(bucket.CachedInfo().Config.MaxBytes)
	w.write(t, "other/sanctions.yaml", sanctionsRule)
	p.quiet(t, "MonitorConfigMismatch", "MonitorStateWriteErrors")

	if err := killed.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	p.fires(t, "MonitorReplicaDown")
	run(second, "other")
	p.quiet(t, "MonitorReplicaDown")
}
