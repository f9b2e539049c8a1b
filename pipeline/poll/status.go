package poll

import (
	"time"

	"newsmonitor/pipeline/feed"
)

// Status is one feed and how it is doing, for API, page and command line.
type Status struct {
	Feed        feed.Feed
	State       string // one of AllStates
	Since       time.Time
	Reason      string // one of Reasons, "" when fine
	Error       string // a clause, no bytes of the server's
	Advice      string // what to do about it
	Failures    int
	LastPoll    time.Time
	LastSuccess time.Time
	LastNewItem time.Time
	NextDue     time.Time
	Interval    time.Duration // as asked for, within --min-interval
	Items       int           // of the last document
	NewURL      string        // where a permanent redirect points
	NotWatched  string        // why, for a feed that is not watched
	Notes       []string      // what is odd but no failure
}

// Snapshot lists all feeds in the catalogue's order.
func (p *Poller) Snapshot() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Status, 0, len(p.order))
	for _, e := range p.order {
		list = append(list, p.status(e))
	}
	return list
}

func (p *Poller) status(e *entry) Status {
	s := Status{Feed: e.feed, State: e.label(), NotWatched: e.why}
	if e.why != "" {
		return s
	}
	st := e.state
	s.Since, s.Reason, s.Error, s.Failures = st.Since, st.Reason, st.Error, st.Failures
	s.LastPoll, s.LastSuccess, s.LastNewItem = st.LastPoll, st.LastSuccess, st.LastNew
	s.Interval, s.Items, s.NewURL = p.pace.Interval(e.feed), listed(st.Items), st.NewURL
	s.Advice = Advice(st.Reason, st.Status)
	if e.state.State == StateGone {
		s.Advice = goneText(st)
	}
	if e.loaded {
		s.NextDue = e.due.UTC()
	}
	s.Notes = append(s.Notes, e.notes...)
	return s
}
