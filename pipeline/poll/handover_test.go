package poll

import (
	"context"
	"sync"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// keeper is States and Inbox in memory.
type keeper struct {
	mu    sync.Mutex
	saved map[string]State
}

// TestNotOursAnyMore: what is no longer ours is not asked, though it is due,
// and is asked once it is ours again.
func TestNotOursAnyMore(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.poller(one(time.Minute), aFeed("y", "http://y.test/f", time.Minute))
		begun := time.Now()
		p.May = func(f feed.Feed) bool { return f.ID != "x" || time.Since(begun) > 10*time.Minute }
		w.runFor(p, 9*time.Minute)
		for _, s := range w.site.seen() {
			if s.url != "http://y.test/f" {
				t.Errorf("%s asked", s.url)
			}
		}
		if st := p.Snapshot()[0]; st.State != StatePending || st.Failures > 0 || len(w.kinds()) > 0 {
			t.Errorf("state %s, %d failures, events %v: nobody failed", st.State, st.Failures, w.kinds())
		}
		w.runFor(p, 3*time.Minute)
		if st := p.Snapshot()[0]; st.State != StateOK || time.Since(st.LastPoll) > 2*time.Minute {
			t.Errorf("state %s, last asked %s: it is ours again", st.State, st.LastPoll)
		}
	})
}

func (k *keeper) Load(context.Context, string) (State, uint64, error) { return State{}, 0, nil }

func (k *keeper) Save(_ context.Context, id string, st State, v uint64) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saved[id] = st
	return v + 1, nil
}

func (k *keeper) Append(_ context.Context, d []Draft) ([]uint64, error) {
	return make([]uint64, len(d)), nil
}

// TestSettle: a feed that leaves the catalogue is free for others when its poll
// has ended and its state is written, not before.
func TestSettle(t *testing.T) {
	t.Parallel()
	k := &keeper{saved: map[string]State{}}
	asked, answer := make(chan struct{}), make(chan struct{})
	p, err := New(Config{Options: DefaultOptions(), States: k, Inbox: k, Parse: feed.Parse,
		Fetch: func(context.Context, Request) (*Answer, error) {
			close(asked)
			<-answer
			return nil, &Failure{Reason: ReasonTimeout, Text: "too late"}
		}})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]feed.Feed{{ID: "a", URL: "http://a.example/"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	<-asked
	p.Update(nil)
	short, end := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer end()
	p.Settle(short)
	if short.Err() == nil {
		t.Error("Settle did not wait for the poll under way")
	}
	close(answer)
	p.Settle(t.Context())
	k.mu.Lock()
	st, ok := k.saved["a"]
	k.mu.Unlock()
	if !ok || st.Failures != 1 {
		t.Errorf("after Settle the saved state is %+v, %t; want one failure", st, ok)
	}
	if got := Remembered(feed.Feed{ID: "a", URL: "http://a.example/"}, st, time.Minute); got.State != StateFailing && got.State != StatePending || got.Failures != 1 {
		t.Errorf("Remembered says %+v", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
