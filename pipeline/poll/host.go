package poll

import (
	"context"
	"net/url"
	"strings"
	"time"
)

const (
	patience   = 20 * time.Second // that a redirect waits for the host it leads to
	strayHosts = 1000             // hosts that only redirects know, before they are cleared
)

// host is what one server's manners need. Guarded by Poller.mu.
type host struct {
	busy    int
	waiting int                  // redirects that wait for their turn: they go first
	unread  int                  // feeds whose state is still being read: they may have been told to wait
	next    time.Time            // not before: the gap
	limited map[string]time.Time // feeds that were told 429, and until when
	freed   chan struct{}        // closed when a request ended; nil if nobody waits
}

// until is when the host may be asked again.
func (h *host) until(now time.Time) time.Time {
	if pause := h.pause(now); pause.After(h.next) {
		return pause
	}
	return h.next
}

// pause is until when the host as a whole wants peace: two of its feeds that
// were told to wait speak for all. Zero if it does not.
func (h *host) pause(now time.Time) time.Time {
	var latest time.Time
	n := 0
	for id, until := range h.limited {
		if !until.After(now) {
			delete(h.limited, id)
			continue
		}
		n++
		if until.After(latest) {
			latest = until
		}
	}
	if n < 2 {
		return time.Time{}
	}
	return latest
}

// limit notes that a feed was told to wait.
func (h *host) limit(id string, until time.Time) {
	if h.limited == nil {
		h.limited = map[string]time.Time{}
	}
	h.limited[id] = until
}

func (p *Poller) host(name string) *host {
	h := p.hosts[name]
	if h == nil {
		h = &host{}
		p.hosts[name] = h
	}
	return h
}

// turn is one poll's place in a host's queue; redirects take it from host to
// host.
type turn struct {
	at       *host // nil once given back
	expected *host // its gap was kept for us when the poll began
}

// giveBack ends a turn. Called with mu held.
func (p *Poller) giveBack(t *turn) {
	h := t.at
	if h == nil {
		return
	}
	t.at = nil
	h.busy--
	h.next = p.Now().Add(p.HostGap)
	if h.freed != nil {
		close(h.freed)
		h.freed = nil
	}
}

// cross gives the turn at one host back and waits for one at another, to which
// a redirect leads: many feeds may redirect to the same place.
func (p *Poller) cross(ctx context.Context, t *turn, to string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.host(to)
	if t.at == h {
		return nil
	}
	p.giveBack(t)
	p.sweep()
	h.waiting++
	defer func() { h.waiting-- }()
	for begun := p.Now(); ; {
		now := p.Now()
		if pause := h.pause(now); pause.After(now) {
			return &Failure{Reason: ReasonRateLimited, RetryAfter: pause.Sub(now), Text: "it redirects to a host that asked us to wait"}
		}
		free := h.busy < p.PerHost
		if free && (!h.next.After(now) || t.expected == h) {
			h.busy++
			h.next = now.Add(p.HostGap)
			t.at = h
			return nil
		}
		left := patience - now.Sub(begun)
		if left <= 0 {
			return brief(ReasonTimeout, "it redirects to a host that is busy with our other requests")
		}
		if free {
			left = min(left, h.next.Sub(now))
		}
		if h.freed == nil {
			h.freed = make(chan struct{})
		}
		freed := h.freed
		p.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
		case <-freed:
		case <-timer.C:
		}
		timer.Stop()
		p.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// sweep forgets hosts that no feed needs: redirects could name ever new ones.
// Called with mu held.
func (p *Poller) sweep() {
	if len(p.hosts) > 2*len(p.entries)+strayHosts {
		p.clearHosts()
	}
}

func (p *Poller) clearHosts() {
	used := make(map[string]bool, len(p.order))
	for _, e := range p.order {
		used[e.host], used[e.via] = true, true
	}
	now := p.Now()
	for name, h := range p.hosts {
		if !used[name] && h.busy == 0 && h.waiting == 0 && !h.until(now).After(now) {
			delete(p.hosts, name)
		}
	}
}

// hostOf is the key of a feed's manners: lower-case name and port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return hostKey(u)
}

func hostKey(u *url.URL) string { return strings.ToLower(u.Hostname()) + ":" + port(u) }
