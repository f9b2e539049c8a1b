package poll

import (
	"container/heap"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	longestNap = time.Minute     // the schedule is looked at this often, whatever the clock did
	stopGrace  = 3 * time.Second // for polls under way when we stop: an answer thrown away is asked for again
	flushLimit = 4 * time.Second // for writing what is left after that
	loaders    = 8               // states read at a time
)

// Summary is what a run of Once did.
type Summary struct {
	Feeds     int `json:"feeds"`     // watched
	Answered  int `json:"answered"`  // of those asked, unchanged ones included
	Unchanged int `json:"unchanged"` // of those answered
	Failed    int `json:"failed"`    //
	Waiting   int `json:"waiting"`   // not asked: the server asked us to wait
	Items     int `json:"items"`     // appended, new and edited
}

// Run polls until ctx ends, then writes what it still has in mind.
func (p *Poller) Run(ctx context.Context) error {
	p.mu.Lock()
	for _, e := range p.order {
		if e.why == "" && e.loaded && e.place < 0 { // left so by Once or an earlier Run
			p.unschedule(e)
			heap.Push(&p.due, e)
		}
	}
	p.mu.Unlock()
	p.loop(ctx)
	return nil
}

// Once asks every watched feed now, but for those whose server asked us to
// wait. It returns when all have been asked, or with ctx's error.
func (p *Poller) Once(ctx context.Context) (Summary, error) {
	p.mu.Lock()
	p.once = &Summary{}
	for _, e := range p.order {
		if e.why == "" {
			p.once.Feeds++
			if e.loaded && !e.busy {
				p.unschedule(e)
				p.begin(e)
			}
		}
	}
	p.mu.Unlock()
	p.loop(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	s := *p.once
	p.once = nil
	return s, ctx.Err()
}

// loop is the schedule: it starts what is due, as far as places and hosts
// allow, and sleeps until something changes.
func (p *Poller) loop(ctx context.Context) {
	var polls sync.WaitGroup
	timer := time.NewTimer(longestNap)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.mu.Lock()
		p.startLoading(ctx, &polls)
		nap := p.dispatch(ctx, &polls)
		done := p.once != nil && !p.loading && p.inFlight == 0 && len(p.due) == 0 && len(p.ready) == 0
		p.mu.Unlock()
		if done {
			break
		}
		timer.Reset(nap)
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	polls.Wait()
	p.flush(ctx)
	if p.fetcher != nil {
		p.fetcher.Close()
	}
}

// startLoading reads the states of feeds that joined, all at once in the
// background: the others are not delayed. Called with mu held.
func (p *Poller) startLoading(ctx context.Context, polls *sync.WaitGroup) {
	if p.loading {
		return
	}
	var batch []*entry
	for _, e := range p.order {
		if e.why == "" && !e.loaded {
			batch = append(batch, e)
		}
	}
	if len(batch) == 0 {
		return
	}
	p.loading = true
	jobs := make([]job, len(batch))
	for i, e := range batch {
		jobs[i] = e.job
	}
	polls.Go(func() {
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
		defer p.mu.Unlock()
		p.loading = false
		p.joined(batch, jobs, failed)
		p.nudge()
	})
}

// joined places feeds whose state was read. Those that are due already are
// spread, in an order that mixes hosts and is the same at each start.
func (p *Poller) joined(batch []*entry, jobs []job, failed []error) {
	now := p.Now()
	var late []*entry
	for i, e := range batch {
		if failed[i] != nil || e.removed || e.why != "" {
			continue
		}
		e.state, e.version, e.saved, e.loaded = jobs[i].state, jobs[i].version, jobs[i].saved, true
		if e.state.URL != "" && e.state.URL != e.feed.URL {
			e.state.NextDue = time.Time{} // edited while we were not running
		}
		p.show(e)
		e.due = p.pace.Saved(now, p.pace.Interval(e.feed), e.state)
		if limited := e.state.Reason == ReasonRateLimited && e.state.NotBefore.After(now); limited {
			p.host(e.host).limited[e.feed.ID] = e.state.NotBefore
		}
		switch {
		case p.once != nil:
			p.begin(e)
		case !e.due.After(now):
			late = append(late, e)
		default:
			heap.Push(&p.due, e)
		}
	}
	slices.SortFunc(late, func(a, b *entry) int {
		return strings.Compare(hash(16, a.feed.ID), hash(16, b.feed.ID))
	})
	for i, e := range late {
		e.due = p.pace.Start(now, p.pace.Interval(e.feed), i, len(late))
		heap.Push(&p.due, e)
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

// dispatch starts polls and returns how long nothing else can start. Called
// with mu held.
func (p *Poller) dispatch(ctx context.Context, polls *sync.WaitGroup) time.Duration {
	now := p.Now()
	for len(p.due) > 0 && !p.due[0].due.After(now) {
		p.ready = append(p.ready, heap.Pop(&p.due).(*entry))
	}
	nap := longestNap
	if len(p.due) > 0 {
		nap = min(nap, p.due[0].due.Sub(now))
	}
	kept := p.ready[:0]
	for i, e := range p.ready {
		if p.inFlight >= p.Concurrency {
			kept = append(kept, p.ready[i:]...)
			break
		}
		h := p.host(e.host)
		suspect := e.state.Failures > 0 || e.slow
		switch {
		case h.busy >= p.PerHost, suspect && p.suspects >= max(p.Concurrency/2, 1):
			kept = append(kept, e) // whoever ends wakes us
		case h.until(now).After(now):
			nap = min(nap, h.until(now).Sub(now))
			kept = append(kept, e)
		default:
			p.start(ctx, polls, e, h, now, suspect)
		}
	}
	clear(p.ready[len(kept):])
	p.ready = kept
	return max(nap, time.Millisecond)
}

// start polls one feed in the background. Feeds that failed or dawdled last
// time get half of the places at most: hanging servers cannot take them all.
func (p *Poller) start(ctx context.Context, polls *sync.WaitGroup, e *entry, h *host, now time.Time, suspect bool) {
	e.busy = true
	h.busy++
	h.next = now.Add(p.HostGap)
	p.inFlight++
	if suspect {
		p.suspects++
	}
	p.metrics.inFlight.Inc()
	p.metrics.delay.Observe(max(now.Sub(e.due), 0).Seconds())
	work := e.job
	polls.Go(func() {
		lasting, end := outlast(ctx, stopGrace)
		defer end()
		done, v, ok := p.poll(lasting, work)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inFlight--
		if suspect {
			p.suspects--
		}
		p.metrics.inFlight.Dec()
		h.busy--
		h.next = p.Now().Add(p.HostGap)
		e.busy, e.slow = false, v.took > p.Timeout/3
		if ok {
			p.finish(e, h, work, done, v)
		}
		p.nudge()
	})
}

// outlast is ctx, but ends a while later than it does.
func outlast(ctx context.Context, by time.Duration) (context.Context, func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return lasting, func() { stop(); cancel() }
}

// finish takes over what a poll made of its feed and schedules the next.
// Called with mu held.
func (p *Poller) finish(e *entry, h *host, before, after job, v visit) {
	e.state, e.version, e.saved, e.dirty, e.conflicts = after.state, after.version, after.saved, after.dirty, after.conflicts
	e.due, e.notes = v.due, v.notes
	edited := e.feed.URL != before.feed.URL || e.refetch && !before.refetch
	if !edited {
		e.refetch = after.refetch
	}
	p.count(e, v)
	if rateLimited(v.failed) {
		h.limited[e.feed.ID] = e.due
	} else {
		delete(h.limited, e.feed.ID)
	}
	switch {
	case e.removed || e.why != "":
		if e.removed && e.dirty {
			p.departed = append(p.departed, e)
		}
		return
	case p.once != nil:
		return
	case edited:
		e.due = p.soonest(e)
	case e.feed.Every != before.feed.Every && e.state.Failures == 0:
		e.due = p.repaced(e)
	}
	p.show(e)
	heap.Push(&p.due, e)
}

// count books a poll in the metrics and in the summary of Once.
func (p *Poller) count(e *entry, v visit) {
	if v.result != "" {
		if !e.removed && e.why == "" {
			p.metrics.fetched(e.feed.ID, v.result)
		}
		p.metrics.news(v.news)
		p.metrics.repairs(v.repairs)
	}
	if v.failed != nil {
		p.metrics.errors.WithLabelValues(v.failed.Reason).Inc()
		p.Log.Debug("poll failed", "feed", e.feed.ID, "reason", v.failed.Reason, "error", v.failed.Text, "failures", e.state.Failures)
	}
	if p.once == nil {
		return
	}
	p.once.Items += len(v.news.Drafts)
	switch {
	case v.failed != nil || v.result == "":
		p.once.Failed++
	default:
		p.once.Answered++
		if v.same {
			p.once.Unchanged++
		}
	}
}

// show brings a feed's metrics up to date. Called with mu held.
func (p *Poller) show(e *entry) {
	p.metrics.state(e.feed.ID, e.label())
	if e.why != "" || !e.loaded {
		return
	}
	if !p.metrics.known[e.feed.ID] {
		p.metrics.feed(e.feed, e.state, p.pace.Interval(e.feed))
		return
	}
	p.metrics.live(e.feed.ID, e.state)
}

// flush writes the states that quiet polls left in memory, so that a restart
// asks nobody twice.
func (p *Poller) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	p.mu.Lock()
	all := slices.Concat(p.departed, p.order)
	p.departed = nil
	p.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(loaders)
	for _, e := range all {
		p.mu.Lock()
		j := e.job
		p.mu.Unlock()
		if !j.dirty {
			continue
		}
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

// nudge wakes the loop.
func (p *Poller) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
