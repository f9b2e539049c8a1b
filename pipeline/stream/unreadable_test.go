package stream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// TestUnreadable: a bit flips in a message's block, whose index is whole: the
// stream holds as much as before. It is found without anybody reading it, said
// with a way forward, again after a restart, and with a backup; no reader waits
// for it, and each gets all the others.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	const n, bad = 3000, 1234
	o := options(t)
	o.lazy = true // the disk is not what is tried
	first, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, first, n)
	for i := range 20 {
		e := event(fmt.Sprint(i), rule.High, alert.Raised)
		e.Data.Item.Title = fmt.Sprintf("alert %d ends", i)
		if _, err := first.Alerts().Append(t.Context(), e, 0); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()
	for stream, text := range map[string]string{"ITEMS": fmt.Sprintf("title %d ends", bad), "ALERTS": "alert 19 ends"} {
		flip(t, filepath.Join(o.Dir, "jetstream", "*", "streams", stream, "msgs", "*.blk"), text)
	}

	o.look = 20 * time.Millisecond
	var backup bytes.Buffer
	s, said := begin(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for _, label := range []string{"items", "alerts"} {
		for begun := time.Now(); testutil.ToFloat64(s.metrics.damaged.WithLabelValues(label)) != 1; pause(ctx, 20*time.Millisecond) {
			if time.Since(begun) > 30*time.Second {
				t.Fatalf("monitor_stream_damaged{%s} stays 0: %s", label, said)
			}
		}
	}
	if text := said.String(); !strings.Contains(text, fmt.Sprint("sequence=", bad+1)) || !strings.Contains(text, "sequence=20") || !strings.Contains(text, "monitor restore") {
		t.Errorf("the log does not say which, or what to do: %s", text)
	}
	if infos, err := s.Streams(ctx); err != nil || infos[0].Damage != fmt.Sprintf("the message at sequence %d cannot be read", bad+1) {
		t.Errorf("who asks for the streams hears %+v, %v", infos, err)
	}
	items := 0
	one := func(feed.Item) error { items++; return nil }
	if err := s.Archive().Items(ctx, time.Unix(0, 0), nil, one); err != nil || items != n-1 {
		t.Errorf("read forwards: %d items of %d, %v", items, n-1, err)
	}
	items = 0
	if err := s.Archive().Newest(ctx, time.Unix(0, 0), nil, func(_ uint64, it feed.Item) error { return one(it) }); err != nil || items != n-1 {
		t.Errorf("read backwards: %d items of %d, %v", items, n-1, err)
	}
	if out, err := s.Alerts().After(ctx, 0, 100); err != nil || len(out) != 19 {
		t.Errorf("a destination gets %d alerts, %v; want 19", len(out), err)
	}
	if times, err := s.Alerts().Times(ctx, time.Unix(0, 0)); err != nil || len(times) == 0 {
		t.Errorf("the channels' times: %v, %v", times, err)
	}
	heads := 0
	if err := s.Alerts().Heads(ctx, time.Unix(0, 0), func(alert.Head) error { heads++; return nil }); err != nil || heads != 19 {
		t.Errorf("the stories get %d heads, %v; want 19", heads, err)
	}
	backup.Reset()
	if err := s.Backup(ctx, &backup); err != nil || strings.Count(said.String(), "the backup lacks") != 2 {
		t.Errorf("a backup: %v, and the log does not say what it lacks: %s", err, said)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.checkpoint(context.Background())
	s.Close()

	s, said = begin(t, o)
	defer s.Close()
	if text := said.String(); strings.Count(text, "messages of the stream cannot be read") != 2 || !strings.Contains(text, "ALERTS: 1, ITEMS: 1") || !strings.Contains(text, "made anew") {
		t.Errorf("what was known is not said at the next start, or what became of it: %s", text)
	}
	if got := count(t, s.items); got != n-1 {
		t.Errorf("the store that was made anew holds %d items, want %d", got, n-1)
	}

	back := options(t)
	back.Dir = filepath.Join(back.Dir, "new")
	if err := Restore(t.Context(), back, &backup); err != nil {
		t.Fatalf("a backup of what could be read is not restored: %v", err)
	}
	again := open(t, back)
	if got := count(t, again.items); got != n-1 {
		t.Errorf("the restored ITEMS holds %d messages, want %d", got, n-1)
	}
	if lost, err := lost(t.Context(), again.items); err != nil || lost != 0 {
		t.Errorf("of the restored items %d cannot be read, %v", lost, err)
	}
}

// TestUnreadableMany: where much is lost at once, the log has a line a look with
// the number of it, and each message is looked at.
func TestUnreadableMany(t *testing.T) {
	t.Parallel()
	o, said := options(t), &heard{}
	o.lazy = true
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 300)
	s.Close()
	for n := 150; n < 250; n++ {
		flip(t, filepath.Join(o.Dir, "jetstream", "*", "streams", "ITEMS", "msgs", "*.blk"), fmt.Sprintf("title %d ends", n))
	}
	o.Log, o.Registry = slog.New(slog.NewTextHandler(said, nil)), prometheus.NewRegistry()
	s = open(t, o)
	if n, err := lost(t.Context(), s.items); n != 100 || err != nil {
		t.Errorf("%d messages are lost, %v", n, err)
	}
	for range 3 {
		if err := s.verify(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if text := said.String(); strings.Count(text, "cannot be read") != 2 || strings.Count(text, "count=50") != 2 || s.verified["items"].at != 300 {
		t.Errorf("read up to %d: %s", s.verified["items"].at, text)
	}
}

// flip changes a bit of a text in one of some files.
func flip(t *testing.T, files, text string) {
	t.Helper()
	list, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, []byte(text)); at >= 0 {
			b[at] ^= 4
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no file of %s holds %q", files, text)
}

// heard is a log that is read while it is written.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// TestUnreadableMute: a bit flips in a mute. The others are in force, and
// nobody who judges an alert waits for it.
func TestUnreadableMute(t *testing.T) {
	t.Parallel()
	o := options(t)
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		ctx, cancel := context.WithCancel(t.Context())
		d, done := s.Desk("test"), make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		for _, feed := range []string{"first", "second", "third"} {
			if _, err := d.Mute(ctx, someMute(alert.Scope{Feed: feed})); err != nil {
				t.Error(err)
			}
		}
		cancel()
		<-done
		s.Close()
	}()
	flip(t, filepath.Join(o.Dir, "jetstream", "*", "streams", "KV_DESK", "msgs", "*.blk"), "second")
	said := &heard{}
	o.Log, o.Registry = slog.New(slog.NewTextHandler(said, nil)), prometheus.NewRegistry()
	s = open(t, o)
	d := s.Desk("test")
	d.check = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	known, end := context.WithTimeout(ctx, 30*time.Second)
	defer end()
	active, err := d.Mutes(known)
	if err != nil || len(active) != 2 || !strings.Contains(said.String(), "cannot be read") {
		t.Errorf("%d mutes, %v; want the two others, and to hear of it: %s", len(active), err, said)
	}
	if _, err := d.Mute(ctx, someMute(alert.Scope{Feed: "fourth"})); err != nil || len(mutes(t, d)) != 3 {
		t.Errorf("after one more: %d mutes, %v", len(mutes(t, d)), err)
	}
}
