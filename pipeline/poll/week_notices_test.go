package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"newsmonitor/pipeline/feed"
)

// TestTheWeekNotices spoils our manners one by one: the servers of the week
// must complain of each, or their silence means nothing.
func TestTheWeekNotices(t *testing.T) {
	type asked = func(context.Context, Request) (*Answer, error)
	sent := func(change func(h http.Header)) func(*week) {
		return func(k *week) { k.change = func(r *http.Request) { change(r.Header) } }
	}
	for name, c := range map[string]struct {
		complaint string
		spoil     func(*week)
	}{
		"nothing":          {"", func(*week) {}},
		"no validators":    {"unconditional though it has", sent(func(h http.Header) { h.Del("If-None-Match") })},
		"an altered ETag":  {"If-None-Match", sent(func(h http.Header) { h.Set("If-None-Match", strings.Trim(h.Get("If-None-Match"), "W/")) })},
		"an invented date": {"If-Modified-Since", sent(func(h http.Header) { h.Set("If-Modified-Since", "Tue, 1 Nov 2026 00:00:00 GMT") })},
		"no date":          {"If-Modified-Since", sent(func(h http.Header) { h.Del("If-Modified-Since") })},
		"a cookie":         {"sent Cookie", sent(func(h http.Header) { h.Set("Cookie", "a=b") })},
		"another name":     {"User-Agent", sent(func(h http.Header) { h.Set("User-Agent", "Mozilla/5.0") })},
		"no compression":   {"Accept-Encoding", sent(func(h http.Header) { h.Del("Accept-Encoding") })},
		"a secret for all": {"the secret sent to", sent(func(h http.Header) { h.Set("X-Key", "x") })},
		"no secret":        {"the secret sent to", sent(func(h http.Header) { h.Del("X-Key") })},
		"no gap":           {"was asked again after", func(k *week) { k.opt.HostGap = 0 }},
		"many at a time":   {"at a time", func(k *week) { k.opt.HostGap, k.opt.PerHost = 0, 8 }},
		"no patience":      {"before the time we named", func(k *week) { k.ask = deaf }},
		"no peace":         {"before two of its feeds may be asked", func(k *week) { k.ask = deaf }},
		"no ttl": {"before the time we named", func(k *week) {
			k.parse = func(d feed.Document) (*feed.Parsed, error) { p, err := plainParse(d); return noTTL(p), err }
		}},
		"asked twice": {"asked again after", func(k *week) {
			k.ask = func(ctx context.Context, fetch asked, r Request) (*Answer, error) {
				_, _ = fetch(ctx, r)
				return fetch(ctx, r)
			}
		}},
		"an address beside": {"which nobody named", func(k *week) {
			k.change = func(r *http.Request) { r.URL.Path = "/favicon.ico" }
		}},
		"a query":    {"GET http", func(k *week) { k.change = func(r *http.Request) { r.URL.RawQuery = "nocache=1" } }},
		"too often":  {"asked again after", func(k *week) { k.town.hurry = true }},
		"items lost": {"is stored 0 times", func(k *week) { k.inbox = &forgetful{Inbox: k.inbox} }},
		"items late": {"was found after", func(k *week) { k.town.dawdle = true }},
	} {
		scene(t, name, func(w *world) {
			k := newWeek(w, 63, 21, 21)
			said := map[bool]int{}
			k.town.say = func(format string, args ...any) {
				s := fmt.Sprintf(format, args...)
				said[c.complaint != "" && strings.Contains(s, c.complaint)]++
				if c.complaint == "" {
					w.Error(s)
				}
			}
			c.spoil(k)
			catalogue := slices.Clone(k.town.feeds)
			for i := range catalogue {
				if k.town.hurry {
					catalogue[i].Every /= 2
				}
				if k.town.dawdle {
					catalogue[i].Every *= 3
				}
			}
			k.run(w, 1, catalogue)
			k.town.found(w)
			if c.complaint != "" && said[true] == 0 {
				w.Errorf("nobody complained: %d other complaints", said[false])
			}
		})
	}
}

// deaf does not hear what servers ask for.
func deaf(ctx context.Context, fetch func(context.Context, Request) (*Answer, error), r Request) (*Answer, error) {
	a, err := fetch(ctx, r)
	if a != nil {
		a.Fresh = 0
	}
	var f *Failure
	if errors.As(err, &f) {
		f.RetryAfter, f.Reason = 0, ReasonServer
	}
	return a, err
}

func noTTL(p *feed.Parsed) *feed.Parsed {
	if p != nil {
		p.TTL = 0
	}
	return p
}

// forgetful drops each tenth draft and says that it is stored.
type forgetful struct {
	Inbox
	mu sync.Mutex
	n  int
}

func (f *forgetful) Append(ctx context.Context, drafts []Draft) ([]uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var sequences []uint64
	for _, d := range drafts {
		if f.n++; f.n%10 == 0 {
			sequences = append(sequences, 1<<40)
			continue
		}
		s, err := f.Inbox.Append(ctx, []Draft{d})
		if err != nil {
			return nil, err
		}
		sequences = append(sequences, s...)
	}
	return sequences, nil
}
