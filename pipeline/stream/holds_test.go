package stream

import (
	"testing"
	"time"
)

// TestHolds: a lease that ran out is not ours, though nothing has been told yet.
func TestHolds(t *testing.T) {
	t.Parallel()
	l := &Leases{own: map[int]*lease{1: {until: time.Now().Add(time.Hour)}, 2: {until: time.Now()}, 3: {until: time.Now().Add(time.Hour), leaving: true}}}
	for shard, want := range map[int]bool{1: true, 2: false, 3: false, 4: false} {
		if l.Holds(shard) != want {
			t.Errorf("shard %d: %v, want %v", shard, !want, want)
		}
	}
}
