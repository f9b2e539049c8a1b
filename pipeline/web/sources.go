package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
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
}

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
	attention := sourceGroup{Title: "Need attention", About: "Asked again and again, with growing pauses; nothing is given up on."}
	waiting := sourceGroup{Title: "Not asked yet", About: "First polls are spread over the first minutes."}
	fine := sourceGroup{Title: "Working"}
	counts := map[string]int{}
	for _, f := range s.feeds() {
		counts[f.State]++
		if f.State == "disabled" || f.Disabled != "" {
			view.Ignored = append(view.Ignored, f)
			continue
		}
		view.Total++
		src := source{FeedStatus: f, Home: webLink(f.URL), CountryName: regionName(f.Country), SinceW: newWhen(f.Since, now),
			Success: newWhen(f.LastSuccess, now), NewItem: newWhen(f.LastNewItem, now), Due: newWhen(f.NextDue, now),
			Every: interval(time.Duration(f.IntervalSeconds * float64(time.Second))), Text: f.Text}
		switch f.State {
		case "ok":
			fine.Feeds = append(fine.Feeds, src)
		case "pending":
			waiting.Feeds = append(waiting.Feeds, src)
		default:
			if src.Text == "" {
				src.Text = stateText(f)
			}
			attention.Feeds = append(attention.Feeds, src)
		}
	}
	for _, g := range []sourceGroup{attention, waiting, fine} {
		if len(g.Feeds) > 0 {
			slices.SortFunc(g.Feeds, func(a, b source) int {
				return cmp.Or(cmp.Compare(stateOrder[a.State], stateOrder[b.State]), strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)))
			})
			view.Groups = append(view.Groups, g)
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
