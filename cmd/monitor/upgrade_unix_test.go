//go:build unix

package main

import (
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestStoreOfBefore: what the release before stored is read, and what the feed
// still lists does not come again. testdata/before is a backup that it made, of
// twelve items of the press and keeping them for a hundred years.
func TestStoreOfBefore(t *testing.T) {
	t.Parallel()
	w := newPress(t, 1)
	f, err := os.Open(filepath.Join("testdata", "before", "backup.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	restore := exec.Command("monitor", "restore", "-")
	restore.Dir, restore.Stdin = w.dir, z
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	w.add(12) // the same
	keep := []string{"--keep-items", "36500d", "--keep-alerts", "36500d", "--once"}
	for _, more := range []int{0, 6} {
		w.add(more)
		once := exec.Command("monitor", append(w.flags(), keep...)...)
		once.Dir = w.dir
		if out, err := once.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	w.settledIn(t, filepath.Join(w.dir, "data"))
}

// before is the commit whose program stands for the release before.
const before = "5edd6ec4d199"

// oldProgram builds the release before.
func oldProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(dir, "source.tar")
	root := filepath.Join("..", "..")
	git := exec.Command("git", "archive", "-o", archive, before)
	git.Dir = root
	if out, err := git.CombinedOutput(); err != nil {
		t.Skipf("needs the project's history with commit %s: %v %s", before, err, out)
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	program := filepath.Join(dir, "monitor-before")
	build := exec.Command("go", "build", "-o", program, "./cmd/monitor")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build commit %s: %v %s", before, err, out)
	}
	return program
}

// TestRollback: the release before, this one, the release before and this one
// work on one data folder, killed or stopped: nothing is lost or comes twice.
func TestRollback(t *testing.T) {
	t.Parallel()
	if !long() {
		t.Skip("builds an old program: set NEWSMONITOR_LONG=1")
	}
	w := newPress(t, 4)
	old := oldProgram(t)
	programs := map[string]string{"old": old, "new": "monitor"}
	for round, name := range []string{"old", "new", "old", "new", "old", "new"} {
		w.add(12) // enough for a batch
		p := startProgram(t, programs[name], w.dir, append(w.flags(), "--http", "off")...)
		p.drain()
		if !w.seen(30 * time.Second) {
			t.Fatalf("round %d: the %s program does not poll", round, name)
		}
		w.add(3)
		w.moment(t, 50*time.Millisecond)
		if round%2 == round/2%2 {
			p.kill()
			continue
		}
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("round %d: the %s program ends with %v", round, name, err)
		}
	}
	for _, name := range []string{"old", "new"} { // both do what is left without a complaint
		once := exec.Command(programs[name], append(w.flags(), "--once")...)
		once.Dir = w.dir
		if out, err := once.CombinedOutput(); err != nil {
			t.Errorf("--once of the %s program: %v %s", name, err, out)
		}
		list := exec.Command(programs[name], "alerts", "--json", "--since", "1d", "--server", "http://127.0.0.1:1")
		list.Dir = w.dir
		if out, err := list.Output(); err != nil || len(out) == 0 {
			t.Errorf("alerts of the %s program: %v", name, err)
		}
	}
	w.settledIn(t, filepath.Join(w.dir, "data"))
}
