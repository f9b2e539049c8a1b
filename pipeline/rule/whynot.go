package rule

import (
	"fmt"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
)

// WhyNot tells in one sentence why a rule does not fire on an item: the first
// clause that fails. It returns "" when the rule fires.
func (s *Set) WhyNot(id string, it feed.Item) string {
	for _, r := range s.rules {
		if r.id != id {
			continue
		}
		if r.disabled {
			return "the rule is disabled: " + r.spell().Disabled
		}
		v := s.evaluate(it)
		x := v.explanations.whole(r)
		switch f := v.tries(x); f.clause {
		case "where":
			return fmt.Sprintf("where: %s does not hold (the item has %s)", f.detail, v.facts.show(f.detail))
		case "match":
			return "match: " + v.missing(x.match)
		case "unless":
			var words []string
			places, _ := v.evidence(x.unless)
			for _, e := range v.lines(places) {
				if w := fmt.Sprintf("%q", e.Text); len(words) < 5 && (len(words) == 0 || words[len(words)-1] != w) {
					words = append(words, w)
				}
			}
			if len(words) == 0 {
				return "unless: holds"
			}
			return "unless: holds, on " + strings.Join(words, ", ")
		}
		return ""
	}
	return fmt.Sprintf("there is no rule %s", id)
}

func (f *facts) show(key string) string {
	have := map[string]string{"language": f.language, "tier": f.tier, "kind": f.source.Kind, "country": f.source.Country, "feed": f.feed,
		"states": strings.Join(f.states, " "), "tags": strings.Join(f.source.Tags, " ")}[key]
	if have == "" {
		return "none"
	}
	return have
}

// missing explains the first part of e that fails; e does not hold.
func (v *evaluation) missing(e *expr) string {
	switch e.op {
	case query.And:
		for _, k := range e.kids {
			if !v.holds(k) {
				return v.missing(k)
			}
		}
	case query.Not:
		if places, _ := v.evidence(e.kids[0]); len(places) > 0 {
			return fmt.Sprintf("NOT fails: the item has %q", v.lines(places[:1])[0].Text)
		}
		return "NOT fails: " + e.kids[0].show() + " holds"
	case query.Field:
		if !v.holds(e.kids[0]) {
			return v.missing(e.kids[0])
		}
	case query.Near, query.Onear, query.Sent, query.Para:
		for _, k := range e.kids {
			if !v.holds(k) {
				return v.missing(k)
			}
		}
		return e.show() + ": both are there, but not so near"
	case query.Except:
		if v.holds(e.kids[0]) {
			return e.kids[0].show() + " is there only where EXCEPT takes it away"
		}
		return v.missing(e.kids[0])
	case query.First:
		if v.holds(e.kids[0]) {
			return fmt.Sprintf("%s is there, but not within the first %d words", e.kids[0].show(), e.n)
		}
	case query.Atleast:
		return fmt.Sprintf("%s is there %d times, not %d", e.kids[0].show(), v.count(e.kids[0], e.n), e.n)
	case query.Or:
		if e.placed && !e.scoped {
			break // words: that none is there says it all
		}
		var nearest *expr
		most := 0.0
		for _, k := range e.kids {
			if share, _ := v.closest(k); share > most {
				nearest, most = k, share
			}
		}
		if nearest != nil {
			return fmt.Sprintf("none of the %d alternatives holds; in the nearest, %s", len(e.kids), v.missing(nearest))
		}
	case query.Some:
		n := 0
		for _, k := range e.kids {
			if v.holds(k) {
				n++
			}
		}
		return fmt.Sprintf("%d of the %d queries hold, not %d", n, len(e.kids), e.n)
	}
	return cut(e.show()) + " is not there"
}

// cut keeps an explanation to what a person reads.
func cut(s string) string {
	if r := []rune(s); len(r) > 160 {
		return string(r[:157]) + "..."
	}
	return s
}

// show is an expr in short, for explanations.
func (e *expr) show() string {
	switch e.op {
	case query.Word:
		return query.Quote(e.text)
	case query.Field:
		for f := range fieldCount {
			if e.fields == 1<<f {
				return fieldNames[f] + ":" + e.kids[0].show()
			}
		}
		return e.kids[0].show()
	case query.Fact:
		return e.name + ":" + strings.Join(e.values, "|")
	}
	if e.op == query.Or {
		if l := e.listName(); l != "" {
			return "@" + l
		}
	}
	var parts []string
	for i, k := range e.kids {
		if i == 4 {
			parts = append(parts, fmt.Sprintf("%d more", len(e.kids)-4))
			break
		}
		parts = append(parts, k.show())
	}
	name := map[query.Op]string{query.And: "AND", query.Or: "OR", query.Near: fmt.Sprintf("NEAR/%d", e.n), query.Onear: fmt.Sprintf("ONEAR/%d", e.n),
		query.Sent: "SENT", query.Para: "PARA", query.Except: "EXCEPT"}[e.op]
	if name == "" {
		return map[query.Op]string{query.Not: "NOT ", query.Atleast: fmt.Sprintf("ATLEAST/%d", e.n), query.Some: fmt.Sprintf("SOME/%d", e.n),
			query.First: fmt.Sprintf("FIRST/%d", e.n)}[e.op] + "(" + strings.Join(parts, ", ") + ")"
	}
	return "(" + strings.Join(parts, " "+name+" ") + ")"
}

// listName is the list that all words of e come from, if one.
func (e *expr) listName() string {
	name := ""
	kids := e.kids
	if e.op == query.Except {
		kids = kids[:1]
	}
	for _, k := range kids {
		l := k.list
		if k.op != query.Word {
			l = k.listName()
		}
		states := strings.HasPrefix(l, "state") && strings.HasPrefix(name, "state")
		switch {
		case l == "":
			return ""
		case name == "" || name == l:
			name = l
		case states:
			name = "states"
		default:
			return ""
		}
	}
	return name
}
