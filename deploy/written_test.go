package deploy_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// editable is a kind of file that people write.
type editable struct {
	files   []string // that we ship
	source  string   // where the Go types stand that read it
	structs []string // none: all of the source
	spoilt  []string // what its schema refuses
}

// written are the files that people write, by the schema by which an editor
// completes and checks them.
func written(t *testing.T) map[string]editable {
	t.Helper()
	rules, err := filepath.Glob("../rules/*.yaml")
	if err != nil || len(rules) < 11 {
		t.Fatalf("%d rule files (%v)", len(rules), err)
	}
	lists, err := filepath.Glob("../rules/lists/*.yaml")
	if err != nil || len(lists) < 10 {
		t.Fatalf("%d files of lists (%v)", len(lists), err)
	}
	rules = slices.DeleteFunc(rules, func(f string) bool { return filepath.Base(f) == "voices.yaml" })
	const files = "../pipeline/rule/files.go"
	return map[string]editable{
		"feeds.v1": {[]string{"../feeds.yaml"}, "../pipeline/feed/catalogue.go", []string{"written", "writtenDefaults", "writtenFeed"}, []string{
			"feeds: [{title: No id}]", "feeds: [{id: Not A Slug}]", "feeds: [{id: a, kind: minister}]", "feeds: [{id: a, every: often}]",
			"feeds: [{id: a, country: usa}]", "feeds: [{id: a, headers: {Authorization: hunter2}}]", "feeds: [{id: a, disabled: true}]", "feeds: {id: a}"}},
		"rules.v1": {append(rules, "../pipeline/canary.yaml"), files, []string{"channelFile", "ruleEntry", "raiseEntry", "whereEntry", "testEntry"}, []string{
			"rules: [{id: a}]", "{channel: a, rules: [{title: No id}]}", "{channel: a, rules: [{id: a, severity: urgent}]}", "{channel: a, rules: [{id: a, budget: 0}]}",
			"{channel: a, rules: [{id: a, raise: [{to: high}]}]}", "{channel: a, rules: [{id: a, where: {tier: authoritative}}]}", "{channel: a, rules: [{id: a, tests: [{fires: perhaps}]}]}"}},
		"lists.v1": {lists, files, []string{"listFile", "listEntry", "stateEntry"}, []string{
			"lists: [{terms: [no name]}]", "lists: [{name: a, terms: one}]", "lists: [{name: A B}]", "states: [{code: China, names: [China]}]", "states: [{code: CN}]", "bare: 外交部"}},
		"voices.v1": {[]string{"../rules/voices.yaml"}, files, []string{"voicesFile", "voiceEntry", "whereEntry"}, []string{
			"voices: [{title: Nobody}]", "[{voice: a, tier: official}]", "[{voice: a, side: left}]", "voices: [{voice: a, where: {kind: press}}]", "{}"}},
		"notify.v1": {[]string{"notify.example.yaml"}, "../pipeline/notify/file.go", nil, []string{
			"page: https://a.example", "destinations: [{name: a}]", "destinations: [{name: a, service: pigeon}]", "destinations: [{name: a, service: mail, to: a@b.example}]",
			"destinations: [{name: a, service: mail, tls: perhaps}]", "destinations: [{name: a, service: ntfy, quiet: {days: [monday]}}]"}},
	}
}

// TestFilesKeepTheirSchemas: what we ship is what the schemas allow; what is
// spoilt is refused; the schemas know each key that the program knows, and say
// of each what it is for.
func TestFilesKeepTheirSchemas(t *testing.T) {
	t.Parallel()
	for name, c := range written(t) {
		schema := compileSchema(t, name)
		for _, f := range c.files {
			text := read(t, f)
			v := decoded(t, text)
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s breaks %s: %v", f, name, err)
			}
			line, _, _ := strings.Cut(text, "\n")
			where, is := strings.CutPrefix(line, "# yaml-language-server: $schema=")
			if at := filepath.Join(filepath.Dir(f), where); !is || at != filepath.Join("schemas", name+".json") && at != filepath.Join("../deploy/schemas", name+".json") {
				t.Errorf("%s does not name its schema for editors", f)
			}
			spoil(v, func(where string) {
				if schema.Validate(v) == nil {
					t.Errorf("%s allows a key that nobody knows in %s, at %s", name, f, where)
				}
			})
		}
		for _, text := range c.spoilt {
			if schema.Validate(decoded(t, text)) == nil {
				t.Errorf("%s allows %s", name, text)
			}
		}
		want, have := yamlKeys(t, c.source, c.structs), map[string]bool{}
		var doc any
		if err := json.Unmarshal([]byte(read(t, "schemas/"+name+".json")), &doc); err != nil {
			t.Fatal(err)
		}
		properties(doc, func(k string, v any) {
			have[k] = true
			if text, _ := at(v, "description").(string); len(text) < 10 || len(text) > 160 {
				t.Errorf("%s: an editor shows %q for %s", name, text, k)
			}
		})
		for _, k := range []string{"env", "file"} { // of secrets, which have a type of their own
			delete(have, k)
			delete(want, k)
		}
		if !maps.Equal(want, have) {
			t.Errorf("%s knows %v; the program knows %v", name, slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
		}
	}
}

// decoded returns YAML as a schema takes it.
func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = jsonschema.UnmarshalJSON(strings.NewReader(string(b))); err != nil {
		t.Fatal(err)
	}
	return v
}

// spoil gives the first object of each kind a key that nobody knows, has it
// looked at, and takes the key away again.
func spoil(doc any, look func(where string)) {
	done := map[string]bool{}
	var walk func(v any, where string)
	walk = func(v any, where string) {
		switch v := v.(type) {
		case map[string]any:
			if !done[where] {
				done[where] = true
				v["titel"] = "x"
				look(where)
				delete(v, "titel")
			}
			for k, inner := range v {
				if k != "headers" { // whose keys are the servers'
					walk(inner, where+"/"+k)
				}
			}
		case []any:
			for _, inner := range v {
				walk(inner, where)
			}
		}
	}
	walk(doc, "")
}

// yamlKeys lists the keys of structs of a Go file, all if none is named.
func yamlKeys(t *testing.T, file string, structs []string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || structs != nil && !slices.Contains(structs, spec.Name.Name) {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				if field.Tag != nil {
					if k := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"); k != "" {
						keys[strings.Split(k, ",")[0]] = true
					}
				}
			}
		}
		return true
	})
	return keys
}

// properties calls fn with each key that a schema knows, and its schema.
func properties(v any, fn func(key string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["properties"].(map[string]any); ok {
			for k, inner := range p {
				fn(k, inner)
			}
		}
		for _, inner := range v {
			properties(inner, fn)
		}
	case []any:
		for _, inner := range v {
			properties(inner, fn)
		}
	}
}
