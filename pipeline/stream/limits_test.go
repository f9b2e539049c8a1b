package stream

import (
	"fmt"
	"strings"
	"testing"

	"newsmonitor/pipeline/poll"
)

// TestMaxStore: a start with a smaller or larger --max-store changes the limits
// of all that is there, and loses nothing that has room; a bucket keeps what it
// needs.
func TestMaxStore(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy, o.MaxStore = true, 100<<20
	begun := func(most int64) *Store {
		t.Helper()
		o.MaxStore = most
		s, said := begin(t, o)
		if said.String() != "" {
			t.Errorf("with %d bytes the start says %s", most, said)
		}
		return s
	}
	limits := func(s *Store) map[string]int64 {
		out := map[string]int64{}
		for _, name := range s.kept() {
			st, err := s.js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = (st.CachedInfo().Config.MaxBytes*1000/o.MaxStore + 5) / 10
		}
		return out
	}
	s := begun(100 << 20)
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0), draft("b", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for i, most := range []int64{10 << 20, 200 << 20, 10 << 20} {
		s := begun(most)
		feeds := []int64{5, 5, 20}[i] // twice what they take in the end
		if got := limits(s); got["ALERTS"] != 30 || got["ITEMS"] != 60 || got["KV_FEEDS"] != feeds || got["KV_DESK"] != 1 {
			t.Errorf("of %d bytes the streams have, in percent, %v", most, got)
		}
		if n := count(t, s.items); n != 2 {
			t.Errorf("ITEMS holds %d messages, want 2", n)
		}
		if most == 200<<20 {
			for i := range 10 {
				if _, err := s.feeds.Put(t.Context(), fmt.Sprint("feed", i), []byte(strings.Repeat("x", 100<<10))); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()
			s = begun(10 << 20) // 5 % are less than what they take
			if _, err := s.feeds.Put(t.Context(), "feed10", []byte("{}")); err != nil {
				t.Errorf("a feed's state cannot be saved: %v", err)
			}
		}
		s.Close()
	}
}
