package poll

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// doc reads the tests' own format, see plainParse.
func doc(lines ...string) *feed.Parsed {
	d, err := plainParse(feed.Document{Feed: feed.Feed{ID: "x"}, Body: []byte(strings.Join(lines, "\n"))})
	if err != nil {
		panic(err)
	}
	return d
}

// reader plays successive documents through Newness as Poller does.
type reader struct {
	*testing.T
	feed     feed.Feed
	backlog  time.Duration
	now      time.Time
	state    State
	sequence uint64
}

func newReader(t *testing.T, backlog time.Duration) *reader {
	return &reader{T: t, feed: feed.Feed{ID: "x"}, backlog: backlog, now: noon}
}

func (r *reader) read(lines ...string) News {
	n := Newness(r.state, r.feed, doc(lines...), r.now, Reading{Backlog: r.backlog})
	sequences := make([]uint64, len(n.Drafts))
	for i := range sequences {
		r.sequence++
		sequences[i] = r.sequence
	}
	n.Placed(sequences)
	r.state = n.Next
	r.state.LastSuccess = r.now
	r.now = r.now.Add(time.Hour)
	return n
}

// titles is what was drafted, with what is said about it.
func titles(n News) string {
	var s []string
	for _, d := range n.Drafts {
		t := d.Item.Title
		if d.After > 0 {
			t += fmt.Sprintf(" after %d", d.After)
		}
		if d.Item.Held != "" {
			t += " held:" + d.Item.Held
		}
		if d.Item.Backlog {
			t += " backlog"
		}
		s = append(s, t)
	}
	return strings.Join(s, ", ")
}

func TestNewness(t *testing.T) {
	t.Parallel()
	type step struct {
		doc  []string
		want string
	}
	for name, steps := range map[string][]step{
		"known is not new": {
			{[]string{"a|l/a|A||", "b|l/b|B||"}, "B, A"},
			{[]string{"a|l/a|A||", "b|l/b|B||"}, ""},
			{[]string{"c|l/c|C||", "a|l/a|A||", "b|l/b|B||"}, "C"},
		},
		"oldest first by date when all are dated": {
			{[]string{"a|l/a|A|2026-11-22T09:00:00Z|", "b|l/b|B|2026-11-22T08:00:00Z|", "c|l/c|C|2026-11-22T10:00:00Z|"}, "B, A, C"},
		},
		"an edit follows its first revision": {
			{[]string{"a|l/a|A||one"}, "A"}, {[]string{"a|l/a|A||two"}, "A after 1"}, {[]string{"a|l/a|A||three"}, "A after 2"},
		},
		"a text that comes back is not new": {
			{[]string{"a|l/a|A||one"}, "A"}, {[]string{"a|l/a|A||two"}, "A after 1"},
			{[]string{"a|l/a|A||one"}, ""}, {[]string{"a|l/a|A||two"}, ""}, {[]string{"a|l/a|A||one"}, ""},
		},
		"a guid that changes with each update": {
			{[]string{"a1|l/a|A||one"}, "A"}, {[]string{"a2|l/a|A||two"}, "A after 1"}, {[]string{"a3|l/a|A||two"}, ""}, {[]string{"a4|l/a|A||three"}, "A after 2"},
		},
		"a new guid with the same link and text, another title": {
			{[]string{"a1|l/a|A||"}, "A"}, {[]string{"a2|l/a|A||"}, ""},
		},
		"a new guid with the same link only is another item": {
			{[]string{"a1|l/home|A||"}, "A"}, {[]string{"a2|l/home|B||"}, "B"},
		},
		"a link that changes each time": {
			{[]string{"a|l/a?s=1|A||"}, "A"}, {[]string{"a|l/a?s=2|A||"}, ""}, {[]string{"a|l/a?s=3|A||"}, ""},
		},
		"servers that take turns": {
			{[]string{"a|l/a|A||", "b|l/b|B||"}, "B, A"}, {[]string{"b|l/b|B||"}, ""}, {[]string{"a|l/a|A||", "b|l/b|B||"}, ""},
		},
		"an empty document forgets nothing": {
			{[]string{"a|l/a|A||"}, "A"}, {nil, ""}, {nil, ""}, {nil, ""}, {nil, ""}, {nil, ""}, {nil, ""}, {[]string{"a|l/a|A||"}, ""},
		},
		"a guid that comes back for something else": {
			{[]string{"a|l/a|A||"}, "A"}, {[]string{"a2|l/a|A||", "a|l/b|B||"}, "B"}, {[]string{"a2|l/a|A||", "a|l/b|B||"}, ""},
		},
		"no identity at all": {{[]string{"|||2026-11-22T09:00:00Z|text"}, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, BacklogAll)
			for i, s := range steps {
				n := r.read(s.doc...)
				if got := strings.ReplaceAll(titles(n), " backlog", ""); got != s.want {
					t.Errorf("document %d: drafted %q, want %q", i+1, got, s.want)
				}
			}
		})
	}
}

func TestIdentityOverride(t *testing.T) {
	t.Parallel()
	r := newReader(t, BacklogAll)
	r.feed.Identity = "guid"
	r.read("a1|l/a|A||")
	if n := r.read("a2|l/a|A||"); n.New != 1 {
		t.Errorf("with identity guid a new guid is a new item; got %+v", n)
	}
}

func TestForgottenAfterAWhile(t *testing.T) {
	t.Parallel()
	r := newReader(t, BacklogAll)
	r.read("a|l/a|A||", "b|l/b|B||")
	for range maxMissed {
		r.read("b|l/b|B||")
	}
	if len(r.state.Items) != 2 || listed(r.state.Items) != 1 {
		t.Errorf("after %d documents without it: %d remembered, %d listed", maxMissed, len(r.state.Items), listed(r.state.Items))
	}
	if r.read("b|l/b|B||"); len(r.state.Items) != 1 {
		t.Errorf("still %d remembered", len(r.state.Items))
	}
}

func TestParserUpgradeOnlyRelearns(t *testing.T) {
	t.Parallel()
	r := newReader(t, BacklogAll)
	r.read("a|l/a|A||one")
	r.state.Parser--
	if n := r.read("b|l/b|B||", "a|l/a|A||the same text, read otherwise"); titles(n) != "B" {
		t.Errorf("drafted %q, want the new item only", titles(n))
	}
	if n := r.read("b|l/b|B||", "a|l/a|A||edited"); titles(n) != "A after 1" {
		t.Errorf("drafted %q, want the edit", titles(n))
	}
}

func TestBacklogOfTheFirstPoll(t *testing.T) {
	t.Parallel()
	lines := []string{"n|l/n|New|2026-11-22T11:00:00Z|", "o|l/o|Old|2026-11-01T11:00:00Z|", "u|l/u|Undated||"}
	for backlog, want := range map[time.Duration]string{
		72 * time.Hour: "Undated held:backlog, Old held:backlog, New backlog",
		0:              "Undated held:backlog, Old held:backlog, New held:backlog",
		BacklogAll:     "Undated backlog, Old backlog, New backlog",
	} {
		if got := titles(newReader(t, backlog).read(lines...)); got != want {
			t.Errorf("backlog %s: %q, want %q", backlog, got, want)
		}
	}
	r := newReader(t, 72*time.Hour)
	r.read(lines...)
	if got := titles(r.read("o|l/o|Old|2026-11-01T11:00:00Z|edited")); got != "Old after 2" {
		t.Errorf("a held item that is edited: %q, want it to raise", got)
	}
}

func TestFlood(t *testing.T) {
	t.Parallel()
	list := func(n int, date string) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("%s%d|l/%s%d|T%d|%s|", date, i, date, i, i, date))
		}
		return lines
	}
	const old, fresh = "2020-01-01T00:00:00Z", "2026-11-22T12:30:00Z"
	known := []string{"k|l/k|K|2026-11-22T11:00:00Z|"}
	for _, c := range []struct {
		name  string
		lines []string
		held  int
	}{
		{"few old ones", list(flood, old), 0},
		{"many old ones", list(flood+1, old), flood + 1},
		{"many fresh ones", list(500, fresh), 0},
		{"many undated ones", list(flood+1, ""), flood + 1},
		{"undated ones, but less than half", append(list(flood+1, ""), list(40, fresh)...), 0},
		{"fresh ones among many old", append(list(30, old), list(5, fresh)...), 30},
	} {
		r := newReader(t, 72*time.Hour)
		r.read(known...)
		n := r.read(slices.Concat(known, c.lines)...)
		if n.Held != c.held || n.Flood != (c.held > 0) {
			t.Errorf("%s: %d of %d held, flood %v; want %d", c.name, n.Held, n.New, n.Flood, c.held)
		}
		for _, d := range n.Drafts {
			if d.Item.Held == HeldFlood && strings.HasPrefix(d.Item.GUID, "2026") {
				t.Errorf("%s: a freshly dated item is held", c.name)
			}
		}
	}
	r := newReader(t, 72*time.Hour)
	r.read(known...)
	r.now = r.now.Add(60 * 24 * time.Hour)
	if n := r.read(slices.Concat(known, list(50, "2026-12-10T00:00:00Z"))...); n.Held != 0 {
		t.Errorf("%d items held after our own downtime, want none", n.Held)
	}
	r = newReader(t, 72*time.Hour)
	r.read(known...)
	r.now = r.now.Add(-10 * 24 * time.Hour) // the first poll's clock was ahead
	if n := r.read(slices.Concat(known, list(50, "2026-11-12T00:00:00Z"))...); n.Held != 0 {
		t.Errorf("%d fresh items held after the clock was set back, want none", n.Held)
	}
}

func TestGap(t *testing.T) {
	t.Parallel()
	r := newReader(t, BacklogAll)
	if r.read("a|l/a|A||").Gap {
		t.Error("a first poll has no gap")
	}
	if r.read("b|l/b|B||", "a|l/a|A||").Gap {
		t.Error("an overlap is no gap")
	}
	if !r.read("d|l/d|D||", "c|l/c|C||").Gap {
		t.Error("nothing in common, want a gap")
	}
	if r.read().Gap {
		t.Error("an empty document is no gap")
	}
}

func TestNewnessIsBounded(t *testing.T) {
	t.Parallel()
	r := newReader(t, BacklogAll)
	for round := range 3 {
		var lines []string
		for i := range 5_000 {
			lines = append(lines, fmt.Sprintf("%d-%d|l/%d-%d|T||", round, i, round, i))
		}
		n := r.read(lines...)
		if n.New != DefaultOptions().MaxItems || n.Cut != 3_000 || len(n.Next.Items) > maxKnown {
			t.Errorf("round %d: %d new, %d cut, %d remembered", round, n.New, n.Cut, len(n.Next.Items))
		}
	}
}

// TestLongDocuments: of a document that lists more than we look at, whatever
// its order and with dates or without, the new items are found, and no old one
// is ever taken for new.
func TestLongDocuments(t *testing.T) {
	t.Parallel()
	const listed, most, rounds = 130, 60, 200
	for name, c := range map[string]struct{ dates, last, grows bool }{
		"dates, newest first": {true, false, false}, "dates, newest last": {true, true, false},
		"dates, newest first, growing": {true, false, true}, "dates, newest last, growing": {true, true, true},
		"no dates, newest first": {false, false, false}, "no dates, newest last": {false, true, false},
		"no dates, newest first, growing": {false, false, true}, "no dates, newest last, growing": {false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, BacklogAll)
			next := listed
			edited := map[int]string{}
			document := func() []string {
				from := next - listed
				if c.grows {
					from = 0
				}
				var lines []string
				for i := from; i < next; i++ {
					date := ""
					if c.dates {
						date = noon.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
					}
					lines = append(lines, fmt.Sprintf("%d|l/%d|N%d|%s|%s", i, i, i, date, edited[i]))
				}
				if !c.last {
					slices.Reverse(lines)
				}
				return lines
			}
			read := func() News {
				n := Newness(r.state, r.feed, doc(document()...), r.now, Reading{Backlog: BacklogAll, MaxItems: most})
				n.Placed(make([]uint64, len(n.Drafts)))
				r.state = n.Next
				r.state.LastSuccess, r.now = r.now, r.now.Add(time.Minute)
				return n
			}
			if n := read(); n.New != most || n.Cut != listed-most {
				t.Fatalf("%d new and %d cut at first", n.New, n.Cut)
			}
			edited[next-3] = "edited" // says nothing of where new items come
			if n := read(); n.New != 0 || n.Updated != 1 {
				t.Errorf("after an edit: %s", titles(n))
			}
			for round := range rounds {
				var want []string
				for range round%4 + 1 {
					want = append(want, fmt.Sprintf("N%d", next))
					next++
				}
				n := read()
				got := strings.Split(titles(n), ", ")
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("round %d: %v, want %v", round, got, want)
				}
				if len(n.Next.Items) > maxKnown || n.Cut == 0 {
					t.Fatalf("round %d: %d remembered, %d cut", round, len(n.Next.Items), n.Cut)
				}
			}
		})
	}
}

// FuzzNewness plays random documents: whatever they list, no key is drafted
// twice without a new revision, every draft names the sequence of the
// revision before, and the input is left alone.
func FuzzNewness(f *testing.F) {
	f.Add(uint64(1), uint8(3), int64(0))
	f.Add(uint64(7), uint8(40), int64(72))
	f.Fuzz(func(t *testing.T, seed uint64, size uint8, hours int64) {
		random := rand.New(rand.NewPCG(seed, seed))
		r := newReader(t, time.Duration(hours%1000)*time.Hour)
		r.feed.Identity = []string{"", "auto", "guid", "link", "title"}[random.IntN(5)]
		pick := func(kind string) string {
			if random.IntN(6) == 0 {
				return ""
			}
			return fmt.Sprintf("%s%d", kind, random.IntN(int(size)/2+2))
		}
		last := map[string]uint64{} // by key
		for range 8 {
			var lines []string
			for range random.IntN(int(size) + 1) {
				lines = append(lines, strings.Join([]string{pick("g"), pick("http://x.test/"), pick("t"), "", pick("c")}, "|"))
			}
			before := maps.Clone(r.state.Items)
			n := r.read(lines...)
			seen := map[string]bool{}
			for _, d := range n.Drafts {
				key := d.Item.Key
				if seen[key] {
					t.Fatalf("key %s drafted twice in one document", key)
				}
				seen[key] = true
				old, known := before[key]
				if known && slices.Contains(old.Revisions, d.Item.Revision) {
					t.Fatalf("revision %s of %s drafted again", d.Item.Revision, key)
				}
				if known && d.After != last[key] || !known && d.After != 0 {
					t.Fatalf("draft of %s after %d, want %d", key, d.After, last[key])
				}
				last[key] = n.Next.Items[key].Sequence
			}
			if n.New+n.Updated != len(n.Drafts) || n.Held > n.New || n.New+n.Updated+n.Duplicate+n.Invalid != len(lines)-blank(lines) {
				t.Fatalf("counts do not add up: %+v of %d lines", n, len(lines))
			}
		}
	})
}

// blank counts lines that plainParse leaves out.
func blank(lines []string) (n int) {
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			n++
		}
	}
	return n
}

func BenchmarkNewnessQuiet(b *testing.B) {
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("g%d|http://x.test/%d|Title %d||text", i, i, i))
	}
	d := doc(lines...)
	f := feed.Feed{ID: "x"}
	st := Newness(State{}, f, d, noon, Reading{}).Next
	st.LastSuccess = noon
	b.ReportAllocs()
	for b.Loop() {
		if n := Newness(st, f, d, noon, Reading{}); n.New != 0 {
			b.Fatal("something is new")
		}
	}
}
