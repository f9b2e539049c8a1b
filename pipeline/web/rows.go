package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// row is one item of the list with every alert that it raised: as the page
// shows it, by its strongest alert. Every string that a feed wrote stands here
// as text; Link is "" unless a browser may follow it.
type row struct {
	ID        string   // of the strongest alert
	IDs       []string // of all
	Item      string   // the item's key
	Sequence  uint64   // the newest
	State     string
	Severity  string
	Was       string
	Chips     []chip // the item's channels, strongest first
	Raised    when
	Clock     string // time of the day, UTC
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
	RuleIDs   []string
	Stories   []string
	Fold      string
	Also      []teller
	Retold    retold
	Backlog   bool
	Seen      *alert.Ack
	SeenAt    when
	Back      string // where its forms lead back to
}

// chip is one channel of an item.
type chip struct {
	Channel  string
	Severity string // of the channel's alert, where the row has it
	ID       string // of that alert
}

// teller is another carrier of the story.
type teller struct {
	Feed   string // its title
	Title  string // of its item, where known
	Lang   string
	At     when
	Clock  string
	Link   string // of its item
	ID     string // of its alert
	Folded bool
}

// retold sums the other carriers up.
type retold struct {
	Sources int
	First   string // who was first, if it was another one
	At      string
}

// why is one rule of an alert.
type why struct {
	ID, Title, Severity, Version string
	Channel                      string
	Lines                        []line
	More                         int
}

// line is a concordance line.
type line struct {
	Field, Before, Text, After, List string
}

// rows reads a page of the list: one row an item. It asks for n alerts, and
// then for those of the last item that would begin the next page.
func (s *Server) rows(ctx context.Context, f *filter, n int) ([][]entry, answerList, error) {
	l, err := s.read(ctx, f, n)
	if err != nil {
		return nil, l, err
	}
	for extra := 0; l.Next != "" && f.query == nil && extra < maxChannels; extra++ {
		peek := *f
		peek.cursor, _ = parseCursor(l.Next)
		more, err := s.read(ctx, &peek, 1)
		if err != nil {
			return nil, l, err
		}
		if len(more.Alerts) == 0 || more.Alerts[0].Event.Data.Item.Key != l.Alerts[len(l.Alerts)-1].Event.Data.Item.Key {
			break
		}
		l.Alerts, l.Next = append(l.Alerts, more.Alerts...), more.Next
	}
	var out [][]entry
	at := map[string]int{}
	for _, e := range l.Alerts {
		key := e.Event.Data.Item.Feed + " " + e.Event.Data.Item.Key
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], e)
	}
	return out, l, nil
}

// maxChannels of one item that a page is made longer for.
const maxChannels = 16

// titles are the feeds' names, for carriers that only the index knows.
func (s *Server) titles() map[string]string {
	titles := map[string]string{}
	for _, fd := range s.feeds() {
		titles[fd.ID] = fd.Title
	}
	return titles
}

// newRow makes one row of an item's alerts, the newest first.
func (s *Server) newRow(entries []entry, titles map[string]string, now time.Time, lines int) row {
	it := rowOf(entries, now, lines)
	it.Also, it.Retold = s.tellers(entries, titles, now)
	return it
}

// rowOf is what the alerts tell themselves.
func rowOf(entries []entry, now time.Time, lines int) row {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return b.Event.Severity.Rank() - a.Event.Severity.Rank() })
	e := entries[0]
	d := e.Event.Data
	it := row{
		ID: d.ID, Item: d.Item.Key, State: e.State, Severity: string(e.Event.Severity), Was: string(d.Was),
		Link: webLink(d.Item.Link), Lang: langAttr(d.Item.Language), Passage: passage(d), Source: d.Source,
		SourceID: d.Source.ID, Country: d.Source.Country, Tier: tierOf(d), Voice: d.Voice, Backlog: d.Backlog,
	}
	var matches []rule.Match
	raised := e.Event.Time
	for _, e := range entries {
		it.IDs = append(it.IDs, e.Event.Data.ID)
		it.Sequence = max(it.Sequence, e.Sequence)
		matches = append(matches, e.Event.Data.Rules...)
		it.Chips = append(it.Chips, chip{e.Event.Data.Channel, string(e.Event.Severity), e.Event.Data.ID})
		it.Stories = append(it.Stories, e.Event.Data.Story.ID)
		if e.Event.Time.After(raised) {
			raised = e.Event.Time
		}
		if e.Acknowledged == nil {
			it.Seen = nil
		} else if it.Seen == nil && len(it.IDs) == 1 {
			it.Seen = e.Acknowledged
		}
		for _, m := range e.Event.Data.Rules {
			it.Rules = append(it.Rules, newWhy(m, e.Event.Data.Channel, lines))
			it.RuleIDs = append(it.RuleIDs, m.ID)
		}
	}
	it.Raised, it.Clock = newWhen(raised, now), raised.UTC().Format("15:04")
	if it.Seen != nil {
		it.SeenAt = newWhen(it.Seen.At, now)
	}
	if it.Title = markField(d.Item.Title, "title", matches); len(it.Title) == 0 {
		it.Title = []part{{Text: "(without a title)"}}
	}
	if it.Source.Title == "" {
		it.Source.Title = d.Source.ID
	}
	for _, c := range d.Channels { // in its order: strongest first
		if !slices.ContainsFunc(it.Chips, func(have chip) bool { return have.Channel == c }) {
			it.Chips = append(it.Chips, chip{Channel: c, ID: alert.ID(c, d.Item.Key)})
		}
	}
	// A date that says nothing new is noise: shown when it is a day or more off.
	if p := d.Item.Published; !p.IsZero() && e.Event.Time.Sub(p).Abs() >= 24*time.Hour {
		it.Published = newWhen(p, now)
	}
	for _, code := range d.States {
		it.States = append(it.States, option{Value: code, Label: feed.CountryName(code)})
	}
	if d.Folded != nil {
		it.Fold = foldText(*d.Folded)
	} else if e.State == "folded" {
		it.Fold = "Folded"
	}
	return it
}

func newWhy(m rule.Match, channel string, lines int) why {
	y := why{ID: m.ID, Title: m.Title, Severity: string(m.Severity), Version: m.Version, Channel: channel}
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
	return y
}

// tellers are the other carriers of an item's stories, the first one first.
// The index knows them all, without their titles; the event knows those from
// before it was made, and stands in where the index has lost them.
func (s *Server) tellers(entries []entry, titles map[string]string, now time.Time) ([]teller, retold) {
	var out []teller
	var sum retold
	own := entries[0].Event.Data.Item
	seen := map[uint64]bool{itemHash(entries[0].Event.Data): true}
	feeds := map[string]bool{}
	first := entries[0].Event.Time
	name := func(id string) string {
		if t := titles[id]; t != "" {
			return t
		}
		return id
	}
	add := func(t teller, id string, at time.Time) {
		out = append(out, t)
		feeds[id] = true
		if at.Before(first) && !at.IsZero() {
			first, sum.First, sum.At = at, t.Feed, t.Clock
		}
	}
	for _, e := range entries {
		for _, c := range s.index.carriers(e.Event.Data.Story.ID) {
			if !seen[c.Item] {
				seen[c.Item] = true
				add(teller{Feed: name(c.Feed), At: newWhen(c.At, now), Clock: clock(c.At, e.Event.Time), ID: c.ID, Folded: c.Folded}, c.Feed, c.At)
			}
		}
	}
	if len(out) == 0 {
		for _, e := range entries {
			for _, c := range e.Event.Data.Story.Also {
				if c.Link != own.Link || c.Feed != own.Feed {
					add(teller{Feed: name(c.Feed), Title: c.Title, At: newWhen(c.Published, now), Clock: clock(c.Published, e.Event.Time), Link: webLink(c.Link)}, c.Feed, c.Published)
				}
			}
		}
	}
	sum.Sources = len(feeds)
	return out, sum
}

// clock is the time of the day, with the day where it is another one.
func clock(t, beside time.Time) string {
	if t.IsZero() {
		return ""
	}
	if t.UTC().Format(time.DateOnly) == beside.UTC().Format(time.DateOnly) {
		return t.UTC().Format("15:04")
	}
	return t.UTC().Format("2 Jan 15:04")
}

// foldText says why an alert was not pushed.
func foldText(f alert.Fold) string {
	switch f.Reason {
	case alert.FoldStory:
		return "Folded: repeats a story that was raised before"
	case alert.FoldMute:
		text := "Folded: muted"
		if f.By != "" {
			text += " by " + clip(f.By, 60)
		}
		if !f.Until.IsZero() {
			text += " until " + f.Until.UTC().Format("2 Jan 15:04 UTC")
		}
		return text
	case alert.FoldBacklog:
		return "Folded: older than the watch on this feed"
	case alert.FoldFlood:
		return "Folded: the feed brought back many old items at once"
	}
	return "Folded"
}

// words joins ids for an attribute that the page's script reads.
func words(ws []string) string {
	ws = slices.Compact(slices.Sorted(slices.Values(ws)))
	return strings.Join(ws, " ")
}
