package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// The corpus belongs to others and stands beside the project, not in it.
const corpus = "../../../shared/corpus"

// labelled is a line of the corpus.
type labelled struct {
	ID, File             string
	Title, Summary, Body string
	Lang                 string
	Kind                 string
	Tier                 int
	Themes               []string
	Optional             []string `json:"themes_optional"`
	Not                  []string `json:"not_themes"`
}

func (l labelled) item(t *testing.T) feed.Item {
	it := feed.Item{Title: l.Title, Summary: l.Summary, Content: l.Body, Language: l.Lang}
	if l.Kind == "think-tank" || l.Kind == "ministry" {
		it.Source.Kind = l.Kind
	}
	it.Source.Tier = "non-authoritative"
	if l.Tier == 1 {
		it.Source.Tier = "authoritative"
	}
	if l.File != "" {
		b, err := os.ReadFile(filepath.Join(corpus, "seeds", l.File))
		if err != nil {
			t.Fatal(err)
		}
		it.Summary, it.Content = "", string(b)
	}
	return it
}

func readCorpus(t *testing.T, name string) []labelled {
	t.Helper()
	f, err := os.Open(filepath.Join(corpus, name))
	if err != nil {
		t.Skipf("needs %s beside the project, which only its makers have", filepath.Join("../shared/corpus", name))
	}
	defer f.Close()
	var out []labelled
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var l labelled
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
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
	seeds := readCorpus(t, "seeds.jsonl")
	set := shippedRules(t)
	for _, l := range seeds {
		res := set.Match(l.item(t))
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
	items := readCorpus(t, "dev.jsonl")
	set := shippedRules(t)
	floor := map[string][2]float64{ // recall, precision
		"indictment": {.95, .95}, "attribution": {.95, .95}, "sanctions": {.95, .95}, "dialogue-resumption": {.95, .95},
	}
	type score struct{ tp, fp, fn int }
	scores := map[string]*score{}
	for _, ch := range set.Channels() {
		scores[ch.Slug] = &score{}
	}
	for _, l := range items {
		raised := map[string]bool{}
		for _, h := range set.Match(l.item(t)).Channels {
			raised[h.Channel] = true
		}
		for ch, s := range scores {
			switch want := slices.Contains(l.Themes, ch); {
			case want && raised[ch]:
				s.tp++
			case want:
				s.fn++
				t.Logf("%s does not raise %s", l.ID, ch)
			case raised[ch]:
				s.fp++
				t.Logf("%s raises %s", l.ID, ch)
			}
		}
	}
	var table strings.Builder
	for _, ch := range set.Channels() {
		s := scores[ch.Slug]
		recall, precision := ratio(s.tp, s.tp+s.fn), ratio(s.tp, s.tp+s.fp)
		fmt.Fprintf(&table, "%-20s recall %.2f precision %.2f (%d right, %d too many, %d missed)\n", ch.Slug, recall, precision, s.tp, s.fp, s.fn)
		if f, ok := floor[ch.Slug]; ok && (recall < f[0] || precision < f[1]) {
			t.Errorf("%s fell below recall %.2f and precision %.2f", ch.Slug, f[0], f[1])
		}
	}
	t.Log("\n" + table.String())
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}
