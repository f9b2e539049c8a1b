package stream

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

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
			done <- s.Items().Each(ctx, "raise", func() {}, func(context.Context, feed.Item) error { return nil })
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
