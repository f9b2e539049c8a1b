package web

import (
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

const (
	defaultLimit  = 100
	maxLimit      = 1000
	maxCandidates = 50_000 // events that one request with q= may read
	maxValues     = 200    // of one parameter
)

// filter is a request's parameters, checked. Repeated values of one parameter
// are alternatives, except states, which must all hold.
type filter struct {
	channels, feeds, countries, tiers, languages, states, severities, rules []string

	folded        string // "": without folded ones, with, only
	since, before time.Time
	after         uint64 // since as a cursor: only what is above it
	cursor        cursor // before as a cursor
	limit         int    // 0 when not given
	q             string
	query         func(alert.Event) bool // of q; nil without
}

// cursor is a place in a list: entries below before, of the list as it was
// when its first page was made at snapshot.
type cursor struct {
	before   uint64 // 0: from the newest
	snapshot uint64
}

func (c cursor) String() string {
	return strconv.FormatUint(c.before, 10) + "." + strconv.FormatUint(c.snapshot, 10)
}

// cursorForm also takes a bare stream sequence.
var cursorForm = regexp.MustCompile(`^([0-9]{1,19})(?:\.([0-9]{1,19}))?$`)

func parseCursor(s string) (c cursor, ok bool) {
	m := cursorForm.FindStringSubmatch(s)
	if m == nil {
		return c, false
	}
	c.before, _ = strconv.ParseUint(m[1], 10, 64)
	c.snapshot = math.MaxUint64
	if m[2] != "" {
		c.snapshot, _ = strconv.ParseUint(m[2], 10, 64)
	}
	return c, true
}

// parameters are all that a list takes; a misspelt one is refused, because a
// filter that silently does nothing is worse than none.
var parameters = []string{"channel", "severity", "tier", "country", "state", "language", "feed", "rule", "q", "folded",
	"since", "before", "limit"}

// parseFilter reads a list's parameters; extra names those that the caller
// reads itself.
func (s *Server) parseFilter(v url.Values, extra ...string) (*filter, error) {
	for name := range v {
		if !slices.Contains(parameters, name) && !slices.Contains(extra, name) {
			return nil, refuse(http.StatusBadRequest, "unknown parameter %q: there are %s", clip(name, 40),
				strings.Join(append(slices.Clone(parameters), extra...), ", "))
		}
	}
	f := &filter{cursor: cursor{snapshot: math.MaxUint64}}
	for name, to := range map[string]*[]string{"channel": &f.channels, "feed": &f.feeds, "tier": &f.tiers,
		"country": &f.countries, "state": &f.states, "language": &f.languages, "severity": &f.severities, "rule": &f.rules} {
		for _, value := range v[name] {
			for w := range strings.SplitSeq(value, ",") {
				if w = strings.TrimSpace(w); w != "" {
					*to = append(*to, w)
				}
			}
		}
		if len(*to) > maxValues {
			return nil, refuse(http.StatusBadRequest, "%s has %d values: up to %d are possible", name, len(*to), maxValues)
		}
	}
	upper(f.countries)
	upper(f.states)
	for i, l := range f.languages {
		f.languages[i] = strings.ToLower(l)
	}
	for _, w := range f.severities {
		if rule.Severity(w).Rank() < 0 {
			return nil, refuse(http.StatusBadRequest, "severity %q: it is low, medium, high or critical", clip(w, 40))
		}
	}
	switch w := last(v, "folded"); w {
	case "", "false", "0", "no":
	case "true", "1", "yes", "with":
		f.folded = "with"
	case "only":
		f.folded = "only"
	default:
		return nil, refuse(http.StatusBadRequest, "folded %q: it is false, true (folded ones too) or only", clip(w, 40))
	}
	if w := last(v, "limit"); w != "" {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > maxLimit {
			return nil, refuse(http.StatusBadRequest, "limit %q: it is a number from 1 to %d", clip(w, 40), maxLimit)
		}
		f.limit = n
	}
	if err := s.parseTimes(f, v); err != nil {
		return nil, err
	}
	return f, s.parseQuery(f, v)
}

func (s *Server) parseTimes(f *filter, v url.Values) error {
	for name, to := range map[string]*time.Time{"since": &f.since, "before": &f.before} {
		w := last(v, name)
		if w == "" {
			continue
		}
		if c, ok := parseCursor(w); ok {
			if name == "since" {
				f.after = c.before
			} else {
				f.cursor = c
			}
			continue
		}
		at, ok := parseTime(w, s.now())
		if !ok {
			return refuse(http.StatusBadRequest,
				"%s %q: it is a time such as 2026-11-22T08:00:00Z, a duration such as 36h, 30d or 2w, or a cursor", name, clip(w, 40))
		}
		*to = at
	}
	return nil
}

func (s *Server) parseQuery(f *filter, v url.Values) error {
	f.q = strings.TrimSpace(last(v, "q"))
	if f.q == "" {
		return nil
	}
	if s.cfg.Query == nil {
		return refuse(http.StatusBadRequest, "q is not available yet")
	}
	if len(f.q) > 4<<10 {
		return refuse(http.StatusBadRequest, "q has %d bytes: up to 4096 are possible", len(f.q))
	}
	query, err := s.cfg.Query(f.q)
	if err != nil {
		return refuse(http.StatusBadRequest, "q: %v", err)
	}
	f.query = query
	return nil
}

// parseTime reads RFC 3339, a day (UTC), or a duration back from now; d and w
// are what Go's durations lack.
func parseTime(w string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, w); err == nil {
		return t, true
	}
	if t, err := time.Parse(time.DateOnly, w); err == nil {
		return t, true
	}
	if n, err := strconv.ParseFloat(strings.TrimRight(w, "dw"), 64); err == nil && n >= 0 && n < 1e5 {
		switch {
		case strings.HasSuffix(w, "d") && strings.Count(w, "d")+strings.Count(w, "w") == 1:
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), true
		case strings.HasSuffix(w, "w") && strings.Count(w, "d")+strings.Count(w, "w") == 1:
			return now.Add(-time.Duration(n * 7 * 24 * float64(time.Hour))), true
		}
	}
	d, err := time.ParseDuration(w)
	return now.Add(-d), err == nil && d >= 0
}

// values returns the parameters that make the filter, for links: a page's
// place in the list is not among them, a time is.
func (f *filter) values() url.Values {
	v := url.Values{}
	for name, ws := range map[string][]string{"channel": f.channels, "feed": f.feeds, "tier": f.tiers,
		"country": f.countries, "state": f.states, "language": f.languages, "severity": f.severities, "rule": f.rules} {
		if len(ws) > 0 {
			v[name] = ws
		}
	}
	switch f.folded {
	case "with":
		v.Set("folded", "true")
	case "only":
		v.Set("folded", "only")
	}
	if f.q != "" {
		v.Set("q", f.q)
	}
	if !f.since.IsZero() {
		v.Set("since", f.since.UTC().Format(time.RFC3339))
	}
	if !f.before.IsZero() {
		v.Set("before", f.before.UTC().Format(time.RFC3339))
	}
	return v
}

// matcher is a filter in the index's ids.
type matcher struct {
	channels, feeds, countries, tiers, languages choice
	states                                       []uint16
	rules                                        []uint16 // any of them; nil: all
	severities                                   uint8    // bits; 0: all
	folded                                       string
	since, before                                int64
	x                                            *index
	none                                         bool // a state that no alert has
}

// match prepares a filter. The caller holds mu and keeps it while it uses the
// matcher.
func (x *index) match(f *filter) *matcher {
	m := &matcher{folded: f.folded, since: math.MinInt64, before: math.MaxInt64, x: x,
		channels: x.channels.choose(f.channels), feeds: x.feeds.choose(f.feeds), countries: x.countries.choose(f.countries),
		tiers: x.tiers.choose(f.tiers)}
	for _, w := range f.states {
		id, ok := x.states.ids[w]
		m.none = m.none || !ok
		m.states = append(m.states, id)
	}
	if f.rules != nil {
		m.rules = []uint16{}
		for _, w := range f.rules {
			if id, ok := x.rules.ids[w]; ok {
				m.rules = append(m.rules, id)
			}
		}
	}
	if f.languages != nil { // zh takes zh-hans too
		m.languages = make(choice, len(x.languages.words)+1)
		for i, have := range x.languages.words {
			for _, w := range f.languages {
				if have == w || strings.HasPrefix(have, w+"-") {
					m.languages[i+1] = true
				}
			}
		}
	}
	for _, w := range f.severities {
		m.severities |= 1 << rule.Severity(w).Rank()
	}
	if !f.since.IsZero() {
		m.since = f.since.UnixNano()
	}
	if !f.before.IsZero() {
		m.before = f.before.UnixNano()
	}
	return m
}

func (m *matcher) ok(s *slot) bool {
	return m.within(s) && m.grave(s) && m.channels.has(s.channel) && m.feeds.has(s.feed) && m.countries.has(s.country) &&
		m.tiers.has(uint16(s.tier)) && m.languages.has(s.language) && m.about(s) && m.ruled(s)
}

// within is what no menu shows a count for: folding and time.
func (m *matcher) within(s *slot) bool {
	return !m.none && (!s.folded || m.folded != "") && (s.folded || m.folded != "only") && s.at >= m.since && s.at < m.before
}

func (m *matcher) grave(s *slot) bool { return m.severities == 0 || m.severities&(1<<s.severity) != 0 }

func (m *matcher) about(s *slot) bool {
	if len(m.states) == 0 {
		return true
	}
	set := m.x.stateSets.members(s.states)
	for _, want := range m.states {
		if !slices.Contains(set, want) {
			return false
		}
	}
	return true
}

func (m *matcher) ruled(s *slot) bool {
	return m.rules == nil || slices.ContainsFunc(m.x.ruleSets.members(s.rules), func(id uint16) bool { return slices.Contains(m.rules, id) })
}

// matches holds one event against the filter, for the live stream: the same
// answer as the index gives, because it is the index that gives it.
func (x *index) matches(f *filter, sequence uint64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i, ok := x.find(sequence)
	return ok && x.match(f).ok(&x.slots[i])
}

func last(v url.Values, name string) string {
	ws := v[name]
	if len(ws) == 0 {
		return ""
	}
	return strings.TrimSpace(ws[len(ws)-1])
}

func upper(ws []string) {
	for i, w := range ws {
		ws[i] = strings.ToUpper(w)
	}
}

// clip keeps an answer short that quotes the request.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
