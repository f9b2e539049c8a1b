package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// TestBulk: a backlog is worked off with few writes, in order and once, though
// two items concern one alert, and though a rival raises in between.
func TestBulk(t *testing.T) {
	t.Parallel()
	for _, rival := range []bool{false, true} {
		t.Run(fmt.Sprint("rival ", rival), func(t *testing.T) {
			t.Parallel()
			s := open(t, options(t))
			const n = 1200
			var drafts []poll.Draft
			for i := range n {
				drafts = append(drafts, draft(fmt.Sprint(i), "r1", 0))
			}
			if _, err := s.Items().Append(t.Context(), drafts); err != nil {
				t.Fatal(err)
			}
			// Nobody may hear of an alert before it is stored, or twice.
			heard, early := map[string]int{}, 0
			told := func(id string, severity rule.Severity) {
				heard[id+" "+string(severity)]++
				last, err := s.Alerts().Last(t.Context(), "sanctions", "mfa", alert.ID("sanctions", id))
				if err != nil || last.Event.Severity.Rank() < severity.Rank() {
					early++
				}
			}
			raise := func(ctx context.Context, id string, severity rule.Severity) error {
				for {
					last, err := s.Alerts().Last(ctx, "sanctions", "mfa", alert.ID("sanctions", id))
					if err != nil {
						return err
					}
					typ := alert.Raised
					if last.Sequence > 0 {
						typ = alert.Updated
						if last.Event.Severity.Rank() >= severity.Rank() {
							return nil
						}
					}
					if _, err = s.Alerts().Append(ctx, event(id, severity, typ), last.Sequence); !errors.Is(err, alert.ErrAhead) {
						if err == nil {
							s.Alerts().WhenStored(ctx, func() { told(id, severity) })
						}
						return err
					}
				}
			}
			bulks, begun, once := 0, 0, false
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := s.Items().Each(ctx, "raise", func() { begun++ }, func(ctx context.Context, _ uint64, it feed.Item) error {
				var i int
				_, _ = fmt.Sscanf(it.Title, "Title %d", &i)
				if bulkOf(ctx) != nil {
					bulks++
				}
				if i == 300 && rival && !once {
					once = true
					if err := raise(t.Context(), "290", rule.Medium); err != nil { // the bulk holds this one: the update of 250 flushed those before
						return err
					}
				}
				if err := raise(ctx, fmt.Sprint(i), rule.Medium); err != nil {
					return err
				}
				if i%100 == 50 { // a second revision, more severe, right behind the first
					if err := raise(ctx, fmt.Sprint(i), rule.High); err != nil {
						return err
					}
				}
				if i == n-1 {
					cancel()
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if rival == (begun < 2) {
				t.Errorf("begun %d times: once at first, and again when a bulk was refused", begun)
			}
			if bulks < n/2 {
				t.Errorf("%d of %d items were done in bulk", bulks, n)
			}
			if got := count(t, s.alerts); got != n+n/100 { // raised and updated have subjects of their own
				t.Errorf("ALERTS holds %d messages, want %d", got, n+n/100)
			}
			twice := 0
			for _, times := range heard {
				twice += times - 1
			}
			if len(heard) != n+n/100 || early > 0 || twice > 0 {
				t.Errorf("told of %d alerts, %d of them before they were stored, %d times too often; want %d", len(heard), early, twice, n+n/100)
			}
			seen, high, order := map[string]int{}, 0, 0
			err = s.Alerts().Follow(t.Context(), 0, func(st alert.Stored) error {
				seen[st.Event.ID]++
				if st.Event.Severity == rule.High {
					high++
				}
				order++
				if order >= n+n/100 {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) || high != n/100 || len(seen) != n+n/100 {
				t.Errorf("%v: %d events, %d of them updates; want %d and %d", err, len(seen), high, n+n/100, n/100)
			}
		})
	}
}

var errEnough = errors.New("enough")
