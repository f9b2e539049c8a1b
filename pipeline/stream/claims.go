package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// join makes our node key if there is none.
func (l *Leases) join(ctx context.Context) (err error) {
	if l.node != 0 {
		return nil
	}
	l.node, err = l.create(ctx, "node."+l.s.opts.Owner, l.self())
	if errors.Is(err, errTaken) {
		// Ours, from before the connection was lost: nobody else has our id.
		l.node, err = l.renewNode(ctx, 0)
	}
	if err == nil {
		l.nodes[l.s.opts.Owner] = true
	}
	return err
}

// share is how many shards each process may hold.
func (l *Leases) share() int {
	live := max(1, len(l.nodes))
	return (Shards + live - 1) / live
}

// claim takes free shards up to our share.
func (l *Leases) claim(ctx context.Context) error {
	l.mu.Lock()
	mine := len(l.own)
	l.mu.Unlock()
	// Each begins elsewhere, so that several claimants seldom meet.
	start := Shard(l.s.opts.Owner)
	for i := range Shards {
		if mine >= l.share() {
			return nil
		}
		shard := (start + i) % Shards
		if l.holders[shard] != "" {
			continue
		}
		sent := time.Now()
		revision, err := l.create(ctx, "s."+strconv.Itoa(shard), []byte(l.s.opts.Owner))
		switch {
		case errors.Is(err, errTaken):
			continue
		case err != nil:
			return err
		}
		l.holders[shard] = l.s.opts.Owner
		l.mu.Lock()
		if l.own[shard] == nil {
			mine++
		}
		l.own[shard] = &lease{revision: revision, until: sent.Add(l.fenceAfter())}
		l.mu.Unlock()
	}
	return nil
}

// fenceAfter is when we stop by ourselves if no renewal got through: before
// the server lets the key go.
func (l *Leases) fenceAfter() time.Duration { return l.TTL * 4 / 5 }

// surplus marks what is more than our share as leaving.
func (l *Leases) surplus() (leaving []int) {
	if l.settling {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var mine []int
	for shard, lease := range l.own {
		if !lease.leaving {
			mine = append(mine, shard)
		}
	}
	slices.Sort(mine)
	for _, shard := range mine[min(l.share(), len(mine)):] {
		l.own[shard].leaving = true
		leaving = append(leaving, shard)
	}
	return leaving
}

// renewAll renews all that we have. It returns an error when the bucket itself
// does not answer.
func (l *Leases) renewAll(ctx context.Context) error {
	if l.node != 0 {
		revision, err := l.renewNode(ctx, l.node)
		switch {
		case err == nil:
			l.node = revision
		case errors.Is(err, errTaken), errors.Is(err, jetstream.ErrKeyNotFound):
			l.node = 0 // joins again
		default:
			return err
		}
	}
	l.mu.Lock()
	revisions := map[int]uint64{}
	for shard, lease := range l.own {
		revisions[shard] = lease.revision
	}
	l.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(8)
	for shard, revision := range revisions {
		g.Go(func() error {
			sent := time.Now()
			key, value := "s."+strconv.Itoa(shard), []byte(l.s.opts.Owner)
			revision, err := l.renew(ctx, key, value, revision, func(v []byte) bool { return string(v) == string(value) })
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				// Lapsed, or the bucket was made anew: first come, first served.
				revision, err = l.create(ctx, key, value)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			switch {
			case errors.Is(err, errTaken):
				delete(l.own, shard)
				return nil
			case err != nil:
				return err
			}
			l.own[shard].revision, l.own[shard].until = revision, sent.Add(l.fenceAfter())
			return nil
		})
	}
	return g.Wait()
}

// renewNode writes our node key again; whatever it says, nobody else has our id.
func (l *Leases) renewNode(ctx context.Context, revision uint64) (uint64, error) {
	return l.renew(ctx, "node."+l.s.opts.Owner, l.self(), revision, func([]byte) bool { return true })
}

// renew writes a key again if it is still ours. The client's Update would drop
// its time to live.
func (l *Leases) renew(ctx context.Context, key string, value []byte, revision uint64, ours func([]byte) bool) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.TTL/5)
	defer cancel()
	for {
		if revision != 0 {
			ack, err := l.s.js.PublishMsg(ctx, &nats.Msg{Subject: "$KV." + l.s.names.leases + "." + key, Data: value},
				jetstream.WithExpectLastSequencePerSubject(revision), jetstream.WithMsgTTL(l.TTL), jetstream.WithRetryAttempts(0))
			if err == nil {
				return ack.Sequence, nil
			}
			if !wrongLastSequence(err) {
				return 0, fmt.Errorf("renew lease %s: %w", key, err)
			}
		}
		// Refused: somebody has it, or our last answer was lost on the way.
		e, err := l.s.leaseBucket().Get(ctx, key)
		switch {
		case err != nil:
			return 0, fmt.Errorf("read lease %s: %w", key, err)
		case !ours(e.Value()):
			return 0, errTaken
		case e.Revision() == revision:
			return 0, fmt.Errorf("renew lease %s: a copy of the bucket is behind", key)
		}
		revision = e.Revision()
	}
}

func (l *Leases) create(ctx context.Context, key string, value []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.TTL/5)
	defer cancel()
	revision, err := l.s.leaseBucket().Create(ctx, key, value, jetstream.KeyTTL(l.TTL))
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, errTaken
	}
	if err != nil {
		return 0, fmt.Errorf("claim lease %s: %w", key, err)
	}
	return revision, nil
}

// release hands shards over.
func (l *Leases) release(ctx context.Context, shards []int) {
	for _, shard := range shards {
		l.mu.Lock()
		held := l.own[shard]
		delete(l.own, shard)
		l.mu.Unlock()
		if held == nil {
			continue
		}
		delete(l.holders, shard)
		l.free(ctx, "s."+strconv.Itoa(shard), held.revision)
	}
}

// free deletes a key; whoever fails at that leaves it to its time to live.
func (l *Leases) free(ctx context.Context, key string, revision uint64) {
	ctx, cancel := context.WithTimeout(ctx, l.TTL/5)
	defer cancel()
	if err := l.s.leaseBucket().Purge(ctx, key, jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTTL)); err != nil {
		l.s.log.Debug("a lease was not given back", "lease", key, "error", err)
	}
}

// freeDead frees what nobody has renewed for twice its time to live, by our own
// clock. The server ends a lease by its time of day: one that was written before
// that was set back, and whose holder died, would last as long again.
func (l *Leases) freeDead(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.TTL/5) // for all: ours must be renewed meanwhile
	defer cancel()
	freed := 0
	for key, s := range l.seen {
		if key == "node."+l.s.opts.Owner || time.Since(s.at) < max(2*l.TTL, l.sweep) {
			continue
		}
		if shard, ok := shardOf(key); ok && l.holders[shard] == l.s.opts.Owner {
			continue
		}
		freed++
		s.at = time.Now() // another try, should this one be lost
		l.seen[key] = s
		l.free(ctx, key, s.revision)
	}
	if freed > 0 {
		l.s.log.Warn("leases outlive their holders, as after the clock of NATS was set back: they are freed", "count", freed)
	}
}

// giveBack ends a planned stop: within two seconds, whatever NATS does.
func (l *Leases) giveBack(own map[int]*lease) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(8)
	// The node first: what is free is then divided among those who stay.
	if l.node != 0 {
		l.free(ctx, "node."+l.s.opts.Owner, l.node)
		l.node = 0
	}
	for shard, held := range own {
		g.Go(func() error {
			l.free(ctx, "s."+strconv.Itoa(shard), held.revision)
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
}
