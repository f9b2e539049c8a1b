package rule

import (
	"slices"

	"newsmonitor/pipeline/problem"
)

// Set is all rules, lists and voices of one load, compiled. It does not change
// and may be used by many at once.
type Set struct {
	rules    []*rule // in the order of directories, files and lines
	channels []Channel
	voices   []*voice
	states   []*state
	bare     *expr // bare organs of all states
	lists    map[string]*list
	exprs    int
	files    map[string]*sourceFile // accepted, by name; for the next Reload
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
}

// Channel is what alerts are sorted into.
type Channel struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
	About string `json:"about,omitempty"`
}

// rule is a Rule made ready.
type rule struct {
	Rule
	match  *expr
	unless *expr // nil without
	raise  []raise
	where  where
	tests  []test
}

type raise struct {
	to   Severity
	when *expr
}

// Rules lists all rules, the disabled ones too.
func (s *Set) Rules() []Rule {
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = r.Rule
		out[i].References = slices.Clone(r.References)
	}
	return out
}

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
	for name, f := range s.files {
		if f.stale {
			out = append(out, name)
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

// Reload reads the directories again. The unit of refusal is the file: a wrong
// one keeps its last good version whole, with the lists that it had; a file
// that is gone takes its rules along. s itself does not change.
func (s *Set) Reload(dirs ...Dir) (*Set, problem.List) {
	return load(s, dirs)
}

func load(was *Set, dirs []Dir) (*Set, problem.List) {
	files, problems := readDirs(dirs)
	for _, f := range files {
		f.old = was != nil && was.files[f.name] != nil
	}
	var set *Set
	for pass := 0; ; pass++ {
		var more problem.List
		set, more = assemble(files)
		if pass == 0 || was != nil {
			for _, p := range more {
				if !slices.Contains(problems, p) {
					problems = append(problems, p)
				}
			}
		}
		wrong := map[string]bool{}
		for _, p := range more.Errors() {
			wrong[p.File] = true
		}
		changed := false
		kept := files[:0:0]
		for _, f := range files {
			switch {
			case !wrong[f.name]:
				kept = append(kept, f)
				continue
			case f.stale, was == nil, was.files[f.name] == nil:
				// Nothing good to go back to.
			default:
				old := *was.files[f.name]
				old.stale, old.old, old.dir = true, true, f.dir
				kept = append(kept, &old)
			}
			changed = true
		}
		if !changed {
			break
		}
		files = kept
	}
	problems.Sort()
	return set, problems
}
