// Package pipeline wires the rooms together: the whole flow on one screen. In:
// the settings of `run`. Out: a Monitor that runs until it is told to stop. It
// decides nothing itself; what a stage does stands in the stage's own room.
package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/notify"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// Monitor is the daemon: open, run, close.
type Monitor struct {
	settings Settings
	log      *slog.Logger
	started  time.Time
	config   atomic.Pointer[Config] // of the moment; replaced whole by a reload
	loaded   string                 // fingerprint of the files just before they were read at the start
	listed   atomic.Pointer[listedRules]
	budgeted atomic.Pointer[budgeted]
	registry *prometheus.Registry
	metrics  *metrics
	canary   *canary

	store  *stream.Store
	desk   *stream.Desk
	poller *poll.Poller
	raiser *alert.Raiser
	today  *alert.Today
	pusher *notify.Notifier
	web    *web.Server // nil when it does not listen
	share  share
}

// entryMemory is how many bytes of entries are remembered so that they need not
// be read again: those of some two hundred documents.
const entryMemory = 4 << 20

// Open loads the files, opens the store and binds the listeners. Whoever opens
// a Monitor closes it.
func Open(ctx context.Context, s Settings, log *slog.Logger) (_ *Monitor, err error) {
	m := &Monitor{settings: s, log: log, started: time.Now(), registry: newRegistry()}
	m.metrics = newMetrics(m.registry)
	if m.canary, err = newCanary(s.Canary, m.registry); err != nil {
		return nil, err
	}
	m.loaded = fingerprint(s.Files.Watched())
	config, err := s.Files.Load(nil)
	if err != nil {
		return nil, err
	}
	m.config.Store(config)
	defer func() {
		if err != nil {
			m.Close()
		}
	}()

	if m.store, err = stream.Open(ctx, s.store(log, m.registry)); err != nil {
		return nil, err
	}
	ahead := &early{config: m.config.Load}
	m.poller, err = poll.New(poll.Config{
		Options: s.Poll, States: m.store.Feeds(), Inbox: inbox{m.store.Items(), ahead}, Parse: feed.NewMemory(entryMemory).Parse,
		Announce: func(ctx context.Context, e poll.Event) { m.store.Announce(ctx, s.Instance, e) },
		May:      m.share.may, Panicked: m.panicked, Log: log, Registerer: m.registry,
	})
	if err != nil {
		return nil, err
	}
	m.desk = m.store.Desk(s.Instance)
	m.raiser = &alert.Raiser{
		Items: m.store.Items(), Outbox: m.store.Alerts(), Match: m.match, Early: ahead.take, Mutes: m.mutes,
		Instance: s.Instance, Now: time.Now, Log: log, Metrics: alert.NewMetrics(m.registry),
	}
	m.today = alert.NewToday(m.store.Alerts(), m.budgets, time.Now, m.registry)
	m.pusher = notify.New(notify.Config{Alerts: m.store.Alerts(), Health: m.health, Panicked: m.panicked, Log: log, Registerer: m.registry})
	if s.HTTP != "off" {
		if m.web, err = m.newWeb(); err != nil {
			return nil, err
		}
	}
	m.use(config, nil)
	return m, nil
}

// Run does the daemon's work until ctx ends: three flows that meet only in the
// store, each of which goes on from its own place after a stop.
func (m *Monitor) Run(ctx context.Context, reload <-chan struct{}) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.store.Run(ctx) })  // the store's health
	g.Go(func() error { return m.desk.Run(ctx) })   // mutes and acknowledgements
	g.Go(func() error { return m.today.Run(ctx) })  // what rules raised today, against their budgets
	g.Go(func() error { return m.poll(ctx) })       // servers -> ITEMS, for the feeds that we hold
	g.Go(func() error { return m.raiser.Run(ctx) }) // ITEMS -> rules -> ALERTS
	g.Go(func() error { return m.pusher.Run(ctx) }) // ALERTS -> destinations
	if m.web != nil {
		g.Go(func() error { return m.web.Run(ctx) }) // ALERTS -> people
	}
	g.Go(func() error { return m.watch(ctx, reload) })
	g.Go(func() error { m.config.Load().Rules.Prepare(); return nil })
	g.Go(func() error { return m.sing(ctx) })     // the self-test, once a minute
	g.Go(func() error { return m.channels(ctx) }) // how long they have been quiet, for the metrics
	g.Go(func() error { return m.clock(ctx) })    // whether the time of day jumps, for the log
	return g.Wait()
}

// Close ends the store, after all stages have returned.
func (m *Monitor) Close() {
	if m.store != nil {
		m.store.Close()
	}
}

// match judges an item by the rules of the moment.
func (m *Monitor) match(it feed.Item) rule.Result {
	if it.Feed == feed.Canary {
		return m.matchCanary(it)
	}
	return m.config.Load().Rules.Match(it)
}

// panicked records a panic that a stage caught: one document's harm, not ours.
func (m *Monitor) panicked(where string, value any, stack []byte) {
	m.store.Panicked()
	m.log.Error("the code panicked and goes on", "where", where, "panic", fmt.Sprint(value), "stack", string(stack))
}

// Summary is what a run of Once did, in the words of the contract.
type Summary struct {
	poll.Summary
	Alerts uint64 `json:"alerts"`
	Folded uint64 `json:"folded"`

	Unpushed []string `json:"-"` // what destinations have not taken, in words
}

// Once asks each feed once and raises what is new, then stops: for cron jobs,
// and for a first look.
func (m *Monitor) Once(ctx context.Context) (Summary, error) {
	g, work := errgroup.WithContext(ctx)
	work, stop := context.WithCancel(work)
	defer stop()
	g.Go(func() error { return m.desk.Run(work) })
	g.Go(func() error { return m.raiser.Run(work) })
	g.Go(func() error { return m.pusher.Run(work) })
	var s Summary
	g.Go(func() (err error) {
		defer stop()
		m.all()
		if s.Summary, err = m.poller.Once(work); err != nil {
			return err
		}
		late, cancel := context.WithTimeout(work, time.Minute)
		defer cancel()
		if err := m.caughtUp(late); err != nil {
			return err
		}
		s.Unpushed = m.pushed(late)
		return nil
	})
	err := g.Wait()
	s.Alerts, s.Folded = m.raiser.Metrics.Raised()
	return s, err
}

// caughtUp returns when the raiser has done all items.
func (m *Monitor) caughtUp(ctx context.Context) error {
	for {
		r, err := m.store.Reader(ctx, "raise")
		if err == nil && r.Lag == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the raiser, which is %d items behind: %w", r.Lag, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// pushed returns when each destination that pushes at once has all alerts, or
// when ctx ends, and says which have not.
func (m *Monitor) pushed(ctx context.Context) (behind []string) {
	for {
		behind = behind[:0]
		for _, reader := range m.pusher.Prompt() {
			if n, _, err := m.store.Alerts().Behind(context.WithoutCancel(ctx), reader); err != nil || n > 0 {
				behind = append(behind, reader)
			}
		}
		if len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			var text []string
			for _, d := range m.pusher.Status(context.WithoutCancel(ctx)) {
				if slices.Contains(behind, "notify-"+d.Name) {
					text = append(text, d.Name+": "+d.Text)
				}
			}
			return text
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Place is where a running monitor can be found.
type Place struct {
	NATS, HTTP string // URLs; empty when it does not listen
}

// Place says where the listeners are.
func (m *Monitor) Place() (Place, error) {
	p := Place{NATS: m.store.ClientURL()}
	if m.web != nil {
		a, err := m.web.Listen()
		if err != nil {
			return p, err
		}
		p.HTTP = "http://" + a.String()
	}
	return p, nil
}
