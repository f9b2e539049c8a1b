package deploy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLongTestsAreRun: what go test leaves out by itself is run by .ci/run, or
// named there among what is run by hand.
func TestLongTestsAreRun(t *testing.T) {
	t.Parallel()
	ci := read(t, "../.ci/run")
	_, byHand, ok := strings.Cut(ci, "# By hand")
	if !ok {
		t.Fatal(".ci/run does not say what is run by hand")
	}
	byHand, _, _ = strings.Cut(byHand, "\n\n")
	var runs []*regexp.Regexp
	for _, m := range regexp.MustCompile(`(?m)^NEWSMONITOR_LONG=1 go test .*-run '([^']+)'`).FindAllStringSubmatch(ci, -1) {
		runs = append(runs, regexp.MustCompile(m[1]))
	}
	says := regexp.MustCompile(`\.Skipf?\("[^"\n]*NEWSMONITOR_(LONG|HEALTHY)|\n\tlong\(t\)|!long\(\)`)
	long := map[string]string{}
	files := token.NewFileSet()
	if err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text := read(t, path)
		f, err := parser.ParseFile(files, path, text, 0)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			body := text[files.Position(fn.Body.Pos()).Offset:files.Position(fn.Body.End()).Offset]
			if says.MatchString(body) && strings.Contains(body, "Skip") || strings.Contains(body, "\n\tlong(t)") {
				long[fn.Name.Name] = path
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(long) < 12 {
		t.Errorf("only %d long tests were found", len(long))
	}
	for name, path := range long {
		ran := strings.Contains(byHand, name)
		for _, r := range runs {
			ran = ran || r.MatchString(name)
		}
		if !ran {
			t.Errorf("nobody runs %s of %s: let .ci/run do it, or name it there with the reason", name, path)
		}
	}
	for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(byHand, -1) {
		if long[name] == "" {
			t.Errorf("%s is not long, or not there any more", name)
		}
	}
}
