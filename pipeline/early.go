package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/stream"
)

const (
	earlyPoll  = 16              // new items of a poll up to which they are judged early: more are a backlog
	earlyMost  = 64              // judgements that wait to be taken, and as many that nobody took
	earlyFresh = 2 * time.Second // how long a judgement waits: the raiser is milliseconds behind, or busy with others
)

// early judges new items while they are being stored, so that the raiser, to
// whom they come from the stream, need not begin then. Nothing depends on it:
// who does not find a judgement of the very item by the rules of the moment
// judges itself.
type early struct {
	config func() *Config

	mu      sync.Mutex
	waiting []*foreseen // oldest first
	unused  int         // judgements that nobody took since somebody last asked: another replica raises
}

// foreseen is an item and what is made of it.
type foreseen struct {
	item   feed.Item
	config *Config
	since  time.Time
	judged *alert.Judged
}

// begin takes the drafts of a poll. It returns what is to be judged, in order.
func (e *early) begin(drafts []poll.Draft) []*foreseen {
	if len(drafts) > earlyPoll {
		return nil
	}
	now, config := time.Now(), e.config()
	e.mu.Lock()
	defer e.mu.Unlock()
	old := 0
	for old < len(e.waiting) && now.Sub(e.waiting[old].since) > earlyFresh {
		old++
	}
	e.waiting = slices.Delete(e.waiting, 0, old)
	e.unused = min(e.unused+old, earlyMost)
	if e.unused == earlyMost || len(e.waiting)+len(drafts) > earlyMost {
		return nil
	}
	for _, d := range drafts {
		f := &foreseen{item: d.Item, config: config, since: now, judged: alert.Judge(config.Rules.Match, d.Item)}
		f.judged.First = d.After == 0
		e.waiting = append(e.waiting, f)
	}
	return slices.Clone(e.waiting[len(e.waiting)-len(drafts):])
}

// take returns the judgement of an item, or nil.
func (e *early) take(it feed.Item) *alert.Judged {
	e.mu.Lock()
	e.unused = 0
	i := slices.IndexFunc(e.waiting, func(f *foreseen) bool {
		return f.item.Key == it.Key && f.item.Feed == it.Feed && f.item.Revision == it.Revision
	})
	var f *foreseen
	if i >= 0 {
		f = e.waiting[i]
		e.waiting = slices.Delete(e.waiting, i, i+1)
	}
	e.mu.Unlock()
	if f == nil || f.config != e.config() || !f.item.Equal(it) {
		return nil
	}
	return f.judged
}

// judge does the work of begin. What breaks on an item breaks again for the
// raiser, who records it.
func judge(all []*foreseen) {
	defer func() { _ = recover() }()
	for _, f := range all {
		f.judged.Make()
	}
}

// inbox is ITEMS, with a word to the raiser beforehand.
type inbox struct {
	*stream.Items
	early *early
}

// Append stores drafts and judges them meanwhile.
func (i inbox) Append(ctx context.Context, drafts []poll.Draft) ([]uint64, error) {
	// Storing goes first where there is one processor only: it mostly waits.
	var work sync.WaitGroup
	if all := i.early.begin(drafts); len(all) > 0 {
		work.Go(func() { judge(all) })
	}
	defer work.Wait()
	return i.Items.Append(ctx, drafts)
}
