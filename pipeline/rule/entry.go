package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// One entry of a channel file becomes a rule, or stays the rule that it was.

// rule checks one entry and compiles it. A rule that is switched off from a
// later directory is listed as it was, with the reason.
func (a *assembly) rule(p *placedRule) {
	f, e := p.file, p.entry
	if e.Disabled != "" && e.Match == "" {
		if p.over == nil {
			a.fail(f, f.find("rules", p.i, "disabled"), "only a rule that stands in an earlier directory can be switched off by its id alone", "there is no rule %s to disable", e.ID)
			return
		}
		off := *p.over.entry
		off.Disabled = e.Disabled
		a.rule(&placedRule{file: p.over.file, i: p.over.i, entry: &off})
		return
	}
	r := a.unchanged(p)
	if r == nil {
		from := len(a.problems)
		if r = a.compiled(p); r == nil {
			return
		}
		r.said = slices.Clone(a.problems[from:])
	} else {
		for _, u := range r.uses {
			a.used[u.name] = true
		}
		if !f.stale {
			a.problems = append(a.problems, r.said...)
		}
	}
	a.set.rules = append(a.set.rules, r)
	if !f.stale && !worst(r.said) { // what is stale is judged again each time
		if f.made == nil {
			f.made = make([]*rule, len(f.channel.Rules))
		}
		f.made[p.i] = r
	}
}

// use is a list that a rule uses, with what it meant.
type use struct{ name, whole string }

// unchanged returns the rule as the set before has it, if that is what the
// entry still means.
func (a *assembly) unchanged(p *placedRule) *rule {
	was := p.file.was
	if a.was == nil || was == nil || was.version != p.file.version || was.made == nil {
		return nil
	}
	r := was.made[p.i]
	if r == nil || r.Disabled != p.entry.Disabled || r.asks && !a.facted {
		return nil
	}
	lists := a.lists(p.file)
	if a.listed && !p.file.stale {
		return r
	}
	for _, u := range r.uses {
		if whole(u.name, lists) != u.whole {
			return nil
		}
	}
	return r
}

// compiled checks an entry, says all that is wrong with it, and compiles it.
func (a *assembly) compiled(p *placedRule) *rule {
	f, e := p.file, p.entry
	r := &rule{Rule: Rule{ID: e.ID, Title: e.Title, About: e.About, Channel: f.channel.Channel, Severity: Severity(e.Severity), File: f.name,
		References: append([]string{}, e.References...), Disabled: e.Disabled, Tests: len(e.Tests), Line: f.find("rules", p.i).Line}}
	if strings.TrimSpace(e.Title) == "" {
		a.fail(f, f.find("rules", p.i, "title"), "say in a few words what it finds", "rule %s has no title", e.ID)
	}
	a.severity(f, e.ID, e.Severity, "rules", p.i, "severity")
	a.where(f, &e.Where, "rules", p.i, "where")
	r.where = e.Where.compiled()
	r.asks = len(e.Where.States) > 0
	if e.Budget != nil {
		if r.Budget = *e.Budget; *e.Budget < 1 {
			a.fail(f, f.find("rules", p.i, "budget"), "alerts a day; leave it out for none", "a budget is 1 or more")
		}
	}
	for j, ref := range e.References {
		if u, err := url.Parse(ref); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			a.fail(f, f.find("rules", p.i, "references", j), "write the whole address: https://...", "reference %s is no address", problem.Quote(ref))
		}
	}
	if strings.TrimSpace(e.Match) == "" {
		a.fail(f, f.find("rules", p.i), "write the query under match:", "rule %s has no match", e.ID)
		return nil
	}
	canonical := []string{e.ID, e.Severity}
	var ok = true
	r.lists = a.lists(f)
	compile := func(use query.Use, src string, path ...any) (*query.Node, *expr, string) {
		n := a.query(f, use, src, path...)
		if n == nil {
			ok = false
			return nil, nil, ""
		}
		if use == query.Match {
			a.price(f, r, e, n, path...)
		}
		r.note(n, a.lists(f))
		form := query.Format(n)
		canonical = append(canonical, form, a.expanded(n, a.lists(f)))
		return n, a.compile(f, n), form
	}
	r.node, r.match, r.Query = compile(query.Match, e.Match, "rules", p.i, "match")
	if strings.TrimSpace(e.Unless) != "" {
		r.not, r.unless, r.Unless = compile(query.Unless, e.Unless, "rules", p.i, "unless")
	}
	for j, x := range e.Raise {
		a.severity(f, e.ID, x.To, "rules", p.i, "raise", j, "to")
		if strings.TrimSpace(x.When) == "" {
			a.fail(f, f.find("rules", p.i, "raise", j), "write when: and a query", "raise without when")
			continue
		}
		canonical = append(canonical, x.To)
		n, when, _ := compile(query.When, x.When, "rules", p.i, "raise", j, "when")
		r.raise = append(r.raise, raise{to: Severity(x.To), node: n, when: when})
	}
	a.tests(r, p)
	if !ok {
		return nil
	}
	for _, k := range r.where.keys {
		canonical = append(canonical, k.name+":"+strings.Join(k.values, ","))
	}
	sum := sha256.Sum256([]byte(strings.Join(canonical, "\n")))
	r.Version = hex.EncodeToString(sum[:6])
	return r
}

// note keeps what a query depends on outside its file.
func (r *rule) note(n *query.Node, lists map[string]*list) {
	query.Walk(n, func(x *query.Node) bool {
		switch {
		case x.Op == query.List:
			u := use{x.Name, whole(x.Name, lists)}
			if !slices.Contains(r.uses, u) {
				r.uses = append(r.uses, u)
			}
		case x.Op == query.Fact && (x.Name == "voice" || x.Name == "channel" || x.Name == "state"):
			r.asks = true
		}
		return true
	})
}
