package pipeline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// logKeys are all keys of our log lines and what stands under each, so that one
// thing has one name in every room. A key that is missing here fails the test:
// look first whether the thing has a name already.
var logKeys = map[string]string{
	"address":        "host:port that we listen on",
	"alert":          "id of an alert: data.id of the event, last token of the subject, /alerts/<id> of the page",
	"backup":         "file or folder that holds a backup",
	"channel":        "a channel's id",
	"component":      "whose words the message is, where not ours",
	"config":         "feeds and rules in one line",
	"count":          "how many of what the message names",
	"destination":    "name in the notify file",
	"error":          "what failed, in words",
	"event":          "kind of a feed event, last token of its subject",
	"failures":       "polls that failed in a row",
	"feed":           "a feed's id: token of the subject, label of the metrics",
	"feeds":          "catalogues that run",
	"file":           "path of a file",
	"format":         "number of the stored format",
	"handler":        "route of the page or API",
	"hint":           "what an operator can do",
	"jump":           "how far the clock was set",
	"kind":           "which kind of what the message names",
	"last":           "a stream's last sequence",
	"lasted":         "how long a state lasted that is over",
	"lease":          "key in the bucket LEASES",
	"max_age":        "a stream's limit of age",
	"max_bytes":      "a stream's limit of size",
	"message":        "id of what we push: Webhook-Id, Message-ID",
	"missing":        "what a stream lacks",
	"nats":           "address of NATS",
	"page":           "address of the page",
	"panic":          "value of a panic that a stage caught",
	"problem":        "file:line:column and what is wrong with it",
	"reader":         "a reader's name: label of the metrics, key in the bucket READERS",
	"reason":         "why, as one of a short list: label of the metrics",
	"replica":        "a replica's node name",
	"rules":          "folders of rules that run",
	"sequence":       "place of a message in its stream",
	"severity":       "of an alert",
	"stack":          "of a panic",
	"state":          "a feed's state, as in metric, API and page",
	"stream":         "a stream's name",
	"text":           "sentence that a feed event tells people",
	"type":           "type of the event",
	"version":        "of the program",
	"wait":           "time until the next try",
	"want_max_age":   "what the flags say of max_age",
	"want_max_bytes": "what the flags say of max_bytes",
	"was":            "what stood there before",
	"where":          "the stage that a panic was caught in",
}

// TestLogKeys holds every log line of the program against the list.
func TestLogKeys(t *testing.T) {
	t.Parallel()
	used, lines := map[string]bool{}, 0
	files := token.NewFileSet()
	for _, dir := range []string{".", "../cmd"} {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				attributes, ok := ofLogLine(call)
				if !ok {
					return true
				}
				lines++
				for i, a := range attributes {
					key, ok := a.(*ast.BasicLit)
					if i%2 == 1 {
						continue
					}
					if !ok || i+1 == len(attributes) {
						t.Errorf("%s: a log line takes a written key and a value by turns", files.Position(a.Pos()))
						return true
					}
					k, _ := strconv.Unquote(key.Value)
					if used[k] = true; logKeys[k] == "" {
						t.Errorf("%s: the log's key %q stands in no list", files.Position(a.Pos()), k)
					}
				}
				return true
			})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for k := range logKeys {
		if !used[k] {
			t.Errorf("no log line has the key %q any more", k)
		}
	}
	if lines < 80 {
		t.Errorf("only %d log lines were seen", lines)
	}
}

// ofLogLine returns what follows the message of a call such as
// p.Log.Warn("...", "feed", id): by the logger's name, as a parser knows no types.
func ofLogLine(call *ast.CallExpr) ([]ast.Expr, bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	before, ok := map[string]int{"With": 0, "Debug": 1, "Info": 1, "Warn": 1, "Error": 1,
		"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "Log": 3, "LogAttrs": 3}[method.Sel.Name]
	if !ok || len(call.Args) < before {
		return nil, false
	}
	name := ""
	switch x := method.X.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	switch strings.ToLower(name) {
	case "log", "logger":
		return call.Args[before:], true
	}
	return nil, false
}
