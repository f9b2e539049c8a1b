// Package notify pushes alerts to where people and their programs are: mail,
// chat and webhooks. In: the stored alerts, and the file of destinations. Out:
// one message an item and destination, each alert at least once and, unless an
// acknowledgement was lost, exactly once. Each destination reads with a place
// of its own, so that none loses an alert and none delays another. It never
// changes what is stored, never asks a feed, and never shows a secret.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/problem"
)

// Alerts is ALERTS and the places of those who read it.
type Alerts interface {
	// After returns up to n stored alerts after a sequence, raised and folded,
	// in stream order; none when there are none now.
	After(ctx context.Context, sequence uint64, n int) ([]alert.Stored, error)
	// Wait returns when there is an alert after the sequence.
	Wait(ctx context.Context, sequence uint64) error
	// Last returns the newest event of an alert; Sequence 0 without one.
	Last(ctx context.Context, channel, feedID, alertID string) (alert.Stored, error)

	// Own waits until no other living process has the reader, takes it and
	// returns its place: the sequence, the note that was saved with it, and a
	// version. A new reader begins at the stream's end, with no note.
	Own(ctx context.Context, reader string) (sequence uint64, note json.RawMessage, version uint64, err error)
	// SavePlace moves the place if it still has the version, else it returns
	// alert.ErrAhead: another process has the reader.
	SavePlace(ctx context.Context, reader string, sequence uint64, note json.RawMessage, version uint64) (uint64, error)
	// Release lets another process have the reader at once.
	Release(ctx context.Context, reader string, version uint64) error
}

// Health is what a digest says of the watch itself, so that silence is never
// mistaken for peace.
type Health struct {
	Feeds   int      // watched
	Read    int      // of them, read well the last time
	Silent  []string // ids: they answer and have had nothing new for too long
	Failing []string // ids: failing or gone
	Mutes   []Mute   // in force, the next to end first
}

// Mute is one in force, and how many alerts it held back.
type Mute struct {
	alert.Mute
	Held int
}

// Config is what a Notifier needs. Alerts and Log are required.
type Config struct {
	Alerts     Alerts
	Health     func() Health                               // may be nil
	Panicked   func(where string, value any, stack []byte) // a sender's panic; may be nil
	Log        *slog.Logger
	Registerer prometheus.Registerer // may be nil
}

// Notifier is the stage that pushes.
type Notifier struct {
	cfg     Config
	metrics *metrics
	changed chan struct{} // destinations were replaced

	mu      sync.Mutex
	want    []*Destination
	running []*pusher // in the order of want while Run runs
}

// New starts nothing.
func New(cfg Config) *Notifier {
	return &Notifier{cfg: cfg, metrics: newMetrics(cfg.Registerer), changed: make(chan struct{}, 1)}
}

// Update replaces the destinations. Those that did not change are not
// disturbed; one that comes back later goes on from its place.
func (n *Notifier) Update(ds []*Destination) {
	n.mu.Lock()
	n.want = slices.Clone(ds)
	n.mu.Unlock()
	n.metrics.expect(ds)
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// Run pushes until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	type task struct {
		p    *pusher
		stop context.CancelFunc
		done chan struct{}
	}
	var tasks []task
	end := func(ts []task) {
		for _, t := range ts {
			t.stop()
		}
		for _, t := range ts {
			<-t.done
		}
	}
	defer func() { end(tasks) }()
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { n.observe(ctx) })
	for {
		n.mu.Lock()
		want := n.want
		n.mu.Unlock()
		same := func(d *Destination) func(task) bool {
			return func(t task) bool { return reflect.DeepEqual(t.p.d, d) }
		}
		var keep, old []task
		for _, t := range tasks {
			if slices.ContainsFunc(want, func(d *Destination) bool { return same(d)(t) }) {
				keep = append(keep, t)
			} else {
				old = append(old, t)
			}
		}
		end(old) // before its successor: they have one place
		var now []task
		for _, d := range want {
			if i := slices.IndexFunc(keep, same(d)); i >= 0 {
				now = append(now, keep[i])
				continue
			}
			work, stop := context.WithCancel(ctx)
			t := task{newPusher(n.cfg, d, n.metrics), stop, make(chan struct{})}
			go func() { defer close(t.done); t.p.run(work) }()
			now = append(now, t)
		}
		tasks = now
		n.mu.Lock()
		n.running = nil
		for _, t := range tasks {
			n.running = append(n.running, t.p)
		}
		n.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-n.changed:
		}
	}
}

func (n *Notifier) now() []*pusher {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.running)
}

// Prompt names the readers of destinations that push at once, now: those that
// a run which ends has to wait for.
func (n *Notifier) Prompt() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, d := range n.want {
		if d.Disabled == "" && d.digest == nil {
			out = append(out, "notify-"+d.Name)
		}
	}
	return out
}

// Status tells of each destination.
func (n *Notifier) Status(ctx context.Context) []Status {
	running := n.now()
	out := make([]Status, 0, len(running))
	for _, p := range running {
		out = append(out, p.status(ctx))
	}
	return out
}

// ErrUnknown says that no destination has the name.
var ErrUnknown = errors.New("there is no such destination")

// Test sends one message to a destination that is in use, past its filters,
// hours and limits, and names its service.
func (n *Notifier) Test(ctx context.Context, name string) (service string, err error) {
	n.mu.Lock()
	want := n.want
	n.mu.Unlock()
	d, err := Named(want, name)
	if err != nil {
		return "", err
	}
	return d.Service, Test(ctx, d, n.cfg.Log)
}

// Named finds a destination, or says which ones there are.
func Named(ds []*Destination, name string) (*Destination, error) {
	names := make([]string, 0, len(ds))
	for _, d := range ds {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	name = oneLine(name, 60)
	if len(ds) == 0 {
		return nil, fmt.Errorf("%w: %q; there are none at all (monitor --notify FILE names them)", ErrUnknown, name)
	}
	if near := problem.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("%w: %q; did you mean %q?", ErrUnknown, name, near)
	}
	return nil, fmt.Errorf("%w: %q; there are %s", ErrUnknown, name, strings.Join(names, ", "))
}

// Test sends one message that says that it is a test, and returns what became
// of it, in words without secrets.
func Test(ctx context.Context, d *Destination, log *slog.Logger) error {
	p := newPusher(Config{Log: log}, d, newMetrics(nil))
	return p.sender.send(ctx, p.test())
}
