package rule

import (
	"cmp"
	"slices"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
)

// Near is a rule that does not fire on an item, and what keeps it from that.
type Near struct {
	Rule   string  `json:"rule"`
	Share  float64 `json:"share"` // how much of the rule holds: 0 nothing, below 1
	Clause string  `json:"clause"`
}

// Nearest lists the rules of a channel that do not fire on an item, the one
// that comes closest first. Unlike WhyNot it follows an OR down to the
// alternative of which most is there.
func (s *Set) Nearest(channel string, it feed.Item) []Near {
	out := []Near{}
	v := s.evaluate(it)
	for _, r := range s.rules {
		if r.disabled || r.file.channel.Channel != channel {
			continue
		}
		n, x := Near{Rule: r.id}, v.explanations.whole(r)
		switch f := v.tries(x); f.clause {
		case "":
			continue
		case "match":
			share, missing := v.closest(x.match)
			n.Share, n.Clause = share, "match: "+v.missing(missing)
		case "where":
			share, _ := v.closest(x.match)
			n.Share, n.Clause = 0.9*share, s.WhyNot(r.id, it)
		default:
			n.Share, n.Clause = 0.99, s.WhyNot(r.id, it)
		}
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b Near) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// closest judges how much of e holds, from 0 to 1, and finds the part that is
// missing, in the alternative of which most is there. The figures only order
// rules: words that are all there but not so near count for more than a word
// that is not there at all.
func (v *evaluation) closest(e *expr) (float64, *expr) {
	if v.holds(e) {
		return 1, e
	}
	const there = 0.8 // all is there, but not as the rule wants it
	switch e.op {
	case query.Or:
		best, missing := 0.0, e
		for _, k := range e.kids {
			if share, m := v.closest(k); share > best {
				best, missing = share, m
			}
		}
		return best, missing
	case query.And, query.Near, query.Onear, query.Sent, query.Para:
		sum, missing := 0.0, (*expr)(nil)
		for _, k := range e.kids {
			share, m := v.closest(k)
			if sum += share; share < 1 && missing == nil {
				missing = m
			}
		}
		if missing == nil {
			return there, e
		}
		share := sum / float64(len(e.kids))
		if e.op != query.And {
			share *= there
		}
		return share, missing
	case query.Field, query.Except, query.First:
		if v.holds(e.kids[0]) {
			return there, e
		}
		return v.closest(e.kids[0])
	case query.Not:
		return there, e
	case query.Atleast:
		return there * float64(v.count(e.kids[0], e.n)) / float64(e.n), e
	case query.Some:
		n := 0
		for _, k := range e.kids {
			if v.holds(k) {
				n++
			}
		}
		return there * float64(n) / float64(e.n), e
	}
	return 0, e
}
