package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

// sanctions is a configuration with one rule, which each tenth story meets.
func sanctions(t *testing.T) *Config {
	t.Helper()
	set, problems := rule.Load(rule.Dir{Name: "rules", FS: fstest.MapFS{"sanctions.yaml": {Data: []byte(`channel: sanctions
title: Sanctions
rules:
  - id: listing
    title: A listing
    severity: high
    match: sanction* AND hacker*
    tests:
      - {fires: true, title: Sanctions on hackers}
      - {fires: false, title: A sanctioned marathon}
`)}}})
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return &Config{Rules: set}
}

func drafts(from, to int) (out []poll.Draft) {
	for n := from; n < to; n++ {
		out = append(out, poll.Draft{Item: storyItem(n)})
	}
	return out
}

// TestEarly: what was judged early is what would be judged now, and is given
// to whoever has the very item while the same rules hold, once.
func TestEarly(t *testing.T) {
	t.Parallel()
	config := sanctions(t)
	again := *config
	synctest.Test(t, func(t *testing.T) {
		now := config
		e := &early{config: func() *Config { return now }}
		begin := func(from, to int) []poll.Draft {
			all := drafts(from, to)
			judge(e.begin(all))
			return all
		}
		waits := func(what string, it feed.Item, want bool) {
			t.Helper()
			if got := e.take(it); (got != nil) != want {
				t.Errorf("%s: taken %t", what, !want)
			}
		}

		all := begin(9, 12)
		got, want := e.take(all[1].Item), config.Rules.Match(all[1].Item)
		if got == nil || !got.First || !reflect.DeepEqual(got.Result(), want) || len(want.Channels) == 0 {
			t.Fatalf("judged early:\n%+v\nnow:\n%+v", got, want)
		}
		waits("a second time", all[1].Item, false)
		changed := all[0].Item
		changed.Authors = []string{"somebody"}
		waits("with another author", changed, false)
		now = &again
		waits("after a reload", all[2].Item, false)

		all = begin(20, 21)
		time.Sleep(2 * earlyFresh)
		begin(21, 22)
		waits("after a while", all[0].Item, false)
		waits("the newest", drafts(21, 22)[0].Item, true)

		if got := e.begin(drafts(100, 101+earlyPoll)); got != nil {
			t.Errorf("%d of a backlog are judged early", len(got))
		}
		for n := range 100 {
			e.begin(drafts(1000+n, 1001+n))
		}
		if len(e.waiting) != earlyMost {
			t.Errorf("%d wait, want %d", len(e.waiting), earlyMost)
		}
		time.Sleep(2 * earlyFresh)
		if got := e.begin(drafts(1, 2)); got != nil || len(e.waiting) != 0 {
			t.Errorf("goes on though nobody takes anything; %d wait", len(e.waiting))
		}
		e.take(feed.Item{}) // this process raises again
		if got := e.begin(drafts(1, 2)); len(got) != 1 {
			t.Error("does not go on when somebody asks")
		}
	})
}

// TestEarlyPanics: an item that breaks the matcher breaks it for the raiser,
// who passes over it, and not for the poll.
func TestEarlyPanics(t *testing.T) {
	t.Parallel()
	config, broken := &Config{}, feed.Item{Feed: "f", Key: "k"}
	e := &early{config: func() *Config { return config },
		waiting: []*foreseen{{item: broken, config: config, judged: alert.Judge(func(feed.Item) rule.Result { panic("broken") }, broken)}}}
	judge(e.waiting)
	defer func() {
		if recover() == nil {
			t.Error("the raiser does not hear of it")
		}
	}()
	e.take(broken).Result()
}

// elsewhere reads ITEMS from a place of its own.
type elsewhere struct {
	*stream.Items
	reader string
}

func (e elsewhere) Each(ctx context.Context, _ string, begin func(), fn func(context.Context, uint64, feed.Item) error) error {
	return e.Items.Each(ctx, e.reader, begin, fn)
}

// TestEarlyIsWrong: who supposes of each item that there is no alert, where all
// alerts are there, stores none a second time: neither in bulk nor one by one.
func TestEarlyIsWrong(t *testing.T) {
	t.Parallel()
	config, log := sanctions(t), slog.New(slog.DiscardHandler)
	s, err := stream.Open(t.Context(), stream.Options{Dir: t.TempDir(), Listen: "off", MaxStore: 1 << 30, Owner: "test", Log: log, Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raise := func(reader string) (alerts, given uint64) {
		r := alert.Raiser{Items: elsewhere{s.Items(), reader}, Outbox: s.Alerts(), Match: config.Rules.Match, Instance: "test", Now: time.Now, Log: log,
			Metrics: alert.NewMetrics(prometheus.NewRegistry()), Early: func(it feed.Item) *alert.Judged {
				j := alert.Judge(config.Rules.Match, it)
				j.First = true
				return j
			}}
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = r.Run(ctx) })
		defer run.Wait()
		defer stop()
		for over := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
			info, err := s.Reader(ctx, reader)
			if err == nil && info.Lag == 0 {
				break
			}
			if time.Now().After(over) {
				t.Fatalf("%s is %d items behind, %v", reader, info.Lag, err)
			}
		}
		infos, err := s.Streams(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return infos[1].Messages, infos[1].Last
	}
	for round, items := range []int{600, 640} { // a backlog, and a few more
		if _, err := s.Items().Append(t.Context(), drafts(round*600, items)); err != nil {
			t.Fatal(err)
		}
		for _, reader := range []string{"raise", fmt.Sprint("again-", round)} {
			if alerts, given := raise(reader); alerts != uint64(items/10) || given != alerts {
				t.Errorf("%s: %d items have %d alerts, of which the last is number %d", reader, items, alerts, given)
			}
		}
	}
}
