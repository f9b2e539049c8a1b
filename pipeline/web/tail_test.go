package web

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

func TestIndexForgetsWhatTheLogDropped(t *testing.T) {
	t.Parallel()
	x := newIndex()
	for i := range 10 {
		st := made{title: fmt.Sprint(i % 7)}.stored() // 7, 8 and 9 replace 0, 1 and 2
		st.Sequence = uint64(2*i + 1)
		x.add(st)
	}
	if x.size() != 7 || len(x.slots) != 10 {
		t.Fatalf("%d alerts in %d slots, want 7 in 10", x.size(), len(x.slots))
	}
	x.drop(8) // events 0 to 3: of these only alert 3 has no later event
	if x.size() != 6 || len(x.slots) != 6 || len(x.byID) != 6 {
		t.Errorf("%d alerts, %d ids in %d slots, want 6, 6, 6", x.size(), len(x.byID), len(x.slots))
	}
	if _, ok := x.last(made{title: "3"}.stored().Event.Data.ID); ok {
		t.Error("alert 3 is still known")
	}
	if seq, ok := x.last(made{title: "0"}.stored().Event.Data.ID); !ok || seq != 15 {
		t.Errorf("alert 0 is at %d", seq)
	}
	x.drop(1000)
	if x.size() != 0 || len(x.byID) != 0 {
		t.Errorf("%d alerts after everything was dropped", x.size())
	}
}

// Words that were not checked by anybody must not fill the memory.
func TestIndexIsBounded(t *testing.T) {
	t.Parallel()
	var n names
	for i := range maxNames + 100 {
		n.intern(fmt.Sprint(i))
	}
	if len(n.words) != maxNames || n.intern("one more") != 0 || n.intern(strings.Repeat("x", maxNameLen+1)) != 0 || n.intern("7") == 0 {
		t.Errorf("%d words", len(n.words))
	}
}

func TestTailComesBack(t *testing.T) {
	t.Parallel()
	log := newMemory(made{title: "a"}.stored(), made{title: "b"}.stored())
	s, _ := start(t, Config{Alerts: log})

	log.mu.Lock()
	log.err = errors.New("no responders")
	close(log.changed)
	log.changed = make(chan struct{})
	log.mu.Unlock()
	waitFor(t, "the failure to be noticed", func() bool { return s.tail.health() != nil })
	if err := s.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no responders") {
		t.Errorf("ready: %v", err)
	}

	// It comes back as another log: shorter, with other alerts.
	log.mu.Lock()
	log.err, log.stored, log.last = nil, nil, 0
	log.mu.Unlock()
	log.append(made{title: "restored"}.stored())
	waitFor(t, "the log to be followed again", func() bool { return s.tail.health() == nil })
	if got := titles(getList(t, s, "/api/v1/alerts")); len(got) != 1 || got[0] != "restored" {
		t.Errorf("after the restore: %v", got)
	}
}

// The last sequences of the log may be gone (the self-test's live an hour):
// then nothing more comes, and the index is complete all the same.
func TestTailIsReadyWhenTheEndIsGone(t *testing.T) {
	t.Parallel()
	log := newMemory(made{title: "a"}.stored())
	log.last = 50
	s, _ := start(t, Config{Alerts: log})
	if l := getList(t, s, "/api/v1/alerts"); !l.Complete || len(l.Alerts) != 1 {
		t.Errorf("complete %v with %d alerts", l.Complete, len(l.Alerts))
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Alerts: newMemory(made{title: "a secret title"}.stored())})
	for range 3 {
		get(t, s, "/api/v1/alerts")
	}
	get(t, s, "/nowhere/"+strings.Repeat("x", 50))
	get(t, s, "/", "Host", "evil.example")
	for _, tc := range []struct {
		handler, code string
		want          float64
	}{
		{"api_alerts", "200", 3}, {"other", "404", 1}, {"refused", "421", 1}, {"page", "200", 0},
	} {
		if got := testutil.ToFloat64(s.metrics.requests.WithLabelValues(tc.handler, tc.code)); got != tc.want {
			t.Errorf("requests{%s,%s} = %v, want %v", tc.handler, tc.code, got, tc.want)
		}
	}
	if problems, err := testutil.GatherAndLint(s.cfg.Metrics); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	res := get(t, s, "/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	text := body(t, res)
	if !strings.Contains(res.Header.Get("Content-Type"), "openmetrics") || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("no OpenMetrics: %s", res.Header.Get("Content-Type"))
	}
	for _, never := range []string{"evil", "xxx", "secret", "nowhere"} {
		if strings.Contains(text, never) {
			t.Errorf("/metrics tells %q", never)
		}
	}
}

func fill(n int) *index {
	x := newIndex()
	for i := range n {
		st := made{title: fmt.Sprint(i), feed: fmt.Sprintf("feed-%d", i%300), channel: fmt.Sprintf("channel-%d", i%12),
			severity: rule.Severities[i%4], states: [][]string{{"CN"}, {"CN", "US"}, nil}[i%3]}.stored()
		st.Sequence = uint64(i + 1)
		x.add(st)
	}
	return x
}

// An alert costs about 100 bytes for as long as it is kept.
func TestIndexIsSmall(t *testing.T) {
	const n = 50_000
	var before, after runtime.MemStats
	for range 3 { // what the tests before left behind has finalizers
		runtime.GC()
	}
	runtime.ReadMemStats(&before)
	x := fill(n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%d bytes an alert", each)
	if each > 160 {
		t.Errorf("%d bytes an alert", each)
	}
	runtime.KeepAlive(x)
}

func BenchmarkList(b *testing.B) {
	x := fill(100_000)
	for name, f := range map[string]*filter{"newest": {}, "rare": {states: []string{"CN"}, feeds: []string{"feed-7"}, severities: []string{"critical"}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				x.list(f, cursor{snapshot: 1 << 60}, 50)
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	x := newIndex()
	st := made{states: []string{"CN", "US"}}.stored()
	for i := uint64(1); b.Loop(); i++ {
		st.Sequence = i
		st.Event.Data.ID = alert.ID("c", fmt.Sprint(i))
		x.add(st)
	}
}
