package demo

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// told gives the raiser the items of the demonstration and keeps what it
// raises.
type told struct {
	items  []feed.Item
	events []alert.Event
}

func (d *told) Each(ctx context.Context, _ string, begin func(), fn func(context.Context, uint64, feed.Item) error) error {
	begin()
	for i, it := range d.items {
		if err := fn(ctx, uint64(i+1), it); err != nil {
			return err
		}
	}
	return nil
}

func (d *told) Last(_ context.Context, _, _, id string) (alert.Stored, error) {
	for i, e := range slices.Backward(d.events) {
		if e.Data.ID == id {
			return alert.Stored{Sequence: uint64(i + 1), Folded: e.Type == alert.Folded, Event: e}, nil
		}
	}
	return alert.Stored{}, nil
}

func (d *told) Append(_ context.Context, e alert.Event, _ uint64) (uint64, error) {
	d.events = append(d.events, e)
	return uint64(len(d.events)), nil
}

func (d *told) WhenStored(_ context.Context, fn func()) { fn() }

func (d *told) Heads(context.Context, time.Time, func(alert.Head) error) error { return nil }

// TestStories: of the demonstration only the wire's copy of the indictment
// repeats another item, and nothing else is folded. What was done, what was
// found, what was answered and what it cost are stories of their own, and so is
// the essay that recalls them all.
func TestStories(t *testing.T) {
	t.Parallel()
	set, problems := rule.Load(rule.Dir{Name: "rules", FS: os.DirFS("../../../rules")})
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	st := newStage(t)
	st.moveTo(st.Length(1))
	byTitle := map[string]feed.Item{}
	for _, f := range st.Feeds("http://127.0.0.1:1234") {
		for _, it := range st.read(t, f).Items {
			it.Feed, it.Source, it.Revision = f.ID, f.Source(), "r1"
			byTitle[it.Title] = it
		}
	}
	d := &told{}
	for _, e := range st.Events {
		it, ok := byTitle[e.Title]
		if !ok {
			t.Fatalf("no item %q", e.Title)
		}
		it.Fetched = testStart.Add(e.at)
		d.items = append(d.items, it)
	}
	r := &alert.Raiser{Items: d, Outbox: d, Instance: "demo", Now: st.now, Log: slog.New(slog.DiscardHandler),
		Metrics: alert.NewMetrics(prometheus.NewRegistry()), Match: set.Match}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	titles := map[string][]string{} // by story
	raised := map[string]bool{}
	for _, e := range d.events {
		title := e.Data.Item.Title
		if e.Data.Folded == nil {
			raised[title] = true
		}
		if s := e.Data.Story.ID; !slices.Contains(titles[s], title) {
			titles[s] = append(titles[s], title)
		}
	}
	first, copied := st.Events[0].Title, st.Events[1].Title
	shared := 0
	for _, carriers := range titles {
		if len(carriers) == 1 {
			continue
		}
		shared++
		if !slices.Equal(carriers, []string{first, copied}) {
			t.Errorf("one story holds %q", carriers)
		}
	}
	if shared != 1 {
		t.Errorf("%d stories have more than one carrier, want the indictment's", shared)
	}
	for _, e := range st.Events {
		if len(e.Raises) > 0 && e.Title != copied && !raised[e.Title] {
			t.Errorf("%q is raised in no channel", e.Title)
		}
	}
	if len(titles) < 10 {
		t.Errorf("%d stories: the test says nothing", len(titles))
	}
}
