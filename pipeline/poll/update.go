package poll

import (
	"container/heap"
	"reflect"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
)

// entry is one feed of the catalogue. Guarded by Poller.mu.
type entry struct {
	job
	host    string // whose manners a poll begins with
	via     string // the host that redirects led to last time, "" if none
	why     string // why it is not watched, "" when it is
	loaded  bool
	busy    bool // a poll is under way
	slow    bool // the last exchange took a third of what we wait at most
	removed bool
	due     time.Time // keeps the monotonic clock: a wall clock that jumps moves nothing
	index   int       // in the heap, -1 outside
	notes   []string
	counted string // the state under which the metrics have it

	downgraded  bool      // a redirect leads from https to http
	certificate time.Time // when the server's ends, as seen last; zero without TLS
}

// keep puts the items into their small form, and shares texts that many feeds
// have or that stand in the catalogue too.
func (e *entry) keep() {
	st := &e.state
	if st.Items != nil {
		e.items, st.Items = pack(st.Items), nil
	}
	if st.URL == e.feed.URL {
		st.URL = e.feed.URL
	}
	if i := slices.Index(AllStates, st.State); i >= 0 {
		st.State = AllStates[i]
	}
}

// place finds out whose manners the next poll needs.
func (e *entry) place(p *Poller) {
	e.host, e.via = hostOf(e.feed.URL), ""
	if e.state.URL != e.feed.URL {
		return
	}
	if e.state.Adopted {
		e.host = hostOf(e.state.NewURL)
	}
	if e.state.Origin != "" {
		e.via = hostOf(e.state.Origin)
	}
}

// label is the feed's state as shown.
func (e *entry) label() string {
	switch {
	case e.why != "":
		return StateDisabled
	case e.state.State == "":
		return StatePending
	}
	return e.state.State
}

// Update makes feeds the catalogue. Only differences are touched: the timer
// of a feed that stayed as it was does not move. May be called before, while
// and after Run runs. The feeds are kept, not copied: they must not change.
func (p *Poller) Update(feeds []feed.Feed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	watched := 0
	order := make([]*entry, 0, len(feeds))
	listed := make(map[string]bool, len(feeds))
	placed := make(map[*entry]bool, len(feeds))
	for i := range feeds {
		f := &feeds[i]
		if listed[f.ID] {
			continue
		}
		listed[f.ID] = true
		if notWatched(f) == "" {
			watched++
		}
	}
	p.metrics.catalogue(watched)
	for i := range feeds {
		f := &feeds[i]
		e := p.entries[f.ID]
		switch {
		case e == nil:
			e = &entry{job: job{feed: f}, host: hostOf(f.URL), why: notWatched(f), index: -1}
			p.entries[f.ID] = e
		case placed[e]:
			continue // the same id twice: the catalogue refuses that; the first stands
		case !reflect.DeepEqual(e.feed, f):
			p.edit(e, f)
		default:
			e.feed = f // the same, but of the catalogue that is kept
		}
		order, placed[e] = append(order, e), true
		p.show(e)
	}
	for id, e := range p.entries {
		if listed[id] {
			continue
		}
		delete(p.entries, id)
		e.removed = true
		p.leave(e)
		e.counted = p.metrics.state(e.counted, "")
	}
	p.order, p.watched, p.unread = order, watched, true
	p.metrics.limit.Set(float64(p.places(watched)))
	p.clearHosts()
	p.nudge()
}

// edit takes a changed feed over. What it was polled with stays in its state:
// validators of another URL are not sent, see Poller.request.
func (p *Poller) edit(e *entry, f *feed.Feed) {
	was := e.feed
	e.feed = f
	e.place(p)
	why := notWatched(f)
	switch {
	case why != "" && e.why == "":
		e.why = why
		p.leave(e)
		return
	case why == "" && e.why != "":
		e.why = ""
		if e.loaded && !e.busy {
			// It may have been polled elsewhere meanwhile: read it again.
			e.loaded = e.dirty
			if e.dirty {
				e.due = p.soonest(e)
				heap.Push(&p.due, e)
			}
		}
	}
	e.why = why
	if f.Charset != was.Charset || f.DateLayout != was.DateLayout || f.Identity != was.Identity {
		e.refetch = true
	}
	if !e.loaded || e.index < 0 {
		p.forgetSeries(e)
		return
	}
	switch {
	case f.URL != was.URL || e.refetch:
		e.due = p.soonest(e)
	case f.Every != was.Every && e.state.Failures == 0:
		e.due = p.repaced(e)
	}
	heap.Fix(&p.due, e.index)
	p.forgetSeries(e)
}

// forgetSeries makes show start again with what the catalogue says now.
func (p *Poller) forgetSeries(e *entry) { delete(p.metrics.known, e.feed.ID) }

// leave takes a feed out of the schedule. What a quiet poll left in memory is
// written at stop.
func (p *Poller) leave(e *entry) {
	p.unschedule(e)
	p.metrics.forget(e.feed.ID)
	if e.removed && e.dirty && !e.busy {
		p.departed = append(p.departed, e)
	}
}

func (p *Poller) unschedule(e *entry) {
	if e.index >= 0 {
		heap.Remove(&p.due, e.index)
	}
	p.ready = slices.DeleteFunc(p.ready, func(r *entry) bool { return r == e })
}

// soonest is now, but within the floor.
func (p *Poller) soonest(e *entry) time.Time {
	now := p.Now()
	if floor := e.state.LastPoll.Add(p.MinInterval); floor.After(now) && floor.Sub(now) <= p.MinInterval {
		return now.Add(floor.Sub(now))
	}
	return now
}

// repaced is the next poll by a changed interval, counted from the last poll,
// but not before the server's wish.
func (p *Poller) repaced(e *entry) time.Time {
	now := p.Now()
	every := p.pace.Interval(*e.feed, e.state.Rhythm, now)
	at := e.state.LastPoll.Add(every)
	if e.state.NotBefore.After(at) {
		at = e.state.NotBefore
	}
	wait := min(max(at.Sub(now), 0), max(every, longest))
	return now.Add(wait + p.pace.jitter(every/10))
}

// notWatched is why a feed of the catalogue cannot be polled, "" if it can.
func notWatched(f *feed.Feed) string {
	switch {
	case f.Disabled != "":
		return f.Disabled
	case strings.HasPrefix(f.URL, "rsshub:"):
		return "needs an RSSHub: set --rsshub"
	case !strings.HasPrefix(f.URL, "http://") && !strings.HasPrefix(f.URL, "https://"):
		return "has no address that can be polled"
	}
	return ""
}
