package rule

import (
	"fmt"
	"slices"
	"sync"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// Set is all rules, lists and voices of one load, compiled. It does not change
// and may be used by many at once.
type Set struct {
	rules    []*rule // in the order of directories, files and lines
	channels []Channel
	voices   []*voice
	states   []*state
	organs   []*query.Node // bare organs of all states
	lists    map[string]*list
	index    *index
	explains *explainer

	// For the next Reload:
	files     []*sourceFile // accepted, in order
	dirs      []string
	seen      [][]seen            // all that was read, by directory, in order
	wordFiles []wordFile          // of lists and states
	facts     map[string][]string // the values that were known
	compiling *sync.Mutex         // by who loads: sets that follow each other share files
}

// wordFile tells one set of lists from another.
type wordFile struct {
	src   *version
	dir   int
	stale bool
}

// Rule is one rule as it is listed.
type Rule struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	About      string   `json:"about,omitempty"`
	Channel    string   `json:"channel"`
	Severity   Severity `json:"severity"`
	Query      string   `json:"query"` // canonical
	Unless     string   `json:"unless,omitempty"`
	Version    string   `json:"version"`
	File       string   `json:"file"`
	Line       int      `json:"line"`
	Budget     int      `json:"budget,omitempty"` // alerts a day, 0 for none
	References []string `json:"references"`
	Disabled   string   `json:"disabled,omitempty"` // the reason
	Tests      int      `json:"tests"`
	Price
}

// Channel is what alerts are sorted into.
type Channel struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
	About string `json:"about,omitempty"`
}

// Rules lists all rules, the disabled ones too. They are unpacked and priced
// for it: who needs less asks IDs or Len.
func (s *Set) Rules() []Rule {
	out := make([]Rule, len(s.rules))
	var open unpacked
	for i, r := range s.rules {
		x := open.rule(r)
		out[i] = x.Rule
		out[i].Price = priceOf(x.node, r.lists())
	}
	return out
}

// IDs lists the rules that are not disabled.
func (s *Set) IDs() []string {
	out := make([]string, 0, len(s.rules))
	for _, r := range s.rules {
		if !r.disabled {
			out = append(out, r.id)
		}
	}
	return out
}

// Len is the number of rules, the disabled ones too.
func (s *Set) Len() int { return len(s.rules) }

// Channels lists the channels that have a rule, by slug.
func (s *Set) Channels() []Channel { return slices.Clone(s.channels) }

// Voices lists the voices in the order in which they are tried.
func (s *Set) Voices() []Voice {
	out := make([]Voice, len(s.voices))
	for i, v := range s.voices {
		out[i] = v.Voice
	}
	return out
}

// Stale lists the files of which a wrong version was refused at the last
// Reload, so that an older one is in use.
func (s *Set) Stale() []string {
	var out []string
	for _, f := range s.files {
		if f.stale {
			out = append(out, f.name)
		}
	}
	slices.Sort(out)
	return out
}

// Load reads rule directories, the later ones winning by id. The set holds
// what is right; who wants all or nothing looks at the problems first.
func Load(dirs ...Dir) (*Set, problem.List) {
	return load(nil, dirs)
}

// Reload reads the directories again: what its time and size (or its content)
// say is the same is neither read nor compiled again. The unit of refusal is
// the file: a wrong one keeps its last good version whole, with the lists that
// it had; a file that is gone takes its rules along. s itself does not change.
func (s *Set) Reload(dirs ...Dir) (*Set, problem.List) {
	return load(s, dirs)
}

func load(was *Set, dirs []Dir) (*Set, problem.List) {
	compiling := &sync.Mutex{}
	if was != nil {
		compiling = was.compiling
	}
	compiling.Lock()
	defer compiling.Unlock()
	files, all, problems := readDirs(was, dirs)
	said := make(map[problem.Problem]bool)
	var set *Set
	var made *shelf
	for pass := 0; ; pass++ {
		var more problem.List
		made = &shelf{}
		set, more = assemble(was, files, made)
		wrong := map[string]bool{}
		for _, p := range more {
			if p.Severity == problem.Error {
				wrong[p.File] = true
			}
			if (pass == 0 || was != nil) && !said[p] {
				said[p] = true
				problems = append(problems, p)
			}
		}
		if len(wrong) == 0 {
			break
		}
		kept := files[:0:0]
		for _, f := range files {
			if !wrong[f.name] {
				kept = append(kept, f)
			} else if !f.stale && f.was != nil { // else there is nothing good to go back to
				kept = append(kept, was.lastGood(f))
			}
		}
		if len(kept) == len(files) && !slices.ContainsFunc(files, func(f *sourceFile) bool { return wrong[f.name] }) {
			break // the problems are of no file
		}
		files = kept
	}
	set.files, set.seen, set.compiling = files, all, compiling
	for _, d := range dirs {
		set.dirs = append(set.dirs, d.Name)
	}
	next := 0 // files are what was read, in order, less what was refused
	for i := range all {
		for j := range all[i] {
			s := &all[i][j]
			s.src.tree.drop()
			s.took = nil
			if next < len(files) && files[next].dir == i && files[next].name == s.src.name {
				s.took = files[next]
				s.took.shelve()
				s.took.was = nil // or every set there ever was would be kept
				next++
			}
		}
	}
	var index *index
	if was != nil {
		index = was.index
	}
	set.index = newIndex(index, set)
	set.explains = newExplainer(set)
	made.close()
	if tried := set.tried(); tried > warnSet {
		problems = append(problems, problem.Problem{File: dirs[0].Name, Severity: problem.Warning,
			Message: fmt.Sprintf("%s rules are tried on an item, more than %d", Figure(tried), warnSet), Hint: "monitor rules cost shows which are tried most often, and why"})
	}
	problems.Sort()
	return set, problems
}

// tried is how many rules an item of 5 KB is expected to be tried on.
func (s *Set) tried() float64 {
	n := 0.0
	for _, r := range s.rules {
		if !r.disabled {
			n += float64(r.chance)
		}
	}
	return n
}

// lastGood returns the version of a file that s runs, with the lists that its
// queries were compiled with.
func (s *Set) lastGood(f *sourceFile) *sourceFile {
	old := &sourceFile{version: f.was.version, dir: f.dir, stale: true, env: f.was.env, was: f.was}
	if !f.was.stale {
		old.env = s.lists
	}
	return old
}
