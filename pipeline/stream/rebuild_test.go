package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// blocks are the files that hold a stream's messages.
func blocks(o Options, stream string) string {
	return filepath.Join(o.Dir, "jetstream", "*", "streams", stream, "msgs", "*.blk")
}

// fillAll fills a store with what a daemon keeps, and stops it. Of each it has
// one with "flipped" in it.
func fillAll(t *testing.T, o Options) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill(t, s, 300)
	for i := range 20 {
		e := event(fmt.Sprint(i), rule.High, alert.Raised)
		e.Data.Item.Title = fmt.Sprintf("alert %d ends", i)
		if _, err := s.Alerts().Append(t.Context(), e, 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if _, err := s.Feeds().Save(t.Context(), fmt.Sprint("feed", i), poll.State{ETag: fmt.Sprintf("etag %d ends", i)}, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.savePlace(t.Context(), fmt.Sprint("reader", i), place{100, fmt.Sprintf("owner %d ends", i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// begin opens a store that says what it has to say to the returned log.
func begin(t *testing.T, o Options) (*Store, *heard) {
	t.Helper()
	said := &heard{}
	o.Log, o.Registry = slog.New(slog.NewTextHandler(said, nil)), prometheus.NewRegistry()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, said
}

// TestRebuild: a bit flips where the server wants to drop the message next, and
// would store nothing any more. The next start makes the store anew: all that
// could be read is there under the sequence that it had, new things are stored,
// and what was there before is kept aside.
func TestRebuild(t *testing.T) {
	t.Parallel()
	for stream, text := range map[string]string{"ITEMS": "title 0 ends", "ALERTS": "alert 0 ends", "KV_FEEDS": "etag 2 ends", "KV_READERS": "owner 2 ends"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.lazy = true // the disk is not what is tried
			fillAll(t, o)
			flip(t, blocks(o, stream), text)
			s, said := begin(t, o)
			if log := said.String(); !strings.Contains(log, stream+": 1") || !strings.Contains(log, "made anew") || !strings.Contains(log, asideDir) {
				t.Errorf("the log does not say what became of the store: %s", log)
			}
			if v := testutil.ToFloat64(s.metrics.damaged.WithLabelValues(s.label(stream))); v != 1 {
				t.Errorf("monitor_stream_damaged{%s} is %v", s.label(stream), v)
			}
			less := func(name string) uint64 {
				if name == stream {
					return 1
				}
				return 0
			}
			for name, n := range map[string]uint64{"ITEMS": 300, "ALERTS": 20, "KV_FEEDS": 5, "KV_READERS": 5} {
				st, err := s.js.Stream(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				if got := st.CachedInfo().State; got.Msgs != n-less(name) || got.LastSeq != n {
					t.Errorf("%s holds %d messages up to %d; want %d up to %d", name, got.Msgs, got.LastSeq, n-less(name), n)
				}
				if n, err := lost(t.Context(), st); n != 0 || err != nil {
					t.Errorf("%s still holds %d messages that cannot be read, %v", name, n, err)
				}
			}
			for _, there := range []string{asideDir, checkpointName} { // a kill in the first minute leaves the latter, too
				if _, err := os.Stat(filepath.Join(o.Dir, there)); err != nil {
					t.Error(err)
				}
			}
			goesOn(t, s)
			infos, err := s.Streams(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			told := slices.ContainsFunc(infos, func(i StreamInfo) bool {
				return i.Name == stream && strings.Contains(i.Damage, "could not be read (1)")
			})
			if !told || infos[0].Name != "ITEMS" || infos[1].Name != "ALERTS" {
				t.Errorf("who asks for the streams hears %+v", infos)
			}
			s.Close()

			s, said = begin(t, o)
			defer s.Close()
			if said.String() != "" {
				t.Errorf("the start after that has something to say: %s", said)
			}
			goesOn(t, s)
		})
	}
}

// goesOn tries each kind of writing; "2" is what was lost.
func goesOn(t *testing.T, s *Store) {
	t.Helper()
	unique := fmt.Sprint(time.Now().UnixNano())
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft(unique, "r1", 0)}); err != nil {
		t.Error(err)
	}
	if _, err := s.Alerts().Append(t.Context(), event(unique, rule.High, alert.Raised), 0); err != nil {
		t.Error(err)
	}
	for i := range 5 {
		id := fmt.Sprint("feed", i)
		_, v, err := s.Feeds().Load(t.Context(), id)
		if err == nil {
			_, err = s.Feeds().Save(t.Context(), id, poll.State{ETag: unique}, v)
		}
		if err != nil {
			t.Error(err)
		}
		reader := fmt.Sprint("reader", i)
		_, v, err = s.loadPlace(t.Context(), reader)
		if err == nil {
			_, err = s.savePlace(t.Context(), reader, place{200, unique}, v)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// TestRebuildLater: such a message is noticed before it has to go, and ends the
// daemon; the next start helps, and nothing but that message is lost.
func TestRebuildLater(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy, o.MaxStore = true, 6<<20
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 600)
	s.Close()
	flip(t, blocks(o, "ITEMS"), "title 500 ends")
	s, said := begin(t, o)
	if strings.Contains(said.String(), "made anew") {
		t.Errorf("a message that is not in the way: %s", said)
	}
	n := 0
	for ; !errors.Is(err, errInTheWay); n++ {
		if n == 10_000 {
			t.Fatal("nothing was said of a message that is gone by now")
		}
		if _, err := s.Items().Append(t.Context(), []poll.Draft{draft(fmt.Sprint("new", n), "r1", 0)}); err != nil {
			t.Fatalf("after %d items, and nothing was said of the one that is in the way: %v", n, err)
		}
		if n%200 == 0 { // a minute
			err = s.verify(t.Context(), time.Minute)
		}
	}
	s.Close()
	s, said = begin(t, o)
	defer s.Close()
	if !strings.Contains(said.String(), "ITEMS: 1") || !strings.Contains(said.String(), "made anew") {
		t.Errorf("the store was not made anew: %s", said)
	}
	info, err := s.items.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st := info.State; st.FirstSeq > 500 || st.LastSeq != uint64(600+n) || st.Msgs != st.LastSeq-st.FirstSeq {
		t.Errorf("the store that was made anew holds %d items from %d to %d of 600 and %d", st.Msgs, st.FirstSeq, st.LastSeq, n)
	}
	for i := range 3000 { // past the place where it was
		if _, err := s.Items().Append(t.Context(), []poll.Draft{draft(fmt.Sprint("newer", i), "r1", 0)}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRebuildSince: a message among those that go next was whole when they were
// read ahead, and is not when all are: that ends the daemon, too, before the
// server is stuck.
func TestRebuildSince(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy, o.MaxStore, o.ReadOnly = true, 2300<<10, true
	made := o
	made.ReadOnly, made.Registry = false, prometheus.NewRegistry()
	fillAll(t, made)
	flip(t, blocks(o, "ITEMS"), "title 50 ends")
	s, said := begin(t, o)
	defer s.Close()
	s.verified["items"].ahead = 300
	if err := s.verify(t.Context(), time.Minute); !errors.Is(err, errInTheWay) {
		t.Errorf("the daemon goes on with %v: %s", err, said)
	}
}

// TestRebuildStuck: a value goes bad while the daemon runs. The store says
// nothing to who saves the next, and the daemon ends with the reason.
func TestRebuildStuck(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy, o.look, o.ReadOnly = true, 20*time.Millisecond, true // who only reads makes nothing anew
	fillAll(t, o)
	flip(t, blocks(o, "KV_FEEDS"), "etag 2 ends")
	s, said := begin(t, o)
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	ctx, cancel := context.WithCancel(t.Context())
	saved := make(chan error, 1)
	go func() {
		_, err := s.Feeds().Save(ctx, "feed2", poll.State{ETag: "new"}, 0)
		saved <- err
	}()
	if err := <-done; !errors.Is(err, errInTheWay) {
		t.Errorf("the store ends with %v: %s", err, said)
	}
	cancel()
	if err := <-saved; err == nil {
		t.Error("nats-server stores a value over one that it cannot read: rebuild is not needed any more")
	}
	s.Close()
	o.ReadOnly = false
	s, _ = begin(t, o)
	defer s.Close()
	goesOn(t, s)
}

// TestRebuildRevision: the server gets stuck on a message in the midst of ITEMS,
// which has to go for the ninth revision of its item. The start after that
// reads all.
func TestRebuildRevision(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy, o.look = true, 20*time.Millisecond
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 300)
	revision := func(s *Store, n int, after uint64) uint64 {
		d := draft("edited", fmt.Sprint("r", n), after)
		d.Item.Title = fmt.Sprintf("title %d of the edited", n)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		seqs, err := s.Items().Append(ctx, []poll.Draft{d})
		if err != nil {
			t.Logf("revision %d: %v", n, err)
			return 0
		}
		return seqs[0]
	}
	at := uint64(0)
	for n := range 8 {
		at = revision(s, n, at)
	}
	s.Close()
	flip(t, blocks(o, "ITEMS"), "title 0 of the edited")
	s, said := begin(t, o)
	if strings.Contains(said.String(), "made anew") {
		t.Errorf("a message that is not known: %s", said)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	if revision(s, 8, at) != 0 {
		t.Error("nats-server drops a message that it cannot read: rebuild is not needed any more")
	}
	if err := <-done; !errors.Is(err, errInTheWay) {
		t.Errorf("the store ends with %v: %s", err, said)
	}
	s.Close()
	s, said = begin(t, o)
	defer s.Close()
	if !strings.Contains(said.String(), "ITEMS: 1") || !strings.Contains(said.String(), "made anew") {
		t.Errorf("the store was not made anew: %s", said)
	}
	at, kept, err := s.Items().Last(t.Context(), "mfa", draft("edited", "", 0).Item.Key)
	if err != nil || kept != "r8" {
		t.Fatalf("the last revision is %q, %v", kept, err)
	}
	if at = revision(s, 9, at); at == 0 || revision(s, 10, at) == 0 {
		t.Error("the store does not go on")
	}
}

// TestRebuildCutOff: a crash while the store is made anew, or put in its place.
func TestRebuildCutOff(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy = true
	fillAll(t, o)
	flip(t, blocks(o, "ITEMS"), "title 0 ends")
	s, _ := begin(t, Options{Dir: o.Dir, Listen: o.Listen, Owner: o.Owner, MaxStore: o.MaxStore, KeepItems: o.KeepItems, KeepAlerts: o.KeepAlerts, lazy: true, ReadOnly: true})
	var whole bytes.Buffer
	if err := s.Backup(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	s.Close()
	fresh := filepath.Join(o.Dir, rebuiltDir)
	for _, left := range []string{fresh, fresh + ".restoring"} { // half made
		if err := os.MkdirAll(filepath.Join(left, "jetstream"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	made := o
	made.Dir, made.Registry = filepath.Join(t.TempDir(), "made"), prometheus.NewRegistry()
	if err := Restore(t.Context(), made, &whole); err != nil {
		t.Fatal(err)
	}
	if err := resumeSwap(o.Dir); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{fresh, fresh + ".restoring"} {
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", left, err)
		}
	}
	// The old one is aside, the new one not yet in its place.
	if err := os.Rename(made.Dir, fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(o.Dir, "jetstream"), filepath.Join(o.Dir, asideDir)); err != nil {
		t.Fatal(err)
	}
	s, said := begin(t, o)
	defer s.Close()
	if got := count(t, s.items); got != 299 || strings.Contains(said.String(), "made anew") {
		t.Errorf("%d items, want 299: %s", got, said)
	}
	goesOn(t, s)
}
