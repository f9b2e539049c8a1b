package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
)

// soak is how hard and how long a daemon is tried.
type soak struct {
	feeds, hosts int
	lasts        time.Duration
	every        time.Duration // of each feed
	adds         time.Duration // between two items, all feeds together
	sample       time.Duration
	keep         time.Duration // of items and alerts
	window       int           // items that a document lists; 0: all
}

var natsURL = regexp.MustCompile(`nats=(nats://\S+)`)

// TestSoak: many feeds, of which a twentieth misbehaves at any time, each for a
// few polls. Memory, goroutines and files stay flat, and nothing is lost or
// comes twice. The long form (NEWSMONITOR_LONG=1) has 2,000 feeds and lasts an
// hour; as its store forgets after minutes and its documents begin half full, all has
// soon grown that ever grows: what NATS and the page know of each stored message,
// the state of each feed, and the stories' carriers, of which there are 20,000.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := soak{feeds: 200, hosts: 20, lasts: 18 * time.Second, every: time.Second, adds: 20 * time.Millisecond, sample: 250 * time.Millisecond, keep: time.Hour}
	if long() {
		s = soak{feeds: 2000, hosts: 100, lasts: time.Hour, every: time.Minute, adds: 50 * time.Millisecond, sample: 10 * time.Second, keep: 10 * time.Minute, window: 20}
	}
	w := newMoody(t, s)
	p := startProcess(t, w.dir, "--allow-net", "127.0.0.0/8", "--min-interval", (s.every / 2).String(), "--host-gap", "0s", "--per-host", "8",
		"--nats-listen", "127.0.0.1:0", "--keep-items", s.keep.String(), "--keep-alerts", s.keep.String(), "--http", "127.0.0.1:0", "--backlog", "all", "--timeout", (s.every / 4).String(), "--header-timeout", (s.every / 5).String(),
		"--connect-timeout", (s.every / 5).String(), "--max-body", "1MiB", "--canary", "0")
	runs := p.says(t, "newsmonitor runs")
	where := page.FindStringSubmatch(runs)[1]
	heard := listen(t, natsURL.FindStringSubmatch(runs)[1])
	p.drain()
	w.fill() // when there is somebody to hear of it
	began := time.Now()
	var rss, goroutines, files series
	add, sample := time.NewTicker(s.adds), time.NewTicker(s.sample)
	defer add.Stop()
	defer sample.Stop()
	quiet := 4 * s.every // before the end nothing new comes, so that what was shown last is stored
	said := began
	for time.Since(began) < s.lasts {
		select {
		case <-add.C:
			if time.Since(began) < s.lasts-quiet {
				w.addOne()
			}
		case <-sample.C:
			at := time.Since(began)
			rss.add(at, float64(residentKB(t, p.Process.Pid)))
			files.add(at, float64(openFiles(p.Process.Pid)))
			goroutines.add(at, gauge(t, where, "go_goroutines"))
			if time.Since(said) > s.lasts/12 {
				said = time.Now()
				t.Logf("%v: %.0f kB resident, %.0f goroutines, %.0f files, %d items", at.Round(time.Second), rss.last(), goroutines.last(), files.last(), w.titles)
			}
		}
	}
	// What was shown and not read in time, as on a busy machine, is asked for again.
	for over := time.Now().Add(30 * time.Second); time.Now().Before(over); <-time.After(s.every / 4) {
		if items, alerts := heard.soFar(); len(w.judge(t, items, alerts)) == 0 {
			break
		}
	}
	heard.end(t)
	used := p.stop(t)
	if problems := w.judge(t, heard.items, heard.alerts); len(problems) > 0 {
		t.Errorf("%d problems, the first: %s", len(problems), strings.Join(problems[:min(5, len(problems))], "; "))
	}
	t.Logf("%d requests, %v of CPU time; %d answers were bad, %d of %d items never asked for", w.requests, used.Round(10*time.Millisecond), w.bad, w.pending(), w.titles)
	memory := 24.0 * 1024 // kB that a young process may still take
	if long() {
		memory = 8 * 1024
	}
	for name, c := range map[string]struct {
		series
		most float64 // growth between the second quarter and the last, as a share
		room float64 // and in its own unit, whatever the share
	}{"resident kB": {rss, .10, memory}, "goroutines": {goroutines, .10, 60}, "files": {files, .10, 40}} {
		early, late := c.between(.25, .5), c.between(.75, 1)
		t.Logf("%s: median %.0f in the second quarter, %.0f in the last; slope %+.1f an hour over the last three quarters", name, early, late, c.slope(.25))
		if late > early*(1+c.most)+c.room {
			t.Errorf("%s grow from %.0f to %.0f", name, early, late)
		}
	}
}

// ear hears what the streams took, from the first message on: a store that
// forgets cannot be asked afterwards.
type ear struct {
	nc            *nats.Conn
	ended         chan struct{}
	mu            sync.Mutex
	items, alerts map[string]int // by title
}

func listen(t *testing.T, url string) *ear {
	t.Helper()
	e := &ear{ended: make(chan struct{}), items: map[string]int{}, alerts: map[string]int{}}
	var err error
	e.nc, err = nats.Connect(url, nats.ClosedHandler(func(*nats.Conn) { close(e.ended) }))
	if err != nil {
		t.Fatal(err)
	}
	hear := func(subject string, take func(data []byte) (string, error), into map[string]int) {
		s, err := e.nc.Subscribe(subject, func(m *nats.Msg) {
			title, err := take(m.Data)
			if err != nil {
				t.Errorf("%s: %v", m.Subject, err)
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			into[title]++
		})
		if err == nil {
			err = s.SetPendingLimits(-1, -1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	hear("news.items.>", func(data []byte) (string, error) {
		var it feed.Item
		err := json.Unmarshal(data, &it)
		return it.Title, err
	}, e.items)
	hear("news.alerts.>", func(data []byte) (string, error) {
		var event alert.Event
		err := json.Unmarshal(data, &event)
		return event.Data.Item.Title, err
	}, e.alerts)
	if err := e.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *ear) soFar() (items, alerts map[string]int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.items), maps.Clone(e.alerts)
}

// end takes in what was sent so far.
func (e *ear) end(t *testing.T) {
	t.Helper()
	if err := e.nc.Drain(); err != nil {
		t.Fatal(err)
	}
	<-e.ended
}

// moody is a press whose feeds misbehave by turns.
type moody struct {
	*press
	every    time.Duration
	began    time.Time
	requests int // under mu
	bad      int // of those; under mu
}

func newMoody(t *testing.T, s soak) *moody {
	t.Helper()
	m := &moody{press: &press{dir: t.TempDir(), window: s.window, asked: make(chan struct{}, 1)}, every: s.every, began: time.Now()}
	var list strings.Builder
	list.WriteString("feeds:\n")
	muxes := make([]*http.ServeMux, s.hosts)
	urls := make([]string, s.hosts)
	for h := range s.hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.8.%d:0", h+1))
		if err != nil {
			t.Fatal(err)
		}
		muxes[h] = http.NewServeMux()
		srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: muxes[h]}}
		srv.Start()
		t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
		urls[h] = srv.URL
	}
	for i := range s.feeds {
		c := &column{id: fmt.Sprint("f", i), url: fmt.Sprintf("%s/%d", urls[i%s.hosts], i)}
		muxes[i%s.hosts].HandleFunc(fmt.Sprint("/", i), func(rw http.ResponseWriter, r *http.Request) { m.answer(rw, r, c, i) })
		fmt.Fprintf(&list, "  - {id: %s, title: F, url: %q, kind: ministry, tier: authoritative, country: US, language: en, every: %s}\n", c.id, c.url, s.every)
		m.feeds = append(m.feeds, c)
	}
	write(t, filepath.Join(m.dir, "feeds.yaml"), list.String())
	m.rules(t)
	return m
}

// fill gives each feed half of the items that its document lists: hardly one
// leaves it before the first poll, and none unseen counts.
func (m *moody) fill() {
	for range m.window / 2 {
		m.add(1)
	}
}

// addOne gives one feed an item.
func (m *moody) addOne() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addTo(m.feeds[rand.N(len(m.feeds))])
}

// ill says how a feed misbehaves now, 0 for not at all: each twentieth does,
// for three polls or so.
func (m *moody) ill(feed int) int {
	span := uint64(time.Since(m.began) / (3 * m.every))
	r := rand.New(rand.NewPCG(uint64(feed), span))
	if r.IntN(20) != 0 {
		return 0
	}
	return 1 + r.IntN(9)
}

func (m *moody) answer(rw http.ResponseWriter, r *http.Request, c *column, i int) {
	m.mu.Lock()
	m.requests++
	m.mu.Unlock()
	kind := m.ill(i)
	if kind == 0 {
		m.mu.Lock()
		tag := fmt.Sprintf(`"%d"`, len(c.titles))
		m.mu.Unlock()
		rw.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		m.serve(rw, c, "")
		return
	}
	m.mu.Lock()
	m.bad++
	m.mu.Unlock()
	switch kind {
	case 1:
		rw.WriteHeader(http.StatusInternalServerError)
	case 2:
		rw.Header().Set("Retry-After", "2")
		rw.WriteHeader(http.StatusTooManyRequests)
	case 3: // hangs
		select {
		case <-r.Context().Done():
		case <-time.After(m.every):
		}
	case 4: // cut off
		rw.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(rw, "<rss><channel><title>T</title><item><title>Half")
		panic(http.ErrAbortHandler)
	case 5:
		_, _ = io.WriteString(rw, "<html><head><title>Maintenance</title></head><body><p>Back soon</body>")
	case 6: // without end
		for chunk := []byte(strings.Repeat("<item><title>more</title></item>", 1000)); r.Context().Err() == nil; {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
	case 7:
		http.Redirect(rw, r, r.URL.Path+"?again", http.StatusFound)
	case 8: // a byte now and then
		for r.Context().Err() == nil {
			_, _ = io.WriteString(rw, " ")
			_ = http.NewResponseController(rw).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(m.every / 10):
			}
		}
	default: // nothing at all
	}
}

func residentKB(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("the daemon is gone: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "VmRSS:" {
			n, _ := strconv.Atoi(w[1])
			return n
		}
	}
	return 0
}

func openFiles(pid int) int {
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(list)
}

// gauge sums a metric's series.
func gauge(t *testing.T, where, name string) (sum float64) {
	t.Helper()
	resp, err := http.Get(where + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		rest, is := strings.CutPrefix(s.Text(), name)
		if is && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "{")) {
			n, _ := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			sum += n
		}
	}
	return sum
}

// stop ends a process as planned and returns the CPU time that it used.
func (p *process) stop(t *testing.T) time.Duration {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the daemon ends with %v", err)
	}
	return p.ProcessState.UserTime() + p.ProcessState.SystemTime()
}

// series is a quantity over time.
type series struct {
	at []time.Duration
	v  []float64
}

func (s *series) add(at time.Duration, v float64) { s.at, s.v = append(s.at, at), append(s.v, v) }

func (s *series) last() float64 { return s.v[len(s.v)-1] }

// between is the median of a part.
func (s *series) between(from, to float64) float64 {
	n := float64(len(s.v))
	part := slices.Sorted(slices.Values(s.v[int(from*n):int(to*n)]))
	return part[len(part)/2]
}

// slope is the growth an hour, by least squares.
func (s *series) slope(from float64) float64 {
	start := int(from * float64(len(s.v)))
	var n, sx, sy, sxx, sxy float64
	for i := start; i < len(s.v); i++ {
		x, y := s.at[i].Hours(), s.v[i]
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
