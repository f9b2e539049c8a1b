package poll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/feed"
)

// memory is States and Inbox in one, with the rules of the real store and
// faults on demand. It outlives pollers, as a store outlives processes.
type memory struct {
	mu       sync.Mutex
	states   map[string]State
	versions map[string]uint64
	saves    int
	stored   map[string][]stored // by feed/key
	sequence uint64
	log      []string // "append KEY REV" and "save FEED", in order
	failing  int      // calls that still fail
	crash    int      // calls until all fail, 0: never
	refuse   bool     // Append answers ErrAhead
	tooLarge string   // title of an item that Append never takes
}

type stored struct {
	sequence uint64
	item     feed.Item
}

func newMemory() *memory {
	return &memory{states: map[string]State{}, versions: map[string]uint64{}, stored: map[string][]stored{}}
}

var errAway = errors.New("store is away")

func (m *memory) away() bool {
	if m.crash > 0 {
		if m.crash--; m.crash == 0 {
			m.failing = 1 << 30
		}
	}
	if m.failing > 0 {
		m.failing--
		return true
	}
	return false
}

func (m *memory) Load(_ context.Context, id string) (State, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away() {
		return State{}, 0, errAway
	}
	s := m.states[id]
	s.Items = maps.Clone(s.Items)
	return s, m.versions[id], nil
}

func (m *memory) Save(_ context.Context, id string, s State, version uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away() {
		return 0, errAway
	}
	if m.versions[id] != version {
		return 0, ErrAhead
	}
	s.Items = maps.Clone(s.Items)
	m.states[id] = s
	m.versions[id]++
	m.saves++
	m.log = append(m.log, "save "+id)
	return m.versions[id], nil
}

func (m *memory) Append(_ context.Context, drafts []Draft) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away() {
		return nil, errAway
	}
	if m.refuse {
		return nil, ErrAhead
	}
	var sequences []uint64
	for _, d := range drafts {
		if m.tooLarge != "" && d.Item.Title == m.tooLarge {
			return nil, fmt.Errorf("append item %s: %w", d.Item.Key, ErrRefused)
		}
		name := d.Item.Feed + "/" + d.Item.Key
		old := m.stored[name]
		var last stored
		if len(old) > 0 {
			last = old[len(old)-1]
		}
		if last.sequence != d.After {
			if last.item.Revision != d.Item.Revision {
				return nil, ErrAhead
			}
			sequences = append(sequences, last.sequence)
			continue
		}
		m.sequence++
		m.stored[name] = append(old, stored{m.sequence, d.Item})
		m.log = append(m.log, "append "+d.Item.Key+" "+d.Item.Revision)
		sequences = append(sequences, m.sequence)
	}
	return sequences, nil
}

func (m *memory) Last(_ context.Context, id, key string) (uint64, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.stored[id+"/"+key]
	if len(old) == 0 {
		return 0, "", nil
	}
	last := old[len(old)-1]
	return last.sequence, last.item.Revision, nil
}

func (m *memory) revisions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, s := range m.stored {
		n += len(s)
	}
	return n
}

func (m *memory) state(id string) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[id]
}

// site is a server in memory. Each request is noted with its time.
type site struct {
	mu       sync.Mutex
	answer   func(r *http.Request, n int) (status int, header http.Header, body string) // n counts a path's requests from 1
	took     time.Duration                                                              // how long an answer takes
	inspect  func(*http.Request)                                                        // sees each request; may be nil
	requests []seen
	busy     map[string]int
	most     map[string]int // requests at a time, by host
	count    map[string]int
}

type seen struct {
	at    time.Time
	url   string
	etag  string
	since string
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	if s.busy == nil {
		s.busy, s.most, s.count = map[string]int{}, map[string]int{}, map[string]int{}
	}
	url := r.URL.String()
	s.count[url]++
	n := s.count[url]
	s.busy[r.URL.Host]++
	s.most[r.URL.Host] = max(s.most[r.URL.Host], s.busy[r.URL.Host])
	s.requests = append(s.requests, seen{at: time.Now(), url: url, etag: r.Header.Get("If-None-Match"), since: r.Header.Get("If-Modified-Since")})
	took, answer := s.took, s.answer
	if s.inspect != nil {
		s.inspect(r)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy[r.URL.Host]--
		s.mu.Unlock()
	}()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status, header, body := answer(r, n)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	resp := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1, Request: r}
	switch header.Get(fault) {
	case "reset":
		return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	case "hang":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "cut":
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF)))
	case "open":
		resp.ContentLength, resp.ProtoMinor = -1, 0
	}
	return resp, nil
}

// fault is the header by which an answer function asks for a broken answer:
// reset, hang, cut (before its end) or open (ends with the connection).
const fault = "Test-Fault"

func (s *site) seen() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.requests...)
}

func (s *site) set(answer func(*http.Request, int) (int, http.Header, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// plainParse reads the tests' own format: a line an item, guid|link|title|
// date|text. It keeps these tests apart from what feeds look like.
func plainParse(d feed.Document) (*feed.Parsed, error) {
	p := &feed.Parsed{}
	for line := range strings.Lines(string(d.Body)) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "ttl "); ok {
			p.TTL, _ = time.ParseDuration(v)
			continue
		}
		switch line {
		case "":
			continue
		case "html":
			return nil, &feed.ParseError{Reason: "html_page"}
		case "panic":
			panic("a document that breaks us")
		case "cut":
			p.Repairs = append(p.Repairs, "truncated")
			continue
		}
		f := strings.Split(line+"||||", "|")
		it := feed.Item{GUID: f[0], Link: f[1], Title: f[2], Content: f[4],
			Revision: hash(16, f[2], f[4], "text")}
		if id := cmp.Or(f[0], f[1], f[2]); id != "" {
			it.Key = hash(32, d.Feed.ID, id)
		}
		if t, err := time.Parse(time.RFC3339, f[3]); err == nil {
			it.Published, it.Quality = t, "declared"
		}
		p.Items = append(p.Items, it)
	}
	return p, nil
}

// world is a store and a site, and the pollers started between them.
type world struct {
	*testing.T
	memory *memory
	site   *site
	opt    Options
	reg    *prometheus.Registry
	parse  func(feed.Document) (*feed.Parsed, error)
	now    func() time.Time
	log    *slog.Logger
	random func() float64
	mu     sync.Mutex
	events []Event
}

func newWorld(t *testing.T) *world {
	o := DefaultOptions()
	o.Backlog = BacklogAll
	return &world{T: t, memory: newMemory(), opt: o, parse: plainParse, now: time.Now, log: slog.New(slog.DiscardHandler), random: fixed(0.5), site: &site{answer: func(*http.Request, int) (int, http.Header, string) {
		return 200, nil, "a|http://x.test/a|A||"
	}}}
}

func (w *world) poller(feeds ...feed.Feed) *Poller {
	w.Helper()
	w.reg = prometheus.NewRegistry()
	c := &Fetcher{UserAgent: "newsmonitor/test", MaxBody: w.opt.MaxBody, Timeout: 30 * time.Second, Now: w.now, trip: w.site}
	p, err := New(Config{Options: w.opt, States: w.memory, Inbox: w.memory, Parse: w.parse, Fetch: c.Fetch,
		Log: w.log, Registerer: w.reg, Random: w.random, Now: w.now,
		Announce: func(_ context.Context, e Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}})
	if err != nil {
		w.Fatal(err)
	}
	p.Update(feeds)
	return p
}

// runFor runs a poller for a while of the bubble's time.
func (w *world) runFor(p *Poller, d time.Duration) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		w.Error(err)
	}
}

func (w *world) kinds() (kinds []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		kinds = append(kinds, e.Feed+" "+e.Event)
	}
	return kinds
}

func aFeed(id, url string, every time.Duration) feed.Feed {
	return feed.Feed{ID: id, Title: id, URL: url, Kind: "ministry", Tier: "authoritative", Every: every}
}

func manyFeeds(n int, every time.Duration) (feeds []feed.Feed) {
	for i := range n {
		feeds = append(feeds, aFeed(fmt.Sprintf("f%04d", i), fmt.Sprintf("http://h%d.test/feed", i), every))
	}
	return feeds
}
