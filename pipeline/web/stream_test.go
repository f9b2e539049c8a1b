package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// message is one server-sent event.
type message struct{ id, event, data string }

// listen opens the live stream; next waits for its next event.
func listen(t *testing.T, url string, header ...string) (next func() (message, bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("GET %s: %d %s", url, res.StatusCode, got)
	}
	in := bufio.NewReader(res.Body)
	return func() (message, bool) {
		var m message
		for {
			l, err := in.ReadString('\n')
			if err != nil {
				return m, false
			}
			field, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ": ")
			switch field {
			case "id":
				m.id = value
			case "event":
				m.event = value
			case "data":
				m.data = value
			case "":
				if m != (message{}) {
					return m, true
				}
			}
		}
	}
}

func title(t *testing.T, m message) string {
	t.Helper()
	var e entry
	if err := json.Unmarshal([]byte(m.data), &e); err != nil {
		t.Fatalf("event data %q: %v", m.data, err)
	}
	if m.id != fmt.Sprint(e.Sequence) {
		t.Errorf("event id %s, sequence %d", m.id, e.Sequence)
	}
	return e.Event.Data.Item.Title
}

func take(t *testing.T, next func() (message, bool), n int) []string {
	t.Helper()
	var out []string
	for range n {
		m, ok := next()
		if !ok {
			t.Fatalf("the stream ended after %v", out)
		}
		if m.event != "" {
			out = append(out, m.event)
			continue
		}
		out = append(out, title(t, m))
	}
	return out
}

func TestStream(t *testing.T) {
	t.Parallel()
	log := newMemory()
	for i := range 6 {
		log.append(made{title: fmt.Sprintf("n%d", i+1), severity: []rule.Severity{rule.High, rule.Low}[i%2]}.stored())
	}
	log.append(made{title: "folded", fold: alert.FoldStory}.stored())
	log.age(3)
	s, url := start(t, Config{Alerts: log})
	url += "/api/v1/alerts/stream"

	cases := []struct {
		name, query string
		header      []string
		want        []string // before the live one
	}{
		{"live only", "", nil, nil},
		{"resumes", "?after=4", nil, []string{"n5", "n6"}},
		{"header wins", "?after=2", []string{"Last-Event-ID", "5"}, []string{"n6"}},
		{"up to date", "?after=7", nil, nil},
		{"first kept", "?after=2", nil, []string{"n3", "n4", "n5", "n6"}},
		{"before the first", "?after=1", nil, []string{"reset", "n3", "n4", "n5", "n6"}},
		{"beyond the last", "?after=900", nil, []string{"reset", "n3", "n4", "n5", "n6"}},
		{"filtered", "?after=2&severity=high", nil, []string{"n3", "n5"}},
		{"folded too", "?after=6&folded=true", nil, []string{"folded"}},
	}
	var readers []func() (message, bool)
	for _, tc := range cases {
		readers = append(readers, listen(t, url+tc.query, tc.header...))
	}
	waitFor(t, "all clients", func() bool {
		s.tail.mu.Lock()
		defer s.tail.mu.Unlock()
		return len(s.tail.subs) == len(cases)
	})
	canary := made{title: "self-test", channel: "canary"}.stored()
	canary.Subject = "news.canary.canary.low.canary.x"
	log.append(canary)
	log.append(made{title: "live"}.stored())
	for i, tc := range cases {
		want := append(slices.Clone(tc.want), "live")
		if got := take(t, readers[i], len(want)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tc.name, got, want)
		}
	}
}

func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	for _, query := range []string{"after=x", "after=-1", "severity=huge", "nonsense=1"} {
		res := get(t, s, "/api/v1/alerts/stream?"+query)
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("?%s: %d %s", query, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
}

// A client that does not read must not hold up the others.
func TestSlowClientIsCut(t *testing.T) {
	t.Parallel()
	log := newMemory()
	s := serve(t, Config{Alerts: log})
	slow, quick := s.tail.subscribe(), s.tail.subscribe()
	for i := range clientBuffer + 1 {
		st := made{title: fmt.Sprint(i)}.stored()
		st.Sequence = uint64(i + 1)
		s.tail.take(st)
		<-quick.events
	}
	select {
	case <-slow.cut:
	default:
		t.Errorf("a client %d events behind was not cut", clientBuffer+1)
	}
	select {
	case <-quick.cut:
		t.Error("the client that reads was cut")
	default:
	}
	s.tail.unsubscribe(slow)
	s.tail.unsubscribe(quick)
	for range maxClients {
		if s.tail.subscribe() == nil {
			t.Fatal("refused below the limit")
		}
	}
	if s.tail.subscribe() != nil {
		t.Error("one client too many was taken")
	}
}

func TestShutdownClosesStreams(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Addr: "127.0.0.1:0", Alerts: newMemory(), Metrics: newRegistry(), Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	next := listen(t, "http://"+addr.String()+"/api/v1/alerts/stream")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if m, ok := next(); ok {
		t.Errorf("after the end came %v", m)
	}
}
