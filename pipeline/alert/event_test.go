package alert

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

var update = flag.Bool("update", false, "write the golden files")

const schemaFile = "../../deploy/schemas/alert.v1.json"

func TestSchemaIsCommitted(t *testing.T) {
	t.Parallel()
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the Go type says (%v): run go generate ./pipeline/alert and look at the difference", schemaFile, err)
	}
}

// validate holds an encoded event against the committed schema.
func validate(t *testing.T, b []byte) error {
	t.Helper()
	s, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaURI, doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(SchemaURI)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return compiled.Validate(v)
}

func sample() (feed.Item, rule.Result) {
	when := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	it := feed.Item{Feed: "us-treasury", Key: strings.Repeat("a", 32), Revision: "r1", Title: "Two firms <listed>", Link: "https://example.org/1",
		Summary: "Assets are frozen.", Language: "en", Published: when.Add(-time.Minute), Quality: "declared", Fetched: when,
		Source: feed.Source{ID: "us-treasury", Title: "Treasury", Kind: "treasury", Tier: "authoritative", Country: "US"}}
	m := rule.Match{ID: "sanctions-designation", Title: "Designations", Severity: rule.Critical, Version: "0123456789ab", Score: 3, Snippet: "Assets are frozen.",
		Evidence: []rule.Evidence{{Field: "summary", Text: "Assets", After: "are frozen.", Start: 0, End: 6, List: "measures"}}}
	return it, rule.Result{States: []string{"KP", "US"}, Voice: rule.Voice{ID: "us-treasury", Title: "US Treasury", Tier: "authoritative", Side: "civilian", Country: "US"},
		Language: "en", Channels: []rule.Hit{{Channel: "sanctions", Severity: rule.Critical, Score: 3, Rules: []rule.Match{m}}}}
}

func raiser() *Raiser {
	return &Raiser{Instance: "newsmonitor", Now: func() time.Time { return time.Date(2026, 11, 22, 9, 0, 1, 0, time.UTC) }}
}

// bare is the first event of an alert.
func bare(it feed.Item, res rule.Result, h rule.Hit) Event {
	e := raiser().event(&candidate{it: it, result: res, channels: []string{h.Channel}}, h)
	e.finish(Raised, Stored{}, nil, look(it).sketch)
	return e
}

func TestEventKeepsTheContract(t *testing.T) {
	t.Parallel()
	it, res := sample()
	for _, typ := range []string{Raised, Updated, Folded} {
		e := raiser().event(&candidate{it: it, result: res, channels: []string{"sanctions"}}, res.Channels[0])
		var last Stored
		var hold *Fold
		switch typ {
		case Updated:
			last = Stored{Sequence: 1, Event: Event{Severity: rule.Medium}}
		case Folded:
			hold = &Fold{Reason: FoldMute, By: "A. Nalyst", Until: e.Time.Add(time.Hour), Mute: "0123456789abcdef"}
		}
		e.finish(typ, last, hold, look(it).sketch)
		b, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, b); err != nil {
			t.Errorf("%s: %v\n%s", typ, err, b)
		}
		if bytes.Contains(b, []byte("null")) {
			t.Errorf("%s has a null: %s", typ, b)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Encode(back); !bytes.Equal(again, b) {
			t.Errorf("%s does not come back as it was:\n%s\n%s", typ, b, again)
		}
	}
	// An item without anything that may be missing gives lists, not null.
	e := bare(feed.Item{Feed: "f", Key: strings.Repeat("b", 32), Revision: "r", Title: "T", Quality: "missing"},
		rule.Result{}, rule.Hit{Channel: "sanctions", Severity: rule.Low, Rules: []rule.Match{{ID: "r", Evidence: []rule.Evidence{}}}})
	b, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, b); err != nil {
		t.Errorf("a bare item: %v\n%s", err, b)
	}
	if bytes.Contains(b, []byte("null")) {
		t.Errorf("a bare item has a null: %s", b)
	}
	// The check can fail.
	if err := validate(t, bytes.Replace(b, []byte(`"low"`), []byte(`"lowish"`), 1)); err == nil {
		t.Error("the schema accepts a severity that is none")
	}
}

func TestEncodeNeverExceeds64KB(t *testing.T) {
	t.Parallel()
	it, res := sample()
	it.Title, it.Link = strings.Repeat("題", 680), "https://example.org/"+strings.Repeat("x", 4000)
	it.Authors = make([]string, 500)
	for i := range it.Authors {
		it.Authors[i] = strings.Repeat("名", 100)
	}
	ev := rule.Evidence{Field: "content", Text: strings.Repeat("字", 200), Before: strings.Repeat("<", 80), After: strings.Repeat("\"", 80)}
	hit := res.Channels[0]
	for range 60 {
		m := hit.Rules[0]
		m.Evidence = nil
		for range 50 {
			m.Evidence = append(m.Evidence, ev)
		}
		hit.Rules = append(hit.Rules, m)
	}
	e := bare(it, res, hit)
	b, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 64<<10 {
		t.Errorf("event has %d bytes", len(b))
	}
	if err := validate(t, b); err != nil {
		t.Error(err)
	}
	back, _ := Decode(b)
	if len(back.Data.Cut) == 0 || back.Data.Cut[0] != "evidence" {
		t.Errorf("cut is %v, want it to begin with evidence", back.Data.Cut)
	}
	if len(back.Data.Rules) == 0 || len(back.Data.Rules[0].Evidence) == 0 {
		t.Error("the event does not say why any more")
	}
	if len(e.Data.Rules[1].Evidence) != 50 || len(e.Data.Cut) != 0 {
		t.Error("Encode changed its argument")
	}
}

// withheld is a folded update of what was raised.
func withheld(s Stored, was rule.Severity) Stored {
	s.Event.Data.Was = was
	return s
}

func TestDecide(t *testing.T) {
	t.Parallel()
	stored := func(typ, revision string, s rule.Severity) Stored {
		return Stored{Sequence: 1, Folded: typ == Folded, Event: Event{Type: typ, Severity: s, Data: Data{Item: Item{Revision: revision}}}}
	}
	for _, tc := range []struct {
		name           string
		last           Stored
		held, revision string
		severity       rule.Severity
		want           string // "" for nothing
	}{
		{"new and muted", Stored{}, FoldMute, "r1", rule.Medium, Folded},
		{"edited and worse while muted", stored(Raised, "r1", rule.Medium), FoldMute, "r2", rule.High, Folded},
		{"edited again after the mute", withheld(stored(Folded, "r2", rule.High), rule.Medium), "", "r3", rule.High, Updated},
		{"edited to what people know after the mute", withheld(stored(Folded, "r2", rule.High), rule.Medium), "", "r3", rule.Medium, ""},
		{"muted, read again after the mute", stored(Folded, "r1", rule.Medium), "", "r1", rule.Medium, ""},
		{"muted, edited after the mute", stored(Folded, "r1", rule.Medium), "", "r2", rule.Medium, Raised},
		{"muted, edited and still muted", stored(Folded, "r1", rule.Medium), FoldMute, "r2", rule.Medium, ""},
		{"new", Stored{}, "", "r1", rule.Medium, Raised},
		{"new and held", Stored{}, FoldBacklog, "r1", rule.Medium, Folded},
		{"read again", stored(Raised, "r1", rule.Medium), "", "r1", rule.Medium, ""},
		{"rules grew milder before the place was saved", stored(Raised, "r1", rule.High), "", "r1", rule.Medium, ""},
		{"rules grew stricter before the place was saved", stored(Raised, "r1", rule.Medium), "", "r1", rule.High, ""},
		{"edited, as severe", stored(Raised, "r1", rule.Medium), "", "r2", rule.Medium, ""},
		{"edited, more severe", stored(Raised, "r1", rule.Medium), "", "r2", rule.Critical, Updated},
		{"updated, then milder", stored(Updated, "r1", rule.High), "", "r2", rule.Medium, ""},
		{"held, read again", stored(Folded, "r1", rule.Medium), FoldBacklog, "r1", rule.Medium, ""},
		{"folded, read again after the fold's cause went", stored(Folded, "r1", rule.Medium), "", "r1", rule.Medium, ""},
		{"held, more severe by new rules", stored(Folded, "r1", rule.Medium), FoldBacklog, "r1", rule.High, ""},
		{"held, edited and more severe, still held", stored(Folded, "r1", rule.Medium), FoldFlood, "r2", rule.High, Folded},
		{"held, edited later", stored(Folded, "r1", rule.Medium), "", "r2", rule.Low, Raised},
		{"raised, then held in a flood", stored(Raised, "r1", rule.Low), FoldFlood, "r2", rule.Critical, ""},
	} {
		it := feed.Item{Revision: tc.revision, Held: tc.held}
		if tc.held == FoldMute {
			it.Held = ""
		}
		typ := ""
		if more(tc.last, it, tc.severity) {
			if t, ok := decide(tc.last, tc.severity, tc.held != ""); ok {
				typ = t
			}
		}
		if typ != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, typ, tc.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	it, res := sample()
	b, _ := Encode(bare(it, res, res.Channels[0]))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := Decode(b); err == nil {
			if _, err := json.Marshal(e); err != nil && !strings.Contains(err.Error(), "year outside of range") {
				t.Error(err)
			}
		}
	})
}
