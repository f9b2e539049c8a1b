package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
)

// entry is one alert of a list (contract 4.5).
type entry struct {
	Sequence     uint64      `json:"sequence"`
	State        string      `json:"state"` // raised, updated or folded
	Acknowledged *alert.Ack  `json:"acknowledged"`
	Event        alert.Event `json:"event"`
}

// answerList is a page of alerts. Next is "" on the last one. Complete is
// false when alerts may be missing from it: the log is not read yet, or the
// query read all the candidates that one request may.
type answerList struct {
	Alerts   []entry `json:"alerts"`
	Next     string  `json:"next"`
	Complete bool    `json:"complete"`
}

func (s *Server) entry(st alert.Stored) entry {
	e := entry{Sequence: st.Sequence, State: "raised", Event: st.Event}
	switch {
	case isFolded(st):
		e.State = "folded"
	case st.Event.Type == alert.Updated:
		e.State = "updated"
	}
	if s.cfg.Acks != nil {
		if a, ok := s.cfg.Acks(st.Event.Data.ID); ok {
			e.Acknowledged = &a
		}
	}
	return e
}

// read returns up to n entries that match, newest first.
func (s *Server) read(ctx context.Context, f *filter, n int) (answerList, error) {
	out := answerList{Alerts: []entry{}, Complete: s.tail.health() == nil}
	c := f.cursor
	c.snapshot = min(c.snapshot, s.index.newest())
	batch := n
	if f.query != nil {
		batch = min(max(n, 256), 1000)
	}
	for candidates := 0; ; {
		hits, more := s.index.list(f, c, batch)
		for i, h := range hits {
			c.before = h.at
			st, err := s.cfg.Alerts.Get(ctx, h.read)
			switch candidates++; {
			case errors.Is(err, ErrGone):
			case err != nil:
				return out, s.unreadable(err)
			case f.query == nil || f.query(st.Event):
				out.Alerts = append(out.Alerts, s.entry(st))
			}
			rest := more || i < len(hits)-1
			switch {
			case rest && len(out.Alerts) == n:
				out.Next = c.String()
				return out, nil
			case rest && f.query != nil && candidates == maxCandidates:
				out.Next, out.Complete = c.String(), false
				return out, nil
			}
		}
		if !more {
			return out, nil
		}
	}
}

// unreadable is the answer when the store does not give what the index has.
func (s *Server) unreadable(err error) error {
	if errors.Is(err, context.Canceled) {
		return refuse(http.StatusServiceUnavailable, "the request ended before its answer")
	}
	s.log.Warn("read stored alerts", "error", err)
	return refuse(http.StatusServiceUnavailable, "the stored alerts cannot be read now; /readyz may say why")
}

func (s *Server) listAlerts(w http.ResponseWriter, r *http.Request) error {
	f, err := s.parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	if f.limit == 0 {
		f.limit = defaultLimit
	}
	l, err := s.read(r.Context(), f, f.limit)
	if err != nil {
		return err
	}
	linkNext(w, r.URL, l.Next)
	return answer(w, l)
}

// linkNext names the next page in a header too, for tools that follow it.
func linkNext(w http.ResponseWriter, u *url.URL, next string) {
	if next == "" {
		return
	}
	v := u.Query()
	v.Set("before", next)
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", u.Path, v.Encode()))
}

// one reads the newest event of an alert.
func (s *Server) one(ctx context.Context, id string) (alert.Stored, error) {
	if _, ok := parseID(id); !ok {
		return alert.Stored{}, refuse(http.StatusNotFound, "an alert's id has 32 hexadecimal digits")
	}
	seq, ok := s.index.last(id)
	if !ok {
		if err := s.tail.health(); err != nil {
			return alert.Stored{}, refuse(http.StatusServiceUnavailable, "the alerts are not read yet; try again soon")
		}
		return alert.Stored{}, refuse(http.StatusNotFound, "no alert has this id, or it is not kept any more")
	}
	st, err := s.cfg.Alerts.Get(ctx, seq)
	if errors.Is(err, ErrGone) {
		return st, refuse(http.StatusGone, "this alert is not kept any more")
	}
	if err != nil {
		return st, s.unreadable(err)
	}
	return st, nil
}

// revisions are the item's stored texts, oldest first; none when the items
// have aged out before the alert.
func (s *Server) revisions(ctx context.Context, e alert.Event) []feed.Item {
	if s.cfg.Revisions == nil {
		return []feed.Item{}
	}
	items, err := s.cfg.Revisions(ctx, e.Data.Item.Feed, e.Data.Item.Key)
	if err != nil {
		s.log.Warn("read an item's revisions", "error", err)
	}
	return list(items)
}

func (s *Server) getAlert(w http.ResponseWriter, r *http.Request) error {
	st, err := s.one(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, struct {
		entry
		Revisions []feed.Item `json:"revisions"`
	}{s.entry(st), s.revisions(r.Context(), st.Event)})
}

func (s *Server) listFeeds(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, map[string]any{"feeds": s.feeds()})
}

func (s *Server) listRules(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, map[string]any{"rules": s.countedRules()})
}

func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Status == nil {
		return refuse(http.StatusNotFound, "this daemon has no status to tell")
	}
	st := s.cfg.Status()
	st.Ready = "yes"
	if err := s.ready(r.Context()); err != nil {
		st.Ready = err.Error()
	}
	if st.Feeds == nil {
		st.Feeds = map[string]int{}
	}
	st.Copies.Feeds, st.Copies.Rules = list(st.Copies.Feeds), list(st.Copies.Rules)
	if st.Folded == nil {
		st.Folded = map[string]int{}
	}
	st.Problems, st.Streams, st.Readers, st.Nodes = list(st.Problems), list(st.Streams), list(st.Readers), list(st.Nodes)
	st.Mutes, st.OverBudget = list(st.Mutes), list(st.OverBudget)
	st.Pushed = s.destinations(r.Context())
	return answer(w, st)
}
