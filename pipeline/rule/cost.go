package rule

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"newsmonitor/pipeline/rule/query"
)

// What a rule costs, told from its query alone, so that the same rule costs
// the same everywhere: P(anchor) x steps, the steps that an item is expected
// to take for it. The anchor is the clause that an item must hold and holds
// least often; where it is missing the rule costs nothing. Steps are the words
// and lists that are then looked at.
const (
	warnCost   = 1
	refuseCost = 10
	warnSet    = 20_000 // postings an item: rules whose anchor it holds
)

// Price is what a rule costs.
type Price struct {
	Cost        float64 `json:"cost"`        // expected steps an item
	Anchor      string  `json:"anchor"`      // what an item must hold; "" when the rule is tried on every item
	Probability float64 `json:"probability"` // that an item of 5 KB holds it
	Steps       float64 `json:"steps"`       // that judging the rule then takes
}

// clause is what must be there: one of some words. nil is no demand at all.
type clause struct {
	any map[string]float64 // how probable each is, by field and form: what is named twice is looked for once
}

func (c *clause) chance() float64 {
	missing := 1.0
	for _, key := range slices.Sorted(maps.Keys(c.any)) { // in one order, so that the sum is always the same
		missing *= 1 - c.any[key]
	}
	return 1 - missing
}

// priceOf tells what a query costs.
func priceOf(n *query.Node, lists map[string]*list) Price {
	e := estimate{lists: lists}
	p := Price{Probability: 1}
	if best := rarest(e.necessary(n, "")); best != nil {
		p.Anchor, p.Probability = best.shown(), best.chance()
		e.anchor, e.present = best.any, p.Probability
	}
	steps, _ := e.steps(n, "")
	p.Cost, p.Steps = p.Probability*steps, math.Round(10*steps)/10
	return p
}

// shown is an anchor in short: its commonest words first.
func (c *clause) shown() string {
	keys := slices.SortedFunc(maps.Keys(c.any), func(a, b string) int { return cmp.Or(cmp.Compare(c.any[b], c.any[a]), cmp.Compare(a, b)) })
	const most = 3
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], ":")
	}
	if n := len(keys); n > most+1 {
		keys = append(keys[:most], fmt.Sprintf("%d more", n-most))
	}
	return strings.Join(keys, " OR ")
}

// steps is how many words and lists are looked at until n is known to hold or
// not, and how probable it is that it holds, in an item that has the anchor.
// The rarest part of an AND is tried first, and the commonest of an OR.
func (e estimate) steps(n *query.Node, field string) (steps, p float64) {
	type part struct{ steps, p float64 }
	parts := make([]part, len(n.Kids))
	for i, k := range n.Kids {
		in := field
		if n.Op == query.Field {
			in = n.Name
		}
		parts[i].steps, parts[i].p = e.steps(k, in)
	}
	p = 1
	switch n.Op {
	case query.Fact:
		return 1, 0.5
	case query.Word, query.List:
		key, p := e.leaf(n, field)
		if _, ok := e.anchor[key]; ok {
			p = min(1, p/e.present)
		}
		return 1, p
	case query.Not:
		return parts[0].steps, 1 - parts[0].p
	case query.And, query.Near, query.Onear, query.Sent, query.Para, query.Except:
		if n.Op != query.Except {
			slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.p, b.p) })
		}
		for _, x := range parts {
			steps += p * x.steps
			p *= x.p
		}
		if n.Op == query.Except {
			return steps, parts[0].p
		}
		if n.Op != query.And {
			steps += 2 * p // places are compared
			p /= 3
		}
		return steps, p
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.p, a.p) })
	missing := 1.0
	for _, x := range parts {
		steps += missing * x.steps
		missing *= 1 - x.p
	}
	return steps, 1 - missing
}

func rarest(clauses []*clause) *clause {
	var best *clause
	for _, c := range clauses {
		if best == nil || c.chance() < best.chance() {
			best = c
		}
	}
	return best
}

type estimate struct {
	lists   map[string]*list
	anchor  map[string]float64 // what the item holds one of
	present float64            // and how probable that was
}

// necessary returns the clauses that must all hold, in the field that n
// stands in.
func (e estimate) necessary(n *query.Node, field string) []*clause {
	switch n.Op {
	case query.And, query.Near, query.Onear, query.Sent, query.Para:
		var out []*clause
		for _, k := range n.Kids {
			out = append(out, e.necessary(k, field)...)
		}
		return out
	case query.Except:
		return e.necessary(n.Kids[0], field)
	case query.Field:
		return e.necessary(n.Kids[0], n.Name)
	case query.Not, query.Fact:
		return nil
	case query.Some:
		return e.some(n, field)
	case query.Word, query.List:
		key, p := e.leaf(n, field)
		return []*clause{{any: map[string]float64{key: p}}}
	}
	if len(n.Kids) == 1 {
		return e.necessary(n.Kids[0], field)
	}
	return e.any(n.Kids, field)
}

// leaf names a word or a list in a field, and tells how probable it is there.
func (e estimate) leaf(n *query.Node, field string) (key string, p float64) {
	p = e.frequency(n)
	if share, ok := share[field]; ok {
		p = 1 - math.Pow(1-p, share)
	}
	return field + ":" + query.Format(n), p
}

// share is how much of an item's text a field is, where that is little.
var share = map[string]float64{"title": 0.03, "summary": 0.1, "url": 0.02, "author": 0.01, "source": 0.01, "category": 0.02}

// any is the clause of alternatives, of which each gives its rarest part. An
// alternative that demands nothing leaves no demand.
func (e estimate) any(kids []*query.Node, field string) []*clause {
	c := &clause{any: map[string]float64{}}
	for _, k := range kids {
		best := rarest(e.necessary(k, field))
		if best == nil {
			return nil
		}
		maps.Copy(c.any, best.any)
	}
	return []*clause{c}
}

// some is the clause of SOME/n: n-1 of the queries may hold without the
// others, so that one of the rest must.
func (e estimate) some(n *query.Node, field string) []*clause {
	if len(n.Kids) == 1 {
		return e.necessary(n.Kids[0], field)
	}
	kids := slices.Clone(n.Kids)
	chance := func(k *query.Node) float64 {
		if c := rarest(e.necessary(k, field)); c != nil {
			return c.chance()
		}
		return 1
	}
	slices.SortStableFunc(kids, func(a, b *query.Node) int { return cmp.Compare(chance(a), chance(b)) })
	return e.any(kids[:max(1, len(kids)-n.N+1)], field)
}

// frequency is how probable a word, a phrase or a list is in an item.
func (e estimate) frequency(n *query.Node) float64 {
	if n.Op == query.Word {
		return odds(query.Terms(n.Text))
	}
	l := e.lists[n.Name]
	if l == nil {
		return seldom
	}
	if l.chance == 0 {
		l.chance = seldom
		if c := e.any(l.entries, ""); c != nil {
			l.chance = max(c[0].chance(), l.chance)
		}
	}
	return l.chance
}

// price notes what a rule costs, and refuses what costs too much unless its
// author means it.
func (a *assembly) price(f *sourceFile, r *spelled, e *ruleEntry, n *query.Node, path ...any) {
	r.Price = priceOf(n, a.lists(f))
	switch {
	case r.Anchor == "" && !e.Unanchored:
		a.fail(f, f.find(path...), "name a word that an item must have, or write allow_unanchored: true beside the rule",
			"rule %s names no word that an item must have: it would be tried on every item", e.ID)
	case r.Anchor == "" || e.SlowOK:
	case r.Cost > refuseCost:
		a.fail(f, f.find(path...), r.advice()+", or write slow_ok: true beside the rule", "rule %s costs %s steps an item, more than %d", e.ID, Figure(r.Cost), refuseCost)
	case r.Cost > warnCost && !f.stale:
		p := a.problemAt(f, path...)
		p.Message = fmt.Sprintf("rule %s costs %s steps an item, more than %d", e.ID, Figure(r.Cost), warnCost)
		p.Hint = r.advice() + "; slow_ok: true beside the rule says that it is meant"
		a.problems = append(a.problems, p)
	}
}

// advice says how to make a rule cheaper.
func (p Price) advice() string {
	return fmt.Sprintf("%s of all items hold what it waits for (%s): join it with a rarer word by AND, or shorten the query", Percent(p.Probability), p.Anchor)
}

// Figure is a cost in short.
func Figure(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 1:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2g", f)
}

// Percent is a chance in short.
func Percent(p float64) string {
	if p < 0.01 {
		return fmt.Sprintf("%.2g %%", 100*p)
	}
	return fmt.Sprintf("%.0f %%", math.Round(100*p))
}
