package deploy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
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
