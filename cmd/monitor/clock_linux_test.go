package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// clock is what a process shows for the time of day: the machine's and so many
// seconds, which can be set while the process runs. As with a real clock that
// is set, timers and what has been measured go on undisturbed.
type clock struct{ file string }

func newClock(t *testing.T, ahead time.Duration) clock {
	t.Helper()
	c := clock{filepath.Join(t.TempDir(), "clock")}
	write(t, c.file, strings.Repeat("\x00", 8))
	c.set(t, ahead)
	return c
}

func (c clock) set(t *testing.T, ahead time.Duration) {
	t.Helper()
	f, err := os.OpenFile(c.file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], uint64(ahead/time.Second))
	if _, err := f.WriteAt(b[:], 0); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func (c clock) env() []string { return append(os.Environ(), "CLOCK="+c.file) }

// jumping is what package time gets for it: Now is its only way to the time of
// day. A page of the file is in memory, so that a change shows at once.
const jumping = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var jumped = func() *int64 {
	name, ok := syscall.Getenv("CLOCK")
	if !ok {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&b[0]))
}()

func jump() int64 {
	if jumped == nil {
		return 0
	}
	return atomic.LoadInt64(jumped)
}
`

// withClocks builds the daemon and the NATS server once more, on a package time
// that asks a clock, and returns their folder. Nothing else differs.
func withClocks(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("needs the Go toolchain to build with: ", err)
	}
	pkg, dir := filepath.Join(strings.TrimSpace(string(root)), "src", "time"), t.TempDir()
	source, err := os.ReadFile(filepath.Join(pkg, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), now) != 1 {
		t.Fatal("this Go's time.Now is another than the one that the test knows how to change")
	}
	write(t, filepath.Join(dir, "time.go"), strings.Replace(string(source), now, now+"\tsec += jump()\n", 1))
	write(t, filepath.Join(dir, "jump.go"), jumping)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(pkg, "time.go"): filepath.Join(dir, "time.go"), filepath.Join(pkg, "jump.go"): filepath.Join(dir, "jump.go"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), string(overlay))
	build := exec.Command("go", "test", "-c", "-trimpath", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "monitor"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with a clock: %v\n%s", err, out)
	}
	if err := os.Symlink("monitor", filepath.Join(dir, "nats-server")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestClockJumps: the time of day jumps by days and hours, forwards and
// backwards, under a daemon that runs or starts again, under one of several
// replicas, and under their server. Every item is there once and every alert
// once, all feeds are polled on, each by one alone, and what ends by the clock
// ends.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	if !long() {
		t.Skip("builds the program and all that it is made of with another clock: set NEWSMONITOR_LONG=1")
	}
	bin := withClocks(t)
	t.Run("alone", func(t *testing.T) { t.Parallel(); jumpAlone(t, bin) })
	t.Run("views", func(t *testing.T) { t.Parallel(); jumpViews(t, bin) })
	t.Run("replicas", func(t *testing.T) { t.Parallel(); jumpReplicas(t, bin) })
}

// runAt starts a daemon of bin by a clock.
func (w *press) runAt(t *testing.T, bin string, c clock, args ...string) *process {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "monitor"), append(w.flags(), args...)...)
	cmd.Dir, cmd.Env = w.dir, c.env()
	return start(t, cmd)
}

const day = 24 * time.Hour

// jumpAlone: under one daemon with its own store. At each clock it is killed
// and started once, so that it meets what was stored by the clock before.
func jumpAlone(t *testing.T, bin string) {
	w, c := newPress(t, 4), newClock(t, 0)
	args := []string{"--http", "off", "--canary", "0"} // the self-test's messages end by the clock, and would be missed in the audit
	p := w.runAt(t, bin, c, args...)
	p.drain()
	for _, ahead := range []time.Duration{0, 3 * day, 3*day - 5*time.Hour, 30 * day, -5 * time.Hour, 20 * time.Hour, 0, 80 * day, 0} {
		c.set(t, ahead)
		w.add(3)
		w.moment(t, 50*time.Millisecond)
		w.moment(t, 50*time.Millisecond)
		p.kill()
		w.add(2)
		p = w.runAt(t, bin, c, args...)
		p.drain()
		if !w.seen(30 * time.Second) {
			t.Fatalf("with the clock at %v %d items are not asked for: feeds wait for a time that went back", ahead, w.pending())
		}
		w.moment(t, 50*time.Millisecond) // what was shown is stored before the next answer is asked for
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	once := w.runAt(t, bin, c, "--once")
	once.drain()
	if err := once.Wait(); err != nil {
		t.Errorf("--once at the end: %v", err)
	}
	w.settledIn(t, filepath.Join(w.dir, "data"))
}

// jumpViews: what people see. The self-test goes on, a mute ends with its time,
// readiness stays, and the log says what happened.
func jumpViews(t *testing.T, bin string) {
	w, c := newPress(t, 1), newClock(t, 0)
	p := w.runAt(t, bin, c, "--http", "127.0.0.1:0", "--canary", "1s")
	where := page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
	mute := func(d time.Duration, ahead time.Duration) {
		t.Helper()
		body := fmt.Sprintf(`{"scope": {"channel": "s"}, "until": %q, "by": "desk", "reason": "a test"}`, time.Now().Add(ahead+d).UTC().Format(time.RFC3339))
		resp, err := http.Post(where+"/api/v1/mutes", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode >= 300 {
			t.Fatalf("a mute is not taken: %s %s", resp.Status, text)
		}
	}
	sung := func(ahead time.Duration) bool {
		resp, err := http.Get(where + "/metrics")
		if err != nil {
			return false
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		m := canarySung.FindSubmatch(text)
		if m == nil {
			return false
		}
		at, err := strconv.ParseFloat(string(m[1]), 64)
		age := time.Now().Add(ahead).Sub(time.UnixMilli(int64(at * 1e3)))
		return err == nil && age > -5*time.Second && age < 30*time.Second
	}
	mute(time.Hour, 0)
	status(t, where, func(st web.Status) bool { return len(st.Mutes) == 1 })
	for _, ahead := range []time.Duration{3 * day, 3*day - 5*time.Hour, -5 * time.Hour} {
		c.set(t, ahead)
		p.says(t, "the clock was set")
		status(t, where, func(st web.Status) bool { return len(st.Mutes) == 0 && sung(ahead) })
		resp, err := http.Get(where + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("with the clock at %v: /readyz is %s", ahead, resp.Status)
		}
		mute(2*time.Second, ahead) // ends by the clock that now is
		status(t, where, func(st web.Status) bool { return len(st.Mutes) == 1 })
		status(t, where, func(st web.Status) bool { return len(st.Mutes) == 0 })
	}
}

var canarySung = regexp.MustCompile(`(?m)^monitor_canary_last_success_timestamp_seconds (\S+)$`)

// jumpReplicas: three daemons whose clocks are hours and days apart, killed and
// stopped at random, on a server whose clock jumps too.
func jumpReplicas(t *testing.T, bin string) {
	w, own := newPress(t, 12), newClock(t, 0)
	ns := &natsServer{program: filepath.Join(bin, "nats-server"), args: []string{"-dir", t.TempDir()}, env: []string{"CLOCK=" + own.file}}
	ns.start(t)
	t.Cleanup(ns.kill)
	clocks := []clock{newClock(t, -3*time.Hour), newClock(t, 0), newClock(t, 2*day)}
	var ds []*ward
	for i, c := range clocks {
		ds = append(ds, supervise(t, func() *process {
			return w.runAt(t, bin, c, "--http", "off", "--canary", "0", "--nats", ns.url(), "--nats-lease", "2s", "--contact", fmt.Sprintf("https://replica%d.test/", i))
		}))
	}
	store := look(t, ns.url())()
	w.alone(t, store, len(ds), "with clocks apart")
	w.batter(t, ds, 6, func(round int) {
		clocks[round%3].set(t, []time.Duration{day, -day, 0, 3 * day}[round%4])
	})
	w.alone(t, store, len(ds), "after clocks jumped")
	for _, ahead := range []time.Duration{3 * day, 3*day - 5*time.Hour, 0} {
		own.set(t, ahead)
		ds[0].signal(syscall.SIGKILL) // it has not renewed by the new clock
		w.add(2)
		if !w.seen(60 * time.Second) { // twice the longest usual lease
			t.Fatalf("with the server's clock at %v %d items are not asked for: a dead replica's leases last", ahead, w.pending())
		}
		w.alone(t, store, len(ds), fmt.Sprintf("after the server's clock jumped to %v", ahead))
	}
	w.settled(t, func() *stream.Store { return store })
}

// alone waits until the replicas share all shards evenly, and then for a while
// in which each feed is asked by one of them, the same all the time.
func (w *press) alone(t *testing.T, s *stream.Store, replicas int, when string) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	problem := "nobody looked"
	for ; time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		nodes, err := s.Nodes(t.Context())
		var st web.Status
		for _, n := range nodes {
			st.Nodes = append(st.Nodes, web.NodeStatus{ID: n.ID, Shards: n.Shards})
		}
		if err != nil || !shares(st, replicas) {
			problem = fmt.Sprintf("the shards are not shared: %v, %v", st.Nodes, err)
			continue
		}
		w.mu.Lock()
		for _, c := range w.feeds {
			clear(c.askers)
		}
		w.mu.Unlock()
		<-time.After(3 * time.Second) // a lease and a half
		problem = ""
		w.mu.Lock()
		for _, c := range w.feeds {
			if len(c.askers) != 1 {
				problem = fmt.Sprintf("feed %s was asked by %v", c.id, c.askers)
			}
		}
		w.mu.Unlock()
		if problem == "" {
			return
		}
	}
	t.Fatalf("%s: %s", when, problem)
}
