package stream

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/poll"
)

// TestFormatExternal: on somebody else's server, too, nothing changes the stored
// format without a backup: ours, which can be restored, or the word of an
// administrator. A release that would misread the streams does not touch them.
func TestFormatExternal(t *testing.T) {
	t.Parallel()
	x, o := startExternal(t), options(t)
	o.URL, o.Manage, o.Dir = x.ns.ClientURL(), true, filepath.Join(o.Dir, "data")
	var log bytes.Buffer
	run := func(release stamp, change func(*Options)) error {
		t.Helper()
		o := o
		log.Reset()
		o.release, o.Log, o.Registry = release, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry()
		if change != nil {
			change(&o)
		}
		s, err := Open(t.Context(), o)
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.Items().Append(t.Context(), []poll.Draft{draft("one", "r1", 0)})
		return err
	}
	old, changed, strict := stamp{Format: 1, Readable: 1}, stamp{Format: 2, Readable: 1}, stamp{Format: 3, Readable: 2}
	if err := run(old, nil); err != nil {
		t.Fatal(err)
	}
	see := o
	see.ReadOnly = true
	watcher := open(t, see)
	items := func() jetstream.StreamConfig {
		t.Helper()
		st, err := watcher.js.Stream(t.Context(), "ITEMS")
		if err != nil {
			t.Fatal(err)
		}
		return st.CachedInfo().Config
	}
	marks := func() string { m := items().Metadata; return m[formatMark] + " " + m[readableMark] }
	if err := run(old, nil); err != nil || marks() != "1 " {
		t.Fatalf("the same release again: %v, format %q", err, marks())
	}

	busy := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(busy, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"not ours to manage": {func(o *Options) { o.Manage = false }, "--nats-manage is never"},
		"no place for it":    {func(o *Options) { o.Dir = busy }, "not a directory"},
	} {
		err := run(changed, tc.change)
		for _, want := range []string{tc.want, "changes from 1 to 2", "monitor backup", "nats stream edit ITEMS --metadata newsmonitor=2"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		if m := marks(); m != "1 " {
			t.Fatalf("%s: the format became %q", name, m)
		}
	}

	if err := run(changed, nil); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(o.Dir, "before-format-2.tar")
	if m := marks(); m != "2 " || !strings.Contains(log.String(), "monitor restore "+kept) {
		t.Errorf("the format is %q, and the log does not name the way back: %s", m, &log)
	}
	for _, release := range []stamp{changed, old, changed} { // a restart, back, and forth again
		if err := run(release, nil); err != nil || strings.Contains(log.String(), "a backup was kept") {
			t.Errorf("format %d: %v, %s", release.Format, err, &log)
		}
	}
	backup, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	back := options(t)
	back.Dir, back.release = filepath.Join(back.Dir, "new"), old
	if err := Restore(t.Context(), back, bytes.NewReader(backup)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open(t, back).items); n != 1 {
		t.Errorf("the restored ITEMS holds %d messages, want 1", n)
	}

	config := items() // as the administrator does who is told to
	config.Metadata[formatMark], config.Metadata[readableMark] = "3", "2"
	if _, err := watcher.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := run(strict, func(o *Options) { o.Manage = false }); err != nil {
		t.Errorf("after the administrator's word: %v", err)
	}
	if err := run(old, nil); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("an old release on streams that it would misread: %v", err)
	}
}
