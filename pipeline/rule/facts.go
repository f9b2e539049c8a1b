package rule

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
)

// facts is what is known of an item besides its words.
type facts struct {
	source   feed.Source
	feed     string
	tier     string // of the voice if one was recognised, else of the feed
	voice    string
	language string
	states   []string
	channels map[string]bool // matched so far; judged after all rules
}

// holds tells whether a fact has one of the values; * is any value at all.
func (f *facts) holds(name string, values []string) bool {
	var have []string
	switch name {
	case "feed":
		have = []string{f.feed}
	case "kind":
		have = []string{f.source.Kind}
	case "tier":
		have = []string{f.tier}
	case "voice":
		have = []string{f.voice}
	case "country":
		have = []string{f.source.Country}
	case "state":
		have = f.states
	case "tag":
		have = f.source.Tags
	case "language":
		return slices.ContainsFunc(values, func(v string) bool { return speaks(f.language, v) })
	case "channel":
		return slices.ContainsFunc(values, func(v string) bool { return f.channels[v] || v == "*" && len(f.channels) > 0 })
	}
	return slices.ContainsFunc(have, func(h string) bool {
		return h != "" && slices.ContainsFunc(values, func(v string) bool { return v == "*" || strings.EqualFold(v, h) })
	})
}

// Holds is holds, for the engine.
func (f *facts) Holds(name string, values []string) bool { return f.holds(name, values) }

// speaks tells whether a language is want or a kind of it: zh-Hant is zh.
func speaks(have, want string) bool {
	if have == "" || len(have) < len(want) {
		return have != "" && want == "*"
	}
	return want == "*" || strings.EqualFold(have[:len(want)], want) && (len(have) == len(want) || have[len(want)] == '-')
}

// where is whereEntry, checked.
type where struct {
	keys []whereKey
}

type whereKey struct {
	name   string // of the file
	fact   string // of the query language
	values []string
}

// fails returns the first key that does not hold, or "".
func (w *where) fails(f *facts) string {
	for _, k := range w.keys {
		if !f.holds(k.fact, k.values) {
			return k.name
		}
	}
	return ""
}

func (e *whereEntry) compiled() where {
	var w where
	for _, k := range e.keys() {
		if len(k.values) > 0 {
			w.keys = append(w.keys, k)
		}
	}
	return w
}

func (e *whereEntry) keys() []whereKey {
	return []whereKey{
		{"language", "language", e.Language}, {"tier", "tier", e.Tier}, {"kind", "kind", e.Kind}, {"country", "country", e.Country},
		{"states", "state", e.States}, {"feed", "feed", e.Feed}, {"tags", "tag", e.Tags},
	}
}

// at returns the values of a key.
func (e *whereEntry) at(name string) *[]string {
	return map[string]*[]string{"language": &e.Language, "tier": &e.Tier, "kind": &e.Kind, "country": &e.Country, "states": &e.States, "feed": &e.Feed, "tags": &e.Tags}[name]
}
