package pipeline_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Each room may import only the rooms listed; data flows the other way. A room
// that is missing here fails the test: decide where it stands first.
var mayImport = map[string][]string{
	"pipeline/problem":     {},
	"pipeline/feed":        {"pipeline/problem"},
	"pipeline/poll":        {"pipeline/feed"},
	"pipeline/rule/text":   {},
	"pipeline/rule/query":  {"pipeline/problem", "pipeline/rule/text"},
	"pipeline/rule/engine": {"pipeline/rule/query", "pipeline/rule/text"},
	"pipeline/rule":        {"pipeline/feed", "pipeline/problem", "pipeline/rule/engine", "pipeline/rule/query", "pipeline/rule/text"},
	"pipeline/alert":       {"pipeline/feed", "pipeline/rule", "pipeline/rule/text"},
	"pipeline/web":         {"pipeline/alert", "pipeline/feed", "pipeline/problem", "pipeline/rule"},
	"pipeline/notify":      {"pipeline/alert", "pipeline/feed", "pipeline/problem", "pipeline/rule"},
	"pipeline/stream":      {"pipeline/alert", "pipeline/feed", "pipeline/poll", "pipeline/problem"},
	"pipeline": {"pipeline/alert", "pipeline/feed", "pipeline/notify", "pipeline/poll", "pipeline/problem", "pipeline/rule",
		"pipeline/stream", "pipeline/web"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "newsmonitor/pipeline/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		room := strings.TrimPrefix(p.ImportPath, "newsmonitor/")
		if strings.HasSuffix(room, "/gen") {
			continue // a generator, run by hand
		}
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("room %s stands nowhere in the flow", room)
		}
		seen[room] = true
		for _, imp := range p.Imports {
			if other, ours := strings.CutPrefix(imp, "newsmonitor/"); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s", room, other)
			}
			if strings.HasPrefix(imp, "github.com/nats-io/") && room != "pipeline/stream" {
				t.Errorf("%s imports %s: only pipeline/stream speaks NATS", room, imp)
			}
		}
	}
	for room := range mayImport {
		if !seen[room] {
			t.Errorf("room %s does not exist any more", room)
		}
	}
}
