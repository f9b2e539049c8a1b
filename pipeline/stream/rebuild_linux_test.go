package stream

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRebuildInTheWay: a store that cannot be made anew now, or not be moved, is
// used as it is, and what is known of it stays known: a daemon that ended for a
// message that is only near its end would be started again for ever.
func TestRebuildInTheWay(t *testing.T) {
	t.Parallel()
	small := func(t *testing.T) Options {
		o := options(t)
		o.lazy, o.MaxStore = true, 2300<<10 // ITEMS is nearly full, and looks ahead
		o.Dir = filepath.Join(smallDisk(t, 10), "data")
		fillAll(t, o)
		flip(t, blocks(o, "ITEMS"), "title 250 ends")
		return o
	}
	goesOnAsItIs := func(t *testing.T, o Options, why string) {
		t.Helper()
		for range 2 {
			s, said := begin(t, o)
			if !strings.Contains(said.String(), "cannot be made anew") || !strings.Contains(said.String(), why) {
				t.Errorf("the log does not say why the store stays as it is: %s", said)
			}
			if err := s.verify(t.Context(), time.Minute); err != nil {
				t.Errorf("the daemon ends: %v", err)
			}
			if got := count(t, s.items); got != 300 || len(s.verified["items"].bad) != 1 {
				t.Errorf("%d items, want 300; of which %v are known to be bad", got, s.verified["items"].bad)
			}
			s.Close()
		}
	}
	t.Run("no room", func(t *testing.T) {
		o := small(t)
		ballast, err := os.Create(filepath.Join(filepath.Dir(o.Dir), "ballast"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ballast.Close() }()
		n, err := io.Copy(ballast, zeroes{})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if err := ballast.Truncate(n - 1<<20); err != nil {
			t.Fatal(err)
		}
		goesOnAsItIs(t, o, "no space left")
	})
	t.Run("a mount", func(t *testing.T) {
		o := small(t)
		dir := filepath.Join(o.Dir, "jetstream")
		if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
		goesOnAsItIs(t, o, "busy")
	})
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { return len(b), nil }
