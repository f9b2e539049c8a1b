package web

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// menu is one facet: any number of its values may be chosen.
type menu struct {
	Name, Label string
	One         bool // only one of them
	Options     []option
	On          int // chosen ones
}

type option struct {
	Value, Label string
	Count        int
	On           bool
}

// chosen is one value that the list is filtered by.
type chosen struct {
	Name, Label string
	Without     string // the address without it
}

// filterView is the form that the list and the timeline share.
type filterView struct {
	Action   string
	Severity []option
	Menus    []menu
	Chosen   []chosen // what is filtered by, each with a link that takes it off
	Keep     []chosen // parameters without a control of their own
	Folded   bool
	Query    string
	HasQuery bool // q= is possible
	Active   bool
	CSV      string
	Atom     string
	Other    string // the same filter on the other page
}

func (s *Server) filterView(f *filter, action string, feeds []FeedStatus, rules []RuleInfo) filterView {
	facets := s.index.facets(f)
	v := f.values()
	view := filterView{Action: action, Severity: severityOptions(f, facets), Menus: s.menus(f, facets, feeds, rules), Chosen: chosenOf(f, action, feeds),
		Folded: f.folded != "", Query: f.q, HasQuery: s.cfg.Query != nil, Active: len(v) > 0,
		CSV: "/api/v1/alerts.csv" + query(v), Atom: "/channels/all.atom" + query(v), Other: "/timeline" + query(v)}
	if action != "/" {
		view.Other = "/" + query(v)
	}
	for _, name := range []string{"rule", "before"} {
		for _, w := range v[name] {
			view.Keep = append(view.Keep, chosen{Name: name, Label: w})
		}
	}
	return view
}

func severityOptions(f *filter, facets map[string][]facet) []option {
	counts := map[string]int{}
	for _, fc := range facets["severity"] {
		counts[fc.Value] = fc.Count
	}
	var out []option
	for _, sev := range slices.Backward(rule.Severities) {
		out = append(out, option{string(sev), string(sev), counts[string(sev)], slices.Contains(f.severities, string(sev))})
	}
	return out
}

var periods = []option{{Value: "24h", Label: "last 24 hours"}, {Value: "7d", Label: "last 7 days"}, {Value: "30d", Label: "last 30 days"},
	{Value: "365d", Label: "last 12 months"}}

// menus are the facets that have values, with what the configuration knows of
// them: a channel is offered before it has its first alert.
func (s *Server) menus(f *filter, facets map[string][]facet, feeds []FeedStatus, rules []RuleInfo) []menu {
	channels, titles := map[string]string{}, map[string]string{}
	for _, r := range rules {
		if r.Disabled == "" {
			channels[r.Channel] = r.ChannelTitle
		}
	}
	for _, fd := range feeds {
		titles[fd.ID] = fd.Title
	}
	period := menu{Name: "since", Label: "Time", One: true, Options: append([]option{{Label: "any time"}}, periods...)}
	if !f.since.IsZero() {
		period.On = 1
		now := s.now()
		match := slices.IndexFunc(period.Options, func(o option) bool {
			t, _ := parseTime(o.Value, now)
			return o.Value != "" && t.Sub(f.since).Abs() < time.Minute
		})
		if match >= 0 {
			period.Options[match].On = true
		} else {
			period.Options = append(period.Options, option{Value: f.since.UTC().Format(time.RFC3339), Label: sinceLabel(f), On: true})
		}
	} else {
		period.Options[0].On = true
	}
	return []menu{
		newMenu("channel", "Channel", facets, f.channels, channels, asIs),
		newMenu("state", "About", facets, f.states, nil, feed.CountryName),
		newMenu("tier", "Voice", facets, f.tiers, nil, asIs),
		newMenu("feed", "Source", facets, f.feeds, nil, named(titles)),
		newMenu("country", "Published in", facets, f.countries, nil, feed.CountryName),
		newMenu("language", "Language", facets, f.languages, nil, languageName),
		period,
	}
}

// asIs names a value by itself.
func asIs(w string) string { return w }

func named(names map[string]string) func(string) string {
	return func(w string) string {
		if names[w] != "" {
			return names[w]
		}
		return w
	}
}

func sinceLabel(f *filter) string { return "since " + f.since.UTC().Format("2 Jan 2006 15:04") }

func newMenu(name, label string, facets map[string][]facet, on []string, known map[string]string, title func(string) string) menu {
	m := menu{Name: name, Label: label, On: len(on)}
	have := map[string]bool{}
	add := func(w string, n int) {
		if !have[w] {
			have[w] = true
			m.Options = append(m.Options, option{w, clip(title(w), 80), n, slices.Contains(on, w)})
		}
	}
	for _, fc := range facets[name] {
		add(fc.Value, fc.Count)
	}
	for w := range known {
		add(w, 0)
	}
	for _, w := range on { // asked for, and without an alert
		add(w, 0)
	}
	slices.SortFunc(m.Options, func(a, b option) int { return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)) })
	return m
}

// chosenOf names what the list is filtered by, but for the severities and the
// query, which stand open.
func chosenOf(f *filter, action string, feeds []FeedStatus) []chosen {
	titles := map[string]string{}
	for _, fd := range feeds {
		titles[fd.ID] = fd.Title
	}
	v := f.values()
	without := func(name, value string) string {
		out := url.Values{}
		for k, ws := range v {
			for _, w := range ws {
				if k != name || w != value {
					out.Add(k, w)
				}
			}
		}
		return action + query(out)
	}
	var out []chosen
	for _, c := range []struct {
		name, label string
		values      []string
		title       func(string) string
	}{
		{"channel", "channel", f.channels, asIs}, {"state", "about", f.states, feed.CountryName}, {"tier", "voice", f.tiers, asIs},
		{"feed", "source", f.feeds, named(titles)}, {"country", "published in", f.countries, feed.CountryName},
		{"language", "language", f.languages, languageName}, {"rule", "rule", f.rules, asIs},
	} {
		for _, w := range c.values {
			out = append(out, chosen{c.label, clip(c.title(w), 60), without(c.name, w)})
		}
	}
	for _, name := range []string{"since", "before"} {
		if w := v.Get(name); w != "" {
			at, _ := time.Parse(time.RFC3339, w)
			out = append(out, chosen{name, at.Format("2 Jan 2006 15:04"), without(name, w)})
		}
	}
	return out
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

// langAttr is the item's language if it can be one.
func langAttr(l string) string {
	if len(l) <= 35 && languageTag.MatchString(l) {
		return l
	}
	return ""
}

// languageName is the English name of a language, or its tag.
func languageName(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	if name := display.English.Tags().Name(t); name != "" {
		return name
	}
	return tag
}
