package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// registry of who says that he holds what; a shard that two hold is an error.
type registry struct {
	t    *testing.T
	mu   sync.Mutex
	held map[string][]int
	wake chan struct{}
}

func (r *registry) changed(id string) func([]int) {
	return func(held []int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for other, theirs := range r.held {
			for _, s := range held {
				if other != id && slices.Contains(theirs, s) {
					r.t.Errorf("%s holds shard %d, and so does %s", id, s, other)
				}
			}
		}
		r.held[id] = held
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// wait until the numbers of held shards are these, and returns how long it took.
func (r *registry) wait(want map[string]int) time.Duration {
	r.t.Helper()
	start, deadline := time.Now(), time.After(30*time.Second)
	for {
		r.mu.Lock()
		have := map[string]int{}
		all := map[int]bool{}
		for id, held := range r.held {
			if len(held) > 0 {
				have[id] = len(held)
			}
			for _, s := range held {
				all[s] = true
			}
		}
		r.mu.Unlock()
		if fmt.Sprint(have) == fmt.Sprint(want) && len(all) == Shards {
			return time.Since(start)
		}
		select {
		case <-r.wake:
		case <-deadline:
			r.t.Fatalf("held %v, want %v", have, want)
		}
	}
}

// replica shares the streams of an external server.
type replica struct {
	*Store
	leases *Leases
	stop   func()
}

const testTTL = 2 * time.Second

func startReplica(t *testing.T, url, id string, r *registry) *replica {
	t.Helper()
	o := options(t)
	o.URL, o.Owner, o.Manage, o.Registry = url, id, true, prometheus.NewRegistry()
	s := open(t, o)
	l := s.Leases()
	l.TTL = testTTL
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, r.changed(id)) }()
	rep := &replica{Store: s, leases: l}
	rep.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run of %s: %v", id, err)
		}
	})
	t.Cleanup(rep.stop)
	return rep
}

// TestLeasesAlone: one process holds everything at once, by the same code.
func TestLeasesAlone(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	r := &registry{t: t, held: map[string][]int{}, wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- s.Leases().Run(ctx, r.changed("a")) }()
	if took := r.wait(map[string]int{"a": Shards}); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	nodes, err := s.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].ID != "test" || len(nodes[0].Shards) != Shards || nodes[0].PID == 0 {
		t.Errorf("nodes %v, %v", nodes, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.none(t)
	if nodes, err := s.Nodes(t.Context()); err != nil || len(nodes) != 0 {
		t.Errorf("nodes %v, %v after the end; want none", nodes, err)
	}
}

// none expects that nobody says that he holds anything.
func (r *registry) none(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, held := range r.held {
		if len(held) > 0 {
			t.Errorf("%s still says that it holds %v", id, held)
		}
	}
}

// TestLeasesShared: three share evenly and never hold the same; one that stops
// hands over at once, one that is cut off loses its share within the time to
// live and has let go by itself before.
func TestLeasesShared(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	r := &registry{t: t, held: map[string][]int{}, wake: make(chan struct{}, 1)}
	startReplica(t, x.ns.ClientURL(), "a", r)
	r.wait(map[string]int{"a": 64})
	b := startReplica(t, x.ns.ClientURL(), "b", r)
	t.Logf("the second joined in %v", r.wait(map[string]int{"a": 32, "b": 32}))
	way := newCable(t, x.ns.Addr().String())
	startReplica(t, "nats://"+way.Addr().String(), "c", r)
	t.Logf("the third joined in %v", r.wait(map[string]int{"a": 22, "b": 22, "c": 20}))

	start := time.Now()
	b.stop()
	r.wait(map[string]int{"a": 32, "c": 32})
	if took := time.Since(start); took > testTTL {
		t.Errorf("a planned stop handed over in %v, want at once", took)
	}
	way.cut(true)
	took := r.wait(map[string]int{"a": 64})
	t.Logf("the share of one that was cut off was taken over in %v", took)
	if took > testTTL+2*time.Second {
		t.Errorf("the takeover took %v with a time to live of %v", took, testTTL)
	}
	way.cut(false)
	t.Logf("and given back in %v", r.wait(map[string]int{"a": 32, "c": 32}))
}

// TestLeasesForgotten: a server of one node forgets the leases at a restart,
// as they are kept in memory; everybody goes on with what he had.
func TestLeasesForgotten(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	r := &registry{t: t, held: map[string][]int{}, wake: make(chan struct{}, 1)}
	startReplica(t, x.ns.ClientURL(), "a", r)
	b := startReplica(t, x.ns.ClientURL(), "b", r)
	r.wait(map[string]int{"a": 32, "b": 32})
	x.stop()
	x.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for { // renewed, and not merely not yet fenced
		nodes, err := b.Nodes(ctx)
		if err == nil && len(nodes) == 2 && len(nodes[0].Shards) == 32 && len(nodes[1].Shards) == 32 {
			break
		}
		if !pause(ctx, 20*time.Millisecond) {
			t.Fatalf("nodes %v, %v", nodes, err)
		}
	}
	r.wait(map[string]int{"a": 32, "b": 32})
}

// TestLeasesOutlive: a lease that the server does not end in time, as its clock
// was set back by an hour, is freed when nobody has renewed it; those that are
// renewed stay.
func TestLeasesOutlive(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	r := &registry{t: t, held: map[string][]int{}, wake: make(chan struct{}, 1)}
	a := startReplica(t, x.ns.ClientURL(), "a", r)
	r.wait(map[string]int{"a": 64})
	a.stop()
	for key, value := range map[string]string{"node.dead": "{}", "s.5": "dead", "s.6": "dead"} {
		if _, err := a.leaseBucket().Create(t.Context(), key, []byte(value), jetstream.KeyTTL(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"b", "c"} {
		o := options(t)
		o.URL, o.Owner, o.Manage, o.Registry = x.ns.ClientURL(), id, true, prometheus.NewRegistry()
		l := open(t, o).Leases()
		l.TTL, l.sweep = testTTL, 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx, r.changed(id)) }()
		t.Cleanup(func() { cancel(); <-done })
	}
	r.wait(map[string]int{"b": 32, "c": 32})
	if nodes, err := a.Nodes(t.Context()); err != nil || len(nodes) != 2 {
		t.Errorf("nodes %v, %v; want the two that live", nodes, err)
	}
}

// TestLeasesSettle: what is handed over is not free before the work on it has
// ended.
func TestLeasesSettle(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	r := &registry{t: t, held: map[string][]int{}, wake: make(chan struct{}, 1)}
	o := options(t)
	o.URL, o.Owner, o.Manage = x.ns.ClientURL(), "a", true
	s := open(t, o)
	l := s.Leases()
	l.TTL = testTTL
	working, ended := make(chan struct{}), make(chan struct{})
	l.Settle = func(context.Context) {
		close(working)
		<-ended
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- l.Run(ctx, r.changed("a")) }()
	r.wait(map[string]int{"a": 64})
	b := startReplica(t, x.ns.ClientURL(), "b", r)
	<-working
	for range 3 { // longer than the time to live
		pause(t.Context(), testTTL/2)
		if held := b.leases.Held(); len(held) > 0 {
			t.Errorf("b holds %v while a still works on them", held)
		}
	}
	close(ended)
	r.wait(map[string]int{"a": 32, "b": 32})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestConfigMismatch: replicas that run other feeds or rules notice each other,
// and notice when they agree again.
func TestConfigMismatch(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	r := &registry{t: t, held: map[string][]int{}, wake: make(chan struct{}, 1)}
	a, b := startReplica(t, x.ns.ClientURL(), "a", r), startReplica(t, x.ns.ClientURL(), "b", r)
	agree := func(want float64) {
		t.Helper()
		for start := time.Now(); time.Since(start) < 30*time.Second; pause(t.Context(), 20*time.Millisecond) {
			if testutil.ToFloat64(a.metrics.mismatch) == want && testutil.ToFloat64(b.metrics.mismatch) == want {
				return
			}
		}
		t.Errorf("monitor_config_mismatch is %v and %v, want %v", testutil.ToFloat64(a.metrics.mismatch), testutil.ToFloat64(b.metrics.mismatch), want)
	}
	a.Runs("one")
	b.Runs("two")
	agree(1)
	a.Runs("two")
	agree(0)
	b.Runs("three")
	agree(1)
	b.stop() // its word goes with it
	for start := time.Now(); testutil.ToFloat64(a.metrics.mismatch) != 0; pause(t.Context(), 20*time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatal("a still differs from one that is gone")
		}
	}
}
