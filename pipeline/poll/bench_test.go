package poll

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestServe304 is no test: BenchmarkUnchangedPoll runs it in a process of its
// own, so that the server's cost is not the poller's.
func TestServe304(t *testing.T) {
	if os.Getenv("NEWSMONITOR_SERVE304") == "" {
		t.Skip("only as a child of BenchmarkUnchangedPoll")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		if r.Header.Get("If-None-Match") == `"one"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "a|http://x.test/a|A||")
	}))
	fmt.Printf("at %s\n", s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
	s.Close()
}

// serve304 starts that process and returns its address.
func serve304(b *testing.B) string {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^TestServe304$", "-test.v")
	child.Env = append(os.Environ(), "NEWSMONITOR_SERVE304=1")
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = child.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if url, ok := strings.CutPrefix(lines.Text(), "at "); ok {
			return url
		}
	}
	b.Fatal("the server did not start")
	return ""
}

// bareGET is the least that a conditional request costs with net/http.
func bareGET(b *testing.B, client *http.Client, url string) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		b.Error(err)
		return
	}
	req.Header.Set("User-Agent", "bare")
	req.Header.Set("If-None-Match", `"one"`)
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != http.StatusNotModified {
		b.Error(resp, err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

func report(b *testing.B, ours, theirs time.Duration, n, m int) {
	o, t := float64(ours.Nanoseconds())/1000/float64(max(n, 1)), float64(theirs.Nanoseconds())/1000/float64(max(m, 1))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(t, "bare-µs/poll")
	b.ReportMetric(o, "ours-µs/poll")
	b.ReportMetric(o/t, "ratio")
}

// BenchmarkUnchangedPoll compares the CPU of unchanged polls with that of bare
// conditional GETs, in turns within the same run: one after the other without
// a pause, and by the whole poller at a pace.
func BenchmarkUnchangedPoll(b *testing.B) {
	url := serve304(b)
	b.Run("flat-out", func(b *testing.B) {
		p, _ := benchPoller(b)
		x := aFeed("x", url, time.Hour)
		j := job{feed: &x}
		poll := func() {
			var v visit
			var ok bool
			if j, v, ok = p.poll(context.Background(), j); !ok || v.failed != nil {
				b.Fatal(v.failed)
			}
			if j.state.Items != nil {
				j.items, j.state.Items = pack(j.state.Items), nil
			}
		}
		bareGET(b, http.DefaultClient, url)
		poll()
		poll()
		var ours, theirs time.Duration
		n := 0
		for b.Loop() {
			const block = 200
			begun := cpu()
			for range block {
				bareGET(b, http.DefaultClient, url)
			}
			middle := cpu()
			for range block {
				poll()
			}
			ours, theirs, n = ours+cpu()-middle, theirs+middle-begun, n+block
		}
		report(b, ours, theirs, n, n)
	})
	for _, rate := range []int{30, 1000} {
		b.Run(fmt.Sprintf("%d-a-second", rate), func(b *testing.B) {
			const turn = 4 * time.Second
			var ours, theirs time.Duration
			var n, m int
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			p, store := benchPoller(b)
			var feeds []string
			for i := range 2 * rate {
				feeds = append(feeds, fmt.Sprintf("%s/%d", url, i))
			}
			list := manyFeeds(len(feeds), 2*time.Second)
			for i := range list {
				list[i].URL = feeds[i]
			}
			p.Update(list)
			ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
			_ = p.Run(ctx) // each has been asked for the whole once
			stop()
			for b.Loop() {
				begun := cpu()
				var group sync.WaitGroup
				tick := time.NewTicker(time.Second / time.Duration(rate))
				for end := time.After(turn); ; m++ {
					select {
					case <-end:
					case <-tick.C:
						group.Go(func() { bareGET(b, client, url) })
						continue
					}
					break
				}
				tick.Stop()
				group.Wait()
				middle := cpu()
				before := store.asked.Load()
				ctx, stop := context.WithTimeout(context.Background(), turn)
				_ = p.Run(ctx)
				stop()
				ours, theirs = ours+cpu()-middle, theirs+middle-begun
				n += int(store.asked.Load() - before)
			}
			report(b, ours, theirs, n, m)
		})
	}
}

// benchPoller asks loopback as fast as it is told to.
func benchPoller(b *testing.B) (*Poller, *lean) {
	o := DefaultOptions()
	o.AllowNet, o.HostGap, o.PerHost, o.MinInterval = anyLoopback, 0, 64, 100*time.Millisecond
	store := &lean{}
	p, err := New(Config{Options: o, States: store, Inbox: store, Parse: plainParse, Random: fixed(0)})
	if err != nil {
		b.Fatal(err)
	}
	fetch := p.Fetch
	p.Fetch = func(ctx context.Context, r Request) (*Answer, error) {
		store.asked.Add(1)
		return fetch(ctx, r)
	}
	return p, store
}
