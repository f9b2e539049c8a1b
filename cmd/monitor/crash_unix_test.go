//go:build unix

package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// long says whether the long forms of the promise's tests run.
func long() bool { return os.Getenv("NEWSMONITOR_LONG") != "" }

func rounds(short, all int) int {
	if long() {
		return all
	}
	return short
}

// TestCrash: the daemon with its embedded server, killed at random instants.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := newPress(t, 4)
	for round := range rounds(20, 200) {
		w.add(3)
		if round%10 == 4 {
			w.add(rounds(80, 50)) // a backlog, which is raised in bulk; a document may hold 2,000 items
		}
		p := w.run(t, "--http", "off")
		p.drain()
		for range 1 + rand.N(3) {
			w.moment(t, 50*time.Millisecond)
		}
		p.kill()
	}
	p := w.run(t, "--http", "off")
	p.drain()
	w.seen(30 * time.Second)
	<-time.After(time.Second) // the last poll stores what it has; what it does not, the next repeats
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	once := startProcess(t, w.dir, "--allow-net", "127.0.0.0/8", "--min-interval", "100ms", "--host-gap", "0s", "--backlog", "all", "--once")
	once.drain()
	if err := once.Wait(); err != nil {
		t.Errorf("--once at the end: %v", err)
	}
	w.settledIn(t, filepath.Join(w.dir, "data"))
}

// TestCrashServer: an external server, killed as often as the daemon.
func TestCrashServer(t *testing.T) {
	t.Parallel()
	w := newPress(t, 4)
	ns := startNATS(t)
	args := []string{"--http", "off", "--nats", ns.url(), "--nats-lease", "2s"}
	d := w.supervise(t, args...)
	for i := range rounds(20, 200) {
		w.add(3)
		w.moment(t, 100*time.Millisecond)
		if i%4 == 3 {
			d.signal(syscall.SIGKILL)
			continue
		}
		ns.kill()
		<-time.After(rand.N(300 * time.Millisecond))
		ns.start(t)
	}
	w.settled(t, look(t, ns.url()))
}

// TestCrashReplicas: three daemons on one server, of which one at a time is
// killed or stopped for a while; a stopped one comes back as a zombie.
func TestCrashReplicas(t *testing.T) {
	t.Parallel()
	w := newPress(t, 12)
	ns := startNATS(t)
	w.replicas(t, ns.url(), rounds(10, 100), func(int) {})
	w.settled(t, look(t, ns.url()))
}

// TestCrashCluster: the same on a cluster of three servers, which loses one
// after the other.
func TestCrashCluster(t *testing.T) {
	t.Parallel()
	if !long() {
		t.Skip("a long form: set NEWSMONITOR_LONG=1")
	}
	w := newPress(t, 12)
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.url())
	}
	all := strings.Join(urls, ",")
	look(t, all)() // the cluster has a leader
	w.replicas(t, all, 30, func(round int) {
		if round%3 != 0 {
			return
		}
		victim := servers[rand.N(len(servers))]
		victim.kill()
		<-time.After(rand.N(10 * time.Second))
		victim.start(t)
		<-time.After(5 * time.Second) // it must catch up before the next may go
	})
	w.settled(t, look(t, all))
}

func (w *press) replicas(t *testing.T, urls string, rounds int, also func(round int)) {
	t.Helper()
	args := []string{"--http", "off", "--nats", urls, "--nats-lease", "2s"}
	var ds []*ward
	for range 3 {
		ds = append(ds, w.supervise(t, args...))
	}
	w.batter(t, ds, rounds, also)
}

// batter kills or stops one of the replicas each round.
func (w *press) batter(t *testing.T, ds []*ward, rounds int, also func(round int)) {
	t.Helper()
	for round := range rounds {
		w.add(2)
		w.moment(t, 100*time.Millisecond)
		also(round)
		d := ds[rand.N(len(ds))]
		if round%2 == 0 {
			d.signal(syscall.SIGKILL)
			continue
		}
		d.signal(syscall.SIGSTOP)
		w.add(2)
		<-time.After(rand.N(4 * time.Second)) // the lease lasts 2 s
		d.signal(syscall.SIGCONT)
	}
}
