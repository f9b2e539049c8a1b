package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"newsmonitor/pipeline/alert"
)

// What people change for the whole desk: mutes and acknowledgements. Pages
// send forms, programs JSON; both come here with checked values, and the Desk
// judges what only it can know.

const (
	maxMute     = 30 * 24 * time.Hour
	maxName     = 80  // characters
	maxReason   = 300 // characters
	maxAcked    = 50  // alerts that one form acknowledges
	maxChange   = 16 << 10
	deskPatient = 5 * time.Second
	byCookie    = "newsmonitor_by"
)

// who is the name that a change would carry: the proxy's, else what this
// browser said last.
func (s *Server) who(r *http.Request) string {
	if s.trustedUser(r) {
		return oneName(r.Header.Get(s.cfg.UserHeader))
	}
	c, err := r.Cookie(byCookie)
	if err != nil {
		return ""
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return oneName(name)
}

func oneName(s string) string { return clip(strings.Join(strings.Fields(visible(s)), " "), maxName) }

// visible takes out what moves the text of others: control characters and
// marks of direction.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

// signed is the name under a change: the proxy's user cannot sign as another.
func (s *Server) signed(r *http.Request, by string) (string, error) {
	if s.trustedUser(r) {
		return s.who(r), nil
	}
	by = strings.Join(strings.Fields(visible(by)), " ")
	switch n := utf8.RuneCountInString(by); {
	case n == 0:
		return "", refuse(http.StatusUnprocessableEntity, "by: say who you are, the desk sees it")
	case n > maxName:
		return "", refuse(http.StatusUnprocessableEntity, "by has %d characters: up to %d are possible", n, maxName)
	}
	return by, nil
}

// order is a mute as it is asked for.
type order struct {
	Scope    alert.Scope `json:"scope"`
	Until    time.Time   `json:"until"`
	For      string      `json:"for"` // instead of until: a duration such as 1h, 36h or 7d
	By       string      `json:"by"`
	Reason   string      `json:"reason"`
	Critical bool        `json:"critical"`
}

// muteOf checks an order.
func (s *Server) muteOf(r *http.Request, o order) (alert.Mute, error) {
	now := s.now().UTC()
	m := alert.Mute{Scope: o.Scope, Until: o.Until.UTC(), Critical: o.Critical, At: now, Reason: strings.TrimSpace(visible(o.Reason))}
	set := 0
	for _, w := range []string{o.Scope.Rule, o.Scope.Feed, o.Scope.Channel, o.Scope.Story} {
		if w != "" {
			set++
		}
		if len(w) > maxNameLen {
			return m, refuse(http.StatusUnprocessableEntity, "scope: a name has up to %d characters", maxNameLen)
		}
	}
	if set != 1 {
		return m, refuse(http.StatusUnprocessableEntity, "scope: name one rule, one feed, one channel or one story")
	}
	if err := s.known(o.Scope); err != nil {
		return m, err
	}
	if o.For != "" {
		if !o.Until.IsZero() {
			return m, refuse(http.StatusUnprocessableEntity, "say until or for, not both")
		}
		back, ok := parseTime(o.For, now)
		if !ok || back.Equal(now) || strings.ContainsAny(o.For, "TZ:") {
			return m, refuse(http.StatusUnprocessableEntity, "for %q: it is a duration such as 1h, 36h or 7d", clip(o.For, 40))
		}
		m.Until = now.Add(now.Sub(back))
	}
	switch {
	case m.Until.IsZero():
		return m, refuse(http.StatusUnprocessableEntity, "until: say how long; a mute always ends")
	case !m.Until.After(now):
		return m, refuse(http.StatusUnprocessableEntity, "until: %s is over already", m.Until.Format(time.RFC3339))
	case m.Until.After(now.Add(maxMute + time.Minute)):
		return m, refuse(http.StatusUnprocessableEntity, "until: a mute lasts 30 days at most; a rule that nobody wants is better switched off")
	}
	if n := utf8.RuneCountInString(m.Reason); n == 0 || n > maxReason {
		return m, refuse(http.StatusUnprocessableEntity, "reason: say why, in up to %d characters", maxReason)
	}
	var err error
	m.By, err = s.signed(r, o.By)
	return m, err
}

// known refuses a scope that means nothing: a slip of the pen would look like
// a mute and hold nothing back.
func (s *Server) known(sc alert.Scope) error {
	what, word, ok := "", "", true
	switch {
	case sc.Rule != "":
		what, word, ok = "rule", sc.Rule, s.cfg.Rules == nil
		for _, ri := range s.rules() {
			ok = ok || ri.ID == sc.Rule
		}
	case sc.Channel != "":
		what, word, ok = "channel", sc.Channel, s.cfg.Rules == nil
		for _, ri := range s.rules() {
			ok = ok || ri.Channel == sc.Channel
		}
	case sc.Feed != "":
		what, word, ok = "feed", sc.Feed, s.cfg.Feeds == nil
		for _, fd := range s.feeds() {
			ok = ok || fd.ID == sc.Feed
		}
	case sc.Story != "":
		_, ok = parseID(sc.Story)
		what, word = "story", sc.Story
	}
	if !ok {
		return refuse(http.StatusUnprocessableEntity, "scope: there is no %s %q", what, clip(word, 60))
	}
	return nil
}

// changing is what every change passes first.
func (s *Server) changing(r *http.Request) error {
	if s.cfg.Desk == nil {
		return refuse(http.StatusNotFound, "this daemon keeps no mutes and acknowledgements")
	}
	return s.mayChange(r)
}

// mayChange holds for everything that is not reading. Requests of other sites
// do not come so far: see guard.go.
func (s *Server) mayChange(r *http.Request) error {
	if s.tokens != nil && !s.trustedUser(r) && s.tokens.readOnly(r) {
		return refuse(http.StatusForbidden, "this token may read, not change")
	}
	if !s.changes.allow(s.client(r), s.now()) {
		return refuse(http.StatusTooManyRequests, "too many changes: up to %d a minute", changesAMinute)
	}
	return nil
}

// readJSON reads a small JSON document. Its media type is one that no form of
// another site can send.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "send application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxChange))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "the body is not the JSON that belongs here: %s", clip(oneLine(visible(err.Error())), 200))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "one JSON object, nothing behind it")
	}
	return nil
}

// deskError says what the desk refused, or that it cannot be reached.
func (s *Server) deskError(err error) error {
	var he *httpError
	switch {
	case err == nil, errors.As(err, &he):
		return err
	case errors.Is(err, alert.ErrNoMute), errors.Is(err, alert.ErrNoAlert):
		return refuse(http.StatusNotFound, "%v any more", err)
	case errors.Is(err, alert.ErrNotAccepted):
		return refuse(http.StatusUnprocessableEntity, "%s", clip(oneLine(visible(err.Error())), 300))
	}
	s.log.Warn("change the desk", "error", err)
	return refuse(http.StatusServiceUnavailable, "the change could not be kept; /readyz may say why")
}

func (s *Server) listMutes(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Desk == nil {
		return answer(w, map[string]any{"mutes": []Muted{}})
	}
	ctx, cancel := context.WithTimeout(r.Context(), deskPatient)
	defer cancel()
	mutes, err := s.cfg.Desk.Mutes(ctx)
	if err != nil {
		return s.deskError(fmt.Errorf("list mutes: %w", err))
	}
	return answer(w, map[string]any{"mutes": list(mutes)})
}

func (s *Server) postMute(w http.ResponseWriter, r *http.Request) error {
	if err := s.changing(r); err != nil {
		return err
	}
	var o order
	if err := readJSON(w, r, &o); err != nil {
		return err
	}
	m, err := s.mute(r, o)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/api/v1/mutes/"+url.PathEscape(m.ID))
	w.WriteHeader(http.StatusCreated)
	writeJSON(w, m)
	return nil
}

func (s *Server) mute(r *http.Request, o order) (alert.Mute, error) {
	m, err := s.muteOf(r, o)
	if err != nil {
		return m, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), deskPatient)
	defer cancel()
	m, err = s.cfg.Desk.Mute(ctx, m)
	return m, s.deskError(err)
}

func (s *Server) deleteMute(w http.ResponseWriter, r *http.Request) error {
	if err := s.changing(r); err != nil {
		return err
	}
	if err := s.unmute(r, r.PathValue("id"), r.URL.Query().Get("by")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) unmute(r *http.Request, id, by string) error {
	by, err := s.signed(r, by)
	if err != nil {
		return err
	}
	if id == "" || len(id) > maxNameLen {
		return refuse(http.StatusNotFound, "there is no such mute any more")
	}
	ctx, cancel := context.WithTimeout(r.Context(), deskPatient)
	defer cancel()
	return s.deskError(s.cfg.Desk.Unmute(ctx, id, by))
}

// seen is an acknowledgement as it is asked for.
type seen struct {
	By      string `json:"by"`
	Verdict string `json:"verdict"` // default seen
	Note    string `json:"note"`
}

func (s *Server) postAck(w http.ResponseWriter, r *http.Request) error {
	if err := s.changing(r); err != nil {
		return err
	}
	var k seen
	if err := readJSON(w, r, &k); err != nil {
		return err
	}
	a, err := s.acknowledge(r, []string{r.PathValue("id")}, k)
	if err != nil {
		return err
	}
	return answer(w, a)
}

func (s *Server) acknowledge(r *http.Request, ids []string, k seen) (alert.Ack, error) {
	a := alert.Ack{At: s.now().UTC(), Verdict: k.Verdict, Note: strings.TrimSpace(visible(k.Note))}
	if a.Verdict == "" {
		a.Verdict = alert.VerdictSeen
	}
	if a.Verdict != alert.VerdictSeen && a.Verdict != alert.VerdictNotRelevant {
		return a, refuse(http.StatusUnprocessableEntity, "verdict: it is %s or %s", alert.VerdictSeen, alert.VerdictNotRelevant)
	}
	if n := utf8.RuneCountInString(a.Note); n > maxReason {
		return a, refuse(http.StatusUnprocessableEntity, "note has %d characters: up to %d are possible", n, maxReason)
	}
	var err error
	if a.By, err = s.signed(r, k.By); err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), deskPatient)
	defer cancel()
	for _, id := range ids {
		if _, ok := s.index.last(id); !ok {
			return a, refuse(http.StatusNotFound, "no alert has this id, or it is not kept any more")
		}
		if err := s.cfg.Desk.Ack(ctx, id, a); err != nil {
			return a, s.deskError(err)
		}
	}
	return a, nil
}
