package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// A week of 1,000 feeds on 330 hosts, 300 of the feeds with a fault, and a
// restart each two days. Every request is held to the rules by the servers
// themselves, and every item of a healthy feed must be found in time.

const (
	weekFeeds  = 1000
	weekHosts  = 330
	weekFaulty = 300
	weekAgent  = "newsmonitor/week (+https://contact.test/)"
)

// weekFault is what is wrong with a feed; healthy ones have "".
var weekFaults = []string{"429", "503", "max-age", "ttl", "304-always", "moved", "elsewhere", "gone", "flapping", "hang", "reset",
	"cut", "html", "no-validators", "new-etag", "new-guids", "dead", "302", "empty-sometimes", "secret", "modified"}

// town is all servers of the week. It keeps the books on how it is treated.
type town struct {
	*testing.T
	begin time.Time
	feeds []feed.Feed
	say   func(format string, args ...any) // a complaint

	mu       sync.Mutex
	shops    []*shop
	doors    map[string]*door
	requests int
	broken   int  // rules, up to a limit of complaints
	hurry    bool // the catalogue asks more often than these feeds want
	dawdle   bool // or less often
}

// shop is one feed as its server sees it.
type shop struct {
	fault     string
	period    time.Duration // between items
	asked     int
	last      time.Time // of the last request to the feed's own address
	notBefore time.Time // what the last answer asked for
	etag      string    // given with the last whole answer
	modified  string    // Last-Modified, given with it
	full      time.Time // of that, or of the last unconditional request
}

// door is one host.
type door struct {
	busy    int
	last    time.Time         // when the last request ended
	limited map[int]time.Time // feeds that were told 429, and until when
}

// peace is until when two feeds that were told to wait speak for the host.
func (d *door) peace(now time.Time) (until time.Time) {
	n := 0
	for _, t := range d.limited {
		if t.After(now) {
			if n++; t.After(until) {
				until = t
			}
		}
	}
	if n < 2 {
		return time.Time{}
	}
	return until
}

// lost tells whether the answer under way never arrives.
func (s *shop) lost() bool {
	return s.fault == "hang" && s.asked%3 != 0 || s.fault == "reset" && s.asked%4 != 0
}

// newTown has three feeds a host. Three in ten have a fault; feeds that are
// told 429 have a neighbour with the same fault, and one that suffers for it.
func newTown(t *testing.T, feeds, hosts, faulty int) *town {
	c := &town{T: t, begin: time.Now(), doors: map[string]*door{}, say: t.Errorf}
	for i := range feeds {
		f := aFeed(fmt.Sprintf("f%04d", i), fmt.Sprintf("http://h%d.test/%d", i%hosts, i), []time.Duration{time.Hour, 90 * time.Minute, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour}[i%5])
		s := &shop{period: time.Duration(2+i%37) * time.Hour}
		if i < faulty {
			s.fault = weekFaults[i%len(weekFaults)]
		} else if first := i % hosts; first < faulty && weekFaults[first%len(weekFaults)] == "429" {
			s.fault = []string{"429", "neighbour"}[min(i/hosts, 2)-1]
		}
		if s.fault == "secret" || s.fault == "elsewhere" {
			f.Headers = map[string]feed.Secret{"X-Key": {Env: "HOME"}} // any variable that is set
		}
		if s.fault == "" && i%10 == 9 {
			f.Auto = true
		}
		c.feeds, c.shops = append(c.feeds, f), append(c.shops, s)
	}
	return c
}

// item is when a feed's item k appears.
func (c *town) item(i, k int) time.Time {
	return c.begin.Add(time.Duration(i%60-61)*time.Minute + time.Duration(k)*c.shops[i].period)
}

// items is how many a feed has at a time.
func (c *town) items(i int, at time.Time) int {
	n := 0
	for !c.item(i, n).After(at) {
		n++
	}
	return n
}

func (c *town) wrong(format string, args ...any) {
	if c.broken++; c.broken < 200 {
		c.say(format, args...)
	}
}

// RoundTrip is one request to one of the servers.
func (c *town) RoundTrip(r *http.Request) (*http.Response, error) {
	now := time.Now()
	var i int
	moved := strings.HasPrefix(r.URL.Path, "/moved/")
	_, err := fmt.Sscanf(strings.TrimPrefix(r.URL.Path, "/moved"), "/%d", &i)
	c.mu.Lock()
	if err != nil || i >= len(c.feeds) {
		c.wrong("asked for %s, which nobody named", r.URL)
		i = 0
	}
	s := c.shops[i]
	d := c.doors[r.URL.Host]
	if d == nil {
		d = &door{limited: map[int]time.Time{}}
		c.doors[r.URL.Host] = d
	}
	c.etiquette(r, i, s, d, moved, now)
	d.busy++
	c.requests++
	status, header, body := c.answer(r, i, s, moved, now)
	lost := s.lost()
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		d.busy--
		d.last = time.Now()
	}()
	select {
	case <-time.After(time.Duration(50+i%200) * time.Millisecond):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	switch {
	case !lost:
	case s.fault == "hang":
		<-r.Context().Done()
		if !errors.Is(context.Cause(r.Context()), errTimeout) {
			// Cut by a restart of ours: the answer is asked for again.
			c.mu.Lock()
			s.last = time.Time{}
			c.mu.Unlock()
		}
		return nil, r.Context().Err()
	default:
		return nil, io.EOF
	}
	resp := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1, Request: r}
	if s.fault == "cut" && s.asked%3 == 1 {
		resp.ContentLength, resp.ProtoMinor = -1, 0 // and the document ends early
	}
	return resp, nil
}

// etiquette is the rules. Called with mu held.
func (c *town) etiquette(r *http.Request, i int, s *shop, d *door, moved bool, now time.Time) {
	f := c.feeds[i]
	if r.Method != http.MethodGet || r.URL.RawQuery != "" || r.Body != nil {
		c.wrong("%s %s", r.Method, r.URL)
	}
	for _, name := range []string{"Cookie", "Referer", "Authorization", "Range", "From"} {
		if r.Header.Get(name) != "" {
			c.wrong("%s: sent %s", f.ID, name)
		}
	}
	if got := r.Header.Get("User-Agent"); got != weekAgent {
		c.wrong("%s: User-Agent %q", f.ID, got)
	}
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") || r.Header.Get("Accept") == "" {
		c.wrong("%s: no Accept or Accept-Encoding", f.ID)
	}
	own := "http://"+r.URL.Host+r.URL.Path == f.URL
	if key, ours := r.Header.Get("X-Key"), len(f.Headers) > 0 && r.URL.Host == hostOnly(f.URL); key != "" != ours {
		c.wrong("%s: the secret sent to %s: %v", f.ID, r.URL.Host, key != "")
	}
	if until := d.peace(now); until.After(now) {
		c.wrong("%s: %s was asked %s before two of its feeds may be asked", f.ID, r.URL.Host, until.Sub(now))
	}
	if d.busy > 0 {
		c.wrong("%s: %d requests to %s at a time", f.ID, d.busy+1, r.URL.Host)
	}
	if gap := now.Sub(d.last); !d.last.IsZero() && gap < time.Second && (own || r.URL.Host != hostOnly(f.URL)) {
		c.wrong("%s: %s was asked again after %s", f.ID, r.URL.Host, gap)
	}
	if !own && !moved {
		c.wrong("%s: asked %s", f.ID, r.URL)
	}
	if own || s.fault == "moved" {
		// A feed that moved is asked at one address or the other; a redirect
		// follows at once.
		least := f.Every
		if f.Auto {
			least = autoLeast
		}
		if gap := now.Sub(s.last); !s.last.IsZero() && gap < least && (!moved || gap >= time.Minute) {
			c.wrong("%s (%s): asked again after %s, every %s", f.ID, s.fault, gap, f.Every)
		}
		if now.Before(s.notBefore) {
			c.wrong("%s (%s): asked %s before the time we named", f.ID, s.fault, s.notBefore.Sub(now))
		}
		s.last = now
	}
	match := r.Header.Get("If-None-Match")
	if since := r.Header.Get("If-Modified-Since"); since != "" && since != s.modified || since == "" && s.modified != "" && now.Sub(s.full) < 8*24*time.Hour {
		c.wrong("%s (%s): If-Modified-Since %q, given was %q", f.ID, s.fault, since, s.modified)
	}
	switch answers := own != (s.fault == "moved" || s.fault == "elsewhere" || s.fault == "302"); {
	case !answers:
		if match != "" {
			c.wrong("%s (%s): %s got the validators of another address", f.ID, s.fault, r.URL)
		}
	case match != "" && match != s.etag:
		c.wrong("%s (%s): If-None-Match %s, given was %s", f.ID, s.fault, match, s.etag)
	case match == "" && s.etag != "":
		least := 8 * 24 * time.Hour
		if s.fault == "304-always" {
			least = 24 * time.Hour // a liar, once that is known
		}
		if now.Sub(s.full) < least {
			c.wrong("%s (%s): unconditional though it has %s, %s after the last", f.ID, s.fault, s.etag, now.Sub(s.full))
		}
	}
	if match == "" && r.Header.Get("If-Modified-Since") == "" && (s.fault != "moved" || !own) {
		s.full = now
	}
}

func hostOnly(address string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
	return name
}

// answer is what a feed's server says. Called with mu held.
func (c *town) answer(r *http.Request, i int, s *shop, moved bool, now time.Time) (int, http.Header, string) {
	s.asked++
	n := c.items(i, now)
	header := http.Header{}
	wish := func(d time.Duration) { s.notBefore = now.Add(min(d, longest)) }
	switch {
	case s.fault == "429" && s.asked%3 == 0:
		header.Set("Retry-After", "10000")
		wish(10000 * time.Second)
		c.doors[r.URL.Host].limited[i] = now.Add(10000 * time.Second)
		return 429, header, ""
	case s.fault == "503" && s.asked%5 == 0:
		header.Set("Retry-After", now.Add(5*time.Hour).UTC().Format(http.TimeFormat))
		wish(5*time.Hour - time.Second)
		return 503, header, ""
	case s.fault == "dead", s.fault == "flapping" && s.asked%2 == 0:
		return 500, header, "an error page"
	case s.fault == "gone" && now.Sub(c.begin) > 24*time.Hour:
		return 410, header, ""
	case s.fault == "html" && s.asked%4 == 0:
		return 200, header, "html"
	case s.fault == "moved" && !moved:
		header.Set("Location", "/moved"+r.URL.Path)
		return 301, header, ""
	case (s.fault == "elsewhere" || s.fault == "302") && !moved:
		header.Set("Location", "http://common.test/moved"+r.URL.Path)
		return 302, header, ""
	}
	if s.fault == "max-age" {
		header.Set("Cache-Control", "max-age=9000")
		wish(9000 * time.Second)
	}
	etag := fmt.Sprintf(`W/"%d of %d"`, n, i)
	if s.fault == "new-etag" {
		etag = fmt.Sprintf(`"%d"`, s.asked)
	}
	modified := fmt.Sprintf("Tue,  %d Nov 2026 at 7 (about)", n)
	if s.fault == "modified" && r.Header.Get("If-Modified-Since") == modified {
		return 304, header, ""
	}
	if match := r.Header.Get("If-None-Match"); match != "" && (match == etag || s.fault == "304-always") {
		return 304, header, ""
	}
	var b strings.Builder
	if s.fault == "ttl" {
		b.WriteString("ttl 5h\n")
		wish(5 * time.Hour)
	}
	for k := n - 1; k >= max(n-20, 0); k-- {
		guid := fmt.Sprint(k)
		if s.fault == "new-guids" {
			guid = fmt.Sprintf("%d-%d", k, s.asked)
		}
		fmt.Fprintf(&b, "%s|http://x.test/%d/%d|Item %d||\n", guid, i, k, k)
	}
	switch {
	case s.fault == "empty-sometimes" && s.asked%5 == 0:
		b.Reset()
		b.WriteString("ttl 0s\n")
	case s.fault == "cut" && s.asked%3 == 1:
		header.Set("ETag", `"of a broken body"`)
		return 200, header, b.String() + "cut"
	}
	if s.fault == "modified" {
		header.Set("Last-Modified", modified)
		s.modified = modified
	} else if s.fault != "no-validators" && !s.lost() {
		header.Set("ETag", etag)
		s.etag = etag
	}
	return 200, header, b.String()
}

// week is a run of a town's feeds, and what was told of them.
type week struct {
	town   *town
	opt    Options
	ask    func(ctx context.Context, fetch func(context.Context, Request) (*Answer, error), r Request) (*Answer, error)
	parse  func(feed.Document) (*feed.Parsed, error)
	change func(*http.Request) // what leaves us, on its way
	inbox  Inbox

	mu     sync.Mutex
	polls  int
	events map[string]int
}

func newWeek(w *world, feeds, hosts, faulty int) *week {
	k := &week{town: newTown(w.T, feeds, hosts, faulty), opt: DefaultOptions(), parse: plainParse, inbox: w.memory, events: map[string]int{}}
	k.opt.Backlog, k.opt.Concurrency = BacklogAll, 64
	return k
}

func (k *week) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.change != nil {
		k.change(r)
	}
	return k.town.RoundTrip(r)
}

// run lets days pass, with a restart each second one.
func (k *week) run(w *world, days int, catalogue []feed.Feed) {
	fetcher := &Fetcher{UserAgent: weekAgent, MaxBody: 1 << 20, Timeout: 30 * time.Second, Now: time.Now, trip: k}
	for day := 0; day < days; day += 2 {
		p, err := New(Config{Options: k.opt, States: w.memory, Inbox: k.inbox, Parse: k.parse, Log: slog.New(slog.DiscardHandler),
			Fetch: func(ctx context.Context, r Request) (*Answer, error) {
				k.mu.Lock()
				k.polls++
				k.mu.Unlock()
				if k.ask != nil {
					return k.ask(ctx, fetcher.Fetch, r)
				}
				return fetcher.Fetch(ctx, r)
			},
			Announce: func(_ context.Context, e Event) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.events[e.Event]++
			}})
		if err != nil {
			w.Fatal(err)
		}
		p.Update(catalogue)
		w.runFor(p, time.Duration(min(2, days-day))*24*time.Hour)
	}
}

func TestReliabilityWeek(t *testing.T) {
	scene(t, "case-045 a week of 1,000 feeds", func(w *world) {
		k := newWeek(w, weekFeeds, weekHosts, weekFaulty)
		c := k.town
		k.run(w, 7, c.feeds)
		hops := 0
		for _, s := range c.shops {
			if s.fault == "elsewhere" || s.fault == "302" || s.fault == "moved" {
				hops += s.asked
			}
		}
		if extra := c.requests - k.polls; extra < 0 || extra > hops {
			w.Errorf("%d polls made %d requests, redirects explain at most %d more", k.polls, c.requests, hops)
		}
		if items := c.found(w); items < 9_500 {
			w.Errorf("only %d items were due", items)
		}
		w.memory.check(w.T)
		for _, e := range []string{EventGone, EventMoved, EventFailing, EventRecovered} {
			if k.events[e] == 0 {
				w.Errorf("a week with every fault and no event %q: %v", e, k.events)
			}
		}
		w.Logf("%d polls, %d requests, %d items stored, %d states written, events %v", k.polls, c.requests, w.memory.revisions(), w.memory.saves, k.events)
	})
}

// found wants every item of a healthy feed to be stored within its interval.
// It returns how many were due.
func (c *town) found(w *world) int {
	end := time.Now()
	var worst time.Duration
	items := 0
	for i, f := range c.feeds {
		if c.shops[i].fault != "" {
			continue
		}
		within := f.Every
		if f.Auto {
			within = autoMost
		}
		within += within/10 + time.Minute
		for k := 0; c.item(i, k).Add(within).Before(end); k++ {
			items++
			stored := w.memory.stored[f.ID+"/"+hash(32, f.ID, fmt.Sprint(k))]
			if len(stored) != 1 {
				c.wrong("item %d of %s is stored %d times", k, f.ID, len(stored))
				continue
			}
			late := stored[0].item.Fetched.Sub(c.item(i, k))
			if worst = max(worst, late-f.Every); late > within {
				c.wrong("item %d of %s was found after %s, every %s", k, f.ID, late, f.Every)
			}
		}
	}
	c.Logf("%d items of healthy feeds, the latest %s over its interval", items, worst)
	return items
}
