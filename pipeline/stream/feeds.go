package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/poll"
)

// Feeds is KV FEEDS: what is remembered of each feed between polls.
type Feeds struct{ s *Store }

func (s *Store) Feeds() *Feeds { return &Feeds{s} }

// Load returns the state of a feed and its version; zero for a new feed.
func (f *Feeds) Load(ctx context.Context, id string) (st poll.State, version uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	e, err := f.s.feeds.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return poll.State{}, 0, nil
	}
	if err != nil {
		return poll.State{}, 0, fmt.Errorf("load the state of feed %s: %w", id, err)
	}
	if err := json.Unmarshal(e.Value(), &st); err != nil {
		return poll.State{}, 0, fmt.Errorf("load the state of feed %s: %w", id, err)
	}
	return st, e.Revision(), nil
}

// Save stores the state if nobody did so since version.
func (f *Feeds) Save(ctx context.Context, id string, st poll.State, version uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b, err := json.Marshal(st)
	if err != nil {
		return 0, fmt.Errorf("encode the state of feed %s: %w", id, err)
	}
	v, err := f.s.feeds.Update(ctx, id, b, version)
	if err == nil || wrongLastSequence(err) {
		f.s.trouble.set("feeds", nil)
	}
	if wrongLastSequence(err) {
		f.s.metrics.conflicts.WithLabelValues("feeds").Inc()
		return 0, fmt.Errorf("save the state of feed %s: %w", id, poll.ErrAhead)
	}
	if err != nil {
		err = f.s.explain("save the state of feed "+id, err)
		f.s.trouble.set("feeds", err)
		f.s.metrics.stateErrs.Inc()
		return 0, err
	}
	return v, nil
}
