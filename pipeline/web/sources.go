package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
)

// sourcesView lists what is watched, what needs somebody's attention first.
type sourcesView struct {
	Nav     string
	Groups  []sourceGroup
	Counts  []option // by state
	Total   int
	Ignored []FeedStatus // not watched, with the reason
	Pushed  []pushed     // destinations
}

// pushed is one destination as the page shows it.
type pushed struct {
	Destination
	Delivered when
}

// destinations gives up after a moment: the page must come when the store is
// slow.
func (s *Server) destinations(ctx context.Context) []Destination {
	if s.cfg.Pushed == nil {
		return []Destination{}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return list(s.cfg.Pushed(ctx))
}

type sourceGroup struct {
	Title string
	About string
	Feeds []source
	Count int // of them, with those that are not listed
}

// maxSources is how many feeds of a group the page lists: a browser does not
// take a hundred thousand rows, and making them costs more than polling them.
const maxSources = 1000

// source is one feed as the page shows it.
type source struct {
	FeedStatus
	Home        string // the feed's address, if a browser may follow it
	CountryName string
	SinceW      when
	Success     when
	NewItem     when
	Due         when
	Every       string
	Text        string
}

func (s *Server) sourcesPage(w http.ResponseWriter, r *http.Request) error {
	now := s.now().UTC()
	view := sourcesView{Nav: "sources"}
	var attention, waiting, fine []FeedStatus
	counts := map[string]int{}
	for _, f := range s.feeds() {
		counts[f.State]++
		switch {
		case f.State == "disabled" || f.Disabled != "":
			view.Ignored = append(view.Ignored, f)
			continue
		case f.State == "ok":
			fine = append(fine, f)
		case f.State == "pending":
			waiting = append(waiting, f)
		default:
			attention = append(attention, f)
		}
		view.Total++
	}
	for _, g := range []struct {
		title, about string
		feeds        []FeedStatus
	}{
		{"Need attention", "Asked again and again, with growing pauses; nothing is given up on.", attention},
		{"Not asked yet", "First polls are spread over the first minutes.", waiting},
		{"Working", "", fine},
	} {
		if len(g.feeds) > 0 {
			view.Groups = append(view.Groups, grouped(g.title, g.about, g.feeds, now))
		}
	}
	for _, st := range []string{"ok", "failing", "silent", "gone", "pending", "disabled"} {
		if counts[st] > 0 {
			view.Counts = append(view.Counts, option{Value: st, Label: stateWord(st), Count: counts[st]})
		}
	}
	for _, d := range s.destinations(r.Context()) {
		view.Pushed = append(view.Pushed, pushed{d, newWhen(d.LastDelivered, now)})
	}
	return s.render(w, s.pages.sources, http.StatusOK, view)
}

// grouped sorts the feeds and makes the rows of those that are listed.
func grouped(title, about string, feeds []FeedStatus, now time.Time) sourceGroup {
	slices.SortFunc(feeds, func(a, b FeedStatus) int {
		return cmp.Or(cmp.Compare(stateOrder[a.State], stateOrder[b.State]), strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)))
	})
	g := sourceGroup{Title: title, About: about, Count: len(feeds)}
	for _, f := range feeds[:min(len(feeds), maxSources)] {
		src := source{FeedStatus: f, Home: webLink(f.URL), CountryName: feed.CountryName(f.Country), SinceW: newWhen(f.Since, now),
			Success: newWhen(f.LastSuccess, now), NewItem: newWhen(f.LastNewItem, now), Due: newWhen(f.NextDue, now),
			Every: interval(time.Duration(f.IntervalSeconds * float64(time.Second))), Text: f.Text}
		if src.Text == "" && f.State != "ok" && f.State != "pending" {
			src.Text = stateText(f)
		}
		g.Feeds = append(g.Feeds, src)
	}
	return g
}

var stateOrder = map[string]int{"gone": 0, "failing": 1, "silent": 2}

func stateWord(state string) string {
	switch state {
	case "ok":
		return "working"
	case "disabled":
		return "not watched"
	}
	return state
}

// stateText stands in for a sentence that the poller did not write.
func stateText(f FeedStatus) string {
	switch f.State {
	case "gone":
		return "The server says that this feed does not exist any more: look for its new address."
	case "silent":
		return "It answers, and has had nothing new for much longer than usual: it may have been abandoned or moved."
	}
	if f.Reason != "" {
		return "The last polls failed (" + f.Reason + ")."
	}
	return "The last polls failed."
}
