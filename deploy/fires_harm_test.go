package deploy_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
)

// faultyLog is a log handler that panics once when an alert is told: nothing
// that comes from outside can make our own code panic, or it would be mended.
type faultyLog struct {
	slog.Handler
	armed *atomic.Bool
}

func (faultyLog) Enabled(context.Context, slog.Level) bool { return true }

func (l faultyLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "alert" && l.armed.CompareAndSwap(true, false) {
		panic("the log broke")
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// TestHarmAlertsFire: code that panics in the raiser, and a store that has lost
// its tail. As the runbook says, the loss is told of until somebody accepts it.
func TestHarmAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	w := newFireWorld(t)
	log := faultyLog{warnings(t), new(atomic.Bool)}
	d := startLogging(t, w.settle, log)
	w.settle.HTTP = d.target() // the same when it is started again
	p := watchman(t, faster, d.target())
	p.is(t, `sum(monitor_alerts_total) >= 5`)

	log.armed.Store(true)
	w.press.items.Add(1)
	p.fires(t, "MonitorPanics")

	d.stop()
	blocks, err := filepath.Glob(filepath.Join(w.settle.Data, "jetstream", "*", "streams", "ITEMS", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("ITEMS has no blocks (%v)", err)
	}
	last := slices.Max(blocks)
	whole, err := os.Stat(last)
	if err == nil {
		err = os.Truncate(last, whole.Size()/2)
	}
	if err == nil {
		err = os.Remove(filepath.Join(filepath.Dir(last), "index.db"))
	}
	if err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, w.settle)
	p.fires(t, "MonitorStreamDamaged")
	d.stop()
	if err := os.Remove(filepath.Join(w.settle.Data, "checkpoint.json")); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, w.settle)
	p.quiet(t, "MonitorStreamDamaged", "MonitorPanics")
}
