package poll

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

const (
	longestNap = time.Minute     // the schedule is looked at this often, whatever the clock did
	slept      = time.Minute     // a nap that much longer than meant was the machine's own, or the clock jumped
	chunk      = 256             // states that are read before their feeds join the schedule
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
		if e.why == "" && e.loaded && e.index < 0 { // left so by Once or an earlier Run
			p.unschedule(e)
			heap.Push(&p.due, e)
		}
	}
	p.respread(0)
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
		p.wakes = p.Now().Add(nap)
		done := p.once != nil && !p.loading && p.inFlight == 0 && len(p.due) == 0 && len(p.ready) == 0
		p.mu.Unlock()
		if done {
			break
		}
		timer.Reset(nap)
		lay := p.Now()
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
		if over := p.Now().Sub(lay); over > nap+slept || over < -slept {
			p.mu.Lock()
			p.respread(over)
			p.mu.Unlock()
		}
	}
	polls.Wait()
	p.flush(ctx)
	if p.fetcher != nil {
		p.fetcher.Close()
	}
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
		if p.inFlight >= p.places(p.watched) {
			kept = append(kept, p.ready[i:]...)
			break
		}
		h, via := p.host(e.host), p.via(e)
		suspect := e.state.Failures > 0 || e.slow
		switch {
		case h.busy+h.waiting >= p.PerHost, via != nil && via.busy+via.waiting >= p.PerHost,
			suspect && p.suspects >= max(p.places(p.watched)/2, 1):
			kept = append(kept, e) // whoever ends wakes us
		case h.unread > 0:
			kept = append(kept, e) // whoever reads wakes us
		case p.once != nil && h.pause(now).After(now):
			p.once.Waiting++
		case h.until(now).After(now):
			nap = min(nap, h.until(now).Sub(now))
			kept = append(kept, e)
		case via != nil && via.until(now).After(now):
			nap = min(nap, via.until(now).Sub(now))
			kept = append(kept, e)
		default:
			p.start(ctx, polls, e, h, via, now, suspect)
		}
	}
	clear(p.ready[len(kept):])
	p.ready = kept
	return max(nap, time.Millisecond)
}

// via is the other host that the feed's redirects led to last time, nil if
// they did not: it has to be free too.
func (p *Poller) via(e *entry) *host {
	if e.via == "" || e.via == e.host {
		return nil
	}
	return p.host(e.via)
}

// start polls one feed in the background. Feeds that failed or dawdled last
// time get half of the places at most: hanging servers cannot take them all.
func (p *Poller) start(ctx context.Context, polls *sync.WaitGroup, e *entry, h, via *host, now time.Time, suspect bool) {
	e.busy = true
	h.busy++
	h.next = now.Add(p.HostGap)
	if via != nil {
		via.next = now.Add(p.HostGap) // the next that leads there comes later
	}
	p.inFlight++
	if suspect {
		p.suspects++
	}
	p.metrics.inFlight.Inc()
	p.metrics.delay.Observe(max(now.Sub(e.due), 0).Seconds())
	work := e.job
	t := &turn{at: h, expected: via}
	work.turn = t
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
		last := t.at
		p.giveBack(t)
		if last == nil {
			last = h
		}
		e.busy, e.slow = false, v.took > p.Timeout/3
		if ok {
			p.network.note(e.host, p.Now(), v.was, v.failed)
			p.finish(e, last, work, done, v)
		}
		// The loop has something to do only if somebody waits for this place
		// or this feed comes before what it sleeps for.
		if p.once != nil || len(p.ready) > 0 || len(p.due) > 0 && p.due[0].due.Before(p.wakes) {
			p.nudge()
		}
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
	e.items = after.items
	e.keep()
	e.due = v.due
	if v.failed == nil && v.result != "" {
		e.downgraded = v.downgraded
		if !v.same {
			e.notes = v.notes
		}
	}
	if !v.ends.IsZero() {
		e.certificate = v.ends
	}
	edited := e.feed.URL != before.feed.URL || e.refetch && !before.refetch
	if !edited {
		e.refetch = after.refetch
	}
	p.count(e, v)
	if rateLimited(v.failed) {
		h.limit(e.feed.ID, e.due)
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
	e.place(p)
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
	p.once.Items += len(v.news.Drafts) - v.lost
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
	e.counted = p.metrics.state(e.counted, e.label())
	if e.why != "" || !e.loaded {
		return
	}
	if !p.metrics.known[e.feed.ID] {
		p.metrics.feed(*e.feed, e.state, p.pace.Interval(*e.feed, e.state.Rhythm, p.Now()))
		return
	}
	p.metrics.live(e.feed.ID, e.state)
}

// nudge wakes the loop.
func (p *Poller) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
