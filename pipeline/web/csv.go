package web

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var csvHeader = []string{"raised", "severity", "channel", "state", "title", "link", "source", "feed", "tier", "country",
	"voice", "states", "language", "published", "rules", "evidence", "summary", "id", "sequence"}

// exportAlerts is the list as a spreadsheet, whole unless limit says
// otherwise; what does not fit in one is named in a Link header.
func (s *Server) exportAlerts(w http.ResponseWriter, r *http.Request) error {
	f, err := s.parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	n := f.limit
	if n == 0 {
		n = maxCandidates
	}
	c := f.cursor
	c.snapshot = min(c.snapshot, s.index.newest())
	hits, more := s.index.list(f, c, n)
	if more {
		c.before = hits[len(hits)-1].at
		linkNext(w, r.URL, c.String())
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"alerts-%s.csv\"", s.now().UTC().Format(time.DateOnly)))
	if r.Method == http.MethodHead {
		return nil
	}
	rc := http.NewResponseController(w)
	if _, err := w.Write([]byte("\uFEFF")); err != nil { // without it Excel takes UTF-8 for the code page of the day
		return nil
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write(csvHeader)
	for i, hit := range hits {
		if i%500 == 0 { // the server's own limit is for a page; unsupported in tests only
			_ = rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
		}
		st, err := s.cfg.Alerts.Get(r.Context(), hit.read)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			s.log.Warn("export alerts", "error", err)
			panic(http.ErrAbortHandler) // the client must not take the rest for the end
		}
		if f.query != nil && !f.query(st.Event) {
			continue
		}
		if err := out.Write(alertRow(s.entry(st))); err != nil {
			return nil
		}
	}
	out.Flush()
	return nil
}

func alertRow(e entry) []string {
	d := e.Event.Data
	var rules, evidence []string
	seen := map[string]bool{}
	for _, m := range d.Rules {
		rules = append(rules, m.ID)
		for _, ev := range m.Evidence {
			if !seen[ev.Text] {
				seen[ev.Text] = true
				evidence = append(evidence, ev.Text)
			}
		}
	}
	voice := ""
	if d.Voice != nil {
		voice = d.Voice.Title
	}
	cells := []string{stamp(e.Event.Time), string(e.Event.Severity), d.Channel, e.State, d.Item.Title, webLink(d.Item.Link),
		d.Source.Title, d.Source.ID, tierOf(d), d.Source.Country, voice, strings.Join(d.States, " "), d.Item.Language,
		stamp(d.Item.Published), strings.Join(rules, " "), strings.Join(evidence, "; "), d.Item.Summary, d.ID,
		strconv.FormatUint(e.Sequence, 10)}
	for i, c := range cells {
		cells[i] = defuse(c)
	}
	return cells
}

// stamp is a time as spreadsheets read it, in UTC.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// defuse keeps a spreadsheet from running a cell as a formula: the apostrophe
// makes it text. East Asian editions take the full-width signs too, and some
// programs look behind leading blanks.
func defuse(cell string) string {
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	if r, _ := utf8.DecodeRuneInString(strings.TrimSpace(cell)); strings.ContainsRune("=+-@＝＋－＠", r) {
		return "'" + cell
	}
	return cell
}

// spreadsheet writes a short table; nothing in it is a formula.
func (s *Server) spreadsheet(w http.ResponseWriter, r *http.Request, name string, rows [][]string) error {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"%s-%s.csv\"", name, s.now().UTC().Format(time.DateOnly)))
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write([]byte("\uFEFF")); err != nil {
		return nil // the client is gone
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	for _, row := range rows {
		for i, c := range row {
			row[i] = defuse(c)
		}
		if err := out.Write(row); err != nil {
			return nil
		}
	}
	out.Flush()
	return nil
}
