package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/problem"
)

// Dir is one directory of rules. Name stands before the file names in
// problems and listings: builtin, or the path that was given.
type Dir struct {
	Name string
	FS   fs.FS
}

// sourceFile is one file, decoded.
type sourceFile struct {
	name  string // with the directory's
	dir   int
	bytes []byte
	root  *yaml.Node
	own   problem.List // found while decoding

	channel channelFile
	lists   listFile
	voices  voicesFile

	old   bool             // a file of that name was accepted before
	stale bool             // its newer version was wrong
	env   map[string]*list // the lists that its queries were compiled with
}

// readDirs reads and decodes all files. Problems of directories are returned,
// those of files stay with them.
func readDirs(dirs []Dir) ([]*sourceFile, problem.List) {
	var files []*sourceFile
	var problems problem.List
	for i, d := range dirs {
		names, err := listFiles(d.FS)
		if err != nil {
			problems = append(problems, problem.At(d.Name, nil, "read rules: %s", reason(err)))
			continue
		}
		found := 0
		for _, name := range names {
			full := path.Join(d.Name, name)
			if path.Ext(name) != ".yaml" {
				problems = append(problems, problem.At(full, nil, "this file is not read").WithHint("rename it to .yaml").AsWarning())
				continue
			}
			if found++; found > maxFiles {
				problems = append(problems, problem.At(d.Name, nil, "more than %d files", maxFiles))
				break
			}
			f := &sourceFile{name: full, dir: i}
			if f.bytes, err = fs.ReadFile(d.FS, name); err != nil {
				f.own = problem.List{problem.At(full, nil, "read: %s", reason(err))}
			} else {
				f.decode(name)
			}
			files = append(files, f)
		}
		if found == 0 {
			problems = append(problems, problem.At(d.Name, nil, "no rules there").WithHint("a channel is a file such as sanctions.yaml; shared lists stand in lists/"))
		}
	}
	return files, problems
}

// reason is what went wrong without the path, which the problem names already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// listFiles lists what may be rules, in order: the root's files, then lists.
func listFiles(fsys fs.FS) ([]string, error) {
	var names []string
	for _, dir := range []string{".", "lists"} {
		entries, err := fs.ReadDir(fsys, dir)
		if dir != "." && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			ext := path.Ext(e.Name())
			if !e.IsDir() && e.Name()[0] != '.' && (ext == ".yaml" || ext == ".yml") {
				names = append(names, path.Join(dir, e.Name()))
			}
		}
	}
	return names, nil
}

func (f *sourceFile) decode(name string) {
	switch {
	case path.Dir(name) == "lists":
		f.root, f.own = problem.YAML(f.name, f.bytes, &f.lists)
	case name == "voices.yaml":
		var doc yaml.Node
		if err := yaml.Unmarshal(f.bytes, &doc); err == nil && len(doc.Content) > 0 && doc.Content[0].Kind == yaml.SequenceNode {
			f.root, f.own = problem.YAML(f.name, f.bytes, &f.voices.Voices)
			return
		}
		f.root, f.own = problem.YAML(f.name, f.bytes, &f.voices)
	default:
		f.root, f.own = problem.YAML(f.name, f.bytes, &f.channel)
	}
}

// find returns the node at a path of a file.
func (f *sourceFile) find(path ...any) *yaml.Node {
	if len(path) > 0 && path[0] == "voices" && f.root != nil && f.root.Kind == yaml.SequenceNode {
		path = path[1:]
	}
	return problem.Find(f.root, path...)
}

// isSlug tells the form of ids: [a-z0-9-]{1,60}.
func isSlug(s string) bool {
	if len(s) < 1 || len(s) > 60 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// slugHint proposes a slug for what was meant as one.
func slugHint(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	if !isSlug(out) {
		return "lower-case letters, digits and -, at most 60"
	}
	return fmt.Sprintf("lower-case letters, digits and -, at most 60: %s", out)
}

// isCode tells the form of states: CN, EU, UN, NATO.
func isCode(s string) bool {
	return len(s) >= 2 && len(s) <= 4 && !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < 'A' || c > 'Z' })
}
