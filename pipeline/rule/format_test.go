package rule

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestFormatFiles holds formatted files against golden ones, and formats what
// it got once more.
func TestFormatFiles(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("testdata/format/*.yaml")
	if len(names) == 0 {
		t.Fatal("testdata/format is empty")
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, problems := Format(name, src)
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		file := name + ".golden"
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
		again, problems := Format(name, got)
		if len(problems) > 0 || !bytes.Equal(again, got) {
			t.Errorf("%s is not fixed: %v\n%s", name, problems, cmp.Diff(string(got), string(again)))
		}
	}
}

// TestFormatShipped formats the project's own rules: a fixed point, and the
// same rules, tests and places but for the form of the queries.
func TestFormatShipped(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("../../rules/*.yaml")
	if len(names) == 0 {
		t.Fatal("no rules/*.yaml")
	}
	m := fstest.MapFS{}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, problems := Format(name, src)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		again, problems := Format(name, got)
		if len(problems) > 0 || !bytes.Equal(again, got) {
			t.Errorf("%s is not fixed: %v\n%s", name, problems, cmp.Diff(string(got), string(again)))
		}
		m[filepath.Base(name)] = &fstest.MapFile{Data: got}
	}
	lists, _ := filepath.Glob("../../rules/lists/*.yaml")
	for _, name := range lists {
		src, _ := os.ReadFile(name)
		m["lists/"+filepath.Base(name)] = &fstest.MapFile{Data: src}
	}
	was, _ := Load(Dir{Name: "rules", FS: os.DirFS("../../rules")})
	is, problems := Load(Dir{Name: "rules", FS: m})
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	plain := func(s *Set) []Rule {
		rules := s.Rules()
		for i := range rules {
			rules[i].Line = 0
		}
		return rules
	}
	if d := cmp.Diff(plain(was), plain(is)); d != "" {
		t.Errorf("formatted rules differ (-was +is):\n%s", d)
	}
}

func TestFormatWrong(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"", "channel: [", "channel: a\nrules:\n  - {id: a, match: '(a'}\n", "channel: a\nrules:\n  - {id: a, raise: [{when: a b}]}\n", "colour: blue\n"} {
		out, problems := Format("x.yaml", []byte(src))
		if out != nil || len(problems) == 0 || problems[0].File != "x.yaml" {
			t.Errorf("Format(%q) = %q, %v", src, out, problems)
		}
	}
}

func FuzzFormat(f *testing.F) {
	names, _ := filepath.Glob("testdata/format/*.yaml")
	for _, name := range names {
		src, _ := os.ReadFile(name)
		f.Add(src)
	}
	f.Add([]byte("rules:\n- match: |+\n   a\n\n\n- match: >2\n    a\n    b\n- {match: &x \"a\\\n  b\", unless: *x}\n- match: !!str |\n    a\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		out, problems := Format("x.yaml", src)
		if problems != nil {
			return
		}
		again, problems := Format("x.yaml", out)
		if problems != nil || !bytes.Equal(again, out) {
			t.Fatalf("Format(%q) = %q, then %q %v", src, out, again, problems)
		}
	})
}
