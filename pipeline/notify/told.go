package notify

import (
	"context"

	"newsmonitor/pipeline/alert"
)

// told says whether the item was told to this destination already, as part of
// a stronger channel of the same revision. What it does not remember it looks
// up: the stronger ones of an item are stored before the weaker.
func (p *pusher) told(ctx context.Context, st *alert.Stored, seen *told) (bool, error) {
	e := &st.Event
	if p.d.perChannel {
		return false, nil
	}
	if seen.has(e) {
		return true, nil
	}
	for _, c := range e.Data.Channels {
		if c == e.Data.Channel {
			return false, nil
		}
		if !p.d.takesChannel(c) {
			continue
		}
		last, err := p.cfg.Alerts.Last(ctx, c, e.Data.Item.Feed, alert.ID(c, e.Data.Item.Key))
		if err != nil {
			return false, err
		}
		if last.Sequence > 0 && last.Sequence < st.Sequence && !heldBack(&last) && last.Event.Data.Item.Revision == e.Data.Item.Revision &&
			last.Event.Severity.Rank() >= e.Severity.Rank() && p.d.takes(&last.Event) {
			return true, nil
		}
	}
	return false, nil
}

// told remembers what was told of which items, and how strongly.
type told struct {
	rank map[string]int
	ring []string
	at   int
}

func newTold() *told { return &told{rank: map[string]int{}, ring: make([]string, 4096)} }

func (t *told) key(e *alert.Event) string { return e.Data.Item.Key + e.Data.Item.Revision }

// has is false for an event that is stronger than what was told.
func (t *told) has(e *alert.Event) bool {
	r, ok := t.rank[t.key(e)]
	return ok && e.Severity.Rank() <= r
}

func (t *told) add(e *alert.Event) {
	k := t.key(e)
	if r, ok := t.rank[k]; ok {
		t.rank[k] = max(r, e.Severity.Rank())
		return
	}
	delete(t.rank, t.ring[t.at])
	t.ring[t.at], t.rank[k] = k, e.Severity.Rank()
	t.at = (t.at + 1) % len(t.ring)
}
