package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// Bounds of one question. It reads on the daemon's own cores, beside the work.
const (
	maxAsked     = 200_000          // items that are looked at
	askingTime   = 12 * time.Second // after which the answer is what was found
	maxLookedFor = 10               // items that a link or title may mean
)

// inquiry answers what people ask of what is stored: with the daemon's own
// rules and engine, and without changing anything.
type inquiry struct {
	store  *stream.Store
	config func() *Config
	now    func() time.Time
	states func(context.Context) []poll.Status         // of the feeds; nil when nothing polls
	passed func(alert.Stored) (sent, waits []string)   // nil when nothing is pushed
	judged func(context.Context) (last uint64, _ bool) // item up to which the raiser has judged
}

func (m *Monitor) inquiry() *inquiry {
	return &inquiry{store: m.store, config: m.Config, now: time.Now, states: m.feedStates, passed: m.pusher.Passed,
		judged: func(ctx context.Context) (uint64, bool) {
			r, err := m.store.Reader(ctx, "raise")
			return r.Sequence, err == nil
		}}
}

// ask puts a query to the stored items, the newest first.
func (q *inquiry) ask(ctx context.Context, ask web.Question) (web.Answer, error) {
	compiled, problems := q.config().Rules.Query(ask.Query)
	if len(problems.Errors()) > 0 {
		return web.Answer{Problems: problems}, nil
	}
	now := q.now().UTC()
	since := now.Add(-ask.Since)
	a := web.Answer{Problems: problems, Found: []web.Found{}, Days: []web.Day{}, Complete: true, Price: priceOf(compiled)}
	days, oldest := map[string]int{}, now
	seen := map[string]bool{}
	end := time.Now().Add(askingTime)
	err := q.store.Archive().Newest(ctx, since, nil, func(_ uint64, it feed.Item) error {
		if it.Fetched.Before(since) || seen[it.Feed+"/"+it.Key] {
			return nil // an older revision
		}
		if a.Read >= maxAsked || time.Now().After(end) {
			a.Complete = false
			return stream.ErrEnough
		}
		seen[it.Feed+"/"+it.Key] = true
		a.Read++
		oldest = it.Fetched
		m, ok := compiled.Match(it)
		if !ok {
			return nil
		}
		a.Matched++
		days[it.Fetched.UTC().Format(time.DateOnly)]++
		if len(a.Found) < ask.Limit {
			a.Found = append(a.Found, web.Found{Item: it, Snippet: m.Snippet, Evidence: m.Evidence, Raised: []web.RaisedAs{}})
		}
		return nil
	})
	if err != nil {
		return web.Answer{}, err
	}
	if a.Complete {
		oldest = since
	}
	for d := oldest.UTC().Truncate(24 * time.Hour); !d.After(now); d = d.AddDate(0, 0, 1) {
		day := d.Format(time.DateOnly)
		a.Days = append(a.Days, web.Day{Date: day, Count: days[day]})
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range a.Found {
		g.Go(func() error {
			events, err := q.alertsOf(within, a.Found[i].Item)
			for _, st := range events {
				a.Found[i].Raised = append(a.Found[i].Raised, raisedAs(st))
			}
			return err
		})
	}
	return a, g.Wait()
}

func priceOf(q *rule.Query) string {
	p := q.Price()
	if p.Anchor == "" {
		return fmt.Sprintf("%s steps an item; no word must be there, so that every item is tried", rule.Figure(p.Cost))
	}
	return fmt.Sprintf("%s steps an item; tried on %s of the items, those that hold %s", rule.Figure(p.Cost), rule.Percent(p.Probability), p.Anchor)
}

// alertsOf are the last events of an item's alerts, the most severe first.
func (q *inquiry) alertsOf(ctx context.Context, it feed.Item) (out []alert.Stored, err error) {
	for _, ch := range q.config().Rules.Channels() {
		st, err := q.store.Alerts().Last(ctx, ch.Slug, it.Feed, alert.ID(ch.Slug, it.Key))
		if err != nil {
			return nil, err
		}
		if st.Sequence > 0 {
			out = append(out, st)
		}
	}
	slices.SortStableFunc(out, func(a, b alert.Stored) int {
		return b.Event.Severity.Rank() - a.Event.Severity.Rank()
	})
	return out, nil
}

func raisedAs(st alert.Stored) web.RaisedAs {
	r := web.RaisedAs{ID: st.Event.Data.ID, Channel: st.Event.Data.Channel, Severity: st.Event.Severity}
	if f := st.Event.Data.Folded; f != nil {
		r.Folded = f.Reason
	}
	return r
}
