package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// archive is an Outbox in memory that keeps every event, as ALERTS does.
type archive struct {
	events []Stored
	fail   int // appends until the process dies, 0 for never
	lose   int // appends until an answer is lost, 0 for never

	refused int
}

var errDied = errors.New("the process died")

func (a *archive) Last(_ context.Context, channel, feedID, id string) (Stored, error) {
	for _, st := range slices.Backward(a.events) {
		if st.Event.Data.ID == id {
			return st, nil
		}
	}
	return Stored{}, nil
}

func (a *archive) Append(ctx context.Context, e Event, after uint64) (uint64, error) {
	if last, _ := a.Last(ctx, e.Data.Channel, e.Data.Item.Feed, e.Data.ID); last.Sequence != after {
		a.refused++
		return 0, ErrAhead
	}
	if a.fail--; a.fail == 0 {
		return 0, errDied
	}
	a.events = append(a.events, Stored{Sequence: uint64(len(a.events) + 1), Folded: e.Type == Folded, Event: e})
	if a.lose--; a.lose == 0 {
		return 0, errors.New("no answer")
	}
	return uint64(len(a.events)), nil
}

func (a *archive) WhenStored(_ context.Context, fn func()) { fn() }

func (a *archive) Heads(_ context.Context, since time.Time, fn func(Head) error) error {
	for _, st := range a.events {
		d := st.Event.Data
		if d.Item.Fetched.Before(since) {
			continue
		}
		if err := fn(Head{Channel: d.Channel, Feed: d.Item.Feed, ID: d.ID, Story: d.Story.ID, Item: d.Item.Key, Sketch: st.Event.Sketch}); err != nil {
			return err
		}
	}
	return nil
}

// told is what people were told, in short.
func (a *archive) told() (out []string) {
	for _, st := range a.events {
		e := st.Event
		s := fmt.Sprint(e.Type, " ", e.Severity, " ", e.Data.Channel, " ", e.Data.Item.Feed, " ", e.Data.Item.Title, " story ", e.Data.Story.ID, " ", e.Data.Story.Lead, " ", e.Data.Story.Adds)
		for _, c := range e.Data.Story.Also {
			s += " also " + c.Feed + " " + c.Title
		}
		out = append(out, s)
	}
	return out
}

// list gives its items once, from a place on, and tries a failing one again
// until the process dies.
type list struct {
	items []feed.Item
	place int
}

func (l *list) Each(ctx context.Context, _ string, begin func(), fn func(context.Context, uint64, feed.Item) error) error {
	begin()
	for ; l.place < len(l.items); l.place++ {
		for {
			err := fn(ctx, uint64(l.place+1), l.items[l.place])
			if errors.Is(err, errDied) {
				return err
			}
			if err == nil {
				break
			}
		}
	}
	return nil
}

func storyRaiser(items Items, out Outbox) *Raiser {
	return &Raiser{Items: items, Outbox: out, Instance: "test", Now: func() time.Time { return time.Unix(0, 0) },
		Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry()),
		Match: func(it feed.Item) rule.Result { // the item's categories are its channels and severities
			var res rule.Result
			for _, c := range it.Categories {
				channel, severity, _ := strings.Cut(c, ":")
				res.Channels = append(res.Channels, rule.Hit{Channel: channel, Severity: rule.Severity(severity), Rules: []rule.Match{{ID: "r", Evidence: []rule.Evidence{}}}})
			}
			return res
		}}
}

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

const release = "A federal grand jury in Pittsburgh charged Yuri Andrienko, Sergei Detistov and Pavel Frolov with breaking into Muleshoe Regional Water and four other utilities in Texas; a storage tank overflowed by 38,000 gallons."

// story makes an item that tells the same news as the others of its kind.
func storyItem(n int, feedID, tier, country string, hours float64, channels ...string) feed.Item {
	return feed.Item{Feed: feedID, Key: fmt.Sprintf("%032d", n), Revision: "r1", Title: fmt.Sprintf("Officers charged over Muleshoe water hack, says %s", feedID),
		Content: release, Categories: channels, Fetched: start.Add(time.Duration(hours * float64(time.Hour))),
		Source: feed.Source{ID: feedID, Title: feedID, Tier: tier, Country: country}}
}

// TestStory: what is folded under a story and what is raised although it
// repeats one.
func TestStory(t *testing.T) {
	t.Parallel()
	const own, press = "authoritative", "non-authoritative"
	held := storyItem(9, "ap", press, "US", 0, "x:high")
	held.Held = FoldBacklog
	edited := storyItem(2, "bbc", press, "GB", 3, "x:high")
	edited.Revision, edited.Content = "r2", release+" The embassy declined to comment."
	other := storyItem(7, "afp", press, "FR", 1, "x:medium")
	other.Title, other.Content = "Dutch court jails Rotterdam port insider", "Piet Verhoeven opened the container terminal's network at Maasvlakte to Antwerp smugglers."
	for _, tc := range []struct {
		name  string
		items []feed.Item
		want  []string // type and what it adds
	}{
		{"a repeat is folded", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 1, "x:medium")}, []string{"raised lead", "folded"}},
		{"other news is raised", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), other}, []string{"raised lead", "raised lead"}},
		{"a higher severity (a)", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 1, "x:high"), storyItem(3, "afp", press, "FR", 2, "x:high")},
			[]string{"raised lead", "raised severity", "folded"}},
		{"the ministry itself (b)", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "doj", own, "US", 1, "x:medium"), storyItem(3, "bbc", press, "GB", 2, "x:medium")},
			[]string{"raised lead", "raised lead voice", "folded"}},
		{"who joins (c)", []feed.Item{storyItem(1, "doj", own, "US", 0, "x:medium"), storyItem(2, "ncsc", own, "GB", 1, "x:medium"), storyItem(3, "fbi", own, "US", 2, "x:medium"), storyItem(4, "ncsc", own, "GB", 3, "x:medium")},
			[]string{"raised lead", "raised organ", "raised organ", "folded"}},
		{"another channel", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 1, "y:medium")}, []string{"raised lead", "raised lead"}},
		{"one channel of two is news", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 1, "x:medium", "y:medium")}, []string{"raised lead", "folded", "raised lead"}},
		{"after three days", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 73, "x:medium")}, []string{"raised lead", "raised lead"}},
		{"from the first carrier on", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 71, "x:medium"), storyItem(3, "afp", press, "FR", 73, "x:medium")},
			[]string{"raised lead", "folded", "raised lead"}},
		{"of held ones nobody knows", []feed.Item{held, storyItem(2, "bbc", press, "GB", 1, "x:medium")}, []string{"folded lead", "raised lead"}},
		{"an edited repeat", []feed.Item{storyItem(1, "ap", press, "US", 0, "x:medium"), storyItem(2, "bbc", press, "GB", 1, "x:medium"), edited}, []string{"raised lead", "folded", "raised severity"}},
	} {
		out := &archive{}
		if err := storyRaiser(&list{items: tc.items}, out).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, st := range out.events {
			s := strings.Split(st.Event.Type, ".")[2]
			if st.Event.Data.Story.Lead {
				s += " lead"
			}
			if a := st.Event.Data.Story.Adds; a != "" {
				s += " " + a
			}
			got = append(got, s)
			b, err := Encode(st.Event)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, b); err != nil && !strings.Contains(err.Error(), "evidence") {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestStoryOfAnItem: the alerts of one item share a story, and later carriers
// name the earlier ones.
func TestStoryOfAnItem(t *testing.T) {
	t.Parallel()
	out := &archive{}
	items := []feed.Item{storyItem(1, "ap", "non-authoritative", "US", 0, "x:medium"), storyItem(2, "bbc", "non-authoritative", "GB", 1, "x:medium", "y:low"), storyItem(3, "afp", "non-authoritative", "FR", 2, "y:low", "x:low")}
	if err := storyRaiser(&list{items: items}, out).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := ID("x", items[0].Key)
	for _, st := range out.events {
		if st.Event.Data.Story.ID != first {
			t.Errorf("%s is in story %s, want %s", st.Event.Data.Item.Feed, st.Event.Data.Story.ID, first)
		}
	}
	last := out.events[len(out.events)-1].Event.Data
	if len(last.Story.Also) != 2 || last.Story.Also[0].Feed != "ap" || last.Story.Also[1].Title != items[1].Title || last.Folded == nil || last.Folded.Reason != FoldStory {
		t.Errorf("the last is %+v, folded %+v", last.Story, last.Folded)
	}
}

// randomDays are items of a few stories, some with new revisions, over days.
func randomDays(r *rand.Rand) (items []feed.Item) {
	people := []string{"Yuri Andrienko", "Hossein Karimi", "Zhang Jianguo", "Park Jin Hyok", "Denis Zavialov", "Liu Xiaoyu"}
	places := []string{"Muleshoe Water", "Kostrzyn Terminal", "Rotterdam Maasvlakte", "Northwestern Polytechnical", "Deutsche Flugsicherung", "Viasat Kasat"}
	tiers := []string{"authoritative", "quasi-authoritative", "non-authoritative"}
	severities := []string{"low", "medium", "high", "critical"}
	for i := range 250 {
		k := r.IntN(len(people))
		it := feed.Item{Feed: fmt.Sprint("feed", r.IntN(12)), Key: fmt.Sprintf("%032d", i), Revision: "r1",
			Title:   fmt.Sprintf("Charges against %s over %s", people[k], places[k]),
			Content: fmt.Sprintf("Prosecutors said %s entered the network of %s and took %d files. More is expected at %s on hearing %d.", people[k], places[k], 100+k, places[k], r.IntN(900)),
			Fetched: start.Add(time.Duration(i*40+r.IntN(90)) * time.Minute)}
		it.Source = feed.Source{ID: it.Feed, Title: it.Feed, Tier: tiers[r.IntN(3)], Country: []string{"US", "GB", "CN"}[r.IntN(3)]}
		for _, ch := range []string{"x", "y"}[:1+r.IntN(2)] {
			it.Categories = append(it.Categories, ch+":"+severities[r.IntN(4)])
		}
		if r.IntN(8) == 0 {
			it.Held = FoldBacklog
		}
		items = append(items, it)
		if r.IntN(4) == 0 && i > 5 {
			again := items[r.IntN(len(items))]
			again.Revision, again.Fetched = fmt.Sprint("r", i), it.Fetched.Add(time.Second)
			again.Content += fmt.Sprint(" Updated with reaction from ", places[r.IntN(len(places))])
			again.Categories = []string{"x:" + severities[r.IntN(4)]}
			items = append(items, again)
		}
	}
	return items
}

// TestStoryClock: items that were fetched by a clock that jumps are raised once
// each, a story that is told again within its time by that clock is folded, and
// a restart groups the same.
func TestStoryClock(t *testing.T) {
	t.Parallel()
	const day = 24
	names := []string{"Yuri Andrienko of Muleshoe", "Hossein Karimi of Kostrzyn", "Zhang Jianguo of Rotterdam", "Park Hyok of Viasat", "Denis Zavialov of Langen",
		"Liu Xiaoyu of Trieste", "Tomas Oberg of Haugesund", "Maria Quiroga of Callao"}
	item := func(i int, feedID, tier string, hours float64) feed.Item {
		it := storyItem(i, feedID, tier, "US", hours, "x:high")
		it.Title, it.Content = "Charges against "+names[i], "Prosecutors said that "+names[i]+" broke into a network there."
		return it
	}
	var items []feed.Item
	for i, hours := range []float64{0, 3 * day, 3*day - 5, 30 * day, -5, 0, 400 * day, 1} {
		items = append(items, item(i, "a", "authoritative", hours))
	}
	again := item(1, "b", "non-authoritative", 3*day-5) // the second item's news, by a clock that went back
	again.Key = fmt.Sprintf("%032d", 100)
	items = slices.Insert(items, 3, again)
	once := &archive{}
	if err := storyRaiser(&list{items: items}, once).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	raised, folded := map[string]int{}, []string{}
	for _, st := range once.events {
		if st.Folded {
			folded = append(folded, st.Event.Data.Item.Key)
			continue
		}
		raised[st.Event.Data.Item.Key]++
	}
	if len(raised) != 8 || len(once.events) != 9 || !slices.Equal(folded, []string{again.Key}) {
		t.Errorf("raised %v, folded %v; want each item once, and the one that repeats the second folded", raised, folded)
	}
	parts, all := &archive{}, &list{items: items}
	for parts.fail = 2; storyRaiser(all, parts).Run(t.Context()) != nil; {
		parts.fail = 2 // each process raises one
	}
	if got, want := parts.told(), once.told(); !slices.Equal(got, want) {
		t.Errorf("with restarts:\n%q\nwant\n%q", got, want)
	}
}

// TestStoryAgain: the same items give the same events, in one go, with
// restarts and lost answers at any moment, and from far back.
func TestStoryAgain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		items := randomDays(rand.New(rand.NewPCG(seed, 1)))
		once := &archive{}
		if err := storyRaiser(&list{items: items}, once).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		folded := 0
		for _, st := range once.events {
			if d := st.Event.Data; d.Folded != nil && d.Folded.Reason == FoldStory {
				folded++
			}
		}
		if folded < 50 || folded > len(once.events)*9/10 {
			t.Fatalf("seed %d: %d of %d events folded into stories: the test says nothing", seed, folded, len(once.events))
		}

		for _, luck := range []uint64{2, 8, 11, 13} {
			testAgain(t, items, once.told(), seed, luck)
		}
	}
}

func testAgain(t *testing.T, items []feed.Item, want []string, seed, luck uint64) {
	r, hasty := rand.New(rand.NewPCG(seed, luck)), rand.New(rand.NewPCG(seed, 3))
	parts := &archive{}
	all := &list{items: items}
	deaths := 0
	for {
		parts.fail, parts.lose = 1+r.IntN(40), 1+r.IntN(20)
		raiser := storyRaiser(all, parts)
		// Who judges early may know nothing of alerts that are there.
		raiser.Early = func(it feed.Item) *Judged {
			j := Judge(raiser.Match, it)
			j.First = hasty.IntN(2) == 0
			if hasty.IntN(4) == 0 {
				return nil
			}
			return j
		}
		err := raiser.Run(t.Context())
		if err == nil {
			break
		}
		deaths++
		all.place = max(0, all.place-r.IntN(10)) // the place was not saved
	}
	if got := parts.told(); !slices.Equal(got, want) {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		t.Errorf("seed %d, luck %d: after %d deaths event %d is\n%s\nwant\n%s", seed, luck, deaths, i, at(got, i), at(want, i))
	}
	if parts.refused == 0 {
		t.Errorf("seed %d, luck %d: no alert was there already that was thought to be the first", seed, luck)
	}
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "none"
}

func BenchmarkPlace(b *testing.B) {
	x := newStories()
	items := randomDays(rand.New(rand.NewPCG(1, 1)))
	for i, it := range items {
		l := look(it)
		id := fmt.Sprint(i)
		x.note(Head{Channel: "x", Feed: it.Feed, ID: id, Story: id, Item: it.Key, Sketch: l.encode()})
	}
	i := 0
	for b.Loop() {
		x.place(items[i%len(items)], look(items[i%len(items)]), []string{"x"})
		i++
	}
}
