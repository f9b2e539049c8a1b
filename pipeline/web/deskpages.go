package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
)

// The forms of the desk. The page's script shows them in a dialog; without it
// they are pages of their own.

// mute is an active one as pages show it.
type mute struct {
	ID, Kind, Name, Title, Href string
	Until                       when
	UntilText                   string
	By, Reason                  string
	Critical                    bool
	Held                        int
}

// mutes are the active ones; the page comes without them when the store is
// slow.
func (s *Server) mutes(ctx context.Context, now time.Time) []mute {
	if s.cfg.Desk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	active, err := s.cfg.Desk.Mutes(ctx)
	if err != nil {
		s.log.Warn("list mutes", "error", err)
		return nil
	}
	var out []mute
	for _, m := range active {
		v := mute{ID: m.ID, Until: newWhen(m.Until, now), UntilText: m.Until.UTC().Format("Mon 2 Jan 15:04"), By: m.By, Reason: m.Reason, Critical: m.Critical, Held: m.Held}
		switch sc := m.Scope; {
		case sc.Rule != "":
			v.Kind, v.Name, v.Href = "rule", sc.Rule, "/"+query(url.Values{"rule": {sc.Rule}, "folded": {"true"}})
		case sc.Feed != "":
			v.Kind, v.Name, v.Href = "source", sc.Feed, "/"+query(url.Values{"feed": {sc.Feed}, "folded": {"true"}})
		case sc.Channel != "":
			v.Kind, v.Name, v.Href = "channel", sc.Channel, "/"+query(url.Values{"channel": {sc.Channel}, "folded": {"true"}})
		default:
			v.Kind, v.Name, v.Href = "story", sc.Story, "/alerts/"+url.PathEscape(sc.Story)
			if st, err := s.one(ctx, sc.Story); err == nil {
				v.Title = clip(st.Event.Data.Item.Title, 90)
			}
		}
		out = append(out, v)
	}
	return out
}

// deskView is one of the forms, about an alert.
type deskView struct {
	Nav    string
	Alert  row
	IDs    []string
	Scopes []scope
	Desk   bool
	By     string
	Fixed  bool // the proxy says who it is
	Back   string
	Tests  []ruleTest
	Max    string // last day that a mute may reach
	Wrong  string
	Form   url.Values // as it was sent, when something was wrong with it
}

// scope is what a mute may hold back.
type scope struct{ Value, Label, Name, Lang string }

func (s *Server) deskView(r *http.Request, v url.Values) (deskView, alert.Stored, error) {
	ids := v["alert"]
	if len(ids) == 0 || len(ids) > maxAcked {
		return deskView{}, alert.Stored{}, refuse(http.StatusBadRequest, "alert: name the alert, or up to %d", maxAcked)
	}
	var entries []entry
	var first alert.Stored
	for i, id := range ids {
		st, err := s.one(r.Context(), id)
		if err != nil {
			return deskView{}, st, err
		}
		if i == 0 {
			first = st
		}
		if st.Event.Data.Item.Key == first.Event.Data.Item.Key {
			entries = append(entries, s.entry(st))
		}
	}
	now := s.now().UTC()
	view := deskView{Nav: "desk", Alert: s.newRow(entries, s.titles(), now, 1), IDs: ids, Desk: s.cfg.Desk != nil, By: s.who(r),
		Fixed: s.trustedUser(r), Back: ownPath(v.Get("back")), Max: now.Add(maxMute).Format(time.DateOnly), Form: v}
	d := first.Event.Data
	view.Scopes = append(view.Scopes, scope{"story:" + d.Story.ID, "this story", d.Item.Title, view.Alert.Lang})
	for _, y := range view.Alert.Rules {
		view.Scopes = append(view.Scopes, scope{"rule:" + y.ID, "the rule", y.Title, ""})
	}
	view.Scopes = append(view.Scopes, scope{"feed:" + d.Source.ID, "the source", view.Alert.Source.Title, ""})
	for _, c := range view.Alert.Chips {
		view.Scopes = append(view.Scopes, scope{"channel:" + c.Channel, "the channel", c.Channel, ""})
	}
	return view, first, nil
}

func (s *Server) muteForm(w http.ResponseWriter, r *http.Request) error {
	view, _, err := s.deskView(r, r.URL.Query())
	if err != nil {
		return err
	}
	return s.render(w, s.pages.mute, http.StatusOK, view)
}

func (s *Server) ackForm(w http.ResponseWriter, r *http.Request) error {
	view, _, err := s.deskView(r, r.URL.Query())
	if err != nil {
		return err
	}
	return s.render(w, s.pages.ack, http.StatusOK, view)
}

// testPage shows an alert that was not relevant as a test for its rules.
func (s *Server) testPage(w http.ResponseWriter, r *http.Request) error {
	view, st, err := s.deskView(r, r.URL.Query())
	if err != nil {
		return err
	}
	view.Tests = s.notRelevant(r.Context(), st)
	return s.render(w, s.pages.test, http.StatusOK, view)
}

// form reads a small one.
func form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxChange)
	if err := r.ParseForm(); err != nil {
		return refuse(http.StatusBadRequest, "the form cannot be read")
	}
	return nil
}

func (s *Server) sendMute(w http.ResponseWriter, r *http.Request) error {
	if err := s.changing(r); err != nil {
		return err
	}
	if err := form(w, r); err != nil {
		return err
	}
	o := order{By: r.PostForm.Get("by"), Reason: r.PostForm.Get("reason"), Critical: r.PostForm.Get("critical") != "", For: r.PostForm.Get("for")}
	kind, word, _ := strings.Cut(r.PostForm.Get("scope"), ":")
	switch kind {
	case "rule":
		o.Scope.Rule = word
	case "feed":
		o.Scope.Feed = word
	case "channel":
		o.Scope.Channel = word
	case "story":
		o.Scope.Story = word
	}
	if o.For == "date" {
		o.For = ""
		if d, err := time.Parse(time.DateOnly, r.PostForm.Get("until")); err == nil {
			o.Until = d.Add(24*time.Hour - time.Second) // the day included
			if last := s.now().Add(maxMute); o.Until.After(last) && o.Until.Sub(last) < 24*time.Hour {
				o.Until = last
			}
		}
	}
	if _, err := s.mute(r, o); err != nil {
		return s.again(w, r, err, func(view deskView) error { return s.render(w, s.pages.mute, http.StatusUnprocessableEntity, view) })
	}
	s.remember(w, r, o.By)
	seeOther(w, ownPath(r.PostForm.Get("back")))
	return nil
}

func (s *Server) sendUnmute(w http.ResponseWriter, r *http.Request) error {
	if err := s.changing(r); err != nil {
		return err
	}
	if err := form(w, r); err != nil {
		return err
	}
	by := r.PostForm.Get("by")
	if by == "" {
		by = s.who(r)
	}
	if err := s.unmute(r, r.PostForm.Get("id"), by); err != nil {
		return err
	}
	s.remember(w, r, by)
	seeOther(w, ownPath(r.PostForm.Get("back")))
	return nil
}

func (s *Server) sendAck(w http.ResponseWriter, r *http.Request) error {
	if err := s.changing(r); err != nil {
		return err
	}
	if err := form(w, r); err != nil {
		return err
	}
	ids := r.PostForm["alert"]
	if len(ids) == 0 || len(ids) > maxAcked {
		return refuse(http.StatusBadRequest, "alert: name the alert, or up to %d", maxAcked)
	}
	k := seen{By: r.PostForm.Get("by"), Verdict: r.PostForm.Get("verdict"), Note: r.PostForm.Get("note")}
	if _, err := s.acknowledge(r, ids, k); err != nil {
		return s.again(w, r, err, func(view deskView) error { return s.render(w, s.pages.ack, http.StatusUnprocessableEntity, view) })
	}
	s.remember(w, r, k.By)
	back := ownPath(r.PostForm.Get("back"))
	if k.Verdict == alert.VerdictNotRelevant {
		back = "/desk/test" + query(url.Values{"alert": slices.Clone(ids), "back": {back}})
	}
	seeOther(w, back)
	return nil
}

// again shows a form with what was wrong, and everything that was typed.
func (s *Server) again(w http.ResponseWriter, r *http.Request, err error, show func(deskView) error) error {
	he, ok := err.(*httpError) //nolint:errorlint // as acknowledge and mute return it
	if !ok || he.status != http.StatusUnprocessableEntity || !wantsHTML(r) {
		return err
	}
	view, _, verr := s.deskView(r, r.PostForm)
	if verr != nil {
		return err
	}
	view.Wrong = he.detail
	return show(view)
}

// remember lets this browser be asked for the name only once.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, by string) {
	if s.trustedUser(r) || by == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: byCookie, Value: url.QueryEscape(oneName(by)), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil})
}

func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
