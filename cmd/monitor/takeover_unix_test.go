//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// known waits until a replica knows of each feed that it was read, by whom ever.
func (w *press) known(t *testing.T, page string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(100 * time.Millisecond) {
		var live struct{ Feeds []web.FeedStatus }
		if err := (server{Server: page}).get(t.Context(), "/api/v1/feeds", &live); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(live.Feeds, func(f web.FeedStatus) bool { return f.State != "ok" || f.LastNewItem.IsZero() })
		if i < 0 && len(live.Feeds) == len(w.feeds) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a replica shows these feeds: %+v", live.Feeds)
		}
	}
}

// TestTakeover: of three replicas, the one that raises alerts is killed, or
// hangs. Within 20 s another raises, all feeds are polled again, and each feed
// by one alone; the one that hung is fenced when it comes back.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]os.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPress(t, 12)
			ns := startNATS(t)
			pages := map[int]string{} // by process id
			var ps []*process
			for range 3 {
				p := w.run(t, "--http", "127.0.0.1:0", "--nats", ns.url())
				pages[p.Process.Pid] = page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
				p.drain()
				ps = append(ps, p)
			}
			w.add(3)
			if !w.seen(30 * time.Second) {
				t.Fatal("the items were not asked for")
			}
			st := status(t, pages[ps[0].Process.Pid], func(st web.Status) bool { return shares(st, 3) && st.Readers[0].Owner != "" })
			for _, p := range ps { // each knows of all feeds and of all replicas
				w.known(t, pages[p.Process.Pid])
				for _, path := range []string{"/", "/metrics", "/readyz", "/api/v1/alerts"} {
					resp, err := http.Get(pages[p.Process.Pid] + path)
					if err != nil {
						t.Fatal(err)
					}
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						t.Errorf("%s of a replica answers %s", path, resp.Status)
					}
				}
				text, err := exec.Command("monitor", "status", "--server", pages[p.Process.Pid]).CombinedOutput()
				if err != nil || strings.Count(string(text), "\nreplica ") != 3 || strings.Count(string(text), ", this one") != 1 || !strings.Contains(string(text), "active on ") {
					t.Errorf("monitor status: %v\n%s", err, text)
				}
			}
			active := 0
			for _, n := range st.Nodes {
				if n.ID == st.Readers[0].Owner {
					active = n.PID
				}
			}
			var victim *process
			var survivor string
			for _, p := range ps {
				if p.Process.Pid == active {
					victim = p
				} else {
					survivor = pages[p.Process.Pid]
				}
			}
			if victim == nil {
				t.Fatalf("no replica has the reader: %+v", st.Readers)
			}
			start := time.Now()
			if err := victim.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			w.add(3)
			store := look(t, ns.url())()
			if !w.seen(25 * time.Second) {
				t.Errorf("%d items are not asked for 25 s after a replica was %s", w.pending(), name)
			}
			t.Logf("all feeds are polled again after %v", time.Since(start).Round(time.Millisecond))
			for len(w.audit(t.Context(), t, store)) > 0 && time.Since(start) < 25*time.Second {
				<-time.After(100 * time.Millisecond)
			}
			took := time.Since(start)
			t.Logf("all alerts are raised after %v", took.Round(time.Millisecond))
			if took > 20*time.Second {
				t.Errorf("the takeover took %v, want 20 s at most: %v", took, w.audit(t.Context(), t, store))
			}
			status(t, survivor, func(st web.Status) bool { return shares(st, 2) })
			if sig != syscall.SIGSTOP {
				return
			}
			if err := victim.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			w.add(3)
			w.settled(t, func() *stream.Store { return store })
			st = status(t, pages[active], func(st web.Status) bool { return shares(st, 3) })
			for _, n := range st.Nodes {
				if n.PID == active && n.ID == st.Readers[0].Owner {
					t.Error("the one that hung has the reader again")
				}
			}
		})
	}
}

var page = regexp.MustCompile(`page=(\S+)`)

// shares says whether so many replicas share all shards evenly.
func shares(st web.Status, replicas int) bool {
	all := 0
	for _, n := range st.Nodes {
		all += len(n.Shards)
		if len(n.Shards) > (stream.Shards+replicas-1)/replicas {
			return false
		}
	}
	return len(st.Nodes) == replicas && all == stream.Shards
}

// status waits until a replica's status is as wanted.
func status(t *testing.T, page string, ok func(web.Status) bool) web.Status {
	t.Helper()
	var st web.Status
	for start := time.Now(); time.Since(start) < 30*time.Second; <-time.After(100 * time.Millisecond) {
		resp, err := http.Get(page + "/api/v1/status")
		if err != nil {
			continue
		}
		st = web.Status{}
		err = json.NewDecoder(resp.Body).Decode(&st)
		_ = resp.Body.Close()
		if err == nil && ok(st) {
			return st
		}
	}
	t.Fatalf("the status stays %+v, readers %+v", st.Nodes, st.Readers)
	return st
}
