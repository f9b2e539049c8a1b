package poll

import (
	"cmp"
	"container/heap"
	"context"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// How feeds come into the schedule and out of it: states read at the start,
// spread, and written at the stop.

// joining is a feed whose state is to be read.
type joining struct {
	entry *entry
	host  *host  // that waits for it
	mix   uint64 // by its id: first polls come in this order
	place int    // in that order
}

// startLoading reads the states of feeds that joined, in the background and
// in parts: neither the others nor the first of them are delayed. Called with
// mu held.
func (p *Poller) startLoading(ctx context.Context, polls *sync.WaitGroup) {
	if p.loading || !p.unread {
		return
	}
	p.unread = false
	var batch []joining
	for _, e := range p.order {
		if e.why == "" && !e.loaded {
			mix := fnv.New64a()
			_, _ = mix.Write([]byte(e.feed.ID))
			batch = append(batch, joining{entry: e, mix: mix.Sum64()})
		}
	}
	if len(batch) == 0 {
		return
	}
	p.loading = true
	// First polls come in an order that mixes hosts and is the same at each
	// start. States are read host by host: a host is not asked before we know
	// which of its feeds were told to wait.
	slices.SortFunc(batch, func(a, b joining) int { return cmp.Compare(a.mix, b.mix) })
	for i := range batch {
		batch[i].place = i
		batch[i].host = p.host(batch[i].entry.host)
		batch[i].host.unread++
	}
	slices.SortFunc(batch, func(a, b joining) int {
		return cmp.Or(strings.Compare(a.entry.host, b.entry.host), cmp.Compare(a.place, b.place))
	})
	begun := p.Now()
	polls.Go(func() {
		for part := range slices.Chunk(batch, chunk) {
			jobs := make([]job, len(part))
			p.mu.Lock()
			for i, j := range part {
				jobs[i] = j.entry.job
			}
			p.mu.Unlock()
			var group errgroup.Group
			group.SetLimit(loaders)
			failed := make([]error, len(jobs))
			for i := range jobs {
				group.Go(func() error {
					failed[i] = p.load(ctx, &jobs[i])
					return nil
				})
			}
			_ = group.Wait() // the errors are in failed: ctx ended
			p.mu.Lock()
			p.joined(part, jobs, failed, begun, len(batch))
			for _, j := range part {
				j.host.unread--
			}
			p.mu.Unlock()
			p.nudge()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.loading = false
		p.nudge()
	})
}

// joined places feeds whose state was read. Those that are due already are
// spread from begun on, each at its place among all.
func (p *Poller) joined(part []joining, jobs []job, failed []error, begun time.Time, all int) {
	now := p.Now()
	for i := range part {
		e := part[i].entry
		if failed[i] != nil || e.removed || e.why != "" {
			p.unread = p.unread || failed[i] != nil
			continue
		}
		j := jobs[i]
		e.state, e.version, e.saved, e.loaded = j.state, j.version, j.saved, true
		e.keep()
		if e.state.URL != "" && e.state.URL != e.feed.URL {
			e.state.NextDue = time.Time{} // edited while we were not running
		}
		e.place(p)
		p.show(e)
		every := p.pace.Interval(*e.feed, e.state.Rhythm, now)
		e.due = p.pace.Saved(now, every, e.state)
		if limited := e.state.Reason == ReasonRateLimited && e.state.NotBefore.After(now); limited {
			p.host(e.host).limit(e.feed.ID, e.state.NotBefore)
		}
		if p.once != nil {
			p.begin(e)
			continue
		}
		if !e.due.After(now) {
			e.due = p.pace.Start(begun, every, part[i].place, all)
		}
		heap.Push(&p.due, e)
	}
}

// respread makes good for a sleep of the machine or a clock that jumped: what
// came due meanwhile does not come all at once, and nothing waits for a time
// that went back with the clock. Called with mu held.
func (p *Poller) respread(jump time.Duration) {
	now := p.Now()
	back := min(jump, 0)
	var late []*entry
	for _, e := range slices.Concat(p.due, p.ready) {
		if e.due = e.due.Add(back); !e.due.After(now) {
			late = append(late, e)
		}
	}
	slices.SortFunc(late, func(a, b *entry) int { return strings.Compare(hash(16, a.feed.ID), hash(16, b.feed.ID)) })
	for i, e := range late {
		e.due = p.pace.Start(now, p.pace.Interval(*e.feed, e.state.Rhythm, now), i, len(late))
	}
	for _, e := range p.ready {
		p.due = append(p.due, e)
	}
	p.ready = nil
	for i, e := range p.due {
		e.index = i
	}
	heap.Init(&p.due)
	for _, h := range p.hosts {
		h.next = h.next.Add(back)
		for id, until := range h.limited {
			h.limited[id] = until.Add(back)
		}
	}
	if len(late) > 0 {
		p.Log.Info("feeds came due while nobody looked: they are spread", "count", len(late))
	}
}

// begin makes a feed due now for a run of Once, unless its server asked us to
// wait.
func (p *Poller) begin(e *entry) {
	now := p.Now()
	if e.state.NotBefore.After(now) && e.state.Failures > 0 || p.host(e.host).pause(now).After(now) {
		p.once.Waiting++
		return
	}
	e.due = now
	heap.Push(&p.due, e)
}

// flush writes the states that quiet polls left in memory, so that a restart
// asks nobody twice.
func (p *Poller) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	p.mu.Lock()
	all := slices.DeleteFunc(slices.Concat(p.departed, p.order), func(e *entry) bool { return !e.dirty })
	p.departed = nil
	// If there are too many for the time left, those that wait longest matter
	// most: the others will be asked soon in any case.
	slices.SortStableFunc(all, func(a, b *entry) int { return b.due.Compare(a.due) })
	p.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(loaders)
	for _, e := range all {
		if ctx.Err() != nil {
			break
		}
		p.mu.Lock()
		j := e.job
		p.mu.Unlock()
		group.Go(func() error {
			if err := p.save(ctx, &j); err != nil {
				p.Log.Debug("state not written at stop", "feed", j.feed.ID, "error", err)
				return nil // the next start asks this feed once more, no harm
			}
			p.mu.Lock()
			e.version, e.saved, e.dirty = j.version, j.saved, false
			p.mu.Unlock()
			return nil
		})
	}
	_ = group.Wait() // nothing returns an error
}
