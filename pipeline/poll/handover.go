package poll

import (
	"context"
	"time"

	"newsmonitor/pipeline/feed"
)

// HostOf is the key of a feed's manners: lower-case name and port of its
// server. Feeds with the same belong to one poller, as only one that knows of
// all requests to a host can space them.
func HostOf(address string) string { return hostOf(address) }

// Settle returns when no poll of a feed that left the catalogue is under way,
// and what they left in memory is written: then somebody else may poll them.
// It gives up when ctx ends.
func (p *Poller) Settle(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !p.settled() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	p.mu.Lock()
	departed := p.departed
	p.departed = nil
	p.mu.Unlock()
	for _, e := range departed {
		p.mu.Lock()
		j := e.job
		p.mu.Unlock()
		if err := p.save(ctx, &j); err != nil {
			p.Log.Debug("state not written at handover", "feed", j.feed.ID, "error", err)
			// The next poller asks this feed once more, no harm.
		}
	}
}

// settled says whether all polls under way are of feeds of the catalogue.
func (p *Poller) settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours := 0
	for _, e := range p.order {
		if e.busy {
			ours++
		}
	}
	return p.inFlight == ours
}

// Remembered is how a feed is doing by a state that somebody else saved.
func Remembered(f feed.Feed, s State, minInterval time.Duration) Status {
	p := &Poller{Config: Config{Now: time.Now}, pace: Pace{Min: minInterval}}
	e := &entry{job: job{feed: &f, state: s}, why: notWatched(&f), loaded: true, due: s.NextDue}
	return p.status(e)
}
