package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"newsmonitor/pipeline/poll"
)

// smallDisk is a file system of its own that can be filled.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Skipf("needs the right to mount a tmpfs, as root has: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull: the disk fills up under the store. It is said and shown, what
// was acknowledged stays, and when space is back the store works on by itself:
// what could not be stored meanwhile is, once.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Dir, o.look = filepath.Join(smallDisk(t, 24), "data"), 200*time.Millisecond
	s := open(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	n := 0
	add := func() error { // the next item, until it is acknowledged
		d := draft(fmt.Sprint(n), "r1", 0)
		d.Item.Content = strings.Repeat("words and words ", 1024)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Items().Append(ctx, []poll.Draft{d})
		if err == nil {
			n++
		}
		return err
	}
	for range 20 {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	ballast, err := os.Create(filepath.Join(filepath.Dir(o.Dir), "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 64<<10); ; {
		if _, err := ballast.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			break
		}
	}
	for err == nil {
		err = add()
		if n > 1000 {
			t.Fatal("the disk does not fill")
		}
	}
	t.Logf("%d items are acknowledged before the disk is full: %v", n, err)
	// Whoever was not answered tries again: a busy machine may only have been slow.
	for start := time.Now(); ; _ = add() {
		if err := s.Ready(t.Context()); err != nil && strings.Contains(err.Error(), "is full: make room") {
			break
		} else if time.Since(start) > 30*time.Second {
			t.Fatalf("the store does not say that the disk is full: %v", err)
		}
	}
	acknowledged := n
	for range 2 { // the server is restarted meanwhile, in vain
		if err := add(); err == nil {
			acknowledged++
		}
	}
	if err := ballast.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := ballast.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := ballast.Close(); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	for add() != nil {
		if time.Since(freed) > 90*time.Second {
			t.Fatal("the store does not heal")
		}
		pause(t.Context(), 50*time.Millisecond)
	}
	t.Logf("works again %v after space is back", time.Since(freed).Round(time.Millisecond))
	if err := add(); err != nil {
		t.Error(err)
	}
	for start := time.Now(); s.Ready(t.Context()) != nil; pause(t.Context(), 50*time.Millisecond) { // at the watchdog's next look
		if time.Since(start) > 30*time.Second {
			t.Fatalf("not ready: %v", s.Ready(t.Context()))
		}
	}
	infos, err := s.Streams(t.Context())
	if err != nil || infos[0].Messages != uint64(acknowledged+2) || infos[0].Last != infos[0].Messages {
		t.Errorf("ITEMS is %+v, %v; want %d messages, each once", infos, err, acknowledged+2)
	}
}
