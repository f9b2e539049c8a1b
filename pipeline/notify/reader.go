package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"newsmonitor/pipeline/alert"
)

// note is what a reader wants to find again beside its place, whichever
// process goes on with it. Fields are only ever added.
type note struct {
	At        time.Time `json:"at,omitzero"`        // the hour up to which the digests are sent
	Held      heldCount `json:"held,omitzero"`      // stored and not pushed, and not yet said
	Delivered time.Time `json:"delivered,omitzero"` // the destination's last acknowledgement
	Failing   time.Time `json:"failing,omitzero"`   // since then it takes nothing
	Error     string    `json:"error,omitempty"`    // what it said last
}

// reader is a place in the stream that this process owns.
type reader struct {
	alerts  Alerts
	name    string
	seq     uint64
	at      time.Time
	held    heldCount
	version uint64
	saved   uint64
	moved   func(uint64)
	fill    func(*note) // puts in what the destination knows
}

func own(ctx context.Context, alerts Alerts, name string) (*reader, note, error) {
	var n note
	seq, saved, version, err := alerts.Own(ctx, name)
	if err != nil {
		return nil, n, err
	}
	if len(saved) > 0 {
		if err := json.Unmarshal(saved, &n); err != nil {
			return nil, n, fmt.Errorf("read the note of reader %s: %w", name, err)
		}
	}
	return &reader{alerts: alerts, name: name, seq: seq, at: n.At, held: n.Held, version: version, saved: seq,
		moved: func(uint64) {}, fill: func(*note) {}}, n, nil
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
		err := r.put(ctx, seq, at)
		if err == nil {
			r.moved(seq)
			return nil
		}
		if isAhead(err) || !pause(ctx, wait) {
			return err
		}
	}
}

// put is one attempt to save.
func (r *reader) put(ctx context.Context, seq uint64, at time.Time) error {
	n := note{At: at, Held: r.held}
	r.fill(&n)
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	v, err := r.alerts.SavePlace(ctx, r.name, seq, b, r.version)
	if err == nil {
		r.version, r.seq, r.saved, r.at = v, seq, seq, at
	}
	return err
}

// remember saves what the destination said, where the reader stands. It
// matters to people only, so that nothing but the fence is an error.
func (r *reader) remember(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := r.put(ctx, r.seq, r.at); isAhead(err) {
		return err
	}
	return nil
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
	Backlog int       `json:"backlog,omitempty"`
	Story   int       `json:"story,omitempty"`
	Mute    int       `json:"mute,omitempty"`
	Flood   int       `json:"flood,omitempty"`
	Since   time.Time `json:"since,omitzero"` // the first of them
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
	if h.Since.IsZero() {
		h.Since = time.Now()
	}
	reason := alert.FoldBacklog
	if st.Event.Data.Folded != nil {
		reason = st.Event.Data.Folded.Reason
	}
	switch reason {
	case alert.FoldStory:
		h.Story++
	case alert.FoldMute:
		h.Mute++
	case alert.FoldFlood:
		h.Flood++
	default:
		h.Backlog++
	}
	return true
}

func (h *heldCount) join(o *heldCount) {
	h.Backlog, h.Story, h.Mute, h.Flood = h.Backlog+o.Backlog, h.Story+o.Story, h.Mute+o.Mute, h.Flood+o.Flood
	if h.Since.IsZero() || !o.Since.IsZero() && o.Since.Before(h.Since) {
		h.Since = o.Since
	}
}

// line is "Not pushed: 12 from first polls, 3 that repeat a story", or "".
func (h *heldCount) line() string {
	var parts []string
	for _, c := range []struct {
		n    int
		text string
	}{{h.Backlog, "from feeds' first polls"}, {h.Story, "that repeat a story"}, {h.Mute, "muted"}, {h.Flood, "from feeds that flooded"}} {
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
