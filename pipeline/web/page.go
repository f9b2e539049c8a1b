package web

import (
	"net/http"
	"net/url"
	"time"
)

const (
	pageSize = 100 // alerts; a row holds all of an item's
	maxLines = 8   // concordance lines of a rule in the list; the alert's own page has all
)

// listView is the analysts' page.
type listView struct {
	Nav    string
	Filter filterView
	Active bool // any filter is set
	Days   []day
	Newest uint64 // sequence that the live stream goes on from
	Stream string // its address; "" on older pages
	Older  string
	First  string // back to the newest; "" there
	Notice string // why the list may not be complete
	Watch  watch
	Empty  bool // there is no alert at all
	Mutes  []mute
	Desk   bool // mutes and acknowledgements are possible
	By     string
	Here   string // this page's address, to come back to
}

// watch is what the daemon looks at, in numbers.
type watch struct {
	Feeds, Failing, Ignored, Rules, Channels, Day int
	Over                                          []string // rules that raised more than their budget today
}

// day groups what was raised on one day, UTC.
type day struct {
	Date  string
	Label string
	Rows  []row
}

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
	rows, l, err := s.rows(r.Context(), f, n)
	if err != nil {
		return err
	}
	now := s.now().UTC()
	v := f.values()
	feeds, rules := s.feeds(), s.rules()
	view := listView{
		Nav: "alerts", Filter: s.filterView(f, "/", feeds, rules), Active: len(v) > 0, Newest: newest,
		Watch: s.watch(now, feeds, rules), Empty: s.index.size() == 0, Desk: s.cfg.Desk != nil, By: s.who(r),
		Mutes: s.mutes(r.Context(), now), Here: r.URL.RequestURI(),
	}
	titles := map[string]string{}
	for _, fd := range feeds {
		titles[fd.ID] = fd.Title
	}
	for _, entries := range rows {
		at := entries[0].Event.Time.UTC() // the newest: where it stands in the list
		if date := at.Format(time.DateOnly); len(view.Days) == 0 || view.Days[len(view.Days)-1].Date != date {
			view.Days = append(view.Days, day{Date: date, Label: dayLabel(at, now)})
		}
		d := &view.Days[len(view.Days)-1]
		it := s.newRow(entries, titles, now, maxLines)
		it.Back = view.Here
		d.Rows = append(d.Rows, it)
	}
	if l.Next != "" {
		view.Older = "/" + with(v, "before", l.Next)
	}
	if f.cursor.before > 0 {
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

// watch sums up for the page's head and its empty state.
func (s *Server) watch(now time.Time, feeds []FeedStatus, rules []RuleInfo) watch {
	v := watch{Day: s.index.recent(now.Add(-24 * time.Hour))}
	for _, f := range feeds {
		switch f.State {
		case "disabled":
			v.Ignored++
			continue
		case "failing", "gone", "silent":
			v.Failing++
		}
		v.Feeds++
	}
	channels := map[string]bool{}
	for _, r := range rules {
		if r.Disabled == "" {
			v.Rules++
			channels[r.Channel] = true
		}
		if r.OverBudget {
			v.Over = append(v.Over, r.ID)
		}
	}
	v.Channels = len(channels)
	return v
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
