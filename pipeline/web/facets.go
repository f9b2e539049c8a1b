package web

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/rule"
)

// facet is one value that the list can be filtered by.
type facet struct {
	Value string
	Count int
}

// facets counts what each value of each menu would leave in the list: the
// alerts that the filter lets through but for the menu's own choice. The query
// q is not among what is counted, because it reads the events. A state is
// counted under the states chosen already, because states must all hold.
func (x *index) facets(f *filter) map[string][]facet {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.match(f)
	tables := []*names{&x.channels, &x.feeds, &x.countries, &x.languages, &x.tiers, &x.states, &x.rules}
	counts := make([][]int, len(tables))
	for i, t := range tables {
		counts[i] = make([]int, len(t.words)+1)
	}
	severity := make([]int, len(rule.Severities))
	for i := range x.slots {
		s := &x.slots[i]
		if s.superseded != 0 || !m.within(s) || !m.about(s) {
			continue
		}
		misses, missed := 0, 0
		for d, ok := range [...]bool{m.channels.has(s.channel), m.feeds.has(s.feed), m.countries.has(s.country),
			m.languages.has(s.language), m.tiers.has(uint16(s.tier)), m.grave(s), m.ruled(s)} {
			if !ok {
				misses++
				missed = d
			}
		}
		if misses > 1 {
			continue
		}
		only := func(d int) bool { return misses == 0 || missed == d }
		for d, id := range [...]uint16{s.channel, s.feed, s.country, s.language, uint16(s.tier)} {
			if only(d) {
				counts[d][id]++
			}
		}
		if only(5) {
			severity[min(int(s.severity), len(severity)-1)]++
		}
		if misses == 0 && s.states != 0 {
			for _, st := range x.stateSets.members(s.states) {
				counts[5][st]++
			}
		}
		if only(6) && s.rules != 0 {
			for _, r := range x.ruleSets.members(s.rules) {
				counts[6][r]++
			}
		}
	}
	out := map[string][]facet{}
	for d, name := range []string{"channel", "feed", "country", "language", "tier", "state", "rule"} {
		fs := []facet{}
		for i, w := range tables[d].words {
			if n := counts[d][i+1]; n > 0 {
				fs = append(fs, facet{w, n})
			}
		}
		slices.SortFunc(fs, func(a, b facet) int { return strings.Compare(a.Value, b.Value) })
		out[name] = fs
	}
	for i, sev := range rule.Severities {
		out["severity"] = append(out["severity"], facet{string(sev), severity[i]})
	}
	return out
}

// choice is a set of ids; nil is every one.
type choice []bool

func (c choice) has(id uint16) bool { return c == nil || int(id) < len(c) && c[id] }

func (n *names) choose(words []string) choice {
	if words == nil {
		return nil
	}
	c := make(choice, len(n.words)+1)
	for _, w := range words {
		if id, ok := n.ids[w]; ok {
			c[id] = true
		}
	}
	return c
}
