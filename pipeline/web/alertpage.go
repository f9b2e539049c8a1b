package web

import (
	"net/http"

	"newsmonitor/pipeline/alert"
)

// alertView is one alert with everything that is known of it.
type alertView struct {
	Nav       string
	Alert     row
	Summary   []part
	Event     alert.Event
	Fetched   when
	Revisions []revision
	Citation  string
	Before    []earlier
	Desk      bool
	By        string
	Here      string
}

type revision struct {
	At      when
	Title   string
	Text    string
	Lang    string
	Current bool // the one that raised the alert
}

func (s *Server) alertPage(w http.ResponseWriter, r *http.Request) error {
	st, err := s.one(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	now := s.now().UTC()
	d := st.Event.Data
	view := alertView{Nav: "alert", Alert: s.newRow([]entry{s.entry(st)}, s.titles(), now, 50), Event: st.Event,
		Fetched: newWhen(d.Item.Fetched, now), Summary: markField(d.Item.Summary, "summary", d.Rules), Citation: citation(st.Event),
		Desk: s.cfg.Desk != nil, By: s.who(r), Here: r.URL.RequestURI()}
	s.entitle(r.Context(), view.Alert.Also)
	view.Before = s.before(r.Context(), st, now)
	for _, it := range s.revisions(r.Context(), st.Event) {
		view.Revisions = append(view.Revisions, revision{newWhen(it.Fetched, now), it.Title, clip(it.Summary, 500), langAttr(it.Language),
			it.Revision == d.Item.Revision})
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
