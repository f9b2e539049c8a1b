package notify

import (
	"context"
	"maps"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// waitingEvery is how often the metrics hear what waits.
const waitingEvery = 15 * time.Second

// waiting is what a destination has not acknowledged of what it should have by
// now.
type waiting struct {
	alerts   int
	oldest   time.Time // since when it is due; zero when nothing waits
	critical time.Time // of the critical ones
}

// observe brings the metrics of what waits up to date until ctx ends.
func (n *Notifier) observe(ctx context.Context) {
	tick := time.NewTicker(waitingEvery)
	defer tick.Stop()
	for {
		for _, p := range n.now() {
			n.metrics.waits(p.d, p.waiting(ctx, time.Now()))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// waiting is zero where another process serves the destination. What waits
// for its hour counts from that hour on.
func (p *pusher) waiting(ctx context.Context, now time.Time) (w waiting) {
	p.mu.Lock()
	at := maps.Clone(p.places)
	for name := range p.idle {
		delete(at, name) // it has done all: nothing to read
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, waitingEvery)
	defer cancel()
	for name, seq := range at {
		p.undelivered(ctx, name, seq, func(e *alert.Event) {
			due := p.due(e)
			if due.After(now) {
				return
			}
			w.alerts++
			w.oldest = earlier(w.oldest, due)
			if e.Severity == rule.Critical {
				w.critical = earlier(w.critical, due)
			}
		})
	}
	return w
}

// due is when an alert should reach its people: at once, or when the quiet
// hours end, or with the next digest.
func (p *pusher) due(e *alert.Event) time.Time {
	switch {
	case p.d.digest != nil:
		return p.d.digest.next(e.Time)
	case p.d.waits(e):
		return p.d.quiet.ends(e.Time)
	}
	return e.Time
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
