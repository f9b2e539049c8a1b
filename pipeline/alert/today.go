package alert

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Recent gives fn each event stored since a time and then each new one, until
// ctx ends or fn fails.
type Recent interface {
	FollowSince(ctx context.Context, since time.Time, fn func(Stored) error) error
}

// Today counts what was raised and folded in the last 24 hours, whichever
// process did it: by rule, because an analyst gives a rule a budget of alerts a
// day, and by the reason of folding. Nothing is ever dropped for a budget.
type Today struct {
	Events  Recent
	Budgets func() map[string]int // alerts a day that each rule may raise, of those that have a budget
	Now     func() time.Time

	mu     sync.Mutex
	rules  map[string]hours
	folded map[string]hours
}

// hours counts by the hour since 1970.
type hours map[int64]int

const day = 24

func (h hours) add(at time.Time, now time.Time) {
	hour := at.Unix() / 3600
	h[hour]++
	for old := range h {
		if old < now.Unix()/3600-day {
			delete(h, old)
		}
	}
}

func (h hours) sum(now time.Time) (n int) {
	for hour, c := range h {
		if hour > now.Unix()/3600-day {
			n += c
		}
	}
	return n
}

var overBudget = prometheus.NewDesc("monitor_rule_over_budget", "1 for a rule that raised more alerts in the last 24 hours than its budget says.", []string{"rule"}, nil)

// NewToday registers the metric of rules over their budget.
func NewToday(events Recent, budgets func() map[string]int, now func() time.Time, reg prometheus.Registerer) *Today {
	t := &Today{Events: events, Budgets: budgets, Now: now, rules: map[string]hours{}, folded: map[string]hours{}}
	reg.MustRegister(t)
	return t
}

// Run counts until ctx ends.
func (t *Today) Run(ctx context.Context) error {
	return t.Events.FollowSince(ctx, t.Now().Add(-day*time.Hour), func(st Stored) error {
		t.count(st)
		return nil
	})
}

func (t *Today) count(st Stored) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, e := t.Now(), st.Event
	if e.Time.Before(now.Add(-day * time.Hour)) {
		return
	}
	add := func(m map[string]hours, key string) {
		if m[key] == nil {
			m[key] = hours{}
		}
		m[key].add(e.Time, now)
	}
	switch e.Type {
	case Folded:
		add(t.folded, e.Data.Folded.reason())
	case Raised:
		for _, r := range e.Data.Rules {
			add(t.rules, r.ID)
		}
	}
}

func (f *Fold) reason() string {
	if f == nil {
		return FoldBacklog
	}
	return f.Reason
}

// Rule is how many alerts of the last 24 hours a rule is part of, folded ones
// left out.
func (t *Today) Rule(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rules[id].sum(t.Now())
}

// Folded counts what was not pushed in the last 24 hours, by reason.
func (t *Today) Folded() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]int{}
	for _, reason := range []string{FoldStory, FoldMute, FoldBacklog, FoldFlood} {
		out[reason] = t.folded[reason].sum(t.Now())
	}
	return out
}

// Over names the rules that are over their budget.
func (t *Today) Over() (out []string) {
	for id, budget := range t.Budgets() {
		if t.Rule(id) > budget {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Describe implements prometheus.Collector.
func (t *Today) Describe(ch chan<- *prometheus.Desc) { ch <- overBudget }

// Collect implements prometheus.Collector: one series a rule with a budget.
func (t *Today) Collect(ch chan<- prometheus.Metric) {
	for id, budget := range t.Budgets() {
		over := 0.0
		if t.Rule(id) > budget {
			over = 1
		}
		ch <- prometheus.MustNewConstMetric(overBudget, prometheus.GaugeValue, over, id)
	}
}
