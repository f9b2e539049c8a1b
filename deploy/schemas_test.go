package deploy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	invopop "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
)

var update = flag.Bool("update", false, "rewrite the schemas that are made from Go types")

// envelope is what all our live messages are: CloudEvents 1.0 in JSON.
type envelope[T any] struct {
	SpecVersion     string    `json:"specversion" jsonschema:"enum=1.0"`
	ID              string    `json:"id"`
	Type            string    `json:"type"`
	Source          string    `json:"source"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            T         `json:"data"`
}

// TestSchemasAreCommitted: the schemas of messages are what the Go types say.
func TestSchemasAreCommitted(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		v     any
		title string
	}{
		"item.v1":       {feed.Item{}, "newsmonitor item"},
		"feed-event.v1": {envelope[poll.Event]{}, "newsmonitor feed event"},
		"desk-mute.v1":  {envelope[alert.Mute]{}, "newsmonitor mute or unmute of the desk"},
		"desk-ack.v1":   {envelope[alert.Ack]{}, "newsmonitor acknowledgement of the desk"},
	} {
		r := invopop.Reflector{DoNotReference: true, AllowAdditionalProperties: true}
		schema := r.Reflect(s.v)
		schema.ID, schema.Title = invopop.ID("urn:newsmonitor:schema:"+name), s.title
		got, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		path := "schemas/" + name + ".json"
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the Go type says (%v): go test ./deploy -run TestSchemasAreCommitted -update", path, err)
		}
	}
}

func compileSchema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, "schemas/"+name+".json")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFilesKeepTheirSchemas: what we ship is what the schemas allow, and the
// schemas know each key that the program knows.
func TestFilesKeepTheirSchemas(t *testing.T) {
	t.Parallel()
	rules, err := filepath.Glob("../rules/*.yaml")
	if err != nil || len(rules) < 11 {
		t.Fatalf("%d rule files (%v)", len(rules), err)
	}
	rules = slices.DeleteFunc(rules, func(f string) bool { return filepath.Base(f) == "voices.yaml" })
	for name, c := range map[string]struct {
		files   []string
		source  string
		structs []string
	}{
		"feeds.v1":  {[]string{"../feeds.yaml"}, "../pipeline/feed/catalogue.go", []string{"written", "writtenDefaults", "writtenFeed"}},
		"rules.v1":  {append(rules, "../pipeline/canary.yaml"), "../pipeline/rule/files.go", []string{"channelFile", "ruleEntry", "raiseEntry", "whereEntry", "testEntry"}},
		"notify.v1": {[]string{"notify.example.yaml"}, "../pipeline/notify/file.go", nil},
	} {
		schema := compileSchema(t, name)
		for _, f := range c.files {
			var v any
			if err := yaml.Unmarshal([]byte(read(t, f)), &v); err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s breaks %s: %v", f, name, err)
			}
			if line, _, _ := strings.Cut(read(t, f), "\n"); !strings.HasPrefix(line, "# yaml-language-server: $schema=") {
				t.Errorf("%s does not name its schema for editors", f)
			}
		}
		want, have := yamlKeys(t, c.source, c.structs), map[string]bool{}
		var doc any
		if err := json.Unmarshal([]byte(read(t, "schemas/"+name+".json")), &doc); err != nil {
			t.Fatal(err)
		}
		properties(doc, have)
		for _, k := range []string{"env", "file"} { // of secrets, which have a type of their own
			delete(have, k)
			delete(want, k)
		}
		if !maps.Equal(want, have) {
			t.Errorf("%s knows %v; the program knows %v", name, slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
		}
	}
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

func properties(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["properties"].(map[string]any); ok {
			for k := range p {
				into[k] = true
			}
		}
		for _, inner := range v {
			properties(inner, into)
		}
	case []any:
		for _, inner := range v {
			properties(inner, into)
		}
	}
}

// TestAsyncAPI: every reference leads somewhere, every channel's address is
// one that readers may listen to, and every kind of event is there.
func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	text := read(t, "asyncapi.yaml")
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["asyncapi"] != "3.0.0" {
		t.Errorf("asyncapi %v", doc["asyncapi"])
	}
	for _, m := range regexp.MustCompile(`\$ref: ['"]?([^'"\s}]+)`).FindAllStringSubmatch(text, -1) {
		if file, is := strings.CutPrefix(m[1], "./"); is {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
			continue
		}
		var path []any
		for _, p := range strings.Split(strings.TrimPrefix(m[1], "#/"), "/") {
			path = append(path, p)
		}
		if at(doc, path...) == nil {
			t.Errorf("%s leads nowhere", m[1])
		}
	}
	channels, _ := doc["channels"].(map[string]any)
	for name, c := range channels {
		address, _ := at(c, "address").(string)
		if !regexp.MustCompile(`^news\.(alerts|folded|items|feeds|desk|canary)\.`).MatchString(address) {
			t.Errorf("channel %s has the address %q", name, address)
		}
		params, _ := at(c, "parameters").(map[string]any)
		for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(address, -1) {
			if params[m[1]] == nil {
				t.Errorf("channel %s does not explain {%s}", name, m[1])
			}
		}
	}
	if len(channels) != 6 {
		t.Errorf("%d channels, want 6", len(channels))
	}
	events, _ := at(doc, "channels", "feeds", "parameters", "event", "enum").([]any)
	if len(events) != len(poll.Events) {
		t.Errorf("feed events %v, want %v", events, poll.Events)
	}
}
