package web

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// The timeline: a lane for each channel, read from left to right. It is drawn
// from the index; the events are read for titles only while they are few.

const (
	maxPoints = 20_000 // marks that are looked at, the newest
	maxTitled = 200    // below that each has its title

	chartLeft  = 168 // of the lanes, in the drawing's units
	chartRight = 980
	chartWidth = 1000
	laneHeight = 34
	maxDotIDs  = 20
	bucket     = 7 // marks of one lane that are nearer become one
)

// timelineView is the page with both charts.
type timelineView struct {
	Nav    string
	Filter filterView
	Chart  chart
	Daily  []dailyLane
	Dates  []string // of the daily table's rows
	Table  [][]int  // by date, then by channel
	Most   int      // alerts of the fullest day of any channel
	Cut    bool     // there are more alerts than marks
	Notice string
}

// chart is a drawing, in its own units.
type chart struct {
	Width, Height, Base int
	Lanes               []lane
	Ticks               []tick
	Events              []titled // in order; empty when there are too many
	Months              []month  // instead of Events
	Total               int
	From, To            string
}

type lane struct {
	Channel string
	Y       int
	TextY   int
	Count   int
	Marks   []dot
}

type dot struct {
	X, Y, R  string
	Severity string
	Href     string
	Label    string
	IDs      []string // of its alerts, the first of many
	n        int
	at, to   time.Time
}

type tick struct {
	X     string
	Label string
}

type titled struct {
	At     when
	Clock  string
	Chips  []chip
	Title  string
	Lang   string
	Source string
	item   string
}

type month struct {
	Label  string
	Counts []int // in the lanes' order
}

type dailyLane struct {
	Channel string
	Total   int
	Peak    string
	Bars    []bar
	Href    string
}

type bar struct{ X, Y, W, H string }

// point is one alert of the index.
type point struct {
	id       [16]byte
	sequence uint64
	at       time.Time
	channel  string
	severity rule.Severity
}

// points returns the newest alerts that match, oldest first, and whether there
// are more.
func (x *index) points(f *filter, n int) (out []point, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.match(f)
	for i := len(x.slots) - 1; i >= 0; i-- {
		s := &x.slots[i]
		if s.sequence <= f.after {
			break
		}
		if s.superseded != 0 || !m.ok(s) {
			continue
		}
		if len(out) == n {
			more = true
			break
		}
		out = append(out, point{s.id, s.sequence, time.Unix(0, s.at).UTC(), x.channels.word(s.channel),
			rule.Severities[min(int(s.severity), len(rule.Severities)-1)]})
	}
	slices.Reverse(out)
	return out, more
}

func (s *Server) timelinePage(w http.ResponseWriter, r *http.Request) error {
	f, err := s.parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	now := s.now().UTC()
	view := timelineView{Nav: "timeline", Filter: s.filterView(f, "/timeline", s.feeds(), s.rules())}
	points, more := s.index.points(f, maxPoints)
	var events map[uint64]alert.Event
	if f.query != nil || len(points) <= maxTitled {
		if points, events, err = s.readPoints(r.Context(), f, points); err != nil {
			return err
		}
	}
	view.Cut = more
	view.Chart = newChart(points, f.values())
	if len(points) <= maxTitled {
		view.Chart.Events = entitled(points, events, now)
	} else {
		view.Chart.Months = view.Chart.months(points)
	}
	view.daily(s.index, f, now)
	if err := s.tail.health(); err != nil {
		view.Notice = "The charts may not be complete yet: " + err.Error() + "."
	}
	return s.render(w, s.pages.timeline, http.StatusOK, view)
}

// entitled are the points with their titles, one line an item.
func entitled(points []point, events map[uint64]alert.Event, now time.Time) []titled {
	layout := "2 Jan 2006 15:04"
	if n := len(points); n > 0 && points[n-1].at.Sub(points[0].at) < time.Hour {
		layout = "15:04:05"
	}
	var out []titled
	for _, p := range points {
		e, ok := events[p.sequence]
		if !ok {
			continue
		}
		c := chip{p.channel, string(p.severity), e.Data.ID}
		if n := len(out); n > 0 && out[n-1].item == e.Data.Item.Key {
			out[n-1].Chips = append(out[n-1].Chips, c)
			continue
		}
		out = append(out, titled{newWhen(p.at, now), p.at.Format(layout), []chip{c}, e.Data.Item.Title, langAttr(e.Data.Item.Language), e.Data.Source.Title, e.Data.Item.Key})
	}
	return out
}

// readPoints reads the events behind the points, and drops those that the
// query does not take.
func (s *Server) readPoints(ctx context.Context, f *filter, points []point) ([]point, map[uint64]alert.Event, error) {
	events := map[uint64]alert.Event{}
	var kept []point
	for _, p := range points {
		st, err := s.cfg.Alerts.Get(ctx, p.sequence)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, nil, s.unreadable(ctx.Err())
		case err != nil, f.query != nil && !f.query(st.Event):
			continue
		}
		kept = append(kept, p)
		if len(events) <= maxTitled {
			events[p.sequence] = st.Event
		}
	}
	return kept, events, nil
}

func newChart(points []point, v url.Values) chart {
	c := chart{Width: chartWidth, Total: len(points)}
	if len(points) == 0 {
		return c
	}
	from, to := points[0].at, points[len(points)-1].at
	for _, p := range points { // the stream's order is nearly, not wholly, that of time
		if p.at.Before(from) {
			from = p.at
		}
		if p.at.After(to) {
			to = p.at
		}
	}
	c.From, c.To = from.Format("2 Jan 2006 15:04"), to.Format("2 Jan 2006 15:04")
	pad := max(to.Sub(from)/40, time.Second)
	from, to = from.Add(-pad), to.Add(pad)
	x := func(t time.Time) float64 {
		return chartLeft + float64(t.Sub(from))/float64(to.Sub(from))*(chartRight-chartLeft)
	}
	at := map[string]int{}
	for _, p := range points { // lanes in the order of their first mark: a course of events falls from left to right
		if _, ok := at[p.channel]; !ok {
			at[p.channel] = len(c.Lanes)
			y := 26 + len(c.Lanes)*laneHeight
			c.Lanes = append(c.Lanes, lane{Channel: p.channel, Y: y, TextY: y + 5})
		}
	}
	for _, p := range points {
		l := &c.Lanes[at[p.channel]]
		l.Count++
		px := x(p.at)
		if n := len(l.Marks); n > 0 && math.Abs(px-x(l.Marks[n-1].at)) < bucket {
			m := &l.Marks[n-1]
			m.n++
			if len(m.IDs) < maxDotIDs {
				m.IDs = append(m.IDs, hexID(p.id))
			}
			if p.at.After(m.to) {
				m.to = p.at
			}
			if severityRank(string(p.severity)) > severityRank(m.Severity) {
				m.Severity = string(p.severity)
			}
			continue
		}
		l.Marks = append(l.Marks, dot{Severity: string(p.severity), Href: "/alerts/" + hexID(p.id), IDs: []string{hexID(p.id)}, n: 1, at: p.at, to: p.at})
	}
	for i := range c.Lanes {
		l := &c.Lanes[i]
		for j := range l.Marks {
			m := &l.Marks[j]
			m.X, m.Y = units(x(m.at)), strconv.Itoa(l.Y)
			m.R = units(min(4+float64(max(0, severityRank(m.Severity)))+1.5*math.Log2(float64(m.n)), 14))
			m.Label = l.Channel + ", " + m.Severity + ", " + m.at.Format("2 Jan 2006 15:04") + " UTC"
			if m.n > 1 {
				m.Label = plural(m.n, "alert", "alerts") + ": " + l.Channel + ", up to " + m.Severity + ", from " + m.at.Format("2 Jan 2006 15:04") + " UTC"
				q := url.Values{}
				for k, ws := range v {
					q[k] = ws
				}
				q["channel"] = []string{l.Channel}
				q.Set("since", m.at.Format(time.RFC3339))
				q.Set("before", m.to.Add(time.Second).Format(time.RFC3339))
				m.Href = "/" + query(q)
			}
		}
	}
	c.Base = 26 + (len(c.Lanes)-1)*laneHeight + 20
	c.Height = c.Base + 26
	for _, t := range ticksBetween(from, to) {
		c.Ticks = append(c.Ticks, tick{units(x(t.at)), t.label})
	}
	return c
}

// months counts by month and lane, for the table of a full drawing.
func (c *chart) months(points []point) []month {
	at := map[string]int{}
	for i, l := range c.Lanes {
		at[l.Channel] = i
	}
	var out []month
	for _, p := range points {
		label := p.at.Format("January 2006")
		if len(out) == 0 || out[len(out)-1].Label != label {
			out = append(out, month{label, make([]int, len(c.Lanes))})
		}
		out[len(out)-1].Counts[at[p.channel]]++
	}
	return out
}

type moment struct {
	at    time.Time
	label string
}

// ticksBetween are up to ten round moments.
func ticksBetween(from, to time.Time) []moment {
	span := to.Sub(from)
	const dayLong = 24 * time.Hour
	for _, step := range []struct {
		d      time.Duration
		layout string
	}{
		{time.Second, "15:04:05"}, {5 * time.Second, "15:04:05"}, {15 * time.Second, "15:04:05"}, {time.Minute, "15:04"}, {5 * time.Minute, "15:04"},
		{15 * time.Minute, "15:04"}, {time.Hour, "15:04"}, {3 * time.Hour, "2 Jan 15:04"}, {12 * time.Hour, "2 Jan 15:04"}, {dayLong, "2 Jan"}, {7 * dayLong, "2 Jan"},
	} {
		if span/step.d > 9 {
			continue
		}
		var out []moment
		for t := from.Truncate(step.d).Add(step.d); t.Before(to); t = t.Add(step.d) {
			out = append(out, moment{t, t.Format(step.layout)})
		}
		return out
	}
	for _, months := range []int{1, 3, 6, 12, 24, 60, 120} {
		if span/(time.Duration(months)*30*dayLong) > 9 {
			continue
		}
		var out []moment
		layout := "Jan 2006"
		if months >= 12 {
			layout = "2006"
		}
		first := from.Year()*12 + int(from.Month()) - 1
		for m := (first/months + 1) * months; ; m += months {
			t := time.Date(m/12, time.Month(m%12+1), 1, 0, 0, 0, 0, time.UTC)
			if !t.Before(to) {
				return out
			}
			out = append(out, moment{t, t.Format(layout)})
		}
	}
	return nil
}

const (
	dailyDays = 90
	barWidth  = 8
	barHeight = 40
)

// daily draws the alerts a day of the last 90 days, channel by channel, all on
// one scale.
func (v *timelineView) daily(x *index, f *filter, now time.Time) {
	last := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	first := last.AddDate(0, 0, 1-dailyDays)
	g := *f
	g.since, g.before, g.after = first, time.Time{}, 0
	counts := x.perDay(&g, first, dailyDays)
	var channels []string
	for c, days := range counts {
		channels = append(channels, c)
		v.Most = max(v.Most, slices.Max(days))
	}
	slices.Sort(channels)
	for _, c := range channels {
		days := counts[c]
		l := dailyLane{Channel: c, Href: "/" + with(f.values(), "channel", c)}
		for i, n := range days {
			l.Total += n
			if n == 0 {
				continue
			}
			h := max(1.5, float64(n)/float64(v.Most)*barHeight)
			l.Bars = append(l.Bars, bar{strconv.Itoa(i * barWidth), units(barHeight - h), strconv.Itoa(barWidth - 2), units(h)})
		}
		peak := slices.Max(days)
		l.Peak = strconv.Itoa(peak) + " on " + first.AddDate(0, 0, slices.Index(days, peak)).Format("2 Jan")
		v.Daily = append(v.Daily, l)
	}
	for i := dailyDays - 1; i >= 0; i-- {
		row, any := make([]int, len(channels)), false
		for j, c := range channels {
			row[j] = counts[c][i]
			any = any || row[j] > 0
		}
		if any {
			v.Dates, v.Table = append(v.Dates, first.AddDate(0, 0, i).Format("2 Jan 2006")), append(v.Table, row)
		}
	}
}

// perDay counts what matches by channel and day.
func (x *index) perDay(f *filter, first time.Time, days int) map[string][]int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m, from := x.match(f), first.UnixNano()
	counts := make([][]int, len(x.channels.words)+1)
	for i := len(x.slots) - 1; i >= 0; i-- {
		s := &x.slots[i]
		if s.at < from-int64(time.Hour) { // an hour's grace: the stream's order is not wholly that of time
			break
		}
		if s.superseded != 0 || !m.ok(s) || s.at < from {
			continue
		}
		d := int((s.at - from) / int64(24*time.Hour))
		if d >= days {
			continue
		}
		if counts[s.channel] == nil {
			counts[s.channel] = make([]int, days)
		}
		counts[s.channel][d]++
	}
	out := map[string][]int{}
	for i, c := range counts {
		if c != nil {
			out[x.channels.word(uint16(i))] = c
		}
	}
	return out
}

// units is a length of a drawing.
func units(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
