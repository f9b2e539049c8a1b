package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/rule"
)

// rulesView is every rule with its text, its tests and what came of it.
type rulesView struct {
	Nav      string
	Channels []ruleChannel
	Over     []ruleLine
	Rules    int
	Disabled int
	Alerts   int
}

type ruleChannel struct {
	Slug, Title string
	Alerts      int
	Rules       []ruleLine
}

// ruleLine is one rule as the page shows it.
type ruleLine struct {
	RuleInfo
	Price         string
	Fires, Silent []rule.Case
}

// countedRules adds what each rule raised.
func (s *Server) countedRules() []RuleInfo {
	now := s.now()
	month, today := s.index.byRule(now.Add(-30*24*time.Hour)), s.index.byRule(now.Add(-24*time.Hour))
	rules := s.rules()
	for i := range rules {
		r := &rules[i]
		r.Alerts, r.Today = month[r.ID], today[r.ID]
	}
	return rules
}

// byRule counts the alerts since a time by the rules in them, folded ones left
// out.
func (x *index) byRule(since time.Time) map[string]int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	counts, from := make([]int, len(x.rules.words)+1), since.UnixNano()
	for i := len(x.slots) - 1; i >= 0 && x.slots[i].at >= from; i-- {
		s := &x.slots[i]
		if s.superseded != 0 || s.folded {
			continue
		}
		for _, id := range x.ruleSets.members(s.rules) {
			counts[id]++
		}
	}
	out := map[string]int{}
	for i, w := range x.rules.words {
		if n := counts[i+1]; n > 0 {
			out[w] = n
		}
	}
	return out
}

func (s *Server) rulesPage(w http.ResponseWriter, _ *http.Request) error {
	view := rulesView{Nav: "rules"}
	at := map[string]int{}
	for _, r := range s.countedRules() {
		l := ruleLine{RuleInfo: r, Price: price(r)}
		for _, c := range r.Tests {
			if c.Fires {
				l.Fires = append(l.Fires, c)
			} else {
				l.Silent = append(l.Silent, c)
			}
		}
		i, ok := at[r.Channel]
		if !ok {
			i = len(view.Channels)
			at[r.Channel] = i
			view.Channels = append(view.Channels, ruleChannel{Slug: r.Channel, Title: r.ChannelTitle})
		}
		view.Channels[i].Rules = append(view.Channels[i].Rules, l)
		view.Channels[i].Alerts += r.Alerts
		view.Alerts += r.Alerts
		if r.Disabled != "" {
			view.Disabled++
			continue
		}
		view.Rules++
		if r.OverBudget {
			view.Over = append(view.Over, l)
		}
	}
	slices.SortFunc(view.Channels, func(a, b ruleChannel) int { return strings.Compare(a.Slug, b.Slug) })
	for _, c := range view.Channels {
		slices.SortStableFunc(c.Rules, func(a, b ruleLine) int { return cmp.Compare(b.Alerts, a.Alerts) })
	}
	return s.render(w, s.pages.rules, http.StatusOK, view)
}

// price says what a rule costs, in the words of `monitor rules cost`.
func price(r RuleInfo) string {
	if r.Anchor == "" {
		return fmt.Sprintf("%s steps an item, tried on every item", rule.Figure(r.Cost))
	}
	return fmt.Sprintf("%s steps an item; tried on items that hold %s", rule.Figure(r.Cost), r.Anchor)
}

func (s *Server) exportRules(w http.ResponseWriter, r *http.Request) error {
	rows := [][]string{{"rule", "title", "channel", "severity", "alerts_30d", "alerts_24h", "budget", "over_budget", "cost", "anchor", "tests", "version", "file", "disabled", "match", "unless"}}
	for _, ri := range s.countedRules() {
		over := ""
		if ri.OverBudget {
			over = "yes"
		}
		rows = append(rows, []string{ri.ID, ri.Title, ri.Channel, ri.Severity, fmt.Sprint(ri.Alerts), fmt.Sprint(ri.Today), fmt.Sprint(ri.Budget), over,
			rule.Figure(ri.Cost), ri.Anchor, fmt.Sprint(len(ri.Tests)), ri.Version, ri.File, ri.Disabled, ri.Match, ri.Unless})
	}
	return s.spreadsheet(w, r, "rules", rows)
}

func (s *Server) exportFeeds(w http.ResponseWriter, r *http.Request) error {
	rows := [][]string{{"feed", "title", "url", "state", "since", "problem", "failures", "last_success", "last_new_item", "last_poll", "next_due",
		"interval_seconds", "kind", "tier", "country", "language", "tags", "disabled"}}
	for _, f := range s.feeds() {
		rows = append(rows, []string{f.ID, f.Title, f.URL, f.State, stamp(f.Since), f.Text, fmt.Sprint(f.Failures), stamp(f.LastSuccess), stamp(f.LastNewItem),
			stamp(f.LastPoll), stamp(f.NextDue), fmt.Sprint(f.IntervalSeconds), f.Kind, f.Tier, f.Country, f.Language, strings.Join(f.Tags, " "), f.Disabled})
	}
	return s.spreadsheet(w, r, "feeds", rows)
}
