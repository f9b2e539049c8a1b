package rule

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
)

// specimen is an item written for one part of a rule: the shortest that we can
// think of on which a query holds. It tells a part that nobody has tried yet
// from one that no text can reach, such as a word that a mask always covers.
// Whether the part holds on it is for the evaluator to say.
type specimen struct {
	set   *Set
	lists map[string]*list
	item  feed.Item
	turn  int // which alternative comes first, and where words go that may stand anywhere
}

// specimens are attempts to write an item on which all the queries hold.
func (s *Set) specimens(lists map[string]*list, queries ...*query.Node) []feed.Item {
	var out []feed.Item
	for turn := range 6 {
		for _, more := range []string{"", "Canada: "} { // many a rule wants a state somewhere
			w := &specimen{set: s, lists: lists, turn: turn}
			ok := true
			for _, q := range queries {
				ok = ok && w.write(q, "")
			}
			if ok {
				w.item.Title = more + w.item.Title
				out = append(out, w.item)
			}
		}
	}
	return out
}

// write makes n hold in a field.
func (w *specimen) write(n *query.Node, field string) bool {
	switch n.Op {
	case query.And:
		for _, k := range n.Kids {
			if !w.write(k, field) {
				return false
			}
		}
		return true
	case query.Or:
		return slices.ContainsFunc(turned(n.Kids, w.turn), func(k *query.Node) bool { return w.write(k, field) })
	case query.Not:
		return true // that what is written does not hold it, the evaluator tells
	case query.Field:
		return w.write(n.Kids[0], n.Name)
	case query.Fact:
		return w.fact(n)
	}
	words, ok := w.words(n)
	if !ok {
		return false
	}
	to := &w.item.Title
	if field == "" || field == "text" {
		field = query.Fields[w.turn%3] // title, summary, content
	}
	switch field {
	case "summary":
		to = &w.item.Summary
	case "content":
		to = &w.item.Content
	case "url":
		to = &w.item.Link
	case "source":
		to = &w.item.Source.Title
	case "author":
		w.item.Authors = append(w.item.Authors, words)
		return true
	case "category":
		w.item.Categories = append(w.item.Categories, words)
		return true
	}
	if *to != "" {
		*to += "; "
	}
	*to += words
	return true
}

// words makes text that n matches in one place.
func (w *specimen) words(n *query.Node) (string, bool) {
	switch n.Op {
	case query.Word:
		return fitting(n.Text), true
	case query.Or:
		for _, k := range n.Kids {
			if t, ok := w.words(k); ok {
				return t, true
			}
		}
	case query.And, query.Near, query.Onear, query.Sent, query.Para:
		var all []string
		for _, k := range n.Kids {
			t, ok := w.words(k)
			if !ok {
				return "", false
			}
			all = append(all, t)
		}
		return strings.Join(all, " "), true
	case query.Except, query.First, query.Case, query.Exact, query.Stem:
		return w.words(n.Kids[0])
	case query.Atleast:
		t, ok := w.words(n.Kids[0])
		return strings.Repeat(t+", ", n.N), ok
	case query.Some:
		var all []string
		for _, k := range n.Kids {
			for _, k := range w.entries(k) {
				if t, ok := w.words(k); ok && len(all) < n.N && !slices.Contains(all, t) {
					all = append(all, t)
				}
			}
		}
		return strings.Join(all, ", "), len(all) == n.N
	case query.List:
		for _, e := range w.entries(n) {
			if t, ok := w.words(e); ok {
				return t, true
			}
		}
	}
	return "", false
}

// entries are those of a list, another one first at each turn.
func (w *specimen) entries(n *query.Node) []*query.Node {
	l := w.lists[n.Name]
	if n.Op != query.List || l == nil || len(l.entries) == 0 {
		return []*query.Node{n}
	}
	return turned(l.entries, w.turn)
}

// turned is nodes with another one first.
func turned(nodes []*query.Node, turn int) []*query.Node {
	i := turn % len(nodes)
	return append(slices.Clone(nodes[i:]), nodes[:i]...)
}

// fitting is a text that a word or phrase matches.
func fitting(s string) string {
	fields := strings.Fields(s)
	for i, f := range fields {
		if f == "*" {
			f = "some"
		}
		fields[i] = strings.ReplaceAll(strings.ReplaceAll(f, "*", ""), "?", "s")
	}
	return strings.Join(fields, " ")
}

// fact makes a fact about the item true.
func (w *specimen) fact(n *query.Node) bool {
	v := n.Values[0]
	s := &w.item.Source
	switch n.Name {
	case "feed":
		w.item.Feed = v
	case "kind":
		s.Kind = v
	case "tier":
		s.Tier = v
	case "country":
		s.Country = strings.ToUpper(v)
	case "tag":
		s.Tags = append(s.Tags, v)
	case "language":
		w.item.Language = v
	case "state":
		if v == "*" {
			v = "ca"
		}
		return w.write(&query.Node{Op: query.List, Name: "state-" + strings.ToLower(v)}, "title")
	default: // voice and channel are made of words that we do not know
		return false
	}
	return true
}
