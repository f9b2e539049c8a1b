package pipeline_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/stream"
)

// TestReplay: the same rules change nothing; other rules gain and lose what
// they should; nothing is published.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every(t, "100ms")
	d := start(t, w.settings())
	sub := d.listen(t, "news.alerts.>")
	<-w.pub.poked
	w.pub.publish("1", "Sanctions on North Korea")
	w.pub.publish("2", "Talks resume")
	w.pub.publish("3", "New sanctions against North Korea")
	next(t, sub)
	next(t, sub)
	until(t, "all items are stored", func() bool { return strings.Contains(d.get(t, "/metrics"), `monitor_items_total{outcome="new"} 3`) })

	a, err := stream.Connect(t.Context(), d.place.NATS, "", "news") // as anybody on the machine
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	replay := func(a *stream.Archive) string {
		t.Helper()
		set, l := pipeline.Files{Rules: []string{filepath.Join(w.dir, "rules")}}.LoadRules()
		if errs := l.Errors(); len(errs) > 0 {
			t.Fatal(errs)
		}
		var done, of uint64
		r, err := pipeline.RunReplay(t.Context(), a, set, time.Now().Add(-time.Hour), time.Now(), func(d, o uint64) { done, of = d, o })
		if err != nil {
			t.Fatal(err)
		}
		if done != 3 || of != 3 {
			t.Errorf("progress ended at %d of %d, want 3 of 3", done, of)
		}
		out := fmt.Sprintf("%d items, %d same, %d gained, %d lost, %d severity", r.Items, r.Same, r.Gained, r.Lost, r.Severity)
		for _, x := range r.Rules {
			out += fmt.Sprintf("; %s %d was %d", x.Rule, x.Alerts, x.Was)
		}
		return out
	}
	if got, want := replay(a), "3 items, 2 same, 0 gained, 0 lost, 0 severity; listing 2 was 2"; got != want {
		t.Errorf("the same rules: %s, want %s", got, want)
	}
	d.stop()

	// Other rules, on the folder of a daemon that is not running.
	w.write(t, "rules/sanctions.yaml", strings.NewReplacer("'sanction*", "'NOT title:new AND sanction*", "severity: high", "severity: low").Replace(rules))
	w.write(t, "rules/talks.yaml", strings.NewReplacer("sanctions", "talks", "listing", "talks-resumed", `'sanction* AND ("North Korea" OR 朝鲜)'`, "talks AND resume*",
		"Sanctions on North Korea", "Talks resumed", "A sanctioned marathon", "A marathon").Replace(rules))
	offline, done, err := pipeline.OfflineArchive(t.Context(), w.settings().Data, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := replay(offline), "3 items, 0 same, 1 gained, 1 lost, 1 severity; listing 1 was 2; talks-resumed 1 was 0"; got != want {
		t.Errorf("other rules: %s, want %s", got, want)
	}
	done()
	if m, err := sub.NextMsg(time.Millisecond); err == nil {
		t.Errorf("the replay published %s", m.Subject)
	}
}
