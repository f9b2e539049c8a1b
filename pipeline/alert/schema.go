package alert

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

//go:generate go test -run TestSchemaIsCommitted -update

// Schema returns the JSON Schema of an encoded Event. Readers must expect
// fields that it does not name; our own tests do not.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{DoNotReference: true, AllowAdditionalProperties: true}
	s := r.Reflect(Event{})
	s.ID = SchemaURI
	s.Title = "newsmonitor alert event, v1"
	s.Description = "One alert of newsmonitor as a CloudEvents 1.0 event in structured JSON. In v1 fields are only ever added."
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make the schema of events: %w", err)
	}
	return append(b, '\n'), nil
}
