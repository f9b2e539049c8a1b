package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"newsmonitor/pipeline/alert"
)

// reader is a place in the stream that this process owns.
type reader struct {
	alerts  Alerts
	name    string
	seq     uint64
	at      time.Time
	version uint64
	saved   uint64
	moved   func(uint64)
}

func own(ctx context.Context, alerts Alerts, name string) (*reader, error) {
	seq, at, version, err := alerts.Own(ctx, name)
	if err != nil {
		return nil, err
	}
	return &reader{alerts: alerts, name: name, seq: seq, at: at, version: version, saved: seq, moved: func(uint64) {}}, nil
}

// pass goes over what is not sent; the place is saved with the next send, or
// when there is nothing more to read.
func (r *reader) pass(seq uint64) {
	r.seq = seq
	r.moved(seq)
}

// save moves the place after a send. It does so even when we are told to stop:
// what was acknowledged must not be sent again.
func (r *reader) save(ctx context.Context, seq uint64, at time.Time) error {
	if at.IsZero() {
		at = r.at
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		v, err := r.alerts.SavePlace(ctx, r.name, seq, at, r.version)
		if err == nil {
			r.version, r.seq, r.saved, r.at = v, seq, seq, at
			r.moved(seq)
			return nil
		}
		if isAhead(err) || !pause(ctx, wait) {
			return err
		}
	}
}

func (r *reader) flush(ctx context.Context) error {
	if r.seq == r.saved {
		return nil
	}
	return r.save(ctx, r.seq, time.Time{})
}

func (r *reader) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_ = r.alerts.Release(ctx, r.name, r.version) // else they find out that we are gone
}

// heldCount counts alerts that are stored and not pushed, for the one line
// that says so.
type heldCount struct {
	backlog, story, mute, flood int
	since                       time.Time
}

// add counts an alert that is held back, and tells whether it is. Those that
// the destination would not take anyway are not worth a word.
func (h *heldCount) add(d *Destination, st *alert.Stored) bool {
	if !heldBack(st) {
		return false
	}
	if !d.takes(&st.Event) {
		return true
	}
	if h.since.IsZero() {
		h.since = time.Now()
	}
	reason := alert.FoldBacklog
	if st.Event.Data.Folded != nil {
		reason = st.Event.Data.Folded.Reason
	}
	switch reason {
	case alert.FoldStory:
		h.story++
	case alert.FoldMute:
		h.mute++
	case alert.FoldFlood:
		h.flood++
	default:
		h.backlog++
	}
	return true
}

func (h *heldCount) join(o *heldCount) {
	h.backlog, h.story, h.mute, h.flood = max(h.backlog, o.backlog), max(h.story, o.story), max(h.mute, o.mute), max(h.flood, o.flood)
}

// line is "Not pushed: 12 from first polls, 3 that repeat a story", or "".
func (h *heldCount) line() string {
	var parts []string
	for _, c := range []struct {
		n    int
		text string
	}{{h.backlog, "from feeds' first polls"}, {h.story, "that repeat a story"}, {h.mute, "muted"}, {h.flood, "from feeds that flooded"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.text))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Stored and not pushed: " + strings.Join(parts, ", ") + "."
}

// limiter is how many messages a destination gets in a span of time.
type limiter struct {
	n   int
	per time.Duration

	mu    sync.Mutex
	times []time.Time // of the last n messages
}

// wait is how long until there is room for one more.
func (l *limiter) wait(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 || len(l.times) < l.n {
		return 0
	}
	return max(0, l.times[0].Add(l.per).Sub(now))
}

func (l *limiter) sent(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 {
		return
	}
	if len(l.times) == l.n {
		l.times = l.times[1:]
	}
	l.times = append(l.times, now)
}

// since is how long ago the last message was sent.
func (l *limiter) since(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) == 0 {
		return time.Hour
	}
	return now.Sub(l.times[len(l.times)-1])
}
