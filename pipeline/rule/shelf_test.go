package rule

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestShelvedProblems: what is on the shelf is still refused with its place,
// as long as the file is as it was.
func TestShelvedProblems(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	m := fstest.MapFS{}
	write := func(name, text string) {
		at = at.Add(time.Minute)
		m[name] = &fstest.MapFile{Data: []byte(text), ModTime: at}
	}
	d := Dir{Name: "rules", FS: m}
	write("a.yaml", one("a", "    match: |\n      alpha OR\n      (beta\n       AND   @words)\n"))
	write("lists/l.yaml", "lists:\n  - {name: words, terms: [delta]}\n")
	write("lists/m.yaml", "lists:\n  - {name: others, terms: [zeta]}\n")
	s, problems := Load(d)
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	if f := s.files[0]; f.bytes != nil || f.channel.Rules != nil || f.tree.root != nil {
		t.Errorf("%s is not on the shelf", f.name)
	}
	if s.rules[0].pack.open != nil || len(s.rules[0].pack.packed) == 0 {
		t.Error("the rule is not packed")
	}

	delete(m, "lists/l.yaml")
	fresh, want := Load(d)
	n, got := s.Reload(d)
	if diff := cmp.Diff(want.Errors(), got.Errors()); diff != "" || len(got.Errors()) != 1 {
		t.Errorf("errors differ (-loaded +reloaded):\n%s", diff)
	}
	if fresh.Len() != 0 || n.Len() != 1 || fires(n, "beta delta") != "a" {
		t.Errorf("%d rules, then %d; delta fires %q", fresh.Len(), n.Len(), fires(n, "beta delta"))
	}
	// Once more, from what was kept; then the list is back, with another word.
	if n, got = n.Reload(d); len(got.Errors()) != 1 || fires(n, "beta delta") != "a" {
		t.Errorf("the second time: %v", got)
	}
	write("lists/l.yaml", "lists:\n  - {name: words, terms: [eta]}\n")
	if n, got = n.Reload(d); len(got.Errors()) != 0 || fires(n, "beta eta") != "a" || fires(n, "beta delta") != "" {
		t.Errorf("with the list back: %v, eta fires %q", got, fires(n, "beta eta"))
	}
	if diff := cmp.Diff(n.Rules(), mustLoad(t, d).Rules()); diff != "" {
		t.Errorf("rules differ (-reloaded +loaded):\n%s", diff)
	}

	// A rule of a later directory hides one, and gives it back.
	over := fstest.MapFS{"b.yaml": {Data: []byte("channel: a\nrules:\n  - {id: a, disabled: too noisy}\n"), ModTime: at}}
	n, got = n.Reload(d, Dir{Name: "mine", FS: over})
	if len(got.Errors()) != 0 || n.Rules()[0].Disabled != "too noisy" || fires(n, "beta eta") != "" {
		t.Errorf("switched off: %v, %+v", got, n.Rules())
	}
	over["b.yaml"] = &fstest.MapFile{Data: []byte(one("b", "    match: theta\n")), ModTime: at.Add(time.Hour)}
	n, got = n.Reload(d, Dir{Name: "mine", FS: over})
	if len(got.Errors()) != 0 || n.Rules()[0].Disabled != "" || fires(n, "beta eta") != "a" || fires(n, "theta") != "b" {
		t.Errorf("switched on: %v, %+v", got, n.Rules())
	}

	// Tests of a file that has changed are not taken for those of the set.
	write("a.yaml", one("a", "    match: iota\n"))
	if out := n.Test(); len(out) == 0 || out[0].OK || out[0].Message == "" {
		t.Errorf("the tests of a file that has changed: %+v", out)
	}
}

func mustLoad(t *testing.T, d Dir) *Set {
	t.Helper()
	s, problems := Load(d)
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs[0])
	}
	return s
}
