package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

func options(t *testing.T) Options {
	return Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxStore: 1 << 30, KeepItems: time.Hour, KeepAlerts: time.Hour,
		Prefix: "news", Owner: "test", Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func draft(key, revision string, after uint64) poll.Draft {
	return poll.Draft{Item: feed.Item{Feed: "mfa", Key: fmt.Sprintf("%032s", key), Revision: revision, Title: "Title " + key}, After: after}
}

func event(id string, severity rule.Severity, typ string) alert.Event {
	id = alert.ID("sanctions", id)
	return alert.Event{SpecVersion: "1.0", ID: alert.EventID(id, typ, severity), Type: typ, Subject: "sanctions", Severity: severity,
		Data: alert.Data{ID: id, Channel: "sanctions", Severity: severity, Item: alert.Item{Feed: "mfa", Key: id, Revision: "r1"}}}
}

func count(t *testing.T, st jetstream.Stream) uint64 {
	t.Helper()
	i, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i.State.Msgs
}

// TestAppendOnce: whatever is repeated, in singles or in a batch, by us or by
// somebody else, is stored once, and nothing is overwritten.
func TestAppendOnce(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	items := s.Items()

	first, err := items.Append(t.Context(), []poll.Draft{draft("a", "r1", 0)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := items.Append(t.Context(), []poll.Draft{draft("a", "r1", 0)})
	if err != nil || again[0] != first[0] {
		t.Errorf("the same revision again gives %v, %v; want the stored sequence %v", again, err, first)
	}
	if _, err := items.Append(t.Context(), []poll.Draft{draft("a", "r2", 0)}); !errors.Is(err, poll.ErrAhead) {
		t.Errorf("another revision by somebody who knows nothing: %v, want ErrAhead", err)
	}
	second, err := items.Append(t.Context(), []poll.Draft{draft("a", "r2", first[0])})
	if err != nil {
		t.Errorf("a new revision after the known one: %v", err)
	}
	if _, err := items.Append(t.Context(), []poll.Draft{draft("a", "r3", first[0])}); !errors.Is(err, poll.ErrAhead) {
		t.Errorf("a revision after an old one: %v, want ErrAhead", err)
	}
	if again, err = items.Append(t.Context(), []poll.Draft{draft("a", "r2", first[0])}); err != nil || again[0] != second[0] {
		t.Errorf("the repeat of a stored revision gives %v, %v; want %v", again, err, second)
	}

	var many []poll.Draft
	for i := range 25 {
		many = append(many, draft(fmt.Sprint("m", i), "r1", 0))
	}
	got, err := items.Append(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	for i, seq := range got {
		m, err := s.items.GetMsg(t.Context(), seq)
		if err != nil || !strings.HasSuffix(m.Subject, many[i].Item.Key) {
			t.Errorf("sequence %d of item %d holds %v, %v", seq, i, m, err)
		}
	}
	many = append(many, draft("m25", "r1", 0)) // a crash after the batch: most is there already
	more, err := items.Append(t.Context(), many)
	if err != nil || fmt.Sprint(more[:25]) != fmt.Sprint(got) {
		t.Errorf("the batch again gives %v, %v; want %v and one more", more, err, got)
	}
	if n := count(t, s.items); n != 2+26 {
		t.Errorf("ITEMS holds %d messages, want 28", n)
	}
}

// TestAgedOut: an item whose revisions are gone from ITEMS is appended anew.
func TestAgedOut(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	seq, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.items.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r2", seq[0])}); err != nil {
		t.Errorf("append after the item aged out: %v", err)
	}
}

// TestAlertIdentity: an alert is one whatever its severity, raised or folded.
func TestAlertIdentity(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	a := s.Alerts()
	seq, err := a.Append(t.Context(), event("i1", rule.Medium, alert.Raised), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []alert.Event{event("i1", rule.Medium, alert.Raised), event("i1", rule.High, alert.Raised), event("i1", rule.Medium, alert.Folded)} {
		if _, err := a.Append(t.Context(), e, 0); !errors.Is(err, alert.ErrAhead) {
			t.Errorf("%s at %s beside the stored one: %v, want ErrAhead", e.Type, e.Severity, err)
		}
	}
	later := event("i1", rule.High, alert.Updated)
	later.Sequence = 7
	up, err := a.Append(t.Context(), later, seq)
	if err != nil {
		t.Fatal(err)
	}
	last, err := a.Last(t.Context(), "sanctions", "mfa", later.Data.ID)
	if err != nil || last.Sequence != up || last.Event.Severity != rule.High || last.Folded || last.Event.Sequence != 7 {
		t.Errorf("last event is %+v, %v; want sequence %d at high, of item 7", last, err, up)
	}
}

// TestEachResumes: a reader goes on from its place after a restart, a failing
// step holds it up without skipping, and a panic passes one message only.
func TestEachResumes(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := open(t, o)
	for i := range 5 {
		if _, err := s.Items().Append(t.Context(), []poll.Draft{draft(fmt.Sprint(i), "r1", 0)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	failures := 0
	run := func(s *Store, last string, step func(feed.Item) error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := s.Items().Each(ctx, "raise", func() {}, func(_ context.Context, _ uint64, it feed.Item) error {
			if err := step(it); err != nil {
				return err
			}
			got = append(got, strings.TrimPrefix(it.Title, "Title "))
			if it.Title == "Title "+last {
				cancel()
			}
			return nil
		})
		if err != nil {
			t.Errorf("Each: %v", err)
		}
	}
	run(s, "2", func(it feed.Item) error {
		if it.Title == "Title 0" && failures < 2 {
			failures++
			return errors.New("not now")
		}
		if it.Title == "Title 1" {
			panic("a hostile title")
		}
		return nil
	})
	if p := testutil.ToFloat64(s.metrics.panics); p != 1 {
		t.Errorf("%v panics counted, want 1", p)
	}
	s.Close()
	o.Registry = prometheus.NewRegistry()
	run(open(t, o), "4", func(feed.Item) error { return nil })
	// The step that was cut off by the end of ctx is done again.
	if want := "0 2 2 3 4"; strings.Join(got, " ") != want {
		t.Errorf("the reader did %q, want %q", strings.Join(got, " "), want)
	}
}

// TestFence: of two processes with one reader the one that cannot save stops.
func TestFence(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	_, version, err := s.loadPlace(t.Context(), "raise")
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.savePlace(t.Context(), "raise", place{3, "test"}, version)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.savePlace(t.Context(), "raise", place{3, "test"}, version); err != nil || again != v {
		t.Errorf("the same place again, as after a lost answer: %d, %v; want %d", again, err, v)
	}
	if _, err := s.savePlace(t.Context(), "raise", place{4, "test"}, version); !errors.Is(err, errFenced) {
		t.Errorf("a place saved on an old version: %v, want errFenced", err)
	}
}

// TestRestartOfTheServer: the same connection survives the server's restart
// inside the process, with all that was stored, on the same port.
func TestRestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	url := s.ClientURL()
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	if err := s.server.restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for s.Ready(ctx) != nil {
		if !pause(ctx, 20*time.Millisecond) {
			t.Fatal("not ready again after the restart")
		}
	}
	if _, err := s.Items().Append(ctx, []poll.Draft{draft("b", "r1", 0)}); err != nil {
		t.Errorf("append after the restart: %v", err)
	}
	if n := count(t, s.items); n != 2 {
		t.Errorf("ITEMS holds %d messages, want 2", n)
	}
	if s.ClientURL() != url {
		t.Errorf("listens at %s after the restart, before at %s", s.ClientURL(), url)
	}
}

// TestFollow: stored events first, then live ones, nothing twice.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	put := func(id string) {
		if _, err := s.Alerts().Append(t.Context(), event(id, rule.High, alert.Raised), 0); err != nil {
			t.Error(err)
		}
	}
	put("i1")
	put("i2")
	done := errors.New("enough")
	var mu sync.Mutex
	var got []uint64
	var late sync.WaitGroup
	defer late.Wait() // it is followed before its sender has the answer
	err := s.Alerts().Follow(t.Context(), 1, func(st alert.Stored) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, st.Sequence)
		if st.Sequence == 2 {
			late.Go(func() { put("i3") })
		}
		if st.Sequence == 3 {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) || fmt.Sprint(got) != "[2 3]" {
		t.Errorf("followed %v, %v; want [2 3] and our own error", got, err)
	}
}

// TestHeads: what a story needs to know is in the headers, of raised and
// folded events, and nothing that does not look like a sketch.
func TestHeads(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	for i, sketch := range []string{"AQ-_", "", "a stranger's words", "AQAB"} {
		e := event(fmt.Sprint(i), rule.High, []string{alert.Raised, alert.Folded}[i%2])
		e.Data.Story.ID, e.Sketch = e.Data.ID, sketch
		if _, err := s.Alerts().Append(t.Context(), e, 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	read := func(since time.Time) {
		t.Helper()
		got = nil
		if err := s.Alerts().Heads(t.Context(), since, func(h alert.Head) error {
			if h.Channel != "sanctions" || h.Feed != "mfa" || h.Story != h.ID || h.Item != h.ID {
				t.Errorf("%+v", h)
			}
			got = append(got, h.Sketch)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	read(time.Now().Add(-time.Hour))
	if want := []string{"AQ-_", "", "", "AQAB"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	read(time.Now().Add(time.Hour))
	if len(got) != 0 {
		t.Errorf("from a time to come: %q", got)
	}
}
