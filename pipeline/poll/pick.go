package poll

import (
	"slices"
	"time"

	"newsmonitor/pipeline/feed"
)

// Where a document that is longer than we look at has its newest items, when
// its dates do not tell: State.Newest.
const (
	newestFirst = "first"
	newestLast  = "last"
)

// pick chooses which items of a long document are looked at, and keeps their
// order. By date the newest ones; where most items have none, one end of the
// document: the one where unknown items appeared. Until that is seen, both
// ends are read. It never widens what is looked at, as old items that come
// into view would be taken for new.
func pick(st State, items []feed.Item, most int) (picked []feed.Item, newest string) {
	if len(items) <= most {
		return items, ""
	}
	if times := datesOf(items); times != nil {
		order := make([]int, len(items))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return times[b].Compare(times[a]) })
		order = order[:most]
		slices.Sort(order)
		for _, i := range order {
			picked = append(picked, items[i])
		}
		return picked, ""
	}
	half := max(most/2, 1)
	head, tail := items[:half], items[len(items)-half:]
	newest = st.Newest
	known := func(it feed.Item) bool { _, ok := st.Items[it.Key]; return ok }
	if newest == "" && slices.ContainsFunc(head, known) && slices.ContainsFunc(tail, known) {
		first, last := known(head[0]), known(tail[half-1])
		switch {
		case last && !first:
			newest = newestFirst
		case first && !last:
			newest = newestLast
		}
	}
	switch newest {
	case newestFirst:
		return head, newest
	case newestLast:
		return tail, newest
	}
	return slices.Concat(head, tail), ""
}

// datesOf is when each item is from, nil if most do not say. Who does not say
// is as old as the item before it.
func datesOf(items []feed.Item) []time.Time {
	times, n := make([]time.Time, len(items)), 0
	var last time.Time
	for i, it := range items {
		if t := dated(it); !t.IsZero() {
			last = t
			n++
		}
		times[i] = last
	}
	if 2*n <= len(items) {
		return nil
	}
	return times
}
