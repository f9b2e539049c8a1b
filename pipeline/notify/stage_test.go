package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// memory is ALERTS in memory, for tests with a clock that is stepped; the real
// store has tests of its own.
type memory struct {
	mu      sync.Mutex
	stored  []alert.Stored
	places  map[string]memoryPlace
	changed chan struct{}
	saves   int
}

type memoryPlace struct {
	seq, version uint64
	note         json.RawMessage
}

func newMemory() *memory {
	return &memory{places: map[string]memoryPlace{}, changed: make(chan struct{})}
}

func (m *memory) append(es ...alert.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range es {
		m.stored = append(m.stored, alert.Stored{Sequence: uint64(len(m.stored) + 1), Folded: e.Type == alert.Folded, Event: e})
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) After(_ context.Context, seq uint64, n int) ([]alert.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.stored[min(int(seq), len(m.stored)):min(int(seq)+n, len(m.stored))]), nil
}

func (m *memory) Wait(ctx context.Context, seq uint64) error {
	for {
		m.mu.Lock()
		there, changed := len(m.stored) > int(seq), m.changed
		m.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (m *memory) Last(_ context.Context, channel, feedID, id string) (alert.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, st := range slices.Backward(m.stored) {
		if d := st.Event.Data; d.ID == id && d.Channel == channel && d.Item.Feed == feedID {
			return st, nil
		}
	}
	return alert.Stored{}, nil
}

func (m *memory) Own(_ context.Context, reader string) (uint64, json.RawMessage, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.places[reader]
	if !ok {
		p.seq = uint64(len(m.stored))
	}
	p.version++
	m.places[reader] = p
	return p.seq, p.note, p.version, nil
}

func (m *memory) SavePlace(_ context.Context, reader string, seq uint64, note json.RawMessage, version uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.places[reader]
	if p.version != version {
		return 0, alert.ErrAhead
	}
	m.saves++
	p = memoryPlace{seq, version + 1, note}
	m.places[reader] = p
	return p.version, nil
}

func (m *memory) Release(context.Context, string, uint64) error { return nil }

// receiver records what it acknowledges.
type receiver struct {
	mu    sync.Mutex
	posts []post
	times []time.Time
	fail  func(attempt int, p post) error // may be nil
	tries int

	panics []string // where
}

func (r *receiver) send(_ context.Context, p post) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if r.fail != nil {
		if err := r.fail(r.tries, p); err != nil {
			return err
		}
	}
	r.posts, r.times = append(r.posts, p), append(r.times, time.Now())
	return nil
}

func (r *receiver) said() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.posts {
		if p.kind == "alert" {
			m := p.messages[0]
			out = append(out, m.head()+": "+m.title)
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s %d+%d", p.kind, p.headline, len(p.messages), p.more))
	}
	return out
}

// raised is an alert of the tests.
func raised(item, channels string, severity rule.Severity) alert.Event {
	all := strings.Split(channels, ",") // the first is the alert's own, unless marked with *
	own := all[0]
	for i, c := range all {
		if s, ok := strings.CutPrefix(c, "*"); ok {
			own, all[i] = s, s
		}
	}
	key := alert.ID("item", item)
	id := alert.ID(own, key)
	return alert.Event{SpecVersion: "1.0", ID: alert.EventID(id, alert.Raised, severity), Type: alert.Raised, Source: "/newsmonitor/test/feeds/mfa",
		Subject: own, Time: time.Now(), DataContentType: "application/json", DataSchema: alert.SchemaURI, Severity: severity,
		Data: alert.Data{ID: id, Channel: own, Channels: all, Severity: severity, States: []string{}, Story: alert.Story{ID: id, Lead: true},
			Item:   alert.Item{Feed: "mfa", Key: key, Revision: "r1", Title: item, Link: "https://mfa.example/" + strings.ReplaceAll(item, " ", "-"), Published: time.Now()},
			Source: feed.Source{ID: "mfa", Title: "Ministry", Tier: "authoritative", Country: "CN", Tags: []string{}}}}
}

func folded(e alert.Event, reason string) alert.Event {
	e.Type, e.Data.Folded = alert.Folded, &alert.Fold{Reason: reason}
	return e
}

func updated(e alert.Event, severity rule.Severity) alert.Event {
	e.Type, e.Data.Was, e.Severity, e.Data.Severity = alert.Updated, e.Severity, severity, severity
	e.ID = alert.EventID(e.Data.ID, e.Type, severity)
	return e
}

// play runs a destination on a stepped clock.
func play(t *testing.T, d *Destination, r *receiver, script func(m *memory)) *pusher {
	t.Helper()
	m := newMemory()
	if d.zone == nil {
		d.zone = time.UTC
	}
	if d.severity == "" {
		d.severity = rule.Medium
	}
	d.Name = "desk"
	if d.Service == "" {
		d.Service = "slack"
	}
	p := newPusher(Config{Alerts: m, Log: slog.New(slog.DiscardHandler),
		Health: func() Health {
			return Health{Feeds: 121, Read: 118, Silent: []string{"mfa"}, Failing: []string{"x", "y"}}
		},
		Panicked: func(where string, _ any, _ []byte) { r.panics = append(r.panics, where) },
	}, d, newMetrics(prometheus.NewRegistry()))
	p.sender = r
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.run(ctx) }()
	synctest.Wait()
	script(m)
	synctest.Wait()
	stop()
	<-done
	return p
}

func want(t *testing.T, r *receiver, lines ...string) {
	t.Helper()
	if got := r.said(); !slices.Equal(got, lines) {
		t.Errorf("sent\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}
