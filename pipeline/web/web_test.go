package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// noon is when the tests' clock stands still.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// memory is a Log in memory.
type memory struct {
	mu      sync.Mutex
	stored  []alert.Stored
	first   uint64
	last    uint64
	changed chan struct{}
	err     error
	gets    int
}

func newMemory(stored ...alert.Stored) *memory {
	m := &memory{first: 1, changed: make(chan struct{})}
	for _, st := range stored {
		m.append(st)
	}
	return m
}

// append gives the event its sequence and returns it.
func (m *memory) append(st alert.Stored) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	st.Sequence = m.last
	m.stored = append(m.stored, st)
	close(m.changed)
	m.changed = make(chan struct{})
	return st.Sequence
}

// age drops everything before first.
func (m *memory) age(first uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.first = first
	for len(m.stored) > 0 && m.stored[0].Sequence < first {
		m.stored = m.stored[1:]
	}
}

func (m *memory) Follow(ctx context.Context, after uint64, fn func(alert.Stored) error) error {
	for {
		m.mu.Lock()
		var todo []alert.Stored
		for _, st := range m.stored {
			if st.Sequence > after {
				todo = append(todo, st)
			}
		}
		changed, err := m.changed, m.err
		m.mu.Unlock()
		if err != nil {
			return err
		}
		for _, st := range todo {
			if err := fn(st); err != nil {
				return err
			}
			after = st.Sequence
		}
		if len(todo) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (m *memory) Get(_ context.Context, sequence uint64) (alert.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	if m.err != nil {
		return alert.Stored{}, m.err
	}
	for _, st := range m.stored {
		if st.Sequence == sequence {
			return st, nil
		}
	}
	return alert.Stored{}, fmt.Errorf("alert %d: %w", sequence, ErrGone)
}

func (m *memory) Last(context.Context) (uint64, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.first, m.last, m.err
}

// made is an alert of the tests: what is empty gets a plain value.
type made struct {
	item                           string // what its key is made of; default the title
	channel, feed, country, tier   string
	language, title, summary, link string
	severity                       rule.Severity
	states                         []string
	kind                           string // of event; default raised
	voice                          *rule.Voice
	at                             time.Time
	rules                          []rule.Match
	fold                           string
}

func (m made) stored() alert.Stored {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&m.channel, "sanctions")
	def(&m.feed, "us-treasury")
	def(&m.country, "US")
	def(&m.tier, "authoritative")
	def(&m.language, "en")
	def(&m.title, "Treasury sanctions two persons")
	def(&m.link, "https://ministry.example/1")
	def(&m.item, m.title)
	def(&m.kind, alert.Raised)
	if m.severity == "" {
		m.severity = rule.High
	}
	if m.at.IsZero() {
		m.at = noon.Add(-time.Hour)
	}
	if m.fold != "" {
		m.kind = alert.Folded
	}
	key := alert.ID("item", m.item)
	id := alert.ID(m.channel, key)
	e := alert.Event{
		SpecVersion: "1.0", ID: alert.EventID(id, m.kind, m.severity), Type: m.kind, Source: "/newsmonitor/test/feeds/" + m.feed,
		Subject: m.channel, Time: m.at, DataContentType: "application/json", DataSchema: alert.SchemaURI, Severity: m.severity,
		Data: alert.Data{
			ID: id, Channel: m.channel, Channels: []string{m.channel}, Severity: m.severity, States: list(m.states),
			Story: alert.Story{ID: id, Lead: true, Also: []alert.Carrier{}},
			Item: alert.Item{Feed: m.feed, Key: key, Revision: "r1", Title: m.title, Link: m.link, Summary: m.summary,
				Language: m.language, Authors: []string{}, Published: m.at.Add(-time.Minute), Quality: "declared", Fetched: m.at},
			Source: feed.Source{ID: m.feed, Title: "Source " + m.feed, Kind: "ministry", Tier: m.tier, Country: m.country, Tags: []string{}},
			Voice:  m.voice, Rules: list(m.rules), Cut: []string{},
		},
	}
	kept := "alerts"
	if m.kind == alert.Folded {
		kept = "folded"
		e.Data.Folded = &alert.Fold{Reason: m.fold}
	}
	return alert.Stored{
		Subject: "news." + kept + "." + m.channel + "." + string(m.severity) + "." + m.feed + "." + id,
		Folded:  m.kind == alert.Folded, Event: e,
	}
}

// mark is evidence for the first place of a word in a text.
func mark(field, text, word string) rule.Evidence {
	for i := range text {
		if len(text[i:]) >= len(word) && text[i:i+len(word)] == word {
			return rule.Evidence{Field: field, Text: word, Before: text[max(0, i-80):i], After: text[i+len(word) : min(len(text), i+len(word)+80)], Start: i, End: i + len(word)}
		}
	}
	panic("no " + word + " in " + text)
}

// start runs a server on loopback until the test ends, and waits until its
// index is read.
func start(t testing.TB, cfg Config) (*Server, string) {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Alerts == nil {
		cfg.Alerts = newMemory()
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	cfg.Metrics = prometheus.NewPedanticRegistry()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	waitFor(t, "the index to be read", func() bool { return s.tail.health() == nil })
	return s, "http://" + addr.String()
}

// waitFor polls what another goroutine brings about.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited 10 s for %s", what)
		case <-tick.C:
		}
	}
}

// serve is a server without a socket: its index is filled here.
func serve(t testing.TB, cfg Config) *Server {
	t.Helper()
	log, ok := cfg.Alerts.(*memory)
	if !ok {
		log = newMemory()
		cfg.Alerts = log
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:8080"
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	cfg.Metrics = prometheus.NewPedanticRegistry()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	s.tail.begin(log.last)
	for _, st := range log.stored {
		s.tail.take(st)
	}
	return s
}

// reply is an answer that was read to its end.
type reply struct {
	StatusCode int
	Header     http.Header
	text       string
	cookies    []*http.Cookie
}

func do(s *Server, r *http.Request) reply {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	res := &http.Response{Header: w.Header()}
	return reply{w.Code, w.Header(), w.Body.String(), res.Cookies()}
}

func get(t testing.TB, s *Server, target string, header ...string) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "127.0.0.1:8080"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	return do(s, r)
}

func body(_ testing.TB, res reply) string {
	return res.text
}

func getList(t testing.TB, s *Server, target string) answerList {
	t.Helper()
	res := get(t, s, target)
	text := body(t, res)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d: %s", target, res.StatusCode, text)
	}
	var l answerList
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("GET %s: %v in %s", target, err, text)
	}
	return l
}

func titles(l answerList) []string {
	out := []string{}
	for _, e := range l.Alerts {
		out = append(out, e.Event.Data.Item.Title)
	}
	return out
}

func newRegistry() *prometheus.Registry { return prometheus.NewPedanticRegistry() }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
