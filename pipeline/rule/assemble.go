package rule

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// assembly makes a Set of files and notes everything that is wrong with them.
type assembly struct {
	set      *Set
	program  *program
	problems problem.List
	used     map[string]bool // lists
	facts    map[string][]string
	bare     []*query.Node // organs of whoever publishes
	broken   bool          // a list file could not be decoded: unknown lists are its echo
}

func assemble(files []*sourceFile) (*Set, problem.List) {
	a := &assembly{set: &Set{lists: map[string]*list{}, files: map[string]*sourceFile{}}, used: map[string]bool{}}
	for _, f := range files {
		if !f.stale {
			a.problems = append(a.problems, f.own...)
		}
		a.set.files[f.name] = f
		a.broken = a.broken || worst(f.own) && strings.Contains(f.name, "lists/")
	}
	good := slices.DeleteFunc(slices.Clone(files), func(f *sourceFile) bool { return worst(f.own) })
	a.program = newProgram(a.set.lists)
	states := a.readLists(good)
	a.linkLists()
	entries, voices := a.order(good), a.orderVoices(good)
	a.facts = map[string][]string{"kind": feed.Kinds, "tier": feed.Tiers}
	for _, v := range voices {
		a.facts["voice"] = append(a.facts["voice"], v.entry.Voice)
	}
	for _, e := range entries {
		if c := e.file.channel.Channel; !slices.Contains(a.facts["channel"], c) {
			a.facts["channel"] = append(a.facts["channel"], c)
		}
	}
	if len(states) > 0 {
		for _, s := range states {
			a.facts["state"] = append(a.facts["state"], s.code)
		}
	}
	a.compileStates(states)
	for _, v := range voices {
		a.voice(v)
	}
	for _, e := range entries {
		a.rule(e)
	}
	for _, f := range good {
		if !f.stale {
			f.env = a.set.lists
		}
	}
	if !worst(a.problems) { // a wrong query may be the one that uses it
		a.unused()
	}
	a.set.exprs = a.program.count
	slices.SortFunc(a.set.channels, func(x, y Channel) int { return strings.Compare(x.Slug, y.Slug) })
	a.problems.Sort()
	return a.set, a.problems
}

func (a *assembly) fail(f *sourceFile, n *yaml.Node, hint, format string, args ...any) {
	if f.stale {
		return // it was right when it was taken, and stays as it was
	}
	p := problem.At(f.name, n, format, args...)
	p.Hint = hint
	a.problems = append(a.problems, p)
}

// query parses and checks the query at a path of f and returns its tree.
func (a *assembly) query(f *sourceFile, use query.Use, src string, path ...any) *query.Node {
	at := f.find(path...)
	n, errs := query.Parse(src)
	lists := a.lists(f)
	if n != nil {
		names := make([]string, 0, len(lists))
		for name := range lists {
			names = append(names, name)
		}
		slices.Sort(names)
		known := func(name string) bool { return a.broken || lists[name] != nil }
		errs = append(errs, query.Check(n, use, a.facts, known, names)...)
		if words := size(n, lists, map[string]bool{}); words > query.MaxExpansion {
			errs = append(errs, query.Error{Start: n.Start, End: n.End, Hint: "split the rule, or the lists",
				Message: fmt.Sprintf("the query holds %d words with its lists, more than %d", words, query.MaxExpansion)})
		}
	}
	bad := false
	for _, e := range errs {
		bad = bad || !e.Warning
		if !f.stale {
			a.problems = append(a.problems, queryProblem(f, at, src, e))
		}
	}
	if n == nil || bad && !f.stale {
		return nil
	}
	query.Walk(n, func(x *query.Node) bool {
		if x.Op == query.List {
			a.used[x.Name] = true
		}
		return true
	})
	return n
}

// lists returns the lists that the queries of a file mean.
func (a *assembly) lists(f *sourceFile) map[string]*list {
	if f.stale && f.env != nil {
		return f.env
	}
	return a.set.lists
}

func (a *assembly) compile(f *sourceFile, n *query.Node) *expr {
	a.program.lists = a.lists(f)
	return a.program.compile(n)
}

// placed is an entry of a channel file with its place.
type placedRule struct {
	file  *sourceFile
	i     int
	entry *ruleEntry
	over  *placedRule // what it replaces, of an earlier directory
}

// order finds out which entry of each id counts.
func (a *assembly) order(files []*sourceFile) []*placedRule {
	byID := map[string]*placedRule{}
	var all []*placedRule
	for _, f := range byAge(files) {
		if f.channel.Channel == "" && len(f.channel.Rules) == 0 && f.channel.Title == "" {
			if !isRules(f) {
				continue
			}
		}
		a.channel(f)
		for i := range f.channel.Rules {
			e := &placedRule{file: f, i: i, entry: &f.channel.Rules[i]}
			was := byID[e.entry.ID]
			switch {
			case !isSlug(e.entry.ID):
				a.fail(f, f.find("rules", i, "id"), slugHint(e.entry.ID), "rule id %s is no slug", problem.Quote(e.entry.ID))
				all = append(all, e) // the file is refused; what else is wrong with the rule is said all the same
				continue
			case was == nil:
				all = append(all, e)
			case was.file.dir == f.dir:
				a.fail(f, f.find("rules", i, "id"), fmt.Sprintf("the first is %s:%d", was.file.name, was.file.find("rules", was.i, "id").Line),
					"rule id %s is used twice", e.entry.ID)
				all = append(all, e)
				continue
			default:
				e.over = was
				all[slices.Index(all, was)] = e
			}
			byID[e.entry.ID] = e
		}
	}
	return all
}

// byAge puts the files of a directory that were there before in front, so that
// the blame for a name used twice falls on the newcomer.
func byAge(files []*sourceFile) []*sourceFile {
	rank := func(f *sourceFile) int {
		if f.old {
			return 0
		}
		return 1
	}
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(x, y *sourceFile) int { return cmp.Or(x.dir-y.dir, rank(x)-rank(y)) })
	return sorted
}

// isRules tells a channel file from lists and voices.
func isRules(f *sourceFile) bool {
	return !strings.Contains(f.name, "lists/") && !strings.HasSuffix(f.name, "voices.yaml")
}

func (a *assembly) channel(f *sourceFile) {
	c := &f.channel
	switch {
	case c.Channel == "":
		a.fail(f, f.root, "the file begins with channel: NAME", "the channel is missing")
	case !isSlug(c.Channel):
		a.fail(f, f.find("channel"), slugHint(c.Channel), "channel %s is no slug", problem.Quote(c.Channel))
	}
	if len(c.Rules) == 0 {
		a.fail(f, f.find("rules"), "", "channel %s has no rules", c.Channel)
	}
	i := slices.IndexFunc(a.set.channels, func(x Channel) bool { return x.Slug == c.Channel })
	if i < 0 {
		a.set.channels = append(a.set.channels, Channel{Slug: c.Channel})
		i = len(a.set.channels) - 1
	}
	have := &a.set.channels[i]
	if have.Title == "" || c.Title != "" && f.dir > 0 {
		have.Title = c.Title
	}
	if have.About == "" || c.About != "" && f.dir > 0 {
		have.About = c.About
	}
}

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
	r := &rule{Rule: Rule{ID: e.ID, Title: e.Title, About: e.About, Channel: f.channel.Channel, Severity: Severity(e.Severity), File: f.name,
		References: append([]string{}, e.References...), Disabled: e.Disabled, Tests: len(e.Tests), Line: f.find("rules", p.i).Line}}
	if strings.TrimSpace(e.Title) == "" {
		a.fail(f, f.find("rules", p.i, "title"), "", "rule %s has no title", e.ID)
	}
	a.severity(f, e.ID, e.Severity, "rules", p.i, "severity")
	a.where(f, &e.Where, "rules", p.i, "where")
	r.where = e.Where.compiled()
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
		return
	}
	canonical := []string{e.ID, e.Severity}
	var ok = true
	compile := func(use query.Use, src string, path ...any) (*expr, string) {
		n := a.query(f, use, src, path...)
		if n == nil {
			ok = false
			return nil, ""
		}
		form := query.Format(n)
		canonical = append(canonical, form, a.expanded(n, a.lists(f)))
		return a.compile(f, n), form
	}
	r.match, r.Query = compile(query.Match, e.Match, "rules", p.i, "match")
	if strings.TrimSpace(e.Unless) != "" {
		r.unless, r.Unless = compile(query.Unless, e.Unless, "rules", p.i, "unless")
	}
	for j, x := range e.Raise {
		a.severity(f, e.ID, x.To, "rules", p.i, "raise", j, "to")
		if strings.TrimSpace(x.When) == "" {
			a.fail(f, f.find("rules", p.i, "raise", j), "write when: and a query", "raise without when")
			continue
		}
		canonical = append(canonical, x.To)
		when, _ := compile(query.When, x.When, "rules", p.i, "raise", j, "when")
		r.raise = append(r.raise, raise{to: Severity(x.To), when: when})
	}
	a.tests(r, p)
	if !ok {
		return
	}
	for _, k := range r.where.keys {
		canonical = append(canonical, k.name+":"+strings.Join(k.values, ","))
	}
	sum := sha256.Sum256([]byte(strings.Join(canonical, "\n")))
	r.Version = hex.EncodeToString(sum[:6])
	a.set.rules = append(a.set.rules, r)
}

func (a *assembly) severity(f *sourceFile, id, s string, path ...any) {
	if Severity(s).Rank() >= 0 {
		return
	}
	words := make([]string, len(Severities))
	for i, w := range Severities {
		words[i] = string(w)
	}
	if s == "" {
		a.fail(f, f.find(path...), "one of "+strings.Join(words, ", "), "rule %s has no severity", id)
		return
	}
	a.fail(f, f.find(path...), didYouMean(s, words, "%s"), "%s is no severity", problem.Quote(s))
}

// didYouMean proposes the nearest of the known words, or all of them.
func didYouMean(s string, known []string, form string) string {
	if near := problem.Nearest(s, known); near != "" {
		return "did you mean " + fmt.Sprintf(form, near) + "?"
	}
	if len(known) > 20 {
		return ""
	}
	return "one of " + strings.Join(known, ", ")
}

// where checks the values of a where.
func (a *assembly) where(f *sourceFile, w *whereEntry, path ...any) {
	for _, k := range w.keys() {
		for j, v := range k.values {
			at := f.find(append(slices.Clone(path), k.name, j)...)
			switch k.name {
			case "tier", "kind", "states":
				if known := a.facts[k.fact]; k.name == "states" && !isCode(v) {
					a.fail(f, at, "the ISO code: CN, US, EU, UN", "%s is no state", problem.Quote(v))
				} else if len(known) > 0 && !slices.Contains(known, v) {
					a.fail(f, at, didYouMean(v, known, "%s"), "unknown %s %s", strings.TrimSuffix(k.name, "s"), problem.Quote(v))
				}
			case "country":
				if !isCode(v) {
					a.fail(f, at, "the ISO code: CN, US, EU, UN", "%s is no country", problem.Quote(v))
				}
			case "feed", "tags":
				if !isSlug(v) {
					a.fail(f, at, slugHint(v), "%s is no slug", problem.Quote(v))
				}
			case "language":
				if !isLanguage(v) {
					a.fail(f, at, "a BCP 47 code: zh, en, zh-Hant", "%s is no language", problem.Quote(v))
				}
			}
		}
	}
}

func isLanguage(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if i == 0 && (len(part) < 2 || len(part) > 3) || len(part) < 2 || len(part) > 8 || !isSlug(strings.ToLower(part)) {
			return false
		}
	}
	return true
}
