//go:build unix

package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/stream"
)

// settledIn does so with a store that nobody runs.
func (w *press) settledIn(t *testing.T, dir string) {
	t.Helper()
	w.settled(t, func() *stream.Store {
		s, err := stream.Open(t.Context(), stream.Options{Dir: dir, Listen: "off", MaxStore: 8 << 30, ReadOnly: true, Owner: "test",
			Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	})
}

// settled waits until everything that was shown is stored and judged, and
// reports what is there not once.
func (w *press) settled(t *testing.T, open func() *stream.Store) {
	t.Helper()
	if !w.seen(30 * time.Second) {
		t.Fatalf("%d items were never asked for", w.pending())
	}
	s := open()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		problems := w.audit(t.Context(), t, s)
		if len(problems) == 0 {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%d problems, the first: %s", len(problems), strings.Join(problems[:min(5, len(problems))], "; "))
		}
		for _, p := range problems {
			if strings.Contains(p, "twice") { // no time mends that
				t.Fatal(p)
			}
		}
	}
}

// audit compares a store with what was served.
func (w *press) audit(ctx context.Context, t *testing.T, s *stream.Store) (problems []string) {
	t.Helper()
	items, alerts := map[string]int{}, map[string]int{}
	err := s.Archive().Items(ctx, time.Unix(0, 0), nil, func(it feed.Item) error { items[it.Title]++; return nil })
	if err != nil {
		return []string{err.Error()}
	}
	err = s.Archive().Alerts(ctx, time.Unix(0, 0), func(st alert.Stored) error { alerts[st.Event.Data.Item.Title]++; return nil })
	if err != nil {
		return []string{err.Error()}
	}
	// ALERTS keeps one message a subject: a second one would replace the first,
	// and show only in the sequences.
	infos, err := s.Streams(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for _, i := range infos {
		if i.Last != i.Messages {
			problems = append(problems, fmt.Sprintf("%s gave %d sequences to %d messages: something came twice", i.Name, i.Last, i.Messages))
		}
	}
	return append(problems, w.judge(t, items, alerts)...)
}

// judge compares what there is of items and alerts, by title, with what was
// served.
func (w *press) judge(t *testing.T, items, alerts map[string]int) (problems []string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	say := func(what, title string, n, want int) {
		switch {
		case n > want:
			problems = append(problems, fmt.Sprintf("%s of %q is there %d times, more than %d: twice", what, title, n, want))
		case n < want:
			problems = append(problems, fmt.Sprintf("%s of %q is missing", what, title))
		}
	}
	served := 0
	for _, c := range w.feeds {
		for i, title := range c.titles {
			if !c.shown[i] {
				continue
			}
			served++
			say("the item", title, items[title], 1)
			want := 0
			if strings.HasPrefix(title, "Sanctions") {
				want = 1
			}
			say("the alert", title, alerts[title], want)
		}
	}
	if len(problems) == 0 {
		t.Logf("%d items and %d alerts, each once", served, len(alerts))
	}
	return problems
}

// look opens the streams of an external server to read them.
func look(t *testing.T, urls string) func() *stream.Store {
	return func() *stream.Store {
		t.Helper()
		for start := time.Now(); ; <-time.After(100 * time.Millisecond) {
			s, err := stream.Open(t.Context(), stream.Options{URL: urls, Manage: true, ReadOnly: true, Owner: "test",
				MaxStore: 1 << 30, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
			if err == nil {
				t.Cleanup(s.Close)
				return s
			}
			if time.Since(start) > 40*time.Second {
				t.Fatal(err)
			}
		}
	}
}
