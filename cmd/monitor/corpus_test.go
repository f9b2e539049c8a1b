package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/rule"
)

// The corpus belongs to others and stands beside the project, not in it.
const corpus = "../../../shared/corpus"

// corpusFile returns where a file of the corpus stands, or skips the test.
func corpusFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(corpus, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s beside the project, which only its makers have", filepath.Join("../shared/corpus", name))
	}
	return path
}

// seed is a line of the seeds: a whole text and what it should raise.
type seed struct {
	labelled
	File string
}

func readSeeds(t *testing.T) []seed {
	t.Helper()
	b, err := os.ReadFile(corpusFile(t, "seeds.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []seed
	for line := range bytes.Lines(b) {
		var s seed
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(corpus, "seeds", s.File))
		if err != nil {
			t.Fatal(err)
		}
		s.Summary, s.Body = "", string(text)
		out = append(out, s)
	}
	return out
}

func shippedRules(t *testing.T) *rule.Set {
	t.Helper()
	set, l := pipeline.Files{Rules: []string{"builtin"}, Builtin: builtin}.LoadRules()
	if errs := l.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return set
}

var mainChannels = []string{"indictment", "attribution", "sanctions", "dialogue-resumption"}

// TestSeeds: the five texts that the project began with raise exactly the main
// channels that they should.
func TestSeeds(t *testing.T) {
	t.Parallel()
	seeds := readSeeds(t)
	set := shippedRules(t)
	for _, l := range seeds {
		res := set.Match(l.item())
		for _, ch := range mainChannels {
			i := slices.IndexFunc(res.Channels, func(h rule.Hit) bool { return h.Channel == ch })
			raised := i >= 0
			switch {
			case slices.Contains(l.Themes, ch) && !raised:
				t.Errorf("%s does not raise %s", l.File, ch)
			case !slices.Contains(l.Themes, ch) && !slices.Contains(l.Optional, ch) && raised:
				t.Errorf("%s raises %s on %+v", l.File, ch, res.Channels[i].Rules[0].Evidence)
			}
		}
	}
}

// TestCorpus measures the shipped rules on the labelled items; what they once
// reached they may not fall below.
func TestCorpus(t *testing.T) {
	t.Parallel()
	gold, err := readGold(corpusFile(t, "dev.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	floors, err := readFloors("testdata/floors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	v := judge(shippedRules(t), gold)
	var table strings.Builder
	if err := v.show(&table, style{}); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	for _, b := range v.below(floors) {
		t.Error(b)
	}
}
