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
	shelf    *shelf // rules that are made
	problems problem.List
	used     map[string]bool // lists
	facts    map[string][]string
	facted   bool           // facts are those of was
	listed   bool           // so are the lists
	broken   bool           // a list file could not be decoded: unknown lists are its echo
	channels map[string]int // in set.channels
	names    []string       // of set.lists, sorted; made when needed
}

func assemble(was *Set, files []*sourceFile, shelf *shelf) (*Set, problem.List) {
	a := &assembly{was: was, set: &Set{}, shelf: shelf, used: map[string]bool{}, channels: map[string]int{}}
	for _, f := range files {
		f.made = nil
		if !f.stale {
			a.problems = append(a.problems, f.own...)
		}
		a.broken = a.broken || worst(f.own) && f.kind == listKind
	}
	good := slices.DeleteFunc(slices.Clone(files), func(f *sourceFile) bool { return worst(f.own) })
	a.link(good)
	entries, voices := a.order(good), a.orderVoices(good)
	a.know(voices)
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
	slices.SortFunc(a.set.channels, func(x, y Channel) int { return strings.Compare(x.Slug, y.Slug) })
	a.problems.Sort()
	return a.set, a.problems
}

// link makes the lists and the states, or takes over those of the set before
// when no list file has changed.
func (a *assembly) link(files []*sourceFile) {
	for _, f := range byAge(files) {
		if len(f.lists.Lists)+len(f.lists.States)+len(f.lists.Bare) > 0 {
			a.set.wordFiles = append(a.set.wordFiles, wordFile{f.version, f.dir, f.stale})
		}
	}
	a.set.lists = map[string]*list{}
	if a.was != nil && slices.Equal(a.was.wordFiles, a.set.wordFiles) && !a.broken {
		a.set.lists, a.set.states, a.set.organs = a.was.lists, a.was.states, a.was.organs
		a.listed = true
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
		return
	}
	a.readLists(files)
	a.linkLists()
	for name := range a.set.lists { // now, as later many may ask at once
		estimate{lists: a.set.lists}.frequency(&query.Node{Op: query.List, Name: name})
	}
}

// know gathers the values that facts may have.
func (a *assembly) know(voices []*placedVoice) {
	a.facts = map[string][]string{"kind": feed.Kinds, "tier": feed.Tiers}
	for _, v := range voices {
		a.facts["voice"] = append(a.facts["voice"], v.entry.Voice)
	}
	for _, c := range a.set.channels {
		a.facts["channel"] = append(a.facts["channel"], c.Slug)
	}
	for _, s := range a.set.states {
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

// placedRule is an entry of a channel file with its place.
type placedRule struct {
	file  *sourceFile
	i     int
	entry *ruleEntry  // nil while it is packed
	over  *placedRule // what it replaces, of an earlier directory
	at    int         // in the order of all

	packed      bool // entry was: its queries are canonical, and its tests are not there
	line, tests int  // of such a one
}

// written returns the entry.
func (p *placedRule) written() *ruleEntry {
	if p.entry == nil {
		x := p.file.known(p.i).spell()
		p.entry, p.packed, p.line, p.tests = x.entry(), true, x.Line, x.Tests
	}
	return p.entry
}

// order finds out which entry of each id counts.
func (a *assembly) order(files []*sourceFile) []*placedRule {
	n := 0
	for _, f := range files {
		n += f.count
	}
	byID := make(map[string]*placedRule, n)
	all, room := make([]*placedRule, 0, n), make([]placedRule, n)
	for _, f := range byAge(files) {
		if f.kind != channelKind {
			continue
		}
		a.channel(f)
		for i := range f.count {
			e := &room[0]
			room = room[1:]
			*e = placedRule{file: f, i: i, at: len(all)}
			if f.channel.Rules != nil {
				e.entry = &f.channel.Rules[i]
			}
			id := f.ruleID(i)
			was := byID[id]
			switch {
			case !isSlug(id):
				a.fail(f, f.find("rules", i, "id"), slugHint(id), "rule id %s is no slug", problem.Quote(id))
				all = append(all, e) // the file is refused; what else is wrong with the rule is said all the same
				continue
			case was == nil:
				all = append(all, e)
			case was.file.dir == f.dir:
				a.fail(f, f.find("rules", i, "id"), fmt.Sprintf("the first is %s:%d", was.file.name, was.file.line("rules", was.i, "id")),
					"rule id %s is used twice", id)
				all = append(all, e)
				continue
			default:
				e.over = was
				e.at = was.at
				all[e.at] = e
			}
			byID[id] = e
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
	if f.count == 0 {
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
