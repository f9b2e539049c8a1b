package stream

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Shards is into how many parts the feeds are divided. It is stored nowhere,
// but all replicas must agree on it.
const Shards = 64

// leaseTTL must outlive the election of a new leader in a NATS cluster (4 to
// 8 s), and with it a replica's feeds are polled by others within 20 s.
const leaseTTL = 15 * time.Second

// Shard is where the feeds of a host belong. The name is lower case and
// carries the port, so that one replica owns a host's manners.
func Shard(host string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(host))
	return int(h.Sum32() % Shards)
}

// Leases divides the shards among the processes that run on the same streams:
// KV LEASES, node.<id> for each process and s.<shard> for each shard, each
// with a time to live that its holder renews by compare-and-set. A lease only
// keeps two from asking a server twice; what makes items and alerts come once
// is the compare-and-set of the streams. Only the server's clock and our own
// monotonic one are used.
type Leases struct {
	TTL    time.Duration             // of a key; tests make it short
	Settle func(ctx context.Context) // returns when the work on shards that were taken away has ended; may be nil

	s     *Store
	sweep time.Duration // unseen for so long and for twice the TTL, a lease is nobody's

	mu   sync.Mutex // guards what follows
	own  map[int]*lease
	told []int

	telling sync.Mutex // one call of changed at a time

	// The rest is only the session's.
	node     uint64 // revision of our node key, 0 without
	nodes    map[string]bool
	holders  map[int]string
	settling bool
	warned   bool
	made     time.Time         // the bucket that we know
	lately   time.Time         // when the watch last showed us something
	seen     map[string]sight  // of each key that is there
	configs  map[string]string // of each process, by id
	apart    apart
}

type lease struct {
	revision uint64
	until    time.Time // our own end of it: 0.8 TTL after the last renewal was sent
	leaving  bool      // no longer worked on, to be handed over
}

// sight is when the watch showed us a key's last revision, by our own clock.
type sight struct {
	revision uint64
	at       time.Time
}

// Leases of this process. It holds nothing before Run.
func (s *Store) Leases() *Leases {
	return &Leases{TTL: leaseTTL, sweep: 2 * leaseTTL, s: s, own: map[int]*lease{}}
}

// Held are the shards that are ours now.
func (l *Leases) Held() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held(time.Now())
}

func (l *Leases) held(now time.Time) []int {
	held := []int{}
	for shard, lease := range l.own {
		if !lease.leaving && now.Before(lease.until) {
			held = append(held, shard)
		}
	}
	slices.Sort(held)
	return held
}

// Holds tells whether a shard is ours at this moment, by our own clock: also
// when nobody has had the time to say that it no longer is.
func (l *Leases) Holds(shard int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease := l.own[shard]
	return lease != nil && !lease.leaving && time.Now().Before(lease.until)
}

// Run holds this process's share until ctx ends, and tells changed what it
// is, each time that it changes. At the end everything is given back, so that
// the others need not wait for the time to live.
func (l *Leases) Run(ctx context.Context, changed func(held []int)) error {
	tell := func() { l.tell(changed) }
	var fence sync.WaitGroup
	fencing, unfence := context.WithCancel(context.WithoutCancel(ctx))
	fence.Go(func() { // works though a request to NATS hangs
		for pause(fencing, max(l.TTL/50, 10*time.Millisecond)) {
			tell()
		}
	})
	for ctx.Err() == nil {
		err := l.session(ctx, tell)
		if ctx.Err() != nil {
			break
		}
		level := slog.LevelWarn
		if l.warned {
			level = slog.LevelDebug
		}
		l.s.log.Log(ctx, level, "the feeds' leases cannot be renewed; trying again", "error", err)
		l.warned = true
		pause(ctx, max(l.TTL/15, 50*time.Millisecond))
	}
	unfence()
	fence.Wait()
	l.mu.Lock()
	own := l.own
	l.own = map[int]*lease{}
	l.mu.Unlock()
	tell()
	l.giveBack(own)
	return nil
}

// tell reports a change of what we hold, also when it came by time alone.
func (l *Leases) tell(changed func([]int)) {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.mu.Lock()
	held := l.held(time.Now())
	same := l.told != nil && slices.Equal(held, l.told)
	l.told = held
	l.mu.Unlock()
	if same {
		return
	}
	l.s.metrics.shards.Set(float64(len(held)))
	changed(slices.Clone(held))
}

var (
	errStale = errors.New("the list of holders is out of date")
	errTaken = errors.New("another process has it")
)

// session renews, claims and hands over until ctx ends or its view of the
// others is no longer to be trusted.
func (l *Leases) session(ctx context.Context, tell func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := l.s.ensureLeases(ctx); err != nil {
		return err
	}
	watch, err := l.s.leaseBucket().WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch the leases: %w", err)
	}
	defer func() { _ = watch.Stop() }()
	l.nodes, l.holders, l.configs, l.lately = map[string]bool{}, map[int]string{}, map[string]string{}, time.Now()
	l.seen = map[string]sight{}
	settled := make(chan []int, 1)
	var settlers sync.WaitGroup
	defer settlers.Wait()
	defer cancel()
	resumed := l.resume()
	forgotten := resumed && !l.s.leasesMade.Equal(l.made)
	l.made = l.s.leasesMade

	tick := time.NewTicker(l.TTL / 4)
	defer tick.Stop()
	known := false // whether the watch has shown all that there was
	act := false   // whether there may be something to claim or to hand over
	patient := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-watch.Updates():
			switch {
			case !ok:
				return errStale
			case e == nil:
				known, act = true, true // the list is complete
				if forgotten {
					// A server of one node forgets what is in memory. Before
					// claiming what seems free, let those who had it take it
					// back, or their time run out.
					patient = time.Now().Add(l.fenceAfter())
				}
				if resumed {
					if err := l.renewAll(ctx); err != nil {
						return err
					}
				}
			default:
				act = l.note(e) || act
			}
			if len(watch.Updates()) > 0 {
				continue // a replica that dies frees all its keys within milliseconds
			}
		case <-tick.C:
			act = true
			if time.Since(l.lately) > 2*l.TTL {
				return errStale // our own renewals should have been seen
			}
			if err := l.renewAll(ctx); err != nil {
				return err
			}
			l.freeDead(ctx)
		case done := <-settled:
			l.settling = false
			l.release(ctx, done)
			act = true
		}
		if !act || !known {
			continue
		}
		act = false
		l.compare(time.Now())
		if err := l.join(ctx); err != nil {
			return err
		}
		if time.Now().Before(patient) {
			tell()
			continue // the next renewal acts
		}
		if err := l.claim(ctx); err != nil {
			return err
		}
		if leaving := l.surplus(); len(leaving) > 0 {
			tell()
			l.settling = true
			settlers.Go(func() {
				if l.Settle != nil {
					l.Settle(ctx)
				}
				settled <- leaving
			})
		}
		tell()
		if l.warned {
			l.warned = false
			l.s.log.Info("the feeds' leases are renewed again", "count", len(l.Held()))
		}
	}
}

// resume prepares for a new session, and says whether we had a share before.
func (l *Leases) resume() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settling = false
	for _, held := range l.own {
		held.leaving = false // counted anew
	}
	return len(l.own) > 0
}

// note takes one change of the bucket into our view, and says whether there
// may be something to claim or to hand over.
func (l *Leases) note(e jetstream.KeyValueEntry) bool {
	l.lately = time.Now()
	put := e.Operation() == jetstream.KeyValuePut
	if put {
		l.seen[e.Key()] = sight{e.Revision(), l.lately}
	} else {
		delete(l.seen, e.Key())
	}
	if id, ok := strings.CutPrefix(e.Key(), "node."); ok {
		known := l.nodes[id]
		l.hear(id, e)
		if put {
			l.nodes[id] = true
			return !known
		}
		delete(l.nodes, id)
		return known
	}
	shard, ok := shardOf(e.Key())
	if !ok {
		return false
	}
	if put {
		l.holders[shard] = string(e.Value())
		return false
	}
	delete(l.holders, shard)
	return true
}

func shardOf(key string) (int, bool) {
	s, ok := strings.CutPrefix(key, "s.")
	n, err := strconv.Atoi(s)
	return n, ok && err == nil && n >= 0 && n < Shards
}
