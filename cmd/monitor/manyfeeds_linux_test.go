package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The cost of a catalogue of 100,000 feeds, measured at the daemon as it is
// shipped, from outside:
//
//	NEWSMONITOR_LONG=1 go test ./cmd/monitor -run TestManyFeeds -v -timeout 90m
//
// NEWSMONITOR_FEEDS, NEWSMONITOR_EVERY and NEWSMONITOR_ITEMS (per document)
// change its measure. The limits of memory and CPU are those of 100,000 feeds
// at 15 minutes and hold in proportion for more frequent polls.

// use is what a process takes, by /proc.
type use struct {
	rss, peak uint64 // bytes
	cpu       time.Duration
}

func used(t *testing.T, pid int) (u use) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var n uint64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &n); err == nil {
			u.rss = n << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &n); err == nil {
			u.peak = n << 10
		}
	}
	b, err = os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	const hertz = 100 // USER_HZ, the same on every Linux
	for _, f := range fields[11:13] {
		n, _ := strconv.Atoi(f)
		u.cpu += time.Duration(n) * time.Second / hertz
	}
	return u
}

func measure(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// manyFiles writes the catalogue in files of at most 4,000 feeds, and returns
// the flags that name them.
func manyFiles(t *testing.T, dir, port string, feeds, hosts int, every time.Duration) (flags []string) {
	t.Helper()
	const most = 4000
	for from := 0; from < feeds; from += most {
		var b strings.Builder
		fmt.Fprintf(&b, "defaults: {every: %s}\nfeeds:\n", every)
		for i := from; i < min(from+most, feeds); i++ {
			h := i % hosts
			fmt.Fprintf(&b, "  - id: publisher-%06d\n    title: Publisher number %d of the world\n    url: http://127.1.%d.%d:%s/feeds/%d/rss.xml\n"+
				"    kind: media\n    tier: non-authoritative\n    country: US\n    language: en\n", i, i, h/250, h%250+1, port, i)
		}
		name := filepath.Join(dir, fmt.Sprintf("feeds-%03d.yaml", from/most))
		write(t, name, b.String())
		flags = append(flags, "--feeds", name)
	}
	return flags
}

func TestManyFeeds(t *testing.T) {
	if !long() {
		t.Skip("takes half an hour: NEWSMONITOR_LONG=1")
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 8000 {
		t.Skipf("%d files may be open, 8000 are needed", limit.Cur)
	}
	feeds, items := measure("NEWSMONITOR_FEEDS", 100_000), measure("NEWSMONITOR_ITEMS", 10)
	every := 15 * time.Minute
	if d, err := time.ParseDuration(os.Getenv("NEWSMONITOR_EVERY")); err == nil {
		every = d
	}
	hosts := min(2000, max(feeds/20, 1))
	port, ask := crowded(t, hosts, items)
	dir := t.TempDir()
	flags := append([]string{"run", "--data", filepath.Join(dir, "data"), "--rules", "builtin", "--allow-net", "127.0.0.0/8", "--nats-listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--max-store", "20GiB"}, manyFiles(t, dir, port, feeds, hosts, every)...)

	// start also says how long it takes to the first request of a server.
	start := func() (p *process, first time.Duration) {
		ask()
		begun := time.Now()
		p = startProcess(t, dir, flags...)
		for time.Since(begun) < time.Minute {
			if at := ask().First; at > 0 {
				return p, time.Unix(0, at).Sub(begun)
			}
			time.Sleep(50 * time.Millisecond) // a process can only be watched
		}
		t.Fatal("nothing was asked within a minute")
		return nil, 0
	}
	stop := func(p *process) {
		_ = p.Process.Signal(syscall.SIGTERM)
		if err := p.Wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
	}

	p, fresh := start()
	t.Logf("first poll %.1f s after the very first start, %.1f s of CPU", fresh.Seconds(), used(t, p.Process.Pid).cpu.Seconds())
	stop(p)

	// Everything is asked once and stored, as fast as it goes.
	begun := time.Now()
	fill := startProcess(t, dir, append(flags, "--once", "--host-gap", "0s", "--per-host", "4")...)
	for line := range fill.lines {
		if strings.Contains(line, "level=ERROR") {
			t.Error(line)
		}
	}
	if err := fill.Wait(); err != nil {
		t.Fatalf("the first run: %v", err)
	}
	t.Logf("%d feeds of %d items asked and stored in %s; %+v", feeds, items, time.Since(begun).Round(time.Second), ask())
	time.Sleep(time.Until(begun.Add(every + every/10))) // until the first are due again

	p, cold := start()
	u := used(t, p.Process.Pid)
	t.Logf("first poll %.1f s after a start with the states of all feeds, %.1f s of CPU; %d MB resident", cold.Seconds(), u.cpu.Seconds(), u.rss>>20)

	_, page, _ := strings.Cut(p.says(t, "newsmonitor runs"), "page=")
	page, _, _ = strings.Cut(page, " ")

	settle := max(every/3, 10*time.Second)
	time.Sleep(settle)
	t.Logf("after %s: %+v, %+v", settle, used(t, p.Process.Pid), ask())
	was, at := used(t, p.Process.Pid), time.Now()
	time.Sleep(every)
	now, took, asked := used(t, p.Process.Pid), time.Since(at), ask()
	share := (now.cpu - was.cpu).Seconds() / took.Seconds()
	t.Logf("%d feeds at %s: %d MB resident (at most %d MB since the start), %.1f %% of one core, %d requests (%d answered 304), first poll after %.1f s",
		feeds, every, now.rss>>20, now.peak>>20, 100*share, asked.Requests, asked.Unchanged, cold.Seconds())
	if asked.Requests < int64(feeds)*8/10 || asked.Requests > int64(feeds)*11/10 {
		t.Errorf("%d requests in one interval, want each feed once", asked.Requests)
	}
	scale := max(float64(feeds)/100_000, 1)
	if now.rss > uint64(600*scale)<<20 {
		t.Errorf("%d MB resident, want less than 600", now.rss>>20)
	}
	if rate := float64(asked.Requests) / took.Seconds(); share > 0.10*max(rate/111, 1) {
		t.Errorf("%.1f %% of one core at %.0f polls a second, want less than 10 at 111", 100*share, rate)
	}
	begun = time.Now()
	for _, path := range []string{"/api/v1/status", "/api/v1/feeds", "/sources", "/metrics"} {
		resp, err := http.Get(page + path)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		t.Logf("%s: %d, %d KB, %d ms; %d MB resident", path, resp.StatusCode, n>>10, time.Since(begun).Milliseconds(), used(t, p.Process.Pid).rss>>20)
		begun = time.Now()
	}
	if max(cold, fresh) > 5*time.Second {
		t.Errorf("the first poll came %s after the first start and %s after a later one, want 5 s at most", fresh, cold)
	}
	stop(p)
}

// TestFrequentPolls asks 10,000 feeds each 10 s and wants them asked in time:
//
//	NEWSMONITOR_LONG=1 go test ./cmd/monitor -run TestFrequentPolls -v -timeout 30m
func TestFrequentPolls(t *testing.T) {
	if !long() {
		t.Skip("takes minutes and both cores: NEWSMONITOR_LONG=1")
	}
	const every = 10 * time.Second
	feeds := measure("NEWSMONITOR_FEEDS", 10_000)
	hosts := min(2000, feeds)
	port, ask := crowded(t, hosts, 1)
	dir := t.TempDir()
	p := startProcess(t, dir, append([]string{"run", "--data", filepath.Join(dir, "data"), "--rules", "builtin", "--allow-net", "127.0.0.0/8", "--nats-listen", "off", "--http", "127.0.0.1:0",
		"--min-interval", every.String(), "--host-gap", "0s", "--per-host", "64"}, manyFiles(t, dir, port, feeds, hosts, every)...)...)
	_, page, _ := strings.Cut(p.says(t, "newsmonitor runs"), "page=")
	page, _, _ = strings.Cut(page, " ")
	for begun := time.Now(); ; {
		if time.Since(begun) > 10*time.Minute {
			t.Fatal("after ten minutes there are still feeds that were never asked")
		}
		time.Sleep(every) // a process can only be watched
		if c := ask(); c.Unchanged == c.Requests && c.Requests > 0 {
			break
		}
	}
	time.Sleep(every)
	ask()
	was, delays, at := used(t, p.Process.Pid), scheduleDelays(t, page), time.Now()
	time.Sleep(6 * every)
	now, later, took, asked := used(t, p.Process.Pid), scheduleDelays(t, page), time.Since(at), ask()
	polls := later["+Inf"] - delays["+Inf"]
	within := func(seconds string) float64 { return 100 * (later[seconds] - delays[seconds]) / polls }
	cpu := 100 * (now.cpu - was.cpu).Seconds() / took.Seconds()
	t.Logf("%d feeds each %s: %.0f polls a second, %.0f %% of one core, %d MB resident; begun within 10 ms %.2f %%, 50 ms %.2f %%, 100 ms %.2f %%, 500 ms %.2f %%, 1 s %.2f %%; %+v",
		feeds, every, polls/took.Seconds(), cpu, now.rss>>20, within("0.01"), within("0.05"), within("0.1"), within("0.5"), within("1"), asked)
	if polls < float64(feeds)*5 {
		t.Errorf("%.0f polls in %s, want each of %d feeds six times", polls, took, feeds)
	}
	if within("0.5") < 99 {
		t.Errorf("%.2f %% of the polls began within half a second of their time, want 99 %%", within("0.5"))
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	_ = p.Wait()
}

// scheduleDelays is how many polls began at most so many seconds late.
func scheduleDelays(t *testing.T, page string) map[string]float64 {
	t.Helper()
	resp, err := http.Get(page + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	counts := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), `monitor_schedule_delay_seconds_bucket{le="`)
		if le, value, cut := strings.Cut(rest, `"} `); ok && cut {
			counts[le], _ = strconv.ParseFloat(value, 64)
		}
	}
	if len(counts) == 0 {
		t.Fatal("no monitor_schedule_delay_seconds")
	}
	return counts
}
