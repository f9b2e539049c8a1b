package stream

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/poll"
)

// TestFormat: a data folder goes from an old release to a new one, back and
// forth again, and nothing of it is lost. Before the new one changes anything it
// keeps a backup that the old one can restore; a release that would misread the
// folder does not touch it.
func TestFormat(t *testing.T) {
	t.Parallel()
	o := options(t)
	var log bytes.Buffer
	stored := 0
	run := func(release stamp) error {
		t.Helper()
		log.Reset()
		o.release, o.Log, o.Registry = release, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry()
		s, err := Open(t.Context(), o)
		if err != nil {
			return err
		}
		defer s.Close()
		if n := count(t, s.items); n != uint64(stored) {
			t.Errorf("ITEMS holds %d messages, want %d", n, stored)
		}
		if _, err := s.Items().Append(t.Context(), []poll.Draft{draft(strings.Repeat("i", stored+1), "r1", 0)}); err != nil {
			t.Error(err)
		}
		stored++
		return nil
	}
	old, changed, strict := stamp{Format: 1, Readable: 1}, stamp{Format: 2, Readable: 1}, stamp{Format: 3, Readable: 2}

	if err := run(old); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(o.Dir, "format.json")); err != nil { // as the releases before there were stamps left it
		t.Fatal(err)
	}
	kept := filepath.Join(o.Dir, "before-format-2.tar")
	if err := run(changed); err != nil {
		t.Fatal(err)
	}
	if s := log.String(); !strings.Contains(s, "monitor restore "+kept) || strings.Count(s, "a backup was kept") != 1 {
		t.Errorf("the log does not name the way back: %s", s)
	}
	backup, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range []stamp{changed, old, changed} { // a restart, back, and forth again
		if err := run(release); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log.String(), "a backup was kept") {
			t.Errorf("format %d keeps a second backup: %s", release.Format, log.String())
		}
	}

	back := o
	back.Dir, back.release = filepath.Join(t.TempDir(), "data"), old
	if err := Restore(t.Context(), back, bytes.NewReader(backup)); err != nil {
		t.Fatal(err)
	}
	back.Registry = prometheus.NewRegistry()
	s := open(t, back)
	if n := count(t, s.items); n != 1 {
		t.Errorf("the restored ITEMS holds %d messages, want the 1 of before the change", n)
	}

	if err := run(strict); err != nil {
		t.Fatal(err)
	}
	if err := run(old); err == nil || !strings.Contains(err.Error(), "newer program") || !strings.Contains(err.Error(), "before-format-3.tar") {
		t.Errorf("an old release on a folder that it would misread: %v", err)
	}
	if err := run(changed); err != nil { // the release before reads it
		t.Fatal(err)
	}
	var newer bytes.Buffer
	o.release, o.Registry = strict, prometheus.NewRegistry()
	if s, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), &newer); err != nil {
		t.Error(err)
	}
	s.Close()
	back.Dir = filepath.Join(t.TempDir(), "data")
	if err := Restore(t.Context(), back, &newer); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("an old release restores a backup that it would misread: %v", err)
	}
}
