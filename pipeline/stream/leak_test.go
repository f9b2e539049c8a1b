package stream

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"newsmonitor/pipeline/feed"
)

// TestMain: after all tests nothing of this room runs on. A server that is
// stopped while it makes a stream can leave that stream's file open; that is not
// ours to mend, and a daemon ends with its server.
func TestMain(m *testing.M) {
	const server = "github.com/nats-io/nats-server/v2/server"
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(server+".(*fileStore).flushStreamStateLoop"), goleak.IgnoreTopFunction(server+"/ats.Register.func1"))
}

// TestNothingLeft: after Close nothing of a store runs on. It is not parallel:
// it counts the goroutines of the whole process.
func TestNothingLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		s, err := Open(t.Context(), options(t))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 3)
		held := make(chan struct{}, 100)
		go func() { done <- s.Run(ctx) }()
		go func() { done <- s.Leases().Run(ctx, func([]int) { held <- struct{}{} }) }()
		go func() {
			done <- s.Items().Each(ctx, "raise", func() {}, func(context.Context, uint64, feed.Item) error { return nil })
		}()
		<-held
		if _, err := s.Nodes(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		for range 3 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		s.Close()
	}
	for start := time.Now(); runtime.NumGoroutine() > before; {
		if time.Since(start) > 10*time.Second {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, stacks)
		}
		pause(t.Context(), 20*time.Millisecond)
	}
}
