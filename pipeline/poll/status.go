package poll

import (
	"fmt"
	"time"

	"newsmonitor/pipeline/feed"
)

const certSoon = 14 * 24 * time.Hour

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
	Why         string        // how Interval came about, when it was learned; or when and why it is asked next, when not after Interval
	Adopted     bool          // NewURL is asked directly
	Certificate time.Time     // when the server's certificate ends, zero without TLS or not yet known
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
	s := Status{Feed: *e.feed, State: e.label(), NotWatched: e.why}
	if e.why != "" {
		return s
	}
	st := e.state
	s.Since, s.Reason, s.Error, s.Failures = st.Since, st.Reason, st.Error, st.Failures
	s.LastPoll, s.LastSuccess, s.LastNewItem = st.LastPoll, st.LastSuccess, st.LastNew
	s.Interval, s.Items, s.NewURL = p.pace.Interval(*e.feed, st.Rhythm, p.Now()), e.items.listed(), st.NewURL
	s.Adopted, s.Certificate, s.Why = st.Adopted, e.certificate, p.why(e)
	s.Advice = Advice(st.Reason, st.Status)
	switch st.State {
	case StateGone:
		s.Advice = goneText(st)
	case StateSilent:
		s.Advice = silentText(st.Rhythm, p.Now())
	}
	if e.loaded {
		s.NextDue = e.due.UTC()
	}
	s.Notes = p.oddities(e)
	return s
}

// oddities are what an operator should know of a feed though it works.
func (p *Poller) oddities(e *entry) (notes []string) {
	st := e.state
	if st.NewURL != "" {
		how := "the redirect is followed each time"
		if st.Adopted {
			how = "asked there directly"
		}
		notes = append(notes, fmt.Sprintf("has moved for good to %s (%s): change the url in feeds.yaml", st.NewURL, how))
	}
	if st.Suspect {
		notes = append(notes, "the server says that nothing has changed when something has: it is asked for everything once a day")
	}
	if st.Ignored >= never304 {
		notes = append(notes, "never 304: the server gives validators and then sends the whole document all the same")
	}
	if e.downgraded {
		notes = append(notes, "a redirect leads from https to http: anybody on the way can change what we read")
	}
	if ends := e.certificate; !ends.IsZero() && ends.Sub(p.Now()) < certSoon {
		notes = append(notes, "the certificate ends on "+ends.Format(time.DateOnly)+": tell the publisher")
	}
	return append(notes, e.notes...)
}

// why explains the pace of a feed where it is not simply its `every`.
func (p *Poller) why(e *entry) string {
	st, now := e.state, p.Now()
	switch {
	case st.Gone >= goneAfter && st.Failures > 0:
		return "said 410: asked once a week at most"
	case st.Gone > 0 && st.Failures > 0:
		return fmt.Sprintf("said 410, %d of the %d times after which it counts as gone", st.Gone, goneAfter)
	case st.Reason == ReasonRateLimited && st.NotBefore.After(now):
		return "the server asked us to wait until " + st.NotBefore.Format(time.RFC3339)
	case st.Failures > 1:
		return fmt.Sprintf("failed %d times in a row: asked ever more rarely, once a day at most, after a month once a week", st.Failures)
	case st.Failures == 0 && st.NotBefore.After(now) && st.NotBefore.Sub(st.LastPoll) > p.pace.Interval(*e.feed, st.Rhythm, now):
		return "the server or the document wishes no request before " + st.NotBefore.Format(time.RFC3339)
	case e.feed.Auto:
		_, why := st.Rhythm.learned(now, positive(e.feed.Every, usualInterval))
		return why
	}
	return ""
}

// Counts is how many feeds of the catalogue are in each state.
func (p *Poller) Counts() map[string]int {
	counts := make(map[string]int, len(AllStates))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.order {
		counts[e.label()]++
	}
	return counts
}
