package rule

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline/feed"
)

// counting notes which files are read.
type counting struct {
	fstest.MapFS
	mu   sync.Mutex
	read []string
}

func (c *counting) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".yaml") {
		c.mu.Lock()
		c.read = append(c.read, name)
		c.mu.Unlock()
	}
	return c.MapFS.Open(name)
}

func (c *counting) ReadFile(name string) ([]byte, error) {
	f, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return c.MapFS.ReadFile(name)
}

func (c *counting) took() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.read)
	out := strings.Join(slices.Compact(c.read), " ")
	c.read = nil
	return out
}

func (c *counting) write(name, text string, at time.Time) {
	c.MapFS[name] = &fstest.MapFile{Data: []byte(text), ModTime: at}
}

// TestReloadReads tells which files a reload opens, and which rules it
// compiles again: those that changed, and those whose lists did.
func TestReloadReads(t *testing.T) {
	t.Parallel()
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &counting{MapFS: fstest.MapFS{}}
	c.write("a.yaml", one("a", "    match: alpha OR @words\n"), old)
	c.write("b.yaml", one("b", "    match: beta OR @others\n"), old)
	c.write("c.yaml", one("c", "    match: gamma AND state:CN\n"), old)
	c.write("lists/l.yaml", "lists:\n  - {name: words, terms: [delta]}\n  - {name: others, terms: ['@inner']}\n", old)
	c.write("lists/m.yaml", "lists:\n  - {name: inner, terms: [zeta]}\n", old)
	c.write("lists/states.yaml", someStates, old)
	d := Dir{Name: "rules", FS: c}
	s, problems := Load(d)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c.took()
	now := old
	for _, x := range []struct {
		name, file, text string
		read, compiled   string
	}{
		{"nothing", "", "", "", ""},
		{"touched", "a.yaml", one("a", "    match: alpha OR @words\n"), "a.yaml", ""},
		{"one rule", "a.yaml", one("a", "    match: alpha2 OR @words\n"), "a.yaml", "a"},
		{"a list", "lists/l.yaml", "lists:\n  - {name: words, terms: [delta2]}\n  - {name: others, terms: ['@inner']}\n", "lists/l.yaml", "a"},
		{"a list in a list", "lists/m.yaml", "lists:\n  - {name: inner, terms: [zeta2]}\n", "lists/m.yaml", "b"},
		{"a comment in a list", "lists/m.yaml", "# why\nlists:\n  - {name: inner, terms: [zeta2]}\n", "lists/m.yaml", ""},
		{"another state", "lists/states.yaml", someStates[:strings.Index(someStates, "bare: [外")] + "  - {code: FR, names: [France]}\n", "lists/states.yaml", "c"},
		{"a new channel", "d.yaml", one("d", "    match: eta\n"), "d.yaml", "c d"},
		{"a new voice", "voices.yaml", someVoices, "voices.yaml", "c"},
	} {
		if x.file != "" {
			now = now.Add(time.Hour)
			c.write(x.file, x.text, now)
		}
		n, problems := s.Reload(d)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", x.name, problems)
		}
		if got := c.took(); got != x.read {
			t.Errorf("%s: read %q, want %q", x.name, got, x.read)
		}
		var compiled []string
		for _, r := range n.rules {
			if !slices.Contains(s.rules, r) {
				compiled = append(compiled, r.id)
			}
		}
		if got := strings.Join(compiled, " "); got != x.compiled {
			t.Errorf("%s: compiled %q, want %q", x.name, got, x.compiled)
		}
		same(t, x.name, n, d)
		c.took()
		s = n
	}

	// A file that was written just now may be written again in the same tick.
	c.write("a.yaml", one("a", "    match: theta1\n"), time.Now())
	s, _ = s.Reload(d)
	c.write("a.yaml", one("a", "    match: theta2\n"), c.MapFS["a.yaml"].ModTime)
	c.took()
	s, _ = s.Reload(d)
	if got := c.took(); got != "a.yaml" || fires(s, "theta2") != "a" {
		t.Errorf("after two quick writes: read %q, theta2 fires %q", got, fires(s, "theta2"))
	}
	// A file system without times is read, and compared by content.
	for name := range c.MapFS {
		c.MapFS[name].ModTime = time.Time{}
	}
	s, _ = s.Reload(d)
	c.took()
	n, _ := s.Reload(d)
	if got := len(strings.Fields(c.took())); got != len(c.MapFS) || !slices.Equal(n.rules, s.rules) {
		t.Errorf("without times: %d files read, the rules are the same: %v", got, slices.Equal(n.rules, s.rules))
	}
}

// same holds a set that was reloaded against one that was loaded at once.
func same(t *testing.T, name string, s *Set, d Dir) {
	t.Helper()
	whole, _ := Load(d)
	if diff := cmp.Diff(whole.Rules(), s.Rules()); diff != "" {
		t.Errorf("%s: rules differ (-loaded +reloaded):\n%s", name, diff)
	}
	if diff := cmp.Diff(whole.Channels(), s.Channels()); diff != "" {
		t.Errorf("%s: channels differ (-loaded +reloaded):\n%s", name, diff)
	}
	for _, title := range []string{"alpha alpha2 beta", "delta delta2 zeta", "zeta2 gamma in China", "eta France 外交部", "theta", "alpha beta gamma China eta zeta"} {
		it := feed.Item{Title: title, Source: feed.Source{Country: "CN"}}
		want, got := whole.Match(it), s.Match(it)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %q differs (-loaded +reloaded):\n%s", name, title, diff)
		}
	}
}

// TestReloadRandom makes many random edits, some of them wrong, and holds
// every step against a load of the files that are good.
func TestReloadRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	m := fstest.MapFS{}
	d := Dir{Name: "rules", FS: m}
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	write := func(name, text string) {
		at = at.Add(time.Minute)
		m[name] = &fstest.MapFile{Data: []byte(text), ModTime: at}
	}
	words := []string{"alpha", "beta", "gamma", "delta", "zeta", "eta"}
	word := func() string { return words[r.IntN(len(words))] }
	for i := range 8 {
		write(fmt.Sprintf("r%d.yaml", i), one(fmt.Sprintf("r%d", i), "    match: "+word()+"\n"))
	}
	write("lists/l.yaml", "lists:\n  - {name: l, terms: [alpha]}\n")
	s, _ := Load(d)
	for step := range 200 {
		name, good := fmt.Sprintf("r%d", r.IntN(8)), ""
		switch r.IntN(8) {
		case 0:
			good = one(name, "    match: "+word()+" OR "+word()+"2\n")
		case 1:
			good = one(name, "    match: '@l AND NOT "+word()+"'\n    unless: state:CN\n")
		case 2:
			good = one(name, "    match: "+word()+"\n    raise: [{to: high, when: 'channel:r1'}]\n")
		case 3:
			write(name+".yaml", one(name, "    match: (alpha\n"))
		case 4:
			delete(m, name+".yaml")
		case 5:
			write("lists/l.yaml", "lists:\n  - {name: l, terms: ["+word()+", "+word()+"x]}\n")
		case 6:
			write("lists/s.yaml", someStates)
		case 7:
			delete(m, "lists/s.yaml")
		}
		if good != "" {
			write(name+".yaml", good)
		}
		n, problems := s.Reload(d)
		if len(problems.Errors()) == 0 {
			same(t, fmt.Sprint("step ", step), n, d)
		}
		if t.Failed() {
			t.FailNow()
		}
		s = n
	}
}

// TestReloadAtOnce is for the race detector: sets share what they are made of.
func TestReloadAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := Load(dir("a.yaml", one("a", "    match: alpha\n"), "lists/states.yaml", someStates))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 10 {
				n, problems := s.Reload(dir("a.yaml", one("a", fmt.Sprintf("    match: alpha OR w%d-%d\n", i, j)), "lists/states.yaml", someStates))
				if len(problems) > 0 || fires(n, fmt.Sprintf("w%d-%d", i, j)) != "a" || fires(s, "alpha China") != "a" {
					t.Errorf("%d %d: %v", i, j, problems)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkReload changes one file among 10,000 of one rule each, on the disk.
func BenchmarkReload(b *testing.B) {
	const files = 10_000
	root := b.TempDir()
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	write := func(i, version int) {
		name := filepath.Join(root, fmt.Sprintf("r%05d.yaml", i))
		text := one(fmt.Sprintf("r%d", i), fmt.Sprintf("    match: |\n      (w%d OR \"w%d x%d\" OR z%d*) NEAR/10 (@states OR v%d) AND NOT title:y%d\n", i, i%700, i%90, 1000+i, version, i))
		text = strings.Replace(text, fmt.Sprintf("channel: r%d\n", i), fmt.Sprintf("channel: c%d\n", i%20), 1)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.Chtimes(name, old, old.Add(time.Duration(version)*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	for i := range files {
		write(i, 0)
	}
	if err := os.Mkdir(filepath.Join(root, "lists"), 0o700); err != nil {
		b.Fatal(err)
	}
	states := filepath.Join(root, "lists", "states.yaml")
	if err := os.WriteFile(states, []byte(someStates), 0o600); err != nil {
		b.Fatal(err)
	}
	_ = os.Chtimes(states, old, old)
	d := Dir{Name: "rules", FS: os.DirFS(root)}
	s, problems := Load(d)
	if len(problems.Errors()) > 0 {
		b.Fatal(problems.Errors()[:1])
	}
	version := 0
	b.ReportAllocs()
	for b.Loop() {
		version++
		write(version%files, version)
		s, problems = s.Reload(d)
		if len(problems.Errors()) > 0 {
			b.Fatal(problems.Errors())
		}
	}
	b.ReportMetric(float64(len(s.rules)), "rules")
}
