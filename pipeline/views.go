package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/notify"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// newWeb gives the web room its views of the others.
func (m *Monitor) newWeb() (*web.Server, error) {
	s := m.settings
	var trust []netip.Prefix
	for _, t := range s.HTTPTrust {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, err
		}
		trust = append(trust, p)
	}
	asked := m.inquiry()
	srv, err := web.New(web.Config{
		Addr: s.HTTP, TokenFile: s.HTTPTokenFile, UserHeader: s.HTTPUserHeader, Trust: trust, Hosts: s.HTTPHosts,
		Alerts: alertLog{m.store.Alerts()}, Revisions: m.store.Items().Revisions,
		Query: m.query, Feeds: m.feeds, Rules: m.rules, Status: m.status, Ready: m.store.Ready, Backup: m.store.Backup,
		Desk: desk{m.desk, m.Config}, Acks: m.desk.Acked, Ask: asked.ask, Why: asked.why,
		Pushed: m.destinations, TestPush: m.testPush, Metrics: m.registry, Log: m.log,
	})
	if err != nil {
		return nil, err
	}
	_, err = srv.Listen()
	return srv, err
}

// alertLog is the store's ALERTS in the web room's words.
type alertLog struct{ *stream.Alerts }

func (l alertLog) Last(ctx context.Context) (first, last uint64, err error) { return l.Bounds(ctx) }

func (l alertLog) Get(ctx context.Context, seq uint64) (alert.Stored, error) {
	st, err := l.Alerts.Get(ctx, seq)
	if err == nil && st.Sequence == 0 {
		return st, web.ErrGone
	}
	return st, err
}

// query compiles q=, the rules' language over what an event tells of its item.
func (m *Monitor) query(q string) (func(alert.Event) bool, error) {
	compiled, problems := m.config.Load().Rules.Query(q)
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, errs
	}
	return func(e alert.Event) bool {
		it := e.Data.Item
		_, ok := compiled.Match(feed.Item{Feed: it.Feed, Title: it.Title, Summary: it.Summary, Link: it.Link,
			Authors: it.Authors, Language: it.Language, Source: e.Data.Source})
		return ok
	}, nil
}

func (m *Monitor) feeds() []web.FeedStatus {
	ctx, cancel := context.WithTimeout(context.Background(), viewLimit)
	defer cancel()
	var out []web.FeedStatus
	for _, st := range m.feedStates(ctx) {
		f := st.Feed
		text := st.Error
		if text != "" && st.Advice != "" {
			text += ". "
		}
		text += st.Advice // alone where a feed is silent: nothing failed
		out = append(out, web.FeedStatus{
			ID: f.ID, Title: f.Title, URL: f.URL, NewURL: st.NewURL, Kind: f.Kind, Tier: f.Tier, Country: f.Country,
			Language: f.Language, Tags: f.Tags, State: st.State, Since: st.Since, Reason: st.Reason, Text: text,
			Failures: st.Failures, Disabled: st.NotWatched, LastSuccess: st.LastSuccess, LastNewItem: st.LastNewItem,
			LastPoll: st.LastPoll, NextDue: st.NextDue, IntervalSeconds: st.Interval.Seconds(),
			Why: st.Why, Notes: st.Notes, Certificate: st.Certificate,
		})
	}
	return out
}

// health is what a digest says of the watch.
func (m *Monitor) health() (h notify.Health) {
	ctx, cancel := context.WithTimeout(context.Background(), viewLimit)
	defer cancel()
	if active, err := m.desk.Mutes(ctx); err == nil {
		for _, a := range active {
			h.Mutes = append(h.Mutes, notify.Mute{Mute: a.Mute, Held: a.Held})
		}
	}
	for _, st := range m.feedStates(ctx) {
		switch st.State {
		case poll.StateDisabled:
			continue
		case poll.StateOK:
			h.Read++
		case poll.StateSilent:
			h.Read++
			h.Silent = append(h.Silent, st.Feed.ID)
		case poll.StateFailing, poll.StateGone:
			h.Failing = append(h.Failing, st.Feed.ID)
		}
		h.Feeds++
	}
	return h
}

func (m *Monitor) testPush(ctx context.Context, name string) (string, error) {
	service, err := m.pusher.Test(ctx, name)
	if errors.Is(err, notify.ErrUnknown) {
		return "", fmt.Errorf("%w%s", web.ErrNoDestination, strings.TrimPrefix(err.Error(), notify.ErrUnknown.Error()))
	}
	return service, err
}

func (m *Monitor) destinations(ctx context.Context) []web.Destination {
	var out []web.Destination
	for _, d := range m.pusher.Status(ctx) {
		out = append(out, web.Destination{Name: d.Name, Service: d.Service, State: d.State, LastDelivered: d.LastDelivered,
			Undelivered: d.Undelivered, More: d.More, LastError: d.LastError, Text: d.Text})
	}
	return out
}

// rulesKept is how many rules are kept as they were listed: a set has them
// packed, and reads their tests from the files.
const rulesKept = 5_000

// listedRules is what rules said of a set.
type listedRules struct {
	set   *rule.Set
	rules []web.RuleInfo
}

func (m *Monitor) rules() []web.RuleInfo {
	rules := slices.Clone(m.listedRules())
	for i := range rules {
		r := &rules[i]
		r.OverBudget = r.Budget > 0 && m.today.Rule(r.ID) > r.Budget
	}
	return rules
}

func (m *Monitor) listedRules() []web.RuleInfo {
	set := m.config.Load().Rules
	if was := m.listed.Load(); was != nil && was.set == set {
		return was.rules
	}
	rules := listRules(set)
	if len(rules) <= rulesKept {
		m.listed.Store(&listedRules{set, rules})
	}
	return rules
}

func listRules(set *rule.Set) []web.RuleInfo {
	titles := map[string]string{}
	for _, c := range set.Channels() {
		titles[c.Slug] = c.Title
	}
	cases := set.Cases()
	var out []web.RuleInfo
	for _, r := range set.Rules() {
		out = append(out, web.RuleInfo{
			ID: r.ID, Title: r.Title, Channel: r.Channel, ChannelTitle: titles[r.Channel], Severity: string(r.Severity),
			Version: r.Version, File: r.File, Match: r.Query, Unless: r.Unless, Budget: r.Budget, Disabled: r.Disabled,
			References: r.References, About: r.About, Line: r.Line, Cost: r.Cost, Anchor: r.Anchor, Tests: cases[r.ID],
		})
	}
	return out
}

func (m *Monitor) status() web.Status {
	ctx, cancel := context.WithTimeout(context.Background(), viewLimit)
	defer cancel()
	config := m.config.Load()
	st := web.Status{
		Version: m.settings.Version, Instance: m.settings.Instance, Started: m.started, Uptime: time.Since(m.started).Seconds(),
		Feeds: map[string]int{}, Copies: web.Copies{Feeds: config.FeedsRun, Rules: config.RulesRun}, Problems: config.Problems,
		NATS: web.NATSStatus{URL: m.store.ClientURL(), Embedded: m.settings.NATS == "", Connected: m.store.Ready(ctx) == nil, Prefix: m.settings.Prefix},
	}
	st.SelfTest.Every = m.canary.every.Seconds()
	if at := m.canary.done.Load(); at != nil {
		st.SelfTest.Last = at.UTC()
	}
	_, rules := slugs(config)
	st.Rules = len(rules)
	for _, s := range poll.AllStates {
		st.Feeds[s] = 0
	}
	maps.Copy(st.Feeds, m.feedCounts(ctx))
	if infos, err := m.store.Streams(ctx); err == nil {
		for _, i := range infos {
			st.Streams = append(st.Streams, web.StreamStatus{Name: i.Name, Messages: i.Messages, Bytes: i.Bytes, Limit: i.MaxBytes, First: i.First, Last: i.Last, Damage: i.Damage})
		}
	}
	if r, err := m.store.Reader(ctx, "raise"); err == nil {
		st.Readers = append(st.Readers, web.ReaderStatus{Name: "raise", Owner: r.Owner, Sequence: r.Sequence, Lag: r.Lag, Oldest: r.Oldest})
	}
	st.Nodes = m.nodes(ctx)
	st.Folded, st.OverBudget = m.today.Folded(), m.today.Over()
	var err error
	if st.Mutes, err = (desk{m.desk, m.Config}).Mutes(ctx); err != nil {
		m.log.Debug("the mutes cannot be read", "error", err)
	}
	return st
}

// budgeted is the budgets of a set's rules.
type budgeted struct {
	set *rule.Set
	of  map[string]int
}

// budgets of the rules of the moment that have one.
func (m *Monitor) budgets() map[string]int {
	config := m.config.Load()
	if config == nil || config.Rules == nil {
		return nil
	}
	if was := m.budgeted.Load(); was != nil && was.set == config.Rules {
		return was.of
	}
	of := map[string]int{}
	for _, r := range m.listedRules() {
		if r.Budget > 0 && r.Disabled == "" {
			of[r.ID] = r.Budget
		}
	}
	m.budgeted.Store(&budgeted{config.Rules, of})
	return of
}
