//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// long says whether the long forms of the promise's tests run.
func long() bool { return os.Getenv("NEWSMONITOR_LONG") != "" }

func rounds(short, all int) int {
	if long() {
		return all
	}
	return short
}

// press is a scripted world of publishers, one a host, that add items all the
// time and remember which ones they have shown.
type press struct {
	dir    string
	mu     sync.Mutex
	feeds  []*column
	titles int
	window int           // items that a document lists; 0: all
	asked  chan struct{} // a token for an answer, while somebody waits
}

type column struct {
	id, url string
	items   []string
	titles  []string
	served  int // of titles
	answers int
	askers  map[string]int // answers by the User-Agent that asked
}

func newPress(t *testing.T, hosts int) *press {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs SIGSTOP and the whole of 127.0.0.0/8")
	}
	w := &press{dir: t.TempDir(), asked: make(chan struct{}, 1)}
	var list strings.Builder
	list.WriteString("feeds:\n")
	for i := range hosts {
		c := &column{id: fmt.Sprint("f", i)}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.7.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(rw, c, r.UserAgent()) })}}
		srv.Start()
		t.Cleanup(srv.Close)
		c.url = srv.URL + "/f.xml"
		fmt.Fprintf(&list, "  - {id: %s, title: F, url: %q, kind: ministry, tier: authoritative, country: US, language: en, every: 200ms}\n", c.id, c.url)
		w.feeds = append(w.feeds, c)
	}
	write(t, filepath.Join(w.dir, "feeds.yaml"), list.String())
	w.rules(t)
	return w
}

// rules writes one, so that it is known which items alert.
func (w *press) rules(t *testing.T) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(w.dir, "rules"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(w.dir, "rules", "s.yaml"), `{channel: s, title: S, rules: [{id: s, title: S, severity: low, match: sanctions,
  tests: [{fires: true, title: Sanctions}, {fires: false, title: Talks}]}]}`)
}

func (w *press) serve(rw http.ResponseWriter, c *column, asker string) {
	w.mu.Lock()
	newest := c.items
	if w.window > 0 {
		newest = newest[max(0, len(newest)-w.window):]
	}
	body := "<rss><channel><title>T</title>" + strings.Join(newest, "") + "</channel></rss>"
	n := len(c.titles)
	w.mu.Unlock()
	if _, err := io.WriteString(rw, body); err != nil {
		return
	}
	w.mu.Lock()
	c.served = max(c.served, n)
	c.answers++
	if c.askers == nil {
		c.askers = map[string]int{}
	}
	c.askers[asker]++
	w.mu.Unlock()
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// add gives each feed n items, of which a third calls for an alert.
func (w *press) add(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.feeds {
		for range n {
			w.addTo(c)
		}
	}
}

// addTo gives one feed an item. Called with mu held.
func (w *press) addTo(c *column) {
	w.titles++
	title := fmt.Sprintf("Talks, part %d", w.titles)
	if w.titles%3 == 0 {
		title = fmt.Sprintf("Sanctions, part %d", w.titles)
	}
	c.titles = append(c.titles, title)
	c.items = append(c.items, fmt.Sprintf("<item><guid>%d</guid><title>%s</title><pubDate>%s</pubDate></item>", w.titles, title, time.Now().UTC().Format(time.RFC1123Z)))
}

// pending is how many items nobody has been shown yet.
func (w *press) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.feeds {
		n += len(c.titles) - c.served
	}
	return n
}

// run starts a daemon on the press; it returns when the daemon works.
func (w *press) run(t *testing.T, args ...string) *process {
	t.Helper()
	return startProcess(t, w.dir, append(w.flags(), args...)...)
}

func (w *press) flags() []string {
	return []string{"--allow-net", "127.0.0.0/8", "--min-interval", "100ms", "--host-gap", "0s", "--nats-listen", "off", "--backlog", "all"}
}

// drain keeps a process whose log nobody reads from being held up by it.
func (p *process) drain() {
	go func() {
		for range p.lines {
		}
	}()
}

func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// ward is a daemon under a supervisor, which starts it again when it ends.
type ward struct {
	mu      sync.Mutex
	p       *process
	stopped bool
}

func (w *press) supervise(t *testing.T, args ...string) *ward {
	return supervise(t, func() *process { return w.run(t, args...) })
}

func supervise(t *testing.T, start func() *process) *ward {
	d := &ward{p: start()}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			for range d.p.lines { // until it ends
			}
			_ = d.p.Wait()
			<-time.After(100 * time.Millisecond)
			d.mu.Lock()
			if d.stopped {
				d.mu.Unlock()
				return
			}
			d.p = start()
			d.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		d.mu.Lock()
		d.stopped = true
		_ = d.p.Process.Kill()
		d.mu.Unlock()
		done.Wait()
	})
	return d
}

func (d *ward) signal(s os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.p.Process.Signal(s)
}

// settledIn does so with a store that nobody runs.
func (w *press) settledIn(t *testing.T, dir string) {
	t.Helper()
	w.settled(t, func() *stream.Store {
		s, err := stream.Open(t.Context(), stream.Options{Dir: dir, Listen: "off", MaxStore: 8 << 30, ReadOnly: true, Owner: "test",
			Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	})
}

// settled waits until everything that was shown is stored and judged, and
// reports what is there not once.
func (w *press) settled(t *testing.T, open func() *stream.Store) {
	t.Helper()
	if !w.seen(30 * time.Second) {
		t.Fatalf("%d items were never asked for", w.pending())
	}
	s := open()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		problems := w.audit(t.Context(), t, s)
		if len(problems) == 0 {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%d problems, the first: %s", len(problems), strings.Join(problems[:min(5, len(problems))], "; "))
		}
		for _, p := range problems {
			if strings.Contains(p, "twice") { // no time mends that
				t.Fatal(p)
			}
		}
	}
}

// seen waits until all items were shown to somebody.
func (w *press) seen(limit time.Duration) bool {
	deadline := time.After(limit)
	for w.pending() > 0 {
		select {
		case <-w.asked:
		case <-deadline:
			return false
		}
	}
	return true
}

// audit compares a store with what was served.
func (w *press) audit(ctx context.Context, t *testing.T, s *stream.Store) (problems []string) {
	t.Helper()
	items, alerts := map[string]int{}, map[string]int{}
	err := s.Archive().Items(ctx, time.Unix(0, 0), nil, func(it feed.Item) error { items[it.Title]++; return nil })
	if err != nil {
		return []string{err.Error()}
	}
	err = s.Archive().Alerts(ctx, time.Unix(0, 0), func(st alert.Stored) error { alerts[st.Event.Data.Item.Title]++; return nil })
	if err != nil {
		return []string{err.Error()}
	}
	// ALERTS keeps one message a subject: a second one would replace the first,
	// and show only in the sequences.
	infos, err := s.Streams(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for _, i := range infos {
		if i.Last != i.Messages {
			problems = append(problems, fmt.Sprintf("%s gave %d sequences to %d messages: something came twice", i.Name, i.Last, i.Messages))
		}
	}
	return append(problems, w.judge(t, items, alerts)...)
}

// judge compares what there is of items and alerts, by title, with what was
// served.
func (w *press) judge(t *testing.T, items, alerts map[string]int) (problems []string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	say := func(what, title string, n, want int) {
		switch {
		case n > want:
			problems = append(problems, fmt.Sprintf("%s of %q is there %d times, more than %d: twice", what, title, n, want))
		case n < want:
			problems = append(problems, fmt.Sprintf("%s of %q is missing", what, title))
		}
	}
	served := 0
	for _, c := range w.feeds {
		for _, title := range c.titles[:c.served] {
			served++
			say("the item", title, items[title], 1)
			want := 0
			if strings.HasPrefix(title, "Sanctions") {
				want = 1
			}
			say("the alert", title, alerts[title], want)
		}
	}
	if len(problems) == 0 {
		t.Logf("%d items and %d alerts, each once", served, len(alerts))
	}
	return problems
}

// look opens the streams of an external server to read them.
func look(t *testing.T, urls string) func() *stream.Store {
	return func() *stream.Store {
		t.Helper()
		for start := time.Now(); ; <-time.After(100 * time.Millisecond) {
			s, err := stream.Open(t.Context(), stream.Options{URL: urls, Manage: true, ReadOnly: true, Owner: "test",
				MaxStore: 1 << 30, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
			if err == nil {
				t.Cleanup(s.Close)
				return s
			}
			if time.Since(start) > 40*time.Second {
				t.Fatal(err)
			}
		}
	}
}

// moment is somewhere in the daemon's work: after an answer, while it is
// parsed, appended, raised or remembered.
func (w *press) moment(t *testing.T, most time.Duration) {
	t.Helper()
	select {
	case <-w.asked:
	default:
	}
	select {
	case <-w.asked:
	case <-time.After(40 * time.Second):
		t.Fatal("nobody asks any more")
	}
	<-time.After(rand.N(most) * time.Duration(1+rand.N(4)))
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
