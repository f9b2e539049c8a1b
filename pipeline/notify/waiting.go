package notify

import (
	"context"
	"slices"
	"time"

	"newsmonitor/pipeline/rule"
)

// waitingEvery is how often the metrics hear what waits.
const waitingEvery = 15 * time.Second

// waiting is what a destination has not acknowledged of what it should have at
// once; what waits for its hour is not in it.
type waiting struct {
	alerts   int
	oldest   time.Time // zero when nothing waits
	critical time.Time // of the critical ones
}

// observe brings the metrics of what waits up to date until ctx ends.
func (n *Notifier) observe(ctx context.Context) {
	tick := time.NewTicker(waitingEvery)
	defer tick.Stop()
	for {
		n.mu.Lock()
		running := slices.Clone(n.running)
		n.mu.Unlock()
		for _, p := range running {
			if w, ok := p.waiting(ctx); ok {
				n.metrics.waits(p.d, w)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// waiting is not ok when it cannot be told: another process serves the
// destination, or the store does not answer.
func (p *pusher) waiting(ctx context.Context) (w waiting, ok bool) {
	if p.d.Disabled != "" || p.d.digest != nil {
		return w, true
	}
	p.mu.Lock()
	seq, mine := p.places["notify-"+p.d.Name]
	p.mu.Unlock()
	if !mine {
		return w, true
	}
	ctx, cancel := context.WithTimeout(ctx, waitingEvery)
	defer cancel()
	for read := 0; read < 4*maxUndelivered; {
		batch, err := p.cfg.Alerts.After(ctx, seq, readAhead)
		if err != nil {
			return w, false
		}
		if len(batch) == 0 {
			break
		}
		read += len(batch)
		for i := range batch {
			st := &batch[i]
			seq = st.Sequence
			if heldBack(st) || !p.d.takes(&st.Event) || p.d.waits(&st.Event) {
				continue
			}
			w.alerts++
			if w.oldest.IsZero() {
				w.oldest = st.Event.Time
			}
			if w.critical.IsZero() && st.Event.Severity == rule.Critical {
				w.critical = st.Event.Time
			}
		}
	}
	return w, true
}
