package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"newsmonitor/pipeline/poll"
)

// overview remembers states that other processes saved, so that showing all
// feeds reads again only what changed.
type overview struct {
	mu   sync.Mutex
	seen map[string]seenState
}

type seenState struct {
	revision uint64
	state    poll.State
}

// Others returns the saved states of feeds for which wanted is true, by feed
// id, without what is remembered of their items. It is for showing: whoever
// polls a feed uses Load.
func (f *Feeds) Others(ctx context.Context, wanted func(id string) bool) (map[string]poll.State, error) {
	o := &f.s.overview
	o.mu.Lock()
	defer o.mu.Unlock()
	w, err := f.s.feeds.WatchAll(ctx, jetstream.MetaOnly(), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("list the states of the feeds: %w", err)
	}
	defer func() { _ = w.Stop() }()
	revisions := map[string]uint64{}
	for listed := false; !listed; {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("list the states of the feeds: %w", ctx.Err())
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return nil, errors.New("list the states of the feeds: the watch ended")
			case e == nil:
				listed = true
			case wanted(e.Key()):
				revisions[e.Key()] = e.Revision()
			}
		}
	}
	fresh := make(map[string]seenState, len(revisions))
	out := make(map[string]poll.State, len(revisions))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(16)
	for id, revision := range revisions {
		if had, ok := o.seen[id]; ok && had.revision == revision {
			mu.Lock()
			fresh[id], out[id] = had, had.state
			mu.Unlock()
			continue
		}
		g.Go(func() error {
			e, err := f.s.feeds.Get(ctx, id)
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read the state of feed %s: %w", id, err)
			}
			var st poll.State
			if err := json.Unmarshal(e.Value(), &st); err != nil {
				return nil // whoever polls it says so
			}
			st.Items = nil
			mu.Lock()
			defer mu.Unlock()
			fresh[id], out[id] = seenState{e.Revision(), st}, st
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	o.seen = fresh
	return out, nil
}
