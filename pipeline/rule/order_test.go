package rule

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestOrderOfFiles: what is said of an item does not depend on the names of
// the files, on how they became what they are, or on what was explained
// before: the same bytes.
func TestOrderOfFiles(t *testing.T) {
	t.Parallel()
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS("../../rules"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		files[path], err = os.ReadFile("../../rules/" + path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	write := func(m fstest.MapFS, name string, b []byte) {
		old = old.Add(time.Minute)
		m[name] = &fstest.MapFile{Data: b, ModTime: old}
	}
	load := func(m fstest.MapFS, was *Set, whole bool) *Set {
		t.Helper()
		d := Dir{Name: "rules", FS: m}
		read := Load
		if was != nil {
			read = was.Reload
		}
		s, problems := read(d)
		if errs := problems.Errors(); len(errs) > 0 && whole {
			t.Fatal(errs[0])
		}
		return s
	}

	plain, turned, grown := fstest.MapFS{}, fstest.MapFS{}, fstest.MapFS{}
	for i, name := range names {
		write(plain, name, files[name])
		dir, base := "", name
		if at := strings.LastIndex(name, "/"); at >= 0 {
			dir, base = name[:at+1], name[at+1:]
		}
		if name != "voices.yaml" {
			base = fmt.Sprintf("%03d-%s", len(names)-i, base)
		}
		write(turned, dir+base, files[name])
		if strings.HasPrefix(name, "lists/") || name == "voices.yaml" {
			write(grown, name, files[name])
		}
	}
	first, second := load(plain, nil, true), load(turned, nil, true)
	var third *Set
	for _, name := range slices.Backward(names) { // one file after the other, the last ones first
		if !strings.Contains(name, "/") && name != "voices.yaml" {
			write(grown, name, files[name])
			third = load(grown, third, false) // a channel that others ask for may not be there yet
		}
	}
	third = load(grown, third, true)
	if first.Len() < 10 || len(third.index.parts) < 2 {
		t.Fatalf("%d rules, %d parts: the test does not test what it should", first.Len(), len(third.index.parts))
	}

	items := 0
	tests := map[*version]map[string][]test{}
	say := func(s *Set, x test) string {
		b, err := json.Marshal(s.Match(x.item))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var all []test
	for _, r := range first.rules {
		all = append(all, r.tests(tests)...)
	}
	want := make([]string, len(all))
	for i, x := range all {
		want[i] = say(first, x)
	}
	for i := range all {
		j := len(all) - 1 - i // they explain in another order
		items++
		for k, s := range []*Set{second, third} {
			if got := say(s, all[j]); got != want[j] {
				t.Fatalf("set %d, %q:\n%s\nwant\n%s", k, all[j].item.Title, got, want[j])
			}
		}
	}
	t.Logf("%d items, %d rules", items, first.Len())
}
