package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

const pageSize = 50

// listView is the analysts' page.
type listView struct {
	Nav      string
	Filters  []menu
	Severity []option
	Folded   bool
	Query    string
	HasQuery bool // q= is possible
	Active   bool // any filter is set
	Days     []day
	Newest   uint64 // sequence that the live stream goes on from
	Stream   string // its address; "" on older pages
	Older    string
	First    string // back to the newest; "" there
	CSV      string
	Notice   string // why the list may not be complete
	Watch    watch
	Empty    bool // there is no alert at all
}

// watch is what the daemon looks at, in numbers.
type watch struct {
	Feeds, Failing, Rules, Channels, Day int
}

// menu is one facet as a select.
type menu struct {
	Name, Label, All string
	Options          []option
}

type option struct {
	Value, Label string
	Count        int
	On           bool
}

// day groups what was raised on one day, UTC.
type day struct {
	Date   string
	Label  string
	Alerts []item
}

// item is one alert as the page shows it. Every string that a feed wrote
// stands here as text; Link is "" unless a browser may follow it.
type item struct {
	ID        string
	Sequence  uint64
	State     string
	Severity  string
	Was       string
	Channel   string
	Others    []string // channels that the same item also raised
	Raised    when
	Published when
	Link      string
	Lang      string
	Title     []part
	Passage   []part
	Source    feed.Source
	SourceID  string
	Country   string
	Tier      string
	Voice     *rule.Voice
	States    []option
	Rules     []why
	Fold      string
	Also      []alert.Carrier
	Backlog   bool
	Seen      *alert.Ack
}

// why is one rule of an alert.
type why struct {
	ID, Title, Severity, Version string
	Lines                        []line
	More                         int
}

// line is a concordance line.
type line struct {
	Field, Before, Text, After, List string
}

const maxLines = 8 // of a rule in the list; the alert's own page has all

func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	f, err := s.parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	n := f.limit
	if n == 0 {
		n = pageSize
	}
	newest := s.index.newest()  // before reading: the stream may repeat an alert, it must not skip one
	if s.tail.health() != nil { // what is still being read is not new
		if _, end, err := s.cfg.Alerts.Last(r.Context()); err == nil {
			newest = max(newest, end)
		}
	}
	l, err := s.read(r.Context(), f, n)
	if err != nil {
		return err
	}
	now := s.now().UTC()
	v := f.values()
	view := listView{
		Nav: "alerts", Severity: s.severityOptions(f), Filters: s.menus(f), Folded: f.folded != "", Query: f.q,
		HasQuery: s.cfg.Query != nil, Active: len(v) > 0, Newest: newest, CSV: "/api/v1/alerts.csv" + query(v),
		Watch: s.watch(now), Empty: s.index.size() == 0,
	}
	for _, e := range l.Alerts {
		it := newItem(e, now, maxLines)
		date := e.Event.Time.UTC().Format(time.DateOnly)
		if len(view.Days) == 0 || view.Days[len(view.Days)-1].Date != date {
			view.Days = append(view.Days, day{Date: date, Label: dayLabel(e.Event.Time, now)})
		}
		d := &view.Days[len(view.Days)-1]
		d.Alerts = append(d.Alerts, it)
	}
	if l.Next != "" {
		view.Older = "/" + with(v, "before", l.Next)
	}
	if f.cursor.before > 0 || !f.before.IsZero() {
		view.First = "/" + query(v)
	} else {
		view.Stream = "/api/v1/alerts/stream" + query(v)
	}
	if err := s.tail.health(); err != nil {
		view.Notice = "The list may not be complete yet: " + err.Error() + "."
	} else if !l.Complete {
		view.Notice = "The search stopped after reading 50,000 alerts; go on with Older."
	}
	return s.render(w, s.pages.list, http.StatusOK, view)
}

// alertView is one alert with everything that is known of it.
type alertView struct {
	Nav       string
	Alert     item
	Summary   []part
	Event     alert.Event
	Fetched   when
	Revisions []revision
	Citation  string
}

type revision struct {
	At    when
	Title string
	Text  string
	Lang  string
}

func (s *Server) alertPage(w http.ResponseWriter, r *http.Request) error {
	st, err := s.one(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	now := s.now().UTC()
	d := st.Event.Data
	view := alertView{Nav: "alert", Alert: newItem(s.entry(st), now, 50), Event: st.Event, Fetched: newWhen(d.Item.Fetched, now),
		Summary: markField(d.Item.Summary, "summary", d.Rules), Citation: citation(st.Event)}
	for _, it := range s.revisions(r.Context(), st.Event) {
		view.Revisions = append(view.Revisions, revision{newWhen(it.Fetched, now), it.Title, clip(it.Summary, 500), langAttr(it.Language)})
	}
	return s.render(w, s.pages.alert, http.StatusOK, view)
}

// citation is what an analyst pastes into a note.
func citation(e alert.Event) string {
	d := e.Data
	date := "undated"
	if !d.Item.Published.IsZero() {
		date = d.Item.Published.UTC().Format("2 January 2006")
	}
	c := d.Source.Title + ", \u201c" + d.Item.Title + "\u201d, " + date
	if link := webLink(d.Item.Link); link != "" {
		c += ", " + link
	}
	if !d.Item.Fetched.IsZero() {
		c += " (retrieved " + d.Item.Fetched.UTC().Format("2 January 2006, 15:04") + " UTC)"
	}
	return c
}

func newItem(e entry, now time.Time, lines int) item {
	d := e.Event.Data
	it := item{
		ID: d.ID, Sequence: e.Sequence, State: e.State, Severity: string(e.Event.Severity), Was: string(d.Was),
		Channel: d.Channel, Raised: newWhen(e.Event.Time, now), Link: webLink(d.Item.Link), Lang: langAttr(d.Item.Language),
		Title: markField(d.Item.Title, "title", d.Rules), Passage: passage(d), Source: d.Source, SourceID: d.Source.ID,
		Country: d.Source.Country, Tier: tierOf(d), Voice: d.Voice, Also: d.Story.Also, Backlog: d.Backlog, Seen: e.Acknowledged,
	}
	if len(it.Title) == 0 {
		it.Title = []part{{Text: "(without a title)"}}
	}
	if it.Source.Title == "" {
		it.Source.Title = d.Source.ID
	}
	for _, c := range d.Channels {
		if c != d.Channel {
			it.Others = append(it.Others, c)
		}
	}
	// A date that says nothing new is noise: shown when it is a day or more off.
	if p := d.Item.Published; !p.IsZero() && e.Event.Time.Sub(p).Abs() >= 24*time.Hour {
		it.Published = newWhen(p, now)
	}
	for _, code := range d.States {
		it.States = append(it.States, option{Value: code, Label: regionName(code)})
	}
	for _, m := range d.Rules {
		y := why{ID: m.ID, Title: m.Title, Severity: string(m.Severity), Version: m.Version}
		if y.Title == "" {
			y.Title = m.ID
		}
		for i, ev := range m.Evidence {
			if i == lines {
				y.More = len(m.Evidence) - lines
				break
			}
			y.Lines = append(y.Lines, line{ev.Field, ev.Before, ev.Text, ev.After, ev.List})
		}
		it.Rules = append(it.Rules, y)
	}
	if d.Folded != nil {
		it.Fold = foldText(*d.Folded)
	} else if e.State == "folded" {
		it.Fold = "Folded"
	}
	return it
}

// foldText says why an alert was not pushed.
func foldText(f alert.Fold) string {
	switch f.Reason {
	case alert.FoldStory:
		return "Folded: repeats a story that was raised before"
	case alert.FoldMute:
		if !f.Until.IsZero() {
			return "Folded: muted until " + f.Until.UTC().Format("2 Jan 15:04 UTC")
		}
		return "Folded: muted"
	case alert.FoldBacklog:
		return "Folded: older than the watch on this feed"
	case alert.FoldFlood:
		return "Folded: the feed brought back many old items at once"
	}
	return "Folded"
}

// watch sums up for the page's head and its empty state.
func (s *Server) watch(now time.Time) watch {
	v := watch{Day: s.index.recent(now.Add(-24 * time.Hour))}
	for _, f := range s.feeds() {
		switch f.State {
		case "disabled":
			continue
		case "failing", "gone", "silent":
			v.Failing++
		}
		v.Feeds++
	}
	channels := map[string]bool{}
	for _, r := range s.rules() {
		if r.Disabled == "" {
			v.Rules++
			channels[r.Channel] = true
		}
	}
	v.Channels = len(channels)
	return v
}

func (s *Server) severityOptions(f *filter) []option {
	var out []option
	for _, sev := range slices.Backward(rule.Severities) {
		out = append(out, option{Value: string(sev), Label: string(sev), On: slices.Contains(f.severities, string(sev))})
	}
	return out
}

// menus are the facets that have values, with what the configuration knows of
// them: a channel is offered before it has its first alert.
func (s *Server) menus(f *filter) []menu {
	facets := s.index.facets()
	channels, titles := map[string]string{}, map[string]string{}
	for _, r := range s.rules() {
		if r.Disabled == "" {
			channels[r.Channel] = r.ChannelTitle
		}
	}
	for _, fd := range s.feeds() {
		titles[fd.ID] = fd.Title
	}
	since := ""
	if !f.since.IsZero() {
		since = f.since.UTC().Format(time.RFC3339)
	}
	period := menu{Name: "since", Label: "Raised", All: "any time", Options: []option{
		{Value: "24h", Label: "last 24 hours"}, {Value: "7d", Label: "last 7 days"}, {Value: "30d", Label: "last 30 days"}}}
	if since != "" {
		now := s.now()
		match := slices.IndexFunc(period.Options, func(o option) bool {
			t, _ := parseTime(o.Value, now)
			return t.Sub(f.since).Abs() < time.Minute
		})
		if match >= 0 {
			period.Options[match].On = true
		} else {
			period.Options = append(period.Options, option{Value: since, Label: "since " + f.since.UTC().Format("2 Jan 2006 15:04"), On: true})
		}
	}
	slug := func(w string) string { return w }
	named := func(names map[string]string) func(string) string {
		return func(w string) string {
			if names[w] != "" {
				return names[w]
			}
			return w
		}
	}
	return []menu{
		newMenu("channel", "Channel", "all channels", facets, f.channels, channels, slug),
		newMenu("feed", "Source", "all sources", facets, f.feeds, nil, named(titles)),
		newMenu("country", "Published in", "any country", facets, f.countries, nil, regionName),
		newMenu("state", "About", "any state", facets, f.states, nil, regionName),
		newMenu("tier", "Tier", "any tier", facets, f.tiers, nil, slug),
		period,
	}
}

func newMenu(name, label, all string, facets map[string][]facet, on []string, known map[string]string, title func(string) string) menu {
	m := menu{Name: name, Label: label, All: all}
	have := map[string]bool{}
	for _, fc := range facets[name] {
		have[fc.Value] = true
		m.Options = append(m.Options, option{fc.Value, title(fc.Value), fc.Count, slices.Contains(on, fc.Value)})
	}
	for w := range known {
		if !have[w] {
			have[w] = true
			m.Options = append(m.Options, option{w, title(w), 0, slices.Contains(on, w)})
		}
	}
	for _, w := range on { // asked for, and without an alert
		if !have[w] {
			have[w] = true
			m.Options = append(m.Options, option{w, clip(title(w), 60), 0, true})
		}
	}
	slices.SortFunc(m.Options, func(a, b option) int { return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)) })
	return m
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

// langAttr is the item's language if it can be one.
func langAttr(l string) string {
	if len(l) <= 35 && languageTag.MatchString(l) {
		return l
	}
	return ""
}

func query(v url.Values) string {
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// with returns the query with one more parameter.
func with(v url.Values, name, value string) string {
	out := url.Values{}
	for k, ws := range v {
		out[k] = ws
	}
	out.Set(name, value)
	return query(out)
}
