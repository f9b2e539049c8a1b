package pipeline

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

// replayLead is how much earlier than asked a replay begins to read, without
// reporting, so that what an edit updates is known.
const replayLead = 72 * time.Hour

// Changes that other rules would make, of one alert.
const (
	Same     = "same"
	Gained   = "gained"
	Lost     = "lost"
	Severity = "severity" // raised either way, at another severity
)

// Replayed is one alert as it would be, or was.
type Replayed struct {
	Change   string        `json:"change"`
	Channel  string        `json:"channel"`
	Severity rule.Severity `json:"severity"`      // as it would be; as it was, of a lost one
	Was      rule.Severity `json:"was,omitempty"` // of a changed severity
	Folded   bool          `json:"folded"`        // held or otherwise not pushed
	Feed     string        `json:"feed"`
	Title    string        `json:"title"`
	Link     string        `json:"link,omitempty"`
	Fetched  time.Time     `json:"fetched"`
	ID       string        `json:"id"` // of the alert
	Rules    []string      `json:"rules"`
}

// RuleReplay is what one rule would do.
type RuleReplay struct {
	Rule    string  `json:"rule"`
	Channel string  `json:"channel"`
	Alerts  int     `json:"alerts"`  // that it would be part of
	PerDay  float64 `json:"per_day"` // of a shorter time, as if it were a day
	Was     int     `json:"was"`     // that it was part of
}

// Replay is what rules would have raised from the stored items.
type Replay struct {
	Since  time.Time    `json:"since"` // as asked, or when the oldest item still kept was fetched
	Until  time.Time    `json:"until"`
	Items  int          `json:"items"` // in that time
	Alerts []Replayed   `json:"-"`     // by time, then channel
	Rules  []RuleReplay `json:"-"`     // most alerts first

	Same, Gained, Lost, Severity int
}

// RunReplay puts the items stored since a time through rules, with the raiser
// that the daemon has: its Items end, and its Outbox is memory. Nothing is
// published. An alert counts from the time when its item was fetched.
func RunReplay(ctx context.Context, from *stream.Archive, set *rule.Set, since, now time.Time, progress func(done, of uint64)) (*Replay, error) {
	// Alerts are kept longer than items: what has no item any more is not lost.
	first, err := from.First(ctx)
	if err != nil {
		return nil, err
	}
	if first.After(since) {
		since = first
	}
	out := &Replay{Since: since, Until: now}
	would := &memoryOutbox{events: map[string]alert.Stored{}}
	read := map[string]bool{} // keys of items
	raiser := &alert.Raiser{
		Items: storedItems{from, since.Add(-replayLead), progress, func(it feed.Item) {
			read[it.Key] = true
			if !it.Fetched.Before(since) {
				out.Items++
			}
		}},
		Outbox: would, Match: set.Match, Instance: "replay", Now: func() time.Time { return now },
		Log: slog.New(slog.DiscardHandler), Metrics: alert.NewMetrics(prometheus.NewRegistry()),
	}
	if err := raiser.Run(ctx); err != nil {
		return nil, err
	}
	did := map[string]alert.Stored{}
	// What was raised for an item was stored after the item, so the same start will do.
	err = from.Alerts(ctx, since.Add(-replayLead), func(st alert.Stored) error {
		if read[st.Event.Data.Item.Key] { // the daemon may have raised what came in meanwhile
			did[st.Event.Data.ID] = st
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.compare(would.events, did)
	out.count(set, did)
	return out, nil
}

func (r *Replay) compare(would, did map[string]alert.Stored) {
	add := func(change string, st alert.Stored, was rule.Severity) {
		d := st.Event.Data
		if d.Item.Fetched.Before(r.Since) {
			return
		}
		a := Replayed{Change: change, Channel: d.Channel, Severity: st.Event.Severity, Was: was, Folded: st.Folded, Feed: d.Item.Feed,
			Title: d.Item.Title, Link: d.Item.Link, Fetched: d.Item.Fetched, ID: d.ID, Rules: []string{}}
		for _, m := range d.Rules {
			a.Rules = append(a.Rules, m.ID)
		}
		r.Alerts = append(r.Alerts, a)
		switch change {
		case Same:
			r.Same++
		case Gained:
			r.Gained++
		case Lost:
			r.Lost++
		case Severity:
			r.Severity++
		}
	}
	for id, w := range would {
		switch d, ok := did[id]; {
		case !ok:
			add(Gained, w, "")
		case d.Event.Severity != w.Event.Severity:
			add(Severity, w, d.Event.Severity)
		default:
			add(Same, w, "")
		}
	}
	for id, d := range did {
		if _, ok := would[id]; !ok {
			add(Lost, d, "")
		}
	}
	slices.SortFunc(r.Alerts, func(a, b Replayed) int {
		return cmp.Or(a.Fetched.Compare(b.Fetched), cmp.Compare(a.Feed, b.Feed), cmp.Compare(a.Title, b.Title), cmp.Compare(a.Channel, b.Channel))
	})
}

func (r *Replay) count(set *rule.Set, did map[string]alert.Stored) {
	rules := map[string]*RuleReplay{}
	get := func(id, channel string) *RuleReplay {
		if rules[id] == nil {
			rules[id] = &RuleReplay{Rule: id, Channel: channel}
		}
		return rules[id]
	}
	for _, x := range set.Rules() {
		if x.Disabled == "" {
			get(x.ID, x.Channel)
		}
	}
	for _, a := range r.Alerts {
		if a.Change == Lost {
			continue
		}
		for _, id := range a.Rules {
			get(id, a.Channel).Alerts++
		}
	}
	for _, st := range did {
		if st.Event.Data.Item.Fetched.Before(r.Since) {
			continue
		}
		for _, m := range st.Event.Data.Rules {
			get(m.ID, st.Event.Data.Channel).Was++
		}
	}
	days := max(r.Until.Sub(r.Since).Hours()/24, 1)
	for _, x := range rules {
		x.PerDay = float64(x.Alerts) / days
		r.Rules = append(r.Rules, *x)
	}
	slices.SortFunc(r.Rules, func(a, b RuleReplay) int { return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.Rule, b.Rule)) })
}

// storedItems is an alert.Items that ends.
type storedItems struct {
	from     *stream.Archive
	since    time.Time
	progress func(done, of uint64)
	seen     func(feed.Item)
}

func (s storedItems) Each(ctx context.Context, _ string, _ func(), fn func(context.Context, uint64, feed.Item) error) error {
	sequence := uint64(0)
	return s.from.Items(ctx, s.since, s.progress, func(it feed.Item) error {
		s.seen(it)
		sequence++ // among themselves will do
		return fn(ctx, sequence, it)
	})
}

// memoryOutbox is an alert.Outbox that keeps the last event of each alert.
type memoryOutbox struct {
	events map[string]alert.Stored
	last   uint64
}

func (o *memoryOutbox) Last(_ context.Context, _, _, id string) (alert.Stored, error) {
	return o.events[id], nil
}

func (o *memoryOutbox) Append(_ context.Context, e alert.Event, _ uint64) (uint64, error) {
	o.last++
	o.events[e.Data.ID] = alert.Stored{Sequence: o.last, Folded: e.Type == alert.Folded, Event: e}
	return o.last, nil
}

func (o *memoryOutbox) WhenStored(_ context.Context, fn func()) { fn() }

// Heads: a replay begins with no story.
func (o *memoryOutbox) Heads(context.Context, time.Time, func(alert.Head) error) error { return nil }
