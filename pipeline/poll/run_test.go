package poll

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"newsmonitor/pipeline/feed"
)

func h(pairs ...string) http.Header {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	return header
}

// bubble runs f in a world with a clock of its own.
func bubble(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t)) })
}

func TestValidatorsByteForByteAcrossRestart(t *testing.T) {
	bubble(t, func(w *world) {
		const etag, modified = `W/"odd  tag,é"`, "Sat, 1 Nov 2025 7:00 GMT (about)"
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.Header.Get("If-None-Match") == etag {
				return 304, nil, ""
			}
			return 200, h("ETag", etag, "Last-Modified", modified), "a|http://x.test/a|A||"
		})
		f := aFeed("x", "http://x.test/feed", 10*time.Minute)
		w.runFor(w.poller(f), 35*time.Minute)
		w.runFor(w.poller(f), 35*time.Minute) // another process, the same store
		got := w.site.seen()
		if len(got) < 6 {
			t.Fatalf("%d requests in 70 minutes, want at least 6", len(got))
		}
		for i, r := range got {
			if i == 0 && (r.etag != "" || r.since != "") {
				t.Errorf("the first request is conditional: %+v", r)
			}
			if i > 0 && (r.etag != etag || r.since != modified) {
				t.Errorf("request %d: If-None-Match %q, If-Modified-Since %q; want them as served", i, r.etag, r.since)
			}
		}
		if n := w.memory.revisions(); n != 1 {
			t.Errorf("%d items stored, want 1", n)
		}
	})
}

func TestChangedURLIsAskedWithoutValidators(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			return 200, h("ETag", `"1"`), "a|http://x.test/a|A||"
		})
		w.runFor(w.poller(aFeed("x", "http://x.test/old", time.Hour)), time.Minute)
		p := w.poller(aFeed("x", "http://x.test/new", time.Hour))
		w.runFor(p, time.Minute)
		got := w.site.seen()
		if last := got[len(got)-1]; len(got) != 2 || last.url != "http://x.test/new" || last.etag != "" {
			t.Errorf("requests %+v; want the new address at once and without the old one's ETag", got)
		}
		if n := w.memory.revisions(); n != 1 {
			t.Errorf("%d items stored, want the one known item to stay known", n)
		}
	})
}

func TestTwentyRestartsAskNobodyTwice(t *testing.T) {
	bubble(t, func(w *world) {
		feeds := manyFeeds(40, 10*time.Minute)
		start := time.Now()
		for range 20 {
			w.runFor(w.poller(feeds...), 90*time.Second)
		}
		took := time.Since(start)
		byURL := map[string][]time.Time{}
		for _, r := range w.site.seen() {
			byURL[r.url] = append(byURL[r.url], r.at)
		}
		for url, at := range byURL {
			for i := 1; i < len(at); i++ {
				if gap := at[i].Sub(at[i-1]); gap < 10*time.Minute {
					t.Errorf("%s asked after %s, want no earlier than 10m", url, gap)
				}
			}
			if most := int(took/(10*time.Minute)) + 1; len(at) > most {
				t.Errorf("%s asked %d times in %s, want at most %d", url, len(at), took, most)
			}
		}
		if len(byURL) != 40 {
			t.Errorf("%d feeds were asked, want 40", len(byURL))
		}
	})
}

func TestFirstPollsAreSpread(t *testing.T) {
	bubble(t, func(w *world) {
		w.opt.Concurrency = 1000
		start := time.Now()
		w.runFor(w.poller(manyFeeds(400, 15*time.Minute)...), time.Minute)
		perSecond := map[int]int{}
		for _, r := range w.site.seen() {
			perSecond[int(r.at.Sub(start)/time.Second)]++
		}
		for s, n := range perSecond {
			if n > 2*startRate {
				t.Errorf("second %d: %d requests, want at most %d", s, n, 2*startRate)
			}
		}
		if n := len(w.site.seen()); n != 400 {
			t.Errorf("%d requests in the first minute, want 400", n)
		}
	})
}

func TestOneRequestAtATimeAndAGapPerHost(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.took = 3 * time.Second
		var feeds []feed.Feed
		for i := range 12 {
			feeds = append(feeds, aFeed(fmt.Sprintf("f%d", i), fmt.Sprintf("http://One.test:80/%d", i), 5*time.Minute))
		}
		w.runFor(w.poller(feeds...), 12*time.Minute)
		got := w.site.seen()
		for host, n := range w.site.most {
			if n > 1 {
				t.Errorf("%d requests to %s at a time, want 1", n, host)
			}
		}
		for i := 1; i < len(got); i++ {
			if gap := got[i].at.Sub(got[i-1].at); gap < 4*time.Second {
				t.Errorf("request %d came %s after the one before, want its 3 s and 1 s more", i, gap)
			}
		}
		if len(got) < 24 {
			t.Errorf("%d requests, want each feed twice", len(got))
		}
	})
}

func TestHangingServersLeaveRoom(t *testing.T) {
	t.Run("for ever", func(t *testing.T) { hangingServers(t, time.Hour) })
	t.Run("nearly for ever", func(t *testing.T) { hangingServers(t, 29*time.Second) })
}

func hangingServers(t *testing.T, took time.Duration) {
	bubble(t, func(w *world) {
		w.opt.Concurrency = 8
		hang := manyFeeds(60, time.Minute)
		healthy := aFeed("ok", "http://ok.test/", time.Minute)
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.URL.Host != "ok.test" {
				select {
				case <-r.Context().Done():
				case <-time.After(took):
				}
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		w.runFor(w.poller(append(hang, healthy)...), 30*time.Minute)
		var at []time.Time
		for _, r := range w.site.seen() {
			if strings.Contains(r.url, "ok.test") {
				at = append(at, r.at)
			}
		}
		for i := 4; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap > 75*time.Second {
				t.Errorf("poll %d of the healthy feed came after %s, want about a minute", i, gap)
			}
		}
		if len(at) < 20 {
			t.Errorf("the healthy feed was asked %d times in 30 minutes", len(at))
		}
	})
}

func TestItemsAreStoredBeforeTheState(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			return 200, h("ETag", `"1"`), "b|http://x.test/b|B||\na|http://x.test/a|A||"
		})
		w.memory.failing = 5 // Load once, then Append
		w.runFor(w.poller(aFeed("x", "http://x.test/", time.Hour)), 10*time.Minute)
		var order []string
		for _, l := range w.memory.log {
			order = append(order, strings.Fields(l)[0])
		}
		if want := []string{"append", "append", "save"}; !slices.Equal(order, want) {
			t.Errorf("store saw %v, want %v", order, want)
		}
		if n := len(w.site.seen()); n != 1 {
			t.Errorf("%d requests: what was fetched must be kept while the store is away", n)
		}
		if st := w.memory.state("x"); st.Items[hash(32, "x", "a")].Sequence != 1 || st.Items[hash(32, "x", "b")].Sequence != 2 {
			t.Errorf("state does not know where the items stand: %+v", st.Items)
		}
	})
}

func TestStopBeforeTheStoreAnswersForgetsTheValidators(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.Header.Get("If-None-Match") != "" {
				return 304, nil, ""
			}
			return 200, h("ETag", `"1"`), "a|http://x.test/a|A||"
		})
		f := aFeed("x", "http://x.test/", time.Hour)
		p := w.poller(f)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		w.memory.mu.Lock()
		w.memory.failing = 1 << 30
		w.memory.mu.Unlock()
		p.Update([]feed.Feed{f})
		stop()
		<-done
		w.memory.mu.Lock()
		w.memory.failing = 0
		w.memory.mu.Unlock()
		w.runFor(w.poller(f), time.Minute)
		if n := w.memory.revisions(); n != 1 {
			t.Errorf("%d items stored, want 1: nothing lost, nothing twice", n)
		}
	})
}

func TestSomebodyElseIsAhead(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(_ *http.Request, n int) (int, http.Header, string) {
			return 200, nil, fmt.Sprintf("a|http://x.test/a|A||text %d", n)
		})
		p := w.poller(aFeed("x", "http://x.test/", 10*time.Minute))
		ctx, stop := context.WithTimeout(context.Background(), 15*time.Minute)
		defer stop()
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Second) // bubble time
		theirs := w.memory.state("x")
		theirs.ETag = "theirs"
		if _, err := w.memory.Save(ctx, "x", theirs, w.memory.versions["x"]); err != nil {
			t.Fatal(err)
		}
		<-done
		if st := w.memory.state("x"); st.ETag != "theirs" {
			t.Errorf("the other's state was overwritten: ETag %q", st.ETag)
		}
	})
}

func TestEditedWhileAwayFindsItsPlace(t *testing.T) {
	bubble(t, func(w *world) {
		// Stored revision 2 is unknown to the state: a crash before Save, and
		// the item was edited again before we came back.
		it := feed.Item{Feed: "x", Key: hash(32, "x", "a"), Revision: "other", Title: "A"}
		if _, err := w.memory.Append(context.Background(), []Draft{{Item: it}}); err != nil {
			t.Fatal(err)
		}
		w.runFor(w.poller(aFeed("x", "http://x.test/", 10*time.Minute)), 40*time.Minute)
		if n := w.memory.revisions(); n != 2 {
			t.Errorf("%d revisions stored, want the new one after the one that was there", n)
		}
		if st := w.memory.state("x"); st.State != StateOK || st.Items[it.Key].Sequence != 2 {
			t.Errorf("state %+v, want ok and sequence 2", st)
		}
	})
}

func TestQuietPollsAreWrittenLazily(t *testing.T) {
	bubble(t, func(w *world) {
		w.runFor(w.poller(aFeed("x", "http://x.test/", time.Minute)), time.Hour)
		if n, saves := len(w.site.seen()), w.memory.saves; n < 50 || saves > 8 {
			t.Errorf("%d polls, %d writes; want one write each 10 minutes and one at stop", n, saves)
		}
		if st := w.memory.state("x"); time.Since(st.LastPoll) > 2*time.Minute {
			t.Errorf("last poll %s is not in the stored state", st.LastPoll)
		}
	})
}

func TestReloadTouchesOnlyDifferences(t *testing.T) {
	bubble(t, func(w *world) {
		feeds := manyFeeds(3, 10*time.Minute)
		p := w.poller(feeds...)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Minute)
		before := p.Snapshot()
		n := len(w.site.seen())
		off := feeds[1]
		off.Disabled = "for a test"
		p.Update([]feed.Feed{feeds[0], off, aFeed("new", "http://new.test/", 10*time.Minute)})
		time.Sleep(time.Second)
		if got := w.site.seen()[n:]; len(got) != 1 || got[0].url != "http://new.test/" {
			t.Errorf("requests after the reload: %+v, want the new feed's only", got)
		}
		after := p.Snapshot()
		if !after[0].NextDue.Equal(before[0].NextDue) {
			t.Errorf("an untouched timer moved from %s to %s", before[0].NextDue, after[0].NextDue)
		}
		if after[1].State != StateDisabled || after[1].NotWatched != "for a test" {
			t.Errorf("disabled feed shows as %q, %q", after[1].State, after[1].NotWatched)
		}
		time.Sleep(30 * time.Minute)
		for _, r := range w.site.seen()[n:] {
			if r.url == feeds[1].URL || r.url == feeds[2].URL {
				t.Errorf("%s was asked after it left", r.url)
			}
		}
		stop()
		<-done
	})
}

func TestOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			switch r.URL.Host {
			case "wait.test":
				return 429, h("Retry-After", "3600"), ""
			case "bad.test":
				return 200, nil, "html"
			}
			return 200, nil, "a|http://x.test/a|A||"
		})
		feeds := []feed.Feed{aFeed("ok", "http://ok.test/", time.Hour), aFeed("wait", "http://wait.test/", time.Hour),
			aFeed("bad", "http://bad.test/", time.Hour), {ID: "off", Disabled: "no feed"}}
		first, err := w.poller(feeds...).Once(context.Background())
		if want := (Summary{Feeds: 3, Answered: 1, Failed: 2, Items: 1}); err != nil || first != want {
			t.Errorf("first: %+v, %v; want %+v", first, err, want)
		}
		p := w.poller(feeds...)
		second, err := p.Once(context.Background())
		if want := (Summary{Feeds: 3, Answered: 1, Unchanged: 1, Failed: 1, Waiting: 1}); err != nil || second != want {
			t.Errorf("second: %+v, %v; want %+v", second, err, want)
		}
		n := len(w.site.seen())
		w.runFor(p, 50*time.Minute) // nothing is due yet: the ok feed in an hour
		if extra := w.site.seen()[n:]; len(extra) > 0 {
			t.Errorf("Run after Once asked early: %+v", extra)
		}
	})
}

func TestStopLetsAnswersArrive(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.took = 2 * time.Second
		f := aFeed("x", "http://x.test/", time.Hour)
		w.runFor(w.poller(f), time.Second)
		if w.memory.revisions() != 1 || w.memory.state("x").LastSuccess.IsZero() {
			t.Error("an answer that came 1 s after the stop was thrown away")
		}
		w.site.took = time.Hour
		begin := time.Now()
		w.runFor(w.poller(aFeed("y", "http://y.test/", time.Hour)), time.Second)
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("the stop took %s, want less than the 10 s of the contract", took)
		}
		if st := w.memory.state("y"); st.Failures != 0 {
			t.Errorf("our own stop counts as the feed's failure: %+v", st)
		}
	})
}

func TestEditsWhileRunning(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, _ int) (int, http.Header, string) {
			if r.Header.Get("If-None-Match") == `"1"` {
				return 304, nil, ""
			}
			return 200, h("ETag", `"1"`), "a|http://x.test/a|A||"
		})
		f := aFeed("x", "http://x.test/", 6*time.Hour)
		p := w.poller(f)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		count := func(what string, want int) seen {
			t.Helper()
			got := w.site.seen()
			if len(got) != want {
				t.Fatalf("%s: %d requests, want %d", what, len(got), want)
			}
			return got[want-1]
		}
		count("first poll", 1)
		f.Every = time.Hour
		p.Update([]feed.Feed{f})
		time.Sleep(49 * time.Minute)
		count("a shorter interval counts from the last poll", 1)
		time.Sleep(7 * time.Minute)
		count("a shorter interval", 2)
		f.Charset = "gb18030"
		p.Update([]feed.Feed{f})
		time.Sleep(time.Second)
		if r := count("another charset", 3); r.etag != "" {
			t.Error("with another charset the bytes are needed again, so no ETag")
		}
		f.Title = "only another title"
		p.Update([]feed.Feed{f})
		time.Sleep(time.Second)
		count("another title", 3)
		f.Disabled = "for a while"
		p.Update([]feed.Feed{f})
		time.Sleep(5 * time.Hour)
		count("disabled", 3)
		f.Disabled = ""
		p.Update([]feed.Feed{f})
		time.Sleep(time.Second)
		if r := count("watched again", 4); r.etag != `"1"` {
			t.Errorf("watched again: ETag %q", r.etag)
		}
		p.Update(nil)
		time.Sleep(5 * time.Hour)
		count("removed", 4)
		stop()
		<-done
		if st := w.memory.state("x"); time.Since(st.LastPoll) > 6*time.Hour {
			t.Errorf("the removed feed's last poll, %s, was not written", st.LastPoll)
		}
	})
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("New without a store succeeded")
	}
	m := newMemory()
	p, err := New(Config{States: m, Inbox: m, Parse: plainParse})
	if err != nil || p.Timeout != 30*time.Second || p.places(0) != 16 || p.places(100_000) != 100 || p.PerHost != 1 {
		t.Errorf("%+v, %v; want the defaults", p, err)
	}
}
