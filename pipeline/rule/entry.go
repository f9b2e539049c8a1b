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
	f := p.file
	if e := p.entry; e != nil && e.Disabled != "" && e.Match == "" {
		if p.over == nil {
			a.fail(f, f.find("rules", p.i, "disabled"), "only a rule that stands in an earlier directory can be switched off by its id alone", "there is no rule %s to disable", e.ID)
			return
		}
		off := *p.over.written()
		off.Disabled = e.Disabled
		if r := a.compiled(&placedRule{file: p.over.file, i: p.over.i, entry: &off, packed: p.over.packed, line: p.over.line, tests: p.over.tests}); r != nil {
			a.set.rules = append(a.set.rules, r) // no part of its file: made again each time
		}
		return
	}
	r := a.unchanged(p)
	if r == nil {
		if r = a.compiled(p); r == nil {
			return
		}
	} else if d := r.depends; d != nil {
		for _, u := range d.uses {
			a.used[u.name] = true
		}
		if !f.stale {
			a.problems = append(a.problems, d.said...)
		}
	}
	a.set.rules = append(a.set.rules, r)
	if r.depends == nil || !worst(r.depends.said) {
		if f.made == nil {
			f.made = make([]*rule, f.count)
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
	if r == nil {
		return nil
	}
	d := r.depends
	if d == nil {
		return r
	}
	if d.asks && !a.facted || d.stale != p.file.stale {
		return nil
	}
	lists := a.lists(p.file)
	if a.listed && !p.file.stale {
		return r
	}
	for _, u := range d.uses {
		if whole(u.name, lists) != u.whole {
			return nil
		}
	}
	return r
}

// compiled checks an entry, says all that is wrong with it, and makes a rule
// of it. One that comes packed was right before, and is written out again only
// if it no longer is: its file knows where.
func (a *assembly) compiled(p *placedRule) *rule {
	from := len(a.problems)
	x, d := a.spell(p)
	if p.packed && len(a.problems) > from {
		if e := p.file.entry(p.i); e != nil {
			a.problems = a.problems[:from]
			p.entry.Match, p.entry.Unless, p.entry.Raise = e.Match, e.Unless, e.Raise
			x, d = a.spell(p)
		}
	}
	if x == nil {
		return nil
	}
	if d.said = slices.Clone(a.problems[from:]); d.stale || d.asks || len(d.uses)+len(d.said) > 0 {
		return a.shelf.add(x, &d)
	}
	return a.shelf.add(x, nil)
}

// spell checks an entry and spells it out.
func (a *assembly) spell(p *placedRule) (*spelled, depends) {
	f, e := p.file, p.written()
	d := depends{lists: a.lists(f), stale: f.stale}
	r := &spelled{file: f.version, slow: e.SlowOK, unanchored: e.Unanchored,
		Rule: Rule{ID: e.ID, Title: e.Title, About: e.About, Channel: f.channel.Channel, Severity: Severity(e.Severity), File: f.name,
			References: append([]string{}, e.References...), Disabled: e.Disabled, Tests: p.tests, Line: p.line}}
	if !p.packed {
		r.Tests, r.Line = len(e.Tests), f.line("rules", p.i)
	}
	if strings.TrimSpace(e.Title) == "" {
		a.fail(f, f.find("rules", p.i, "title"), "say in a few words what it finds", "rule %s has no title", e.ID)
	}
	a.severity(f, e.ID, e.Severity, "rules", p.i, "severity")
	a.where(f, &e.Where, "rules", p.i, "where")
	r.where = e.Where.compiled()
	d.asks = len(e.Where.States) > 0
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
		return nil, d
	}
	canonical := []string{e.ID, e.Severity}
	var ok = true
	read := func(use query.Use, src string, path ...any) (*query.Node, string) {
		n := a.query(f, use, src, path...)
		if n == nil {
			ok = false
			return nil, ""
		}
		if use == query.Match {
			a.price(f, r, e, n, path...)
		}
		d.note(n, a.lists(f))
		form := query.Format(n)
		canonical = append(canonical, form, a.expanded(n, a.lists(f)))
		return n, form
	}
	r.node, r.Query = read(query.Match, e.Match, "rules", p.i, "match")
	if strings.TrimSpace(e.Unless) != "" {
		r.not, r.Unless = read(query.Unless, e.Unless, "rules", p.i, "unless")
	}
	for j, x := range e.Raise {
		a.severity(f, e.ID, x.To, "rules", p.i, "raise", j, "to")
		if strings.TrimSpace(x.When) == "" {
			a.fail(f, f.find("rules", p.i, "raise", j), "write when: and a query", "raise without when")
			continue
		}
		canonical = append(canonical, x.To)
		n, _ := read(query.When, x.When, "rules", p.i, "raise", j, "when")
		r.raise = append(r.raise, raise{to: Severity(x.To), when: n})
	}
	if !p.packed {
		a.tests(p)
	}
	if !ok {
		return nil, d
	}
	for _, k := range r.where.keys {
		canonical = append(canonical, k.name+":"+strings.Join(k.values, ","))
	}
	sum := sha256.Sum256([]byte(strings.Join(canonical, "\n")))
	r.Version = hex.EncodeToString(sum[:6])
	return r, d
}

// note keeps what a query depends on outside its file.
func (d *depends) note(n *query.Node, lists map[string]*list) {
	query.Walk(n, func(x *query.Node) bool {
		switch {
		case x.Op == query.List:
			u := use{x.Name, whole(x.Name, lists)}
			if !slices.Contains(d.uses, u) {
				d.uses = append(d.uses, u)
			}
		case x.Op == query.Fact && (x.Name == "voice" || x.Name == "channel" || x.Name == "state"):
			d.asks = true
		}
		return true
	})
}
