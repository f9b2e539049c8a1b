package alert

import (
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// Judged is all that can be said of an item without looking at what else was
// raised: what it matches, and what tells it from other news. Making it is pure
// and the dear part of an alert, so it may be made while the item is still
// being stored.
type Judged struct {
	// First says that the item was not stored before, so that there should be
	// no alert of it. If there is one after all, the stream refuses ours and
	// the alert's past is read.
	First bool

	result rule.Result
	took   time.Duration // to match
	look   looked        // only of what matches
}

// Judge judges an item.
func Judge(match func(feed.Item) rule.Result, it feed.Item) Judged {
	start := time.Now()
	j := Judged{result: match(it)}
	j.took = time.Since(start)
	if len(j.result.Channels) > 0 {
		j.look = look(it)
	}
	return j
}

// judge takes what was judged early, or judges now.
func (r *Raiser) judge(it feed.Item) Judged {
	if r.Early != nil {
		if j, ok := r.Early(it); ok {
			return j
		}
	}
	return Judge(r.Match, it)
}
