package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
)

// Log is the stored alerts, raised and folded, in stream order.
type Log interface {
	// Follow calls fn for every stored alert after the sequence, in order, then
	// for new ones as they come, until ctx ends or fn fails.
	Follow(ctx context.Context, after uint64, fn func(alert.Stored) error) error
	// Get reads one alert; ErrGone when it is not kept any more.
	Get(ctx context.Context, sequence uint64) (alert.Stored, error)
	// Last returns the first and last sequence kept; of an empty log, last is
	// below first.
	Last(ctx context.Context) (first, last uint64, err error)
}

// ErrGone says that the log no longer keeps a sequence.
var ErrGone = errors.New("not kept any more")

const (
	clientBuffer = 1000 // events that a live client may be behind
	maxClients   = 1000
	pruneEvery   = time.Minute
	maxBackoff   = 30 * time.Second
	// idle is how long the log must be quiet to count as read, for when its last
	// sequences are gone and never come.
	idle = time.Second
)

// errAnotherLog ends a Follow whose log was replaced by one with other
// sequences, as a restore does.
var errAnotherLog = errors.New("the log of alerts was replaced")

// tail is the one reader of the log in this process: it fills the index and
// hands each new alert to every live client.
type tail struct {
	alerts  Log
	index   *index
	log     *slog.Logger
	now     func() time.Time
	clients prometheus.Gauge

	mu     sync.Mutex
	subs   map[*client]struct{}
	loaded bool   // the index holds everything up to now
	target uint64 // sequence that the load ends at
	err    error  // why the log cannot be followed, while that is so
}

// client is one live reader.
type client struct {
	events chan *fresh
	cut    chan struct{} // closed when the client was too far behind
}

// fresh is a new alert on its way to every live client, encoded once for all.
type fresh struct {
	alert.Stored
	encode sync.Once
	text   string
}

// message is the alert as a server-sent event.
func (n *fresh) message(encode func(alert.Stored) string) string {
	n.encode.Do(func() { n.text = encode(n.Stored) })
	return n.text
}

// run follows the log until ctx ends; when that fails it tries again.
func (t *tail) run(ctx context.Context) error {
	backoff := time.Second
	for {
		before := t.index.newest()
		err := t.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if t.index.newest() != before {
			backoff = time.Second
		}
		t.failed(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// failed logs the first of a row of failures.
func (t *tail) failed(err error) {
	t.mu.Lock()
	first := t.err == nil
	t.err = err
	t.loaded = false
	t.mu.Unlock()
	if first {
		t.log.Warn("the page cannot follow the alerts; trying again", "error", err)
	}
}

func (t *tail) follow(ctx context.Context) error {
	first, last, err := t.alerts.Last(ctx)
	if err != nil {
		return fmt.Errorf("ask for the last alert: %w", err)
	}
	if last < t.index.newest() {
		t.index.reset()
		t.cutAll()
	}
	t.index.drop(first)
	t.begin(last)

	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { t.prune(ctx, cancel) })
	defer wg.Wait()
	defer cancel(nil)

	quiet := time.AfterFunc(idle, t.done)
	defer quiet.Stop()
	err = t.alerts.Follow(ctx, t.index.newest(), func(st alert.Stored) error {
		t.take(st)
		if !t.isLoaded() {
			quiet.Reset(idle)
		}
		return nil
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil {
		err = errors.New("the log ended")
	}
	return fmt.Errorf("follow the alerts: %w", err)
}

// take indexes first and hands out then: a client that subscribes and reads
// the index afterwards sees each event in one of the two at least.
func (t *tail) take(st alert.Stored) {
	added := t.index.add(st)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.loaded && st.Sequence >= t.target {
		t.loaded = true
	}
	if !added {
		return
	}
	if len(t.subs) == 0 {
		return
	}
	n := &fresh{Stored: st}
	for c := range t.subs {
		select {
		case c.events <- n:
		default:
			close(c.cut)
			t.remove(c)
		}
	}
}

// prune lets the index forget what the log has dropped, and notices a log that
// was replaced.
func (t *tail) prune(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		first, last, err := t.alerts.Last(ctx)
		if err != nil {
			continue // Follow fails too if it lasts
		}
		if last < t.index.newest() {
			cancel(errAnotherLog)
			return
		}
		t.index.drop(first)
	}
}

func (t *tail) begin(target uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		t.log.Info("the page follows the alerts again")
	}
	t.err, t.target = nil, target
	t.loaded = t.index.newest() >= target
}

func (t *tail) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loaded = t.err == nil
}

func (t *tail) isLoaded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.loaded
}

// health says why lists are not complete, or nil.
func (t *tail) health() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.err != nil:
		return t.err
	case !t.loaded:
		return fmt.Errorf("the alerts are still being read: sequence %d of %d", t.index.newest(), t.target)
	}
	return nil
}

// subscribe returns a client that gets every event from now on, or nil when
// there are too many.
func (t *tail) subscribe() *client {
	c := &client{events: make(chan *fresh, clientBuffer), cut: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.subs) >= maxClients {
		return nil
	}
	if t.subs == nil {
		t.subs = map[*client]struct{}{}
	}
	t.subs[c] = struct{}{}
	t.clients.Set(float64(len(t.subs)))
	return c
}

func (t *tail) unsubscribe(c *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(c)
}

// cutAll makes every client come again: the sequences that it knows mean
// nothing any more.
func (t *tail) cutAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.subs {
		close(c.cut)
		t.remove(c)
	}
}

// remove forgets a client. The caller holds mu.
func (t *tail) remove(c *client) {
	delete(t.subs, c)
	t.clients.Set(float64(len(t.subs)))
}
