package stream

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// TestRedelivered: between the append of an alert and the saving of the
// raiser's place everything changes. The item comes again, and there is still
// one event, the first.
func TestRedelivered(t *testing.T) {
	t.Parallel()
	type world struct {
		severity rule.Severity // "" for no match
		muted    bool
	}
	for name, tc := range map[string]struct{ before, after world }{
		"nothing changes":                        {world{rule.Medium, false}, world{rule.Medium, false}},
		"the rule is stricter":                   {world{rule.Medium, false}, world{rule.Critical, false}},
		"the rule is milder":                     {world{rule.High, false}, world{rule.Low, false}},
		"the rule is gone":                       {world{rule.High, false}, world{}},
		"the feed is muted":                      {world{rule.Medium, false}, world{rule.Medium, true}},
		"the mute is over":                       {world{rule.Medium, true}, world{rule.Medium, false}},
		"the mute is over and the rule stricter": {world{rule.Medium, true}, world{rule.Critical, false}},
		"muted, and the rule is stricter":        {world{rule.Medium, false}, world{rule.Critical, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, options(t))
			if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0), draft("b", "r1", 0)}); err != nil {
				t.Fatal(err)
			}
			raise := func(w world) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := &alert.Raiser{Items: s.Items(), Outbox: s.Alerts(), Instance: "test", Now: time.Now,
					Log: slog.New(slog.DiscardHandler), Metrics: alert.NewMetrics(prometheus.NewRegistry()),
					Match: func(feed.Item) rule.Result {
						if w.severity == "" {
							return rule.Result{}
						}
						return rule.Result{Channels: []rule.Hit{{Channel: "sanctions", Severity: w.severity}}}
					},
					Mutes: func(context.Context) ([]alert.Mute, error) {
						if !w.muted {
							return nil, nil
						}
						return []alert.Mute{{ID: "m", Scope: alert.Scope{Feed: "mfa"}, Until: time.Now().Add(time.Hour), Critical: true}}, nil
					},
				}
				done := make(chan error, 1)
				go func() { done <- r.Run(ctx) }()
				for start := time.Now(); time.Since(start) < 30*time.Second; pause(t.Context(), 20*time.Millisecond) {
					if at, err := s.Reader(t.Context(), "raise"); err == nil && at.Lag == 0 {
						break
					}
				}
				cancel()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			events := func() (ids []string) {
				t.Helper()
				infos, err := s.Streams(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if infos[1].Last != 2 || infos[1].Messages != 2 { // a second event of one subject would replace the first
					t.Fatalf("ALERTS holds %d messages and gave %d sequences; want 2 each", infos[1].Messages, infos[1].Last)
				}
				err = s.Archive().Alerts(t.Context(), time.Unix(0, 0), func(st alert.Stored) error { ids = append(ids, st.Event.ID); return nil })
				if err != nil {
					t.Fatal(err)
				}
				return ids
			}
			raise(tc.before)
			first := events()
			// As after a crash: the place was never saved.
			b, err := json.Marshal(place{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.readers.Put(t.Context(), "raise", b); err != nil {
				t.Fatal(err)
			}
			raise(tc.after)
			if again := events(); again[0] != first[0] || again[1] != first[1] {
				t.Errorf("the events were %v and are %v", first, again)
			}
		})
	}
}
