package alert

import (
	"bufio"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// pair is two items and whether they tell the same news.
type pair struct {
	A      pairItem `json:"first"`
	B      pairItem `json:"second"`
	Same   bool     `json:"same"`
	Kind   string   `json:"kind"`
	Why    string   `json:"why"`
	Expect string   `json:"expect"` // of the raiser: fold or raise
	Reason string   `json:"reason"` // a, b or c, when a carrier of the same story is raised
}

type pairItem struct {
	Feed      string        `json:"feed"`
	Title     string        `json:"title"`
	Summary   string        `json:"summary"`
	Content   string        `json:"content"`
	Link      string        `json:"link"`
	Language  string        `json:"language"`
	Published time.Time     `json:"published"`
	Tier      string        `json:"tier"`
	Country   string        `json:"country"`
	Severity  rule.Severity `json:"severity"`
	Voice     *rule.Voice   `json:"voice"` // where it was recognised
	Group     string        `json:"group"` // the story that it tells, over all pairs
}

func (p pairItem) item(key byte, fetched time.Time) feed.Item {
	return feed.Item{Feed: p.Feed, Key: string([]byte{key}), Revision: "r1", Title: p.Title, Summary: p.Summary, Content: p.Content, Link: p.Link,
		Language: p.Language, Published: p.Published, Fetched: fetched, Source: feed.Source{ID: p.Feed, Tier: p.Tier, Country: p.Country}}
}

func pairs(t *testing.T) (out []pair) {
	files, err := filepath.Glob("testdata/pairs*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for n := 1; s.Scan(); n++ {
			var p pair
			if err := json.Unmarshal(s.Bytes(), &p); err != nil {
				t.Fatalf("%s:%d: %v", name, n, err)
			}
			out = append(out, p)
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// sameStory puts the first item into an empty index, as it would be read again
// from its header, and asks for the second.
func sameStory(t *testing.T, p pair) bool {
	t.Helper()
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	a, b := p.A.item('a', at), p.B.item('b', at.Add(time.Hour))
	x := newStories()
	first := look(a)
	first.voice = voiceOf(a.Source, nil)
	first.voice.raised = uint8(rule.Medium.Rank()) + 1
	x.note(Head{Channel: "c", Feed: a.Feed, ID: "id", Story: "id", Item: a.Key, Sketch: first.encode()})
	return x.place(b, look(b), []string{"c"}).story == "id"
}

// TestPairs measures how well stories are told apart, on labelled pairs.
func TestPairs(t *testing.T) {
	t.Parallel()
	type figure struct{ right, wrong int }
	kinds := map[string]*figure{}
	var truly, falsely, missed int
	for _, p := range pairs(t) {
		got := sameStory(t, p)
		k := kinds[p.Kind]
		if k == nil {
			k = &figure{}
			kinds[p.Kind] = k
		}
		if got == p.Same {
			k.right++
		} else {
			k.wrong++
			at := time.Now()
			l, c := look(p.B.item('b', at)), look(p.A.item('a', at))
			s := l.share(&c.sketch)
			t.Logf("%s: same is %t, want %t: %q / %q (%s)\n   weight %.1f most %.2f least %.2f text %.2f", p.Kind, got, p.Same, p.A.Title, p.B.Title, p.Why, s.weight, s.most, s.least, l.sameText(&c.sketch))
		}
		switch {
		case got && p.Same:
			truly++
		case got:
			falsely++
		case p.Same:
			missed++
		}
	}
	precision, recall := float64(truly)/float64(truly+falsely), float64(truly)/float64(truly+missed)
	for k, f := range kinds {
		t.Logf("%-24s %d right, %d wrong", k, f.right, f.wrong)
	}
	t.Logf("precision %.3f (%d wrong), recall %.3f (%d missed)", precision, falsely, recall, missed)
	if precision < 0.98 || recall < 0.9 {
		t.Errorf("precision %.3f, recall %.3f; want 0.98 and 0.9", precision, recall)
	}
}

// TestPairsRaised holds what is raised of the pairs against the labels: what
// folds, and why the others do not.
func TestPairsRaised(t *testing.T) {
	t.Parallel()
	adds := map[string]string{"a": AddsSeverity, "b": AddsVoice, "c": AddsOrgan}
	reasons := map[string]int{}
	var right, wrong int
	for _, p := range pairs(t) {
		items := []feed.Item{p.A.item('a', start), p.B.item('b', start.Add(time.Hour))}
		out := &archive{}
		r := storyRaiser(&list{items: items}, out)
		r.Match = func(it feed.Item) rule.Result {
			x := p.A
			if it.Key == items[1].Key {
				x = p.B
			}
			res := rule.Result{Channels: []rule.Hit{{Channel: "c", Severity: cmp.Or(x.Severity, rule.Medium), Rules: []rule.Match{{ID: "r"}}}}}
			if x.Voice != nil {
				res.Voice = *x.Voice
				res.Voice.ID = cmp.Or(res.Voice.ID, "voice")
			}
			return res
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		d := out.events[1].Event.Data
		got := "raise"
		if d.Folded != nil {
			got = "fold"
		}
		// Raised for what the label says: as other news, or for what it adds to the
		// first one's story.
		joined := d.Story.ID != d.ID
		switch {
		case got == p.Expect && joined == p.Same && d.Story.Adds == adds[p.Reason]:
			right++
			reasons[d.Story.Adds]++
		default:
			wrong++
			t.Logf("%s: %s %q, want %s %s: %q / %q (%s)", p.Kind, got, d.Story.Adds, p.Expect, p.Reason, p.A.Title, p.B.Title, p.Why)
		}
	}
	t.Logf("%d as labelled, %d not; of those raised although they repeat: %v", right, wrong, reasons)
	// Each repeat that TestPairs may miss is wrong here too.
	if share := float64(right) / float64(right+wrong); share < 0.94 || reasons[AddsVoice] < 20 || reasons[AddsOrgan] < 20 {
		t.Errorf("%.3f are as labelled, want 0.94; %v", share, reasons)
	}
}
