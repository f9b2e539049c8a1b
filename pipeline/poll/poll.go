// Package poll decides when and how we ask a server and what is new in its
// answer. In: feeds of the catalogue, what is remembered of them (States),
// and servers' answers. Out: items (Inbox), feed state, feed events and
// metrics. It never matches a rule, never parses a format (feed.Parse does)
// and never knows how anything is stored.
package poll

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/feed"
)

// Quiet states are written at two a second at most, thirty at once after a
// pause.
const (
	quietGap   = 500 * time.Millisecond
	quietBurst = 30
	quietPolls = 4 // and of one feed each fourth at most
)

const notOurs = 5 * time.Second // until a feed is looked at again that was not ours when its time came

// Config is what a Poller works with. States, Inbox and Parse are required.
type Config struct {
	Options
	States     States
	Inbox      Inbox
	Announce   func(context.Context, Event) // feed events; may be nil; called after the state is saved
	Parse      func(feed.Document) (*feed.Parsed, error)
	Fetch      func(context.Context, Request) (*Answer, error) // nil: a Fetcher of our own
	May        func(feed.Feed) bool                            // whether the feed is still ours, asked right before a request; nil: always
	Log        *slog.Logger                                    // nil: silent
	Now        func() time.Time                                // nil: time.Now
	Random     func() float64                                  // nil: math/rand; called by many at once
	Registerer prometheus.Registerer                           // nil: metrics are counted but not shown
	Panicked   func(where string, value any, stack []byte)     // a parser's panic; may be nil
}

// Poller polls the feeds of a catalogue. Give it one with Update; nothing
// happens before Run or Once, and only one of the two runs at a time.
type Poller struct {
	Config
	pace    Pace
	metrics *metrics
	fetcher *Fetcher // when Fetch was nil
	parsing chan struct{}
	wake    chan struct{} // holds one token: look at the schedule again

	storeMu sync.Mutex
	away    bool // the store did not answer when last asked

	quietMu   sync.Mutex
	quietNext time.Time // when a quiet state may be written again

	mu       sync.Mutex // guards everything below, and the entries
	network  outage
	entries  map[string]*entry
	order    []*entry // the catalogue's order
	departed []*entry // no longer in the catalogue, with state still to be written
	due      dueHeap
	ready    []*entry // due, waiting for a place or for their host
	hosts    map[string]*host
	watched  int       // feeds of the catalogue that are polled
	wakes    time.Time // when the loop looks at the schedule again by itself
	inFlight int
	suspects int // of inFlight: feeds whose last poll failed or was slow
	loading  bool
	unread   bool     // there may be feeds whose state was not read: looking for them costs as much as there are feeds
	once     *Summary // of a run of Once, else nil
}

// New makes a poller without feeds.
func New(c Config) (*Poller, error) {
	if c.States == nil || c.Inbox == nil || c.Parse == nil {
		return nil, errors.New("poll: States, Inbox and Parse are required")
	}
	c.Options = c.complete()
	q := &Poller{Config: c, entries: map[string]*entry{}, hosts: map[string]*host{},
		parsing: make(chan struct{}, 2), wake: make(chan struct{}, 1)}
	if q.Log == nil {
		q.Log = slog.New(slog.DiscardHandler)
	}
	if q.Now == nil {
		q.Now = time.Now
	}
	if q.Random == nil {
		q.Random = rand.Float64
	}
	q.pace = Pace{Min: q.MinInterval, Random: q.Random}
	m, err := newMetrics(q.Registerer, q.Options)
	if err != nil {
		return nil, err
	}
	q.metrics = m
	if q.Fetch == nil {
		q.fetcher = NewFetcher(q.Options)
		q.fetcher.Now, q.fetcher.Observe = q.Now, m.observe
		q.Fetch = q.fetcher.Fetch
	}
	return q, nil
}

// job is what a poll works on: copies, so that a reload in between disturbs
// nothing. State.Items is never changed in place.
type job struct {
	feed      *feed.Feed // of the catalogue, never changed
	state     State
	items     packed // state.Items between polls, when that is nil
	version   uint64
	saved     time.Time
	dirty     bool
	refetch   bool // ask unconditionally: the catalogue reads the body differently now
	turn      *turn
	conflicts int // polls in a row that were refused though nobody else had saved
}

// poll asks one feed and stores what came: items first, then the state. A
// crash in between repeats the poll, and the Inbox knows the repeats. It
// returns the job as it stands afterwards; ok is false if ctx ended first.
func (p *Poller) poll(ctx context.Context, j job) (_ job, v visit, ok bool) {
	if p.May != nil && !p.May(*j.feed) {
		// Somebody else may be asking this host by now. Whoever told us so
		// takes the feed away in a moment, or it is ours again.
		return j, visit{was: j.state, state: j.state, due: p.Now().Add(notOurs)}, true
	}
	begun := p.Now()
	a, err := p.Fetch(ctx, p.request(j))
	took := p.Now().Sub(begun)
	if ctx.Err() != nil {
		return j, v, false
	}
	if err == nil && !a.Unchanged && !quiet(j, a) {
		j.recall()
	}
	if errors.As(err, new(*Failure)) || err == nil {
		v = p.judge(*j.feed, j.state, a, err)
	} else {
		v = p.judge(*j.feed, j.state, nil, failure(ReasonProtocol, "the request could not be made"))
	}
	v.took = took
	switch err := p.store(ctx, &j, &v); {
	case errors.Is(err, ErrAhead):
		return p.behind(ctx, j, v)
	case err != nil:
		return j, v, false
	}
	j.refetch, j.conflicts = j.refetch && v.failed != nil, 0
	if v.lost > 0 {
		p.Log.Warn("items not stored: the store refuses them for good", "feed", j.feed.ID, "count", v.lost, "error", v.why)
	}
	for _, e := range v.events {
		p.announce(ctx, e)
	}
	return j, v, true
}

// request makes the question: conditional wherever we may.
func (p *Poller) request(j job) Request {
	r := Request{Feed: *j.feed}
	if t := j.turn; t != nil {
		r.hop = func(ctx context.Context, to string) error { return p.cross(ctx, t, to) }
	}
	st := j.state
	if st.URL != j.feed.URL {
		return r
	}
	if st.Adopted {
		r.Direct = st.NewURL
	}
	patience := p.FullRefresh
	if st.Suspect {
		patience = min(patience, suspectFull)
	}
	stuck := !st.LastFull.IsZero() && p.Now().Sub(st.LastFull) > patience
	if !j.refetch && !stuck {
		r.ETag, r.LastModified, r.Origin = st.ETag, st.LastModified, st.Origin
	}
	return r
}

// quiet tells whether an answer brought the same bytes as last time.
func quiet(j job, a *Answer) bool {
	a.sum = bodyHash(*j.feed, a.Body)
	return j.state.Parser == feed.ParserVersion && a.sum == j.state.Body
}

// recall unpacks the items, for those who compare or write them.
func (j *job) recall() {
	if j.state.Items == nil {
		j.state.Items = j.items.unpack()
	}
}

// store appends the items and then saves the state, each as often as it
// takes. A quiet poll is kept in memory and written now and then.
func (p *Poller) store(ctx context.Context, j *job, v *visit) error {
	if len(v.news.Drafts) > 0 {
		sequences, err := p.append(ctx, *j, v)
		if err != nil {
			return err
		}
		v.news.Placed(sequences)
	}
	j.state, j.dirty = v.state, true
	if !v.durable {
		lazy := p.Lazy
		if lazy > 0 {
			lazy = max(lazy, quietPolls*v.due.Sub(p.Now()))
		}
		if p.Now().Sub(j.saved) < lazy || !p.mayWriteQuiet() {
			return nil
		}
	}
	return p.save(ctx, j)
}

// mayWriteQuiet rations the writes that only note that nothing happened: with
// a hundred thousand feeds they would be all that the store does. What is not
// written is written later, at the stop at the latest; a crash costs a
// conditional request.
func (p *Poller) mayWriteQuiet() bool {
	p.quietMu.Lock()
	defer p.quietMu.Unlock()
	now := p.Now()
	if p.quietNext.After(now) {
		return false
	}
	if saved := now.Add(-quietBurst * quietGap); p.quietNext.Before(saved) {
		p.quietNext = saved
	}
	p.quietNext = p.quietNext.Add(quietGap)
	return true
}

func (p *Poller) save(ctx context.Context, j *job) error {
	j.recall()
	err := p.insist(ctx, func() (err error) {
		version, err := p.States.Save(ctx, j.feed.ID, j.state, j.version)
		if err == nil {
			j.version = version
		}
		return err
	})
	if err == nil {
		j.saved, j.dirty = p.Now(), false
	}
	return err
}

// append stores drafts. The second time in a row that they are refused while
// nobody else saved the feed's state, it is not a rival but our own memory
// that is behind: an item came back edited, or was edited around a crash.
// Then the Inbox tells where each stands.
func (p *Poller) append(ctx context.Context, j job, v *visit) (sequences []uint64, err error) {
	drafts := v.news.Drafts
	sequences, err = p.offer(ctx, v, drafts)
	recaller, able := p.Inbox.(Recaller)
	if !errors.Is(err, ErrAhead) || j.conflicts == 0 || !able {
		return sequences, err
	}
	drafts = slices.Clone(drafts)
	for i := range drafts {
		d := &drafts[i]
		if err := p.insist(ctx, func() (err error) {
			d.After, _, err = recaller.Last(ctx, d.Item.Feed, d.Item.Key)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return p.offer(ctx, v, drafts)
}

// offer appends drafts. If the store refuses one for good they are offered one
// by one, and those that it refuses are left out: sequence 0. They count as
// known, or each poll would offer them again.
func (p *Poller) offer(ctx context.Context, v *visit, drafts []Draft) (sequences []uint64, err error) {
	err = p.insist(ctx, func() (err error) {
		sequences, err = p.Inbox.Append(ctx, drafts)
		return err
	})
	if !errors.Is(err, ErrRefused) {
		return sequences, err
	}
	if len(drafts) == 1 {
		v.refused(drafts[0], err)
		return []uint64{drafts[0].After}, nil
	}
	for _, d := range drafts {
		one, err := p.offer(ctx, v, []Draft{d})
		if err != nil {
			return nil, err
		}
		sequences = append(sequences, one...)
	}
	return sequences, nil
}

// behind drops a poll because somebody else wrote first, and takes over what
// they remember.
func (p *Poller) behind(ctx context.Context, j job, v visit) (job, visit, bool) {
	p.metrics.ahead.Inc()
	fresh := j
	if err := p.load(ctx, &fresh); err != nil {
		return j, v, false
	}
	every := p.pace.Interval(*j.feed, j.state.Rhythm, p.Now())
	v = visit{was: j.state, state: j.state, due: p.Now().Add(every + p.pace.jitter(every/10))}
	if fresh.version == j.version {
		// What is in memory is ours and at least as new as what is stored.
		j.state, j.conflicts = v.was, j.conflicts+1
		p.Log.Warn("poll dropped: an item's last revision is not the one we remember", "feed", j.feed.ID)
		return j, v, true
	}
	fresh.conflicts = 0
	v.state = fresh.state
	if fresh.state.NextDue.After(p.Now()) {
		v.due = p.pace.Saved(p.Now(), every, fresh.state)
	}
	p.Log.Info("poll dropped: somebody else polls this feed too", "feed", j.feed.ID)
	return fresh, v, true
}

// load reads what is remembered of a feed.
func (p *Poller) load(ctx context.Context, j *job) error {
	err := p.insist(ctx, func() (err error) {
		j.state, j.version, err = p.States.Load(ctx, j.feed.ID)
		return err
	})
	j.state.anchor(p.Now())
	j.saved, j.dirty, j.items = j.state.LastPoll, false, nil
	return err
}

// insist repeats a step of the store until it works, is refused with ErrAhead
// or ErrRefused, or ctx ends. While the store is away polls wait here with what
// they fetched, so we get slower and lose nothing.
func (p *Poller) insist(ctx context.Context, step func() error) error {
	const first, most = 250 * time.Millisecond, 15 * time.Second
	for wait := first; ; wait = min(wait*2, most) {
		err := step()
		if err == nil || errors.Is(err, ErrAhead) || errors.Is(err, ErrRefused) {
			p.storeAway(nil)
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.storeAway(err)
		timer := time.NewTimer(wait/2 + p.pace.jitter(wait/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// storeAway logs once that the store went away and once that it is back.
func (p *Poller) storeAway(err error) {
	p.storeMu.Lock()
	was := p.away
	p.away = err != nil
	p.storeMu.Unlock()
	switch {
	case err != nil && !was:
		p.Log.Warn("the store does not answer: polls wait with what they have", "error", err)
	case err == nil && was:
		p.Log.Info("the store answers again")
	}
}

// announce logs and publishes an event: one Warn when a feed turns bad, one
// Info when it recovers.
func (p *Poller) announce(ctx context.Context, e Event) {
	level, message := slog.LevelWarn, "feed "+e.Event
	if e.Event == EventRecovered {
		level = slog.LevelInfo
	}
	p.Log.Log(ctx, level, message, "feed", e.Feed, "state", e.State, "reason", e.Reason, "text", e.Text)
	if p.Announce != nil {
		p.Announce(ctx, e)
	}
}

// rateLimited tells whether a failure means that the whole host has enough.
func rateLimited(f *Failure) bool {
	return f != nil && (f.Reason == ReasonRateLimited || f.Status == http.StatusServiceUnavailable && f.RetryAfter > 0)
}
