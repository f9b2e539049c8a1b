package rule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// assembly makes a Set of files and notes everything that is wrong with them.
// What was made from the same files before, and means the same still, is taken
// over: rules of the set before that did not change are the same *rule.
type assembly struct {
	was      *Set // nil at the first load
	set      *Set
	program  *program
	problems problem.List
	used     map[string]bool // lists
	facts    map[string][]string
	facted   bool           // facts are those of was
	listed   bool           // so are the lists
	bare     []*query.Node  // organs of whoever publishes
	broken   bool           // a list file could not be decoded: unknown lists are its echo
	channels map[string]int // in set.channels
	names    []string       // of set.lists, sorted; made when needed
}

func assemble(was *Set, files []*sourceFile) (*Set, problem.List) {
	a := &assembly{was: was, set: &Set{}, used: map[string]bool{}, channels: map[string]int{}}
	for _, f := range files {
		if !f.stale {
			a.problems = append(a.problems, f.own...)
		}
		a.broken = a.broken || worst(f.own) && f.kind == listKind
	}
	good := slices.DeleteFunc(slices.Clone(files), func(f *sourceFile) bool { return worst(f.own) })
	if was != nil && was.program.count > 2*was.fresh+1000 { // too much of it serves nobody
		a.was, was = nil, nil
	}
	states := a.link(good)
	entries, voices := a.order(good), a.orderVoices(good)
	a.know(voices, states)
	if a.set.states == nil {
		a.compileStates(states)
	}
	for _, v := range voices {
		a.voice(v)
	}
	a.set.rules = make([]*rule, 0, len(entries))
	for _, e := range entries {
		a.rule(e)
	}
	if !worst(a.problems) { // a wrong query may be the one that uses it
		a.unused()
	}
	a.set.program, a.set.exprs, a.set.fresh = a.program, a.program.count, a.program.count
	if was != nil {
		a.set.fresh = was.fresh
	}
	slices.SortFunc(a.set.channels, func(x, y Channel) int { return strings.Compare(x.Slug, y.Slug) })
	a.problems.Sort()
	return a.set, a.problems
}

// link makes the lists and the states, or takes over those of the set before
// when no list file has changed. a.program then is that of the set before.
func (a *assembly) link(files []*sourceFile) []*state {
	for _, f := range byAge(files) {
		if len(f.lists.Lists)+len(f.lists.States)+len(f.lists.Bare) > 0 {
			a.set.wordFiles = append(a.set.wordFiles, wordFile{f.version, f.dir, f.stale})
		}
	}
	a.set.lists = map[string]*list{}
	if a.was == nil {
		a.program = newProgram(a.set.lists)
	} else {
		a.program = a.was.program
		a.program.lists = a.set.lists
		if slices.Equal(a.was.wordFiles, a.set.wordFiles) && !a.broken {
			a.set.lists, a.set.states, a.set.bare, a.set.organs = a.was.lists, a.was.states, a.was.bare, a.was.organs
			a.program.lists, a.listed = a.set.lists, true
			for _, f := range files {
				if !f.stale {
					a.problems = append(a.problems, f.words.problems...)
				}
			}
			for _, l := range a.set.lists {
				for _, u := range l.uses {
					a.used[u] = true
				}
			}
			return a.set.states
		}
		clear(a.program.whole) // lists that are gone
	}
	states := a.readLists(files)
	a.linkLists()
	return states
}

// know gathers the values that facts may have.
func (a *assembly) know(voices []*placedVoice, states []*state) {
	a.facts = map[string][]string{"kind": feed.Kinds, "tier": feed.Tiers}
	for _, v := range voices {
		a.facts["voice"] = append(a.facts["voice"], v.entry.Voice)
	}
	for _, c := range a.set.channels {
		a.facts["channel"] = append(a.facts["channel"], c.Slug)
	}
	for _, s := range states {
		a.facts["state"] = append(a.facts["state"], s.code)
	}
	a.set.facts = a.facts
	a.facted = a.was != nil && maps.EqualFunc(a.facts, a.was.facts, func(x, y []string) bool { return slices.Equal(x, y) })
}

func (a *assembly) fail(f *sourceFile, n *yaml.Node, hint, format string, args ...any) {
	if f.stale {
		return // it was right when it was taken, and stays as it was
	}
	p := problem.At(f.name, n, format, args...)
	p.Hint = hint
	a.problems = append(a.problems, p)
}

// problemAt is a warning, still without words.
func (a *assembly) problemAt(f *sourceFile, path ...any) problem.Problem {
	return problem.At(f.name, f.find(path...), "").AsWarning()
}

// query parses and checks the query at a path of f and returns its tree.
func (a *assembly) query(f *sourceFile, use query.Use, src string, path ...any) *query.Node {
	n, errs := query.Parse(src)
	lists := a.lists(f)
	if n != nil {
		known := func(name string) bool { return a.broken || lists[name] != nil }
		errs = append(errs, query.Check(n, use, a.facts, known, a.listNames(f))...)
		errs = append(errs, tooLarge(n, lists)...)
	}
	bad := false
	for _, e := range errs {
		bad = bad || !e.Warning
		if !f.stale {
			a.problems = append(a.problems, queryProblem(f.version, f.find(path...), src, e))
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

func (a *assembly) listNames(f *sourceFile) []string {
	if f.stale && f.env != nil {
		return slices.Sorted(maps.Keys(f.env))
	}
	if a.names == nil {
		a.names = slices.Sorted(maps.Keys(a.set.lists))
	}
	return a.names
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
	at    int         // in the order of all
}

// order finds out which entry of each id counts.
func (a *assembly) order(files []*sourceFile) []*placedRule {
	n := 0
	for _, f := range files {
		n += len(f.channel.Rules)
	}
	byID := make(map[string]*placedRule, n)
	all, room := make([]*placedRule, 0, n), make([]placedRule, n)
	for _, f := range byAge(files) {
		if f.kind != channelKind {
			continue
		}
		a.channel(f)
		for i := range f.channel.Rules {
			e := &room[0]
			room = room[1:]
			*e = placedRule{file: f, i: i, entry: &f.channel.Rules[i], at: len(all)}
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
				e.at = was.at
				all[e.at] = e
			}
			byID[e.entry.ID] = e
		}
	}
	return all
}

// byAge puts late files behind the others of their directory, so that the
// blame for a name used twice falls on the newcomer.
func byAge(files []*sourceFile) []*sourceFile {
	if !slices.ContainsFunc(files, func(f *sourceFile) bool { return f.late }) {
		return files
	}
	rank := func(f *sourceFile) int {
		if f.late {
			return 1
		}
		return 0
	}
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(x, y *sourceFile) int { return cmp.Or(x.dir-y.dir, rank(x)-rank(y)) })
	return sorted
}

func (a *assembly) channel(f *sourceFile) {
	c := &f.channel
	switch {
	case c.Channel == "":
		a.fail(f, f.find(), "the file begins with channel: NAME", "the channel is missing")
	case !isSlug(c.Channel):
		a.fail(f, f.find("channel"), slugHint(c.Channel), "channel %s is no slug", problem.Quote(c.Channel))
	}
	if len(c.Rules) == 0 {
		a.fail(f, f.find("rules"), "write them under rules:", "channel %s has no rules", c.Channel)
	}
	i, ok := a.channels[c.Channel]
	if !ok {
		i = len(a.set.channels)
		a.channels[c.Channel] = i
		a.set.channels = append(a.set.channels, Channel{Slug: c.Channel})
	}
	have := &a.set.channels[i]
	if have.Title == "" || c.Title != "" && f.dir > 0 {
		have.Title = c.Title
	}
	if have.About == "" || c.About != "" && f.dir > 0 {
		have.About = c.About
	}
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
