package rule

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/problem"
)

// Dir is one directory of rules. Name stands before the file names in
// problems and listings: builtin, or the path that was given.
type Dir struct {
	Name string
	FS   fs.FS
}

// version is one state of one file, decoded. It is shared by all sets that
// were loaded while the file stayed as it was, and does not change, but that
// what stands on the shelf is dropped.
type version struct {
	name  string // with the directory's
	kind  kind
	fsys  fs.FS
	path  string // there
	bytes []byte // nil when dropped, or when the file could not be read
	sum   [sha256.Size]byte
	own   problem.List // found while decoding
	tree  *tree

	channel channelFile // Rules is nil when dropped
	count   int         // rules
	lists   listFile
	voices  voicesFile
	words   words
}

// kind is what a file is by its place and name.
type kind uint8

const (
	channelKind kind = iota
	listKind
	voicesKind
)

// sourceFile is a version as one load sees it.
type sourceFile struct {
	*version
	dir   int
	late  bool             // it has changed, and takes a name that another has had
	stale bool             // its newer version was wrong
	env   map[string]*list // of a stale one: the lists that its queries were compiled with
	made  []*rule          // its rules by place, nil where there is none that the next load may take over
	was   *sourceFile      // what the set before has of that name
}

// tree is the nodes of a file, which know their places. They take ten times
// the room of the file and are needed only to say what is wrong: they are
// dropped after loading and made again when asked for.
type tree struct {
	mu   sync.Mutex
	root *yaml.Node
}

// seen is a file as the last load read it.
type seen struct {
	name    string // in its directory
	stamp   stamp
	settled bool // the stamp can be trusted: the file was not just written
	src     *version
	took    *sourceFile // of that name: src, an older one, or nil when there was none without errors
}

// stamp changes when a file does; only in a file system that keeps times.
type stamp struct {
	size    int64
	time    int64 // nanoseconds
	changed int64 // of the inode, where there is one: nobody can set it back
}

// A file that was written less than that before we read it may be written
// again within the same tick of the file system's clock.
const settling = 2 * time.Second

// readDirs reads and decodes all files, but for those that are as they were
// at the last load. Problems of directories are returned, those of files stay
// with them.
func readDirs(was *Set, dirs []Dir) ([]*sourceFile, [][]seen, problem.List) {
	var files []*sourceFile
	var problems problem.List
	all := make([][]seen, len(dirs))
	for i, d := range dirs {
		entries, err := listFiles(d.FS)
		if err != nil {
			problems = append(problems, problem.At(d.Name, nil, "read rules: %s", reason(err)))
			continue
		}
		entries = slices.DeleteFunc(entries, func(e entry) bool {
			if path.Ext(e.name) == ".yaml" {
				return false
			}
			problems = append(problems, problem.At(path.Join(d.Name, e.name), nil, "this file is not read").WithHint("rename it to .yaml").AsWarning())
			return true
		})
		switch {
		case len(entries) == 0:
			problems = append(problems, problem.At(d.Name, nil, "no rules there").WithHint("a channel is a file such as sanctions.yaml; shared lists stand in lists/"))
		case len(entries) > maxFiles:
			problems = append(problems, problem.At(d.Name, nil, "more than %d files", maxFiles).WithHint("several rules may stand in one file"))
			entries = entries[:maxFiles]
		}
		before := was.reader(i, d.Name)
		stamps(d.FS, entries)
		all[i] = make([]seen, len(entries))
		fresh := make([]sourceFile, len(entries))
		for j := range entries {
			now, f := &all[i][j], &fresh[j]
			*now = entries[j].read(d, before(entries[j].name))
			f.version, f.dir, f.was = now.src, i, now.took
			files = append(files, f)
		}
	}
	late(files)
	return files, all, problems
}

// reader returns how to ask for the files of a directory as the last load saw
// them. Both loads list the same names, but for a few, in the same order.
func (s *Set) reader(i int, dir string) func(name string) seen {
	if s == nil || i >= len(s.dirs) || s.dirs[i] != dir {
		return func(string) seen { return seen{} }
	}
	all, next := s.seen[i], 0
	var byName map[string]int
	return func(name string) seen {
		if next < len(all) && all[next].name == name {
			next++
			return all[next-1]
		}
		if byName == nil {
			byName = make(map[string]int, len(all))
			for j := range all {
				byName[all[j].name] = j
			}
		}
		j, ok := byName[name]
		if !ok {
			return seen{}
		}
		next = j + 1
		return all[j]
	}
}

// late finds the files to blame for names used twice: they have changed, and
// take the name of what has not.
func late(files []*sourceFile) {
	type name struct {
		dir      int
		kind, id string
	}
	each := func(f *sourceFile, do func(name)) {
		for i := range f.count {
			do(name{f.dir, "rule", f.ruleID(i)})
		}
		for i := range f.lists.Lists {
			do(name{f.dir, "list", f.lists.Lists[i].Name})
		}
		for i := range f.lists.States {
			do(name{f.dir, "state", f.lists.States[i].Code})
		}
		for i := range f.voices.Voices {
			do(name{f.dir, "voice", f.voices.Voices[i].Voice})
		}
	}
	same := func(f *sourceFile) bool { return f.was != nil && f.was.version == f.version }
	mine := map[name]*sourceFile{} // names of what has changed
	for _, f := range files {
		if !same(f) {
			each(f, func(n name) { mine[n] = f })
			if f.was != nil {
				each(f.was, func(n name) { delete(mine, n) }) // it had that before
			}
		}
	}
	if len(mine) == 0 {
		return
	}
	for _, f := range files {
		if same(f) {
			each(f, func(n name) {
				if x := mine[n]; x != nil {
					x.late = true
				}
			})
		}
	}
}

// stamps looks up when the files were written; a folder of thousands takes
// longer than all the rest of a reload.
func stamps(fsys fs.FS, entries []entry) {
	workers := min(runtime.GOMAXPROCS(0), 4, len(entries)/500+1)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w * len(entries) / workers; i < (w+1)*len(entries)/workers; i++ {
				e := &entries[i]
				if info, err := e.stat(fsys); err == nil {
					e.stamp = stampOf(info)
				}
			}
		})
	}
	wg.Wait()
}

// read returns a file as it is now: what it was before when its stamp, or its
// content, says that it did not change.
func (e *entry) read(d Dir, before seen) seen {
	now := seen{name: e.name, stamp: e.stamp, src: before.src, took: before.took}
	if e.stamp.time > 0 { // what is compiled in has no time
		if before.settled && before.stamp == now.stamp {
			now.settled = true
			return now
		}
		now.settled = time.Since(time.Unix(0, e.stamp.time)) > settling
	}
	full := path.Join(d.Name, e.name)
	b, err := fs.ReadFile(d.FS, e.name)
	if err != nil {
		now.settled = false // a right to read may come without any change of the file
		now.src = &version{name: full, fsys: d.FS, path: e.name, tree: &tree{}, own: problem.List{problem.At(full, nil, "read: %s", reason(err)).WithHint("may we read it?")}}
		return now
	}
	if sum := sha256.Sum256(b); before.src == nil || before.src.sum != sum {
		now.src = decode(e.name, full, b)
		now.src.sum, now.src.fsys = sum, d.FS
	}
	return now
}

// reason is what went wrong without the path, which the problem names already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// entry is a file of a directory.
type entry struct {
	name string
	fs.DirEntry
	stamp stamp
}

// stat follows links: a mounted ConfigMap is made of them.
func (e *entry) stat(fsys fs.FS) (fs.FileInfo, error) {
	if e.Type()&fs.ModeSymlink != 0 {
		return fs.Stat(fsys, e.name)
	}
	return e.Info()
}

// listFiles lists what may be rules, in order: the root's files, then lists.
func listFiles(fsys fs.FS) ([]entry, error) {
	var out []entry
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
				name := e.Name()
				if dir != "." {
					name = path.Join(dir, name)
				}
				out = append(out, entry{name: name, DirEntry: e})
			}
		}
	}
	return out, nil
}

// decode reads a file whose name is full, and in its directory name.
func decode(name, full string, b []byte) *version {
	f := &version{name: full, path: name, bytes: b, tree: &tree{}}
	switch {
	case path.Dir(name) == "lists":
		f.kind = listKind
		f.tree.root, f.own = problem.YAML(full, b, &f.lists)
		f.readWords()
	case name == "voices.yaml":
		f.kind = voicesKind
		var doc yaml.Node
		if err := yaml.Unmarshal(b, &doc); err == nil && len(doc.Content) > 0 && doc.Content[0].Kind == yaml.SequenceNode {
			f.tree.root, f.own = problem.YAML(full, b, &f.voices.Voices)
			break
		}
		f.tree.root, f.own = problem.YAML(full, b, &f.voices)
	default:
		f.tree.root, f.own = problem.YAML(full, b, &f.channel)
		f.count = len(f.channel.Rules)
	}
	return f
}

// root returns the nodes of the file, nil when it is not YAML at all, or has
// changed since.
func (f *version) root() *yaml.Node {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	if f.tree.root == nil {
		var doc yaml.Node
		if err := yaml.Load(f.text(), &doc, yaml.WithV4Defaults()); err == nil && len(doc.Content) > 0 {
			f.tree.root = doc.Content[0]
		}
	}
	return f.tree.root
}

// text is the file as it was read, read again when that was dropped; nil when
// it has changed since. Whoever asks holds tree.mu.
func (f *version) text() []byte {
	if f.bytes != nil || f.fsys == nil {
		return f.bytes
	}
	if b, err := fs.ReadFile(f.fsys, f.path); err == nil && sha256.Sum256(b) == f.sum {
		return b
	}
	return nil
}

// source is text.
func (f *version) source() []byte {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	return f.text()
}

// entries decodes the rules of the file again: with their tests, and as they
// were written. Without them it has changed since.
func (f *version) entries() ([]ruleEntry, *yaml.Node) {
	text := f.source()
	if text == nil {
		return nil, nil
	}
	var channel channelFile
	root, _ := problem.YAML(f.name, text, &channel)
	return channel.Rules, root
}

// entry is one of entries, nil if that is not there.
func (f *version) entry(i int) *ruleEntry {
	if all, _ := f.entries(); i < len(all) {
		return &all[i]
	}
	return nil
}

// known is a rule of the file as it was made at the load before, or is now.
func (f *sourceFile) known(i int) *rule {
	for x := f; x != nil && x.version == f.version; x = x.was {
		if x.made != nil && x.made[i] != nil {
			return x.made[i]
		}
	}
	return nil
}

// ruleID is the id of the i-th rule.
func (f *sourceFile) ruleID(i int) string {
	if f.channel.Rules != nil {
		return f.channel.Rules[i].ID
	}
	return f.known(i).id
}

// shelve drops what is not needed of a file whose rules are all made.
func (f *sourceFile) shelve() {
	if f.kind != channelKind || f.count == 0 {
		return
	}
	if f.made == nil {
		f.made = make([]*rule, f.count)
	}
	for i := range f.made {
		if f.made[i] == nil {
			f.made[i] = f.known(i) // replaced for now, by one of a later directory
		}
	}
	if slices.Contains(f.made, nil) {
		return
	}
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	f.bytes, f.channel.Rules = nil, nil
}

// drop forgets the nodes.
func (t *tree) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.root = nil
}

// line is where the node at a path stands, 0 when that is not known.
func (f *version) line(path ...any) int {
	if n := f.find(path...); n != nil {
		return n.Line
	}
	return 0
}

// find returns the node at a path of a file.
func (f *version) find(path ...any) *yaml.Node {
	root := f.root()
	if len(path) > 0 && path[0] == "voices" && root != nil && root.Kind == yaml.SequenceNode {
		path = path[1:]
	}
	return problem.Find(root, path...)
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
