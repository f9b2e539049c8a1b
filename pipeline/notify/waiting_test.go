package notify

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// TestRemembers: what a destination said, and what is stored and not pushed,
// is known after a restart, also when another process goes on.
func TestRemembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		life := func(r *receiver, script func(p *pusher)) {
			d := &Destination{Name: "desk", Service: "slack", zone: time.UTC, severity: rule.Medium}
			p := newPusher(Config{Alerts: m, Log: slog.New(slog.DiscardHandler)}, d, newMetrics(nil))
			p.sender = r
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); p.run(ctx) }()
			synctest.Wait()
			script(p)
			stop()
			<-done
		}
		dead := func(int, post) error { return &fault{reason: "unavailable", text: "it answers 503"} }
		life(&receiver{}, func(*pusher) {
			m.append(raised("one", "sanctions", rule.High), folded(raised("two", "sanctions", rule.High), alert.FoldMute))
			synctest.Wait()
		})
		time.Sleep(time.Hour)
		life(&receiver{fail: dead}, func(p *pusher) {
			if s := p.status(t.Context()); s.Text != "Working; 0 waiting; last delivered 1 Jan 00:00 UTC." {
				t.Errorf("after the first restart: %q", s.Text)
			}
			m.append(raised("three", "sanctions", rule.High))
			time.Sleep(time.Minute)
		})
		time.Sleep(time.Hour)
		life(&receiver{fail: dead}, func(p *pusher) {
			s := p.status(t.Context())
			if s.Text != "Failing since 1 Jan 01:00 UTC: it answers 503. 1 waiting; last delivered 1 Jan 00:00 UTC." {
				t.Errorf("after the second restart: %q", s.Text)
			}
		})
		r := &receiver{}
		life(r, func(p *pusher) {
			synctest.Wait()
			if s := p.status(t.Context()); s.State != StateOK {
				t.Errorf("when it works again: %q", s.Text)
			}
		})
		want(t, r, "HIGH · sanctions: three")
		if len(r.posts) == 1 && !slices.Equal(r.posts[0].notes, []string{"Stored and not pushed: 1 muted."}) {
			t.Errorf("notes %q", r.posts[0].notes)
		}
	})
}

// TestGauges: what waits and since when it is due; a digest's
// alerts are due with the digest, and what the quiet hours hold with their end.
func TestGauges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the clock begins at midnight UTC, 2000-01-01
		m, reg := newMemory(), prometheus.NewPedanticRegistry()
		n := New(Config{Alerts: m, Log: slog.New(slog.DiscardHandler), Registerer: reg})
		begin := time.Now()
		ds := []*Destination{
			{Name: "dead", Service: "slack"},
			{Name: "alive", Service: "slack"},
			{Name: "night", Service: "slack", quiet: &quiet{from: 0, to: 7 * 60, zone: time.UTC}},
			{Name: "daily", Service: "slack", digest: &schedule{at: []minute{9 * 60}, zone: time.UTC}},
		}
		for _, d := range ds {
			d.zone, d.severity = time.UTC, rule.Medium
		}
		n.Update(ds)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		synctest.Wait()
		for i, p := range n.now() {
			p.sender = &receiver{}
			if i != 1 {
				p.sender = &receiver{fail: func(int, post) error { return &fault{reason: "unavailable", text: "no"} }}
			}
		}
		m.append(raised("one", "sanctions", rule.High), raised("two", "sanctions", rule.Critical), raised("three", "sanctions", rule.Low))
		for _, at := range []struct {
			after time.Duration
			want  map[string]time.Duration // destination -> due, after begin
			count map[string]float64
		}{
			{time.Minute, map[string]time.Duration{"dead": 0, "dead critical": 0, "night": 0, "night critical": 0}, map[string]float64{"dead": 2, "night": 1}},
			{8 * time.Hour, map[string]time.Duration{"dead": 0, "dead critical": 0, "night": 0, "night critical": 0}, map[string]float64{"dead": 2, "night": 2}},
			{10 * time.Hour, map[string]time.Duration{"dead": 0, "dead critical": 0, "night": 0, "night critical": 0,
				"daily": 9 * time.Hour, "daily critical": 9 * time.Hour}, map[string]float64{"dead": 2, "night": 2, "daily": 2}},
		} {
			time.Sleep(time.Until(begin.Add(at.after)))
			synctest.Wait()
			got := map[string]time.Duration{}
			families, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			counts := map[string]float64{}
			for _, f := range families {
				for _, s := range f.GetMetric() {
					l := s.GetLabel()
					switch f.GetName() {
					case "monitor_notify_oldest_timestamp_seconds":
						got[l[0].GetValue()] = time.Duration(s.GetGauge().GetValue()-float64(begin.Unix())) * time.Second
					case "monitor_notify_oldest_critical_timestamp_seconds":
						got[l[0].GetValue()+" critical"] = time.Duration(s.GetGauge().GetValue()-float64(begin.Unix())) * time.Second
					case "monitor_notify_waiting_alerts":
						if n := s.GetGauge().GetValue(); n > 0 {
							counts[l[0].GetValue()] = n
						}
					}
				}
			}
			if !maps.Equal(got, at.want) {
				t.Errorf("after %v due: %v, want %v", at.after, got, at.want)
			}
			if !maps.Equal(counts, at.count) {
				t.Errorf("after %v waiting: %v, want %v", at.after, counts, at.count)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
