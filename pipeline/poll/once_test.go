package poll

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// TestOnceDoesNotSitOutAHostsWish: two feeds of a host are told to wait, so the
// others are not asked, and the run ends all the same.
func TestOnceDoesNotSitOutAHostsWish(t *testing.T) {
	bubble(t, func(w *world) {
		var feeds []feed.Feed
		for i := range 10 {
			feeds = append(feeds, aFeed(fmt.Sprintf("f%d", i), fmt.Sprintf("http://x.test/%d", i), time.Hour))
		}
		w.site.set(func(*http.Request, int) (int, http.Header, string) { return 429, h("Retry-After", "7200"), "" })
		begun := time.Now()
		s, err := w.poller(feeds...).Once(context.Background())
		if want := (Summary{Feeds: 10, Failed: 2, Waiting: 8}); err != nil || s != want {
			t.Errorf("%+v, %v; want %+v", s, err, want)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("took %s", took)
		}
	})
}

// TestNoHostIsAskedUnread: at a start nobody of a host is asked before it is
// known which of its feeds were told to wait, however long the reading takes.
func TestNoHostIsAskedUnread(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 3 * chunk
		var feeds []feed.Feed
		for i := range n {
			feeds = append(feeds, aFeed(fmt.Sprintf("f%d", i), fmt.Sprintf("http://x.test/%d", i), time.Hour))
		}
		// The two whose turn comes last by their ids.
		mix := func(f feed.Feed) uint64 {
			h := fnv.New64a()
			_, _ = h.Write([]byte(f.ID))
			return h.Sum64()
		}
		last := slices.SortedFunc(slices.Values(feeds), func(a, b feed.Feed) int { return cmp.Compare(mix(b), mix(a)) })
		for _, f := range last[:2] {
			w.memory.states[f.ID] = State{URL: f.URL, State: StateFailing, Reason: ReasonRateLimited, Failures: 1,
				LastPoll: time.Now(), NotBefore: time.Now().Add(time.Hour), NextDue: time.Now().Add(time.Hour)}
		}
		p := w.poller(feeds...)
		p.States = slowStates{w.memory}
		w.runFor(p, 50*time.Minute)
		if got := w.site.seen(); len(got) > 0 {
			t.Errorf("%d requests, the first to %s: the host wants peace for an hour", len(got), got[0].url)
		}
		w.runFor(p, time.Hour)
		if len(w.site.seen()) == 0 {
			t.Error("and after that nobody was asked")
		}
	})
}

// slowStates takes its time for each state.
type slowStates struct{ States }

func (s slowStates) Load(ctx context.Context, id string) (State, uint64, error) {
	time.Sleep(20 * time.Millisecond) // bubble time
	return s.States.Load(ctx, id)
}
