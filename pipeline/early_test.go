package pipeline

import (
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"newsmonitor"
	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
)

func loadedConfig(t *testing.T) *Config {
	t.Helper()
	c, err := Files{Rules: []string{BuiltinName}, Feeds: []string{BuiltinName}, Builtin: newsmonitor.Builtin}.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
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
	config := loadedConfig(t)
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
			if _, ok := e.take(it); ok != want {
				t.Errorf("%s: taken %t", what, ok)
			}
		}

		all := begin(9, 12)
		got, ok := e.take(all[1].Item)
		want := alert.Judge(config.Rules.Match, all[1].Item)
		want.First = true
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("judged early (%t):\n%+v\nnow:\n%+v", ok, got, want)
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
		waiting: []*foreseen{{item: broken, config: config, judged: sync.OnceValue(func() alert.Judged { panic("broken") })}}}
	judge(e.waiting)
	defer func() {
		if recover() == nil {
			t.Error("the raiser does not hear of it")
		}
	}()
	e.take(broken)
}
