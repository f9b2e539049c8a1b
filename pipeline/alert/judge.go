package alert

import (
	"sync"
	"sync/atomic"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// Judged is all that can be said of an item without looking at what else was
// raised: what it matches, and what tells it from other news. Making it is pure
// and the dear part of an alert, so it may be made while the item is still
// being stored, by whoever comes first.
type Judged struct {
	// First says that the item was not stored before, so that there should be
	// no alert of it. If there is one after all, the stream refuses ours and
	// the alert's past is read.
	First bool

	match      func() matched
	look       func() looked // needed of what matches only
	begun, had atomic.Bool   // match
}

type matched struct {
	rule.Result
	took time.Duration
}

// Judge is about to judge an item.
func Judge(match func(feed.Item) rule.Result, it feed.Item) *Judged {
	j := &Judged{look: sync.OnceValue(func() looked { return look(it) })}
	j.match = sync.OnceValue(func() matched {
		j.begun.Store(true)
		defer j.had.Store(true)
		start := time.Now()
		result := match(it)
		return matched{result, time.Since(start)}
	})
	return j
}

// Make judges.
func (j *Judged) Make() {
	if len(j.match().Channels) > 0 {
		j.look()
	}
}

// Result is what the item matches. Where somebody is finding that out, the
// other half of the judgement is made meanwhile.
func (j *Judged) Result() rule.Result { return j.result().Result }

func (j *Judged) result() matched {
	if j.begun.Load() && !j.had.Load() {
		j.look()
	}
	return j.match()
}

// judge takes what was judged early, or judges now.
func (r *Raiser) judge(it feed.Item) *Judged {
	if r.Early != nil {
		if j := r.Early(it); j != nil {
			return j
		}
	}
	return Judge(r.Match, it)
}
