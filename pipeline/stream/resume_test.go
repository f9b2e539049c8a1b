package stream

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// TestWatchFrom reads from outside, as anybody on loopback may: what is stored
// since a place, then live, by subject.
func TestWatchFrom(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	put := func(id string, sev rule.Severity) {
		t.Helper()
		if _, err := s.Alerts().Append(t.Context(), event(id, sev, alert.Raised), 0); err != nil {
			t.Error(err)
		}
	}
	put("one", rule.High)
	put("two", rule.Critical)
	put("three", rule.High)
	enough := errors.New("enough")
	for _, tc := range []struct {
		name       string
		from       Resume
		severities []string
		want       string
	}{
		{"after a sequence", Resume{After: 1}, nil, "[2 3 4]"},
		{"since a time", Resume{Since: time.Now().Add(-time.Hour)}, []string{"high"}, "[1 3 4]"},
	} {
		var got []uint64
		err := WatchFrom(t.Context(), s.ClientURL(), "", "news", []string{"sanctions"}, tc.severities, tc.from, nil, nil, func(st alert.Stored) error {
			got = append(got, st.Sequence)
			if st.Sequence == 3 && s.lastOf(t) == 3 {
				put("four", rule.High) // comes live
			}
			if st.Sequence == 4 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || fmt.Sprint(got) != tc.want {
			t.Errorf("%s: %v, %v; want %s", tc.name, got, err, tc.want)
		}
	}
	if i, err := s.alerts.Info(t.Context()); err != nil || i.State.Consumers > 2 {
		t.Errorf("%d consumers are left, %v", i.State.Consumers, err)
	}
}

func (s *Store) lastOf(t *testing.T) uint64 {
	t.Helper()
	_, last, err := s.Alerts().Bounds(t.Context())
	if err != nil {
		t.Error(err)
	}
	return last
}
