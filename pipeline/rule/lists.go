package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// list is a shared word list, checked. entries is what @name stands for.
type list struct {
	name    string
	file    *sourceFile
	path    []any // of its name in the file
	entries []*query.Node
	derived bool // made of states
	uses    []string
	sum     string  // hash of the canonical entries, inner lists not included
	deep    string  // hash of all that it stands for
	chance  float64 // that an item holds one of its words; 0 when not yet asked for
}

// words is what a list file says, parsed: what can be judged of it without
// any other file.
type words struct {
	lists    [][]*query.Node
	states   []stateWords
	bare     []*query.Node
	problems problem.List
}

// readWords parses the words of a list file.
func (f *version) readWords() {
	for i := range f.lists.Lists {
		f.words.lists = append(f.words.lists, f.terms(f.lists.Lists[i].Terms, "lists", i, "terms"))
	}
	for i := range f.lists.States {
		f.words.states = append(f.words.states, f.stateWords(i, &f.lists.States[i]))
	}
	f.words.bare = f.terms(f.lists.Bare, "bare")
}

// terms parses the entries of a list. Names of lists are judged later, when
// all are known.
func (f *version) terms(terms []string, path ...any) []*query.Node {
	var out []*query.Node
	seen := map[string]bool{}
	for j, term := range terms {
		at := func() *yaml.Node { return f.find(append(slices.Clone(path), j)...) }
		n, errs := query.ParseEntry(term)
		if n != nil {
			errs = append(errs, query.Check(n, query.Entry, nil, func(string) bool { return true }, nil)...)
		}
		bad := n == nil
		for _, e := range errs {
			bad = bad || !e.Warning
			f.words.problems = append(f.words.problems, queryProblem(f, at(), term, e))
		}
		if bad {
			continue
		}
		if form := query.Format(n); seen[form] {
			f.words.problems = append(f.words.problems, problem.At(f.name, at(), "%s stands in the list already", term).WithHint("remove one of the two").AsWarning())
			continue
		} else {
			seen[form] = true
		}
		out = append(out, n)
	}
	return out
}

// readLists reads the lists and states of all files, the later directory
// winning by name.
func (a *assembly) readLists(files []*sourceFile) {
	var states []*state
	var bare []*query.Node
	for _, f := range byAge(files) {
		if !f.stale {
			a.problems = append(a.problems, f.words.problems...)
		}
		for i := range f.lists.Lists {
			a.readList(f, i, &f.lists.Lists[i])
		}
		for i := range f.lists.States {
			states = a.readState(f, i, &f.lists.States[i], states)
		}
		bare = append(bare, f.words.bare...)
	}
	a.deriveLists(states, bare)
	a.set.states = states
}

func (a *assembly) readList(f *sourceFile, i int, e *listEntry) {
	at := []any{"lists", i, "name"}
	if !isSlug(e.Name) {
		a.fail(f, f.find(at...), slugHint(e.Name), "list name %s is no slug", problem.Quote(e.Name))
		return
	}
	if e.Name == "states" || e.Name == "bare-organs" || strings.HasPrefix(e.Name, "state-") {
		a.fail(f, f.find(at...), "take another name; the words of a state stand under states:", "list name %s is taken by the states", e.Name)
		return
	}
	if was := a.set.lists[e.Name]; was != nil && was.file.dir == f.dir {
		a.fail(f, f.find(at...), fmt.Sprintf("the first is %s:%d", was.file.name, was.file.line(was.path...)), "list %s is written twice", e.Name)
		return
	}
	l := &list{name: e.Name, file: f, path: at}
	a.set.lists[e.Name] = l
	if e.Disabled != "" {
		return
	}
	if len(e.Terms) == 0 {
		a.fail(f, f.find("lists", i), "write its words under terms:", "list %s has no terms", e.Name)
	}
	l.entries = f.words.lists[i]
}

// linkLists finds lists that are not there and lists that hold themselves.
func (a *assembly) linkLists() {
	names := make([]string, 0, len(a.set.lists))
	for name := range a.set.lists {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		l := a.set.lists[name]
		for _, n := range l.entries {
			query.Walk(n, func(x *query.Node) bool {
				if x.Op != query.List {
					return true
				}
				l.uses = append(l.uses, x.Name)
				a.used[x.Name] = true
				if a.set.lists[x.Name] == nil && !a.broken {
					a.fail(l.file, l.file.find(l.path...), didYouMean(x.Name, names, "@%s"), "list %s holds the unknown list @%s", l.name, x.Name)
				}
				return true
			})
		}
	}
	const white, grey, black = 0, 1, 2
	color := map[string]int{}
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		l := a.set.lists[name]
		if l == nil || color[name] == black {
			return
		}
		way = append(way, "@"+name)
		if color[name] == grey {
			a.fail(l.file, l.file.find(l.path...), strings.Join(way[slices.Index(way, "@"+name):], " -> "), "list %s holds itself", name)
			l.entries, l.uses = nil, nil // so that nothing walks in circles
			return
		}
		color[name] = grey
		for _, u := range l.uses {
			visit(u, way)
		}
		color[name] = black
	}
	for _, name := range names {
		visit(name, nil)
	}
}

// size counts the words of a query with its lists. A list counts once: it is
// looked for once, however often the query names it.
func size(n *query.Node, lists map[string]*list, seen map[string]bool) int {
	total := 0
	query.Walk(n, func(x *query.Node) bool {
		switch {
		case x.Op == query.Word:
			total++
		case x.Op == query.List && lists[x.Name] != nil && !seen[x.Name]:
			seen[x.Name] = true
			for _, e := range lists[x.Name].entries {
				total += size(e, lists, seen)
			}
		}
		return true
	})
	return total
}

// tooLarge refuses a query that holds too many words, those of its lists
// included.
func tooLarge(n *query.Node, lists map[string]*list) []query.Error {
	words := size(n, lists, map[string]bool{})
	if words <= query.MaxExpansion {
		return nil
	}
	return []query.Error{{Start: n.Start, End: n.End, Hint: "split the rule, or the lists",
		Message: fmt.Sprintf("the query holds %d words with its lists, more than %d", words, query.MaxExpansion)}}
}

// unused warns of lists that nothing uses.
func (a *assembly) unused() {
	for _, l := range a.set.lists {
		if !l.derived && !a.used[l.name] && len(l.entries) > 0 && !l.file.stale {
			a.problems = append(a.problems, problem.At(l.file.name, l.file.find(l.path...), "list %s is not used", l.name).AsWarning())
		}
	}
}

// expanded is the canonical text of all lists that a query uses, shortened to
// their hashes: part of a rule's version.
func (a *assembly) expanded(n *query.Node, lists map[string]*list) string {
	var out []string
	for _, name := range named(n, lists) {
		out = append(out, "@"+name+"="+lists[name].hash())
	}
	return strings.Join(out, "\n")
}

// named returns the names of the lists that a query uses, those inside lists
// too, in order.
func named(n *query.Node, lists map[string]*list) []string {
	names := map[string]bool{}
	var gather func(n *query.Node)
	gather = func(n *query.Node) {
		query.Walk(n, func(x *query.Node) bool {
			if l := lists[x.Name]; x.Op == query.List && l != nil && !names[x.Name] {
				names[x.Name] = true
				for _, e := range l.entries {
					gather(e)
				}
			}
			return true
		})
	}
	gather(n)
	return slices.Sorted(maps.Keys(names))
}

func (l *list) hash() string {
	if l.sum == "" {
		h := sha256.New()
		for _, e := range l.entries {
			fmt.Fprintln(h, query.Format(e))
		}
		l.sum = hex.EncodeToString(h.Sum(nil))
	}
	return l.sum
}

// whole is the hash of all that a list stands for, "" for one that is not
// there: equal hashes mean the same words.
func whole(name string, lists map[string]*list) string {
	l := lists[name]
	if l == nil {
		return ""
	}
	if l.deep == "" {
		h := sha256.New()
		fmt.Fprintln(h, l.hash())
		for _, u := range l.uses {
			fmt.Fprintln(h, u, whole(u, lists))
		}
		l.deep = hex.EncodeToString(h.Sum(nil))
	}
	return l.deep
}
