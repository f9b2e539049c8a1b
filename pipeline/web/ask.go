package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// Ask: what would this query have found, and why did, or did not, this link
// become an alert? Read only, one question a client at a time.

const (
	maxAsking    = 4 // questions at a time, of all clients
	maxQuery     = 4 << 10
	maxLookup    = 2 << 10
	askedOnPage  = 50
	askedDefault = 30 * 24 * time.Hour
	askedMost    = 400 * 24 * time.Hour
	askPatience  = 25 * time.Second // below the server's own limit
	maxPicked    = 40               // items that a rule's tests are made of
)

// question reads what both the page and the API ask.
func (s *Server) question(v url.Values, limit int) (Question, error) {
	q := Question{Query: strings.TrimSpace(last(v, "q")), Since: askedDefault, Limit: limit}
	switch {
	case s.cfg.Ask == nil:
		return q, refuse(http.StatusNotFound, "this daemon does not answer questions")
	case q.Query == "":
		return q, refuse(http.StatusBadRequest, "q: write a query in the rules' language")
	case len(q.Query) > maxQuery:
		return q, refuse(http.StatusBadRequest, "q has %d bytes: up to %d are possible", len(q.Query), maxQuery)
	}
	if w := last(v, "since"); w != "" {
		now := s.now()
		at, ok := parseTime(w, now)
		if q.Since = now.Sub(at); !ok || q.Since <= 0 || q.Since > askedMost {
			return q, refuse(http.StatusBadRequest, "since %q: it is a time or a duration such as 36h, 7d or 30d, of up to 400 days", clip(w, 40))
		}
	}
	if w := last(v, "limit"); w != "" {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > maxLimit {
			return q, refuse(http.StatusBadRequest, "limit %q: it is a number from 1 to %d", clip(w, 40), maxLimit)
		}
		q.Limit = n
	}
	return q, nil
}

// one question of a client at a time.
func (s *Server) alone(r *http.Request) (context.Context, func(), error) {
	leave, ok := s.asking.enter(s.client(r))
	if !ok {
		return nil, nil, refuse(http.StatusTooManyRequests, "one question at a time: wait for the answer to the last one")
	}
	ctx, cancel := context.WithTimeout(r.Context(), askPatience)
	return ctx, func() { cancel(); leave() }, nil
}

func (s *Server) asked(r *http.Request, v url.Values, limit int) (Question, Answer, error) {
	q, err := s.question(v, limit)
	if err != nil {
		return q, Answer{}, err
	}
	ctx, done, err := s.alone(r)
	if err != nil {
		return q, Answer{}, err
	}
	defer done()
	a, err := s.cfg.Ask(ctx, q)
	if errors.Is(err, context.DeadlineExceeded) {
		return q, a, refuse(http.StatusServiceUnavailable, "this took too long: ask for fewer days")
	}
	if err != nil {
		return q, a, s.unreadable(err)
	}
	a.Problems, a.Found, a.Days = list(a.Problems), list(a.Found), list(a.Days)
	for i := range a.Found {
		a.Found[i].Evidence, a.Found[i].Raised = list(a.Found[i].Evidence), list(a.Found[i].Raised)
	}
	return q, a, nil
}

func (s *Server) ask(w http.ResponseWriter, r *http.Request) error {
	_, a, err := s.asked(r, r.URL.Query(), defaultLimit)
	if err != nil {
		return err
	}
	if len(a.Problems.Errors()) > 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		writeJSON(w, a)
		return nil
	}
	return answer(w, a)
}

func (s *Server) looked(r *http.Request, words string) (Reason, error) {
	switch {
	case s.cfg.Why == nil:
		return Reason{}, refuse(http.StatusNotFound, "this daemon does not say why")
	case words == "":
		return Reason{}, refuse(http.StatusBadRequest, "q: paste a link or a title")
	case len(words) > maxLookup:
		return Reason{}, refuse(http.StatusBadRequest, "q has %d bytes: up to %d are possible", len(words), maxLookup)
	}
	ctx, done, err := s.alone(r)
	if err != nil {
		return Reason{}, err
	}
	defer done()
	why, err := s.cfg.Why(ctx, words)
	if errors.Is(err, context.DeadlineExceeded) {
		return why, refuse(http.StatusServiceUnavailable, "this took too long; a whole link is found sooner than a title")
	}
	if err != nil {
		return why, s.unreadable(err)
	}
	why.Items = list(why.Items)
	for i := range why.Items {
		it := &why.Items[i]
		it.Raised, it.Sent, it.Nearest = list(it.Raised), list(it.Sent), list(it.Nearest)
	}
	return why, nil
}

func (s *Server) why(w http.ResponseWriter, r *http.Request) error {
	why, err := s.looked(r, strings.TrimSpace(r.URL.Query().Get("q")))
	if err != nil {
		return err
	}
	return answer(w, why)
}

func (s *Server) exportAnswer(w http.ResponseWriter, r *http.Request) error {
	_, a, err := s.asked(r, r.URL.Query(), maxLimit)
	if err != nil {
		return err
	}
	if errs := a.Problems.Errors(); len(errs) > 0 {
		return refuse(http.StatusUnprocessableEntity, "q: %s", errs[0].Message)
	}
	rows := [][]string{{"fetched", "published", "title", "link", "feed", "language", "raised", "evidence", "summary", "key"}}
	for _, x := range a.Found {
		var raised, evidence []string
		for _, y := range x.Raised {
			raised = append(raised, y.Channel+" "+string(y.Severity))
		}
		for _, e := range x.Evidence {
			if !slices.Contains(evidence, e.Text) {
				evidence = append(evidence, e.Text)
			}
		}
		it := x.Item
		rows = append(rows, []string{stamp(it.Fetched), stamp(it.Published), it.Title, webLink(it.Link), it.Feed, it.Language,
			strings.Join(raised, "; "), strings.Join(evidence, "; "), clip(it.Summary, 500), it.Key})
	}
	return s.spreadsheet(w, r, "ask", rows)
}

// askView is the page: a query with its answer, or a link with its reason.
type askView struct {
	Nav      string
	Query    string
	Since    string
	Periods  []option
	Lookup   string
	Able     bool // questions are possible
	CanWhy   bool
	Wrong    []wrong
	Refused  string
	Answered bool
	Answer   Answer
	Found    []found
	Bars     []bar
	BarsWide int
	Peak     int
	Days     []Day // with a count
	Span     string
	CSV      string
	Rule     *askedRule
	Reason   *Reason
	Items    []reasonRow
}

// wrong is a problem of a query, with the line and the place in it.
type wrong struct {
	Message, Hint    string
	Line, Column     int
	Before, At, Rest string
}

// found is one item as the page shows it.
type found struct {
	Key       string // feed/key
	Title     []part
	Passage   []part
	Lang      string
	Link      string
	Source    string
	Tier      string
	Country   string
	At        when
	Clock     string
	Raised    []RaisedAs
	Hit, Miss bool
}

type reasonRow struct {
	ReasonItem
	At     when
	Href   string
	Source string
}

func (s *Server) askPage(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	view := askView{Nav: "ask", Query: last(v, "q"), Since: last(v, "since"), Lookup: last(v, "why"), Able: s.cfg.Ask != nil, CanWhy: s.cfg.Why != nil}
	if view.Since == "" {
		view.Since = "30d"
	}
	for _, p := range []option{{Value: "24h", Label: "24 hours"}, {Value: "7d", Label: "7 days"}, {Value: "30d", Label: "30 days"}, {Value: "90d", Label: "90 days"}, {Value: "365d", Label: "12 months"}} {
		p.On = p.Value == view.Since
		view.Periods = append(view.Periods, p)
	}
	status := http.StatusOK
	var err error
	switch {
	case view.Query != "":
		err = s.askQuery(r, v, &view)
	case view.Lookup != "":
		err = s.askWhy(r, &view)
	}
	var he *httpError
	if errors.As(err, &he) { // said on the page, with what was typed
		view.Refused, status = he.detail, he.status
	} else if err != nil {
		return err
	}
	if len(view.Wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	return s.render(w, s.pages.ask, status, view)
}

func (s *Server) askQuery(r *http.Request, v url.Values, view *askView) error {
	q, a, err := s.asked(r, v, askedOnPage)
	if err != nil {
		return err
	}
	now := s.now().UTC()
	for _, p := range a.Problems {
		x := wrong{Message: p.Message, Hint: p.Hint, Line: p.Line, Column: p.Column}
		if lines := strings.Split(q.Query, "\n"); p.Line >= 1 && p.Line <= len(lines) {
			line := []rune(strings.TrimRight(lines[p.Line-1], "\r"))
			at := min(max(p.Column-1, 0), len(line))
			x.Before, x.At, x.Rest = string(line[:at]), " ", ""
			if at < len(line) {
				x.At, x.Rest = string(line[at:at+1]), string(line[at+1:])
			}
		}
		view.Wrong = append(view.Wrong, x)
	}
	if len(a.Problems.Errors()) > 0 {
		return nil
	}
	view.Wrong, view.Answered, view.Answer = nil, true, a
	view.CSV = "/api/v1/ask.csv" + query(url.Values{"q": {q.Query}, "since": {view.Since}})
	hits, misses := v["hit"], v["miss"]
	titles := s.titles()
	for _, x := range a.Found {
		it := x.Item
		evidence := []rule.Match{{Snippet: x.Snippet, Evidence: x.Evidence}}
		f := found{Key: it.Feed + "/" + it.Key, Title: markField(it.Title, "title", evidence), Lang: langAttr(it.Language), Link: webLink(it.Link),
			Source: it.Source.Title, Tier: it.Source.Tier, Country: it.Source.Country, At: newWhen(it.Fetched, now), Clock: it.Fetched.UTC().Format("2 Jan 15:04"),
			Raised:  x.Raised,
			Passage: passage(alert.Data{Item: alert.Item{Title: it.Title, Summary: clip(it.Summary, 500)}, Rules: evidence})}
		if f.Source == "" {
			f.Source = named(titles)(it.Feed)
		}
		if len(f.Title) == 0 {
			f.Title = []part{{Text: "(without a title)"}}
		}
		f.Hit, f.Miss = slices.Contains(hits, f.Key), slices.Contains(misses, f.Key)
		view.Found = append(view.Found, f)
	}
	view.days(a.Days)
	if last(v, "rule") != "" {
		made := s.askedRule(r.Context(), q.Query, a, hits, misses)
		view.Rule = &made
	}
	return nil
}

// days draws how many a day.
func (v *askView) days(days []Day) {
	for _, d := range days {
		v.Peak = max(v.Peak, d.Count)
		if d.Count > 0 {
			v.Days = append(v.Days, d)
		}
	}
	if v.Peak == 0 {
		return
	}
	v.BarsWide = len(days) * barWidth
	v.Span = days[0].Date + " to " + days[len(days)-1].Date
	for i, d := range days {
		if d.Count > 0 {
			h := max(1.5, float64(d.Count)/float64(v.Peak)*barHeight)
			v.Bars = append(v.Bars, bar{strconv.Itoa(i * barWidth), units(barHeight - h), strconv.Itoa(barWidth - 2), units(h)})
		}
	}
	slices.Reverse(v.Days)
}

func (s *Server) askWhy(r *http.Request, view *askView) error {
	why, err := s.looked(r, strings.TrimSpace(view.Lookup))
	if err != nil {
		return err
	}
	view.Reason = &why
	titles := s.titles()
	for _, it := range why.Items {
		view.Items = append(view.Items, reasonRow{it, newWhen(it.Fetched, s.now().UTC()), webLink(it.Link), named(titles)(it.Feed)})
	}
	return nil
}
