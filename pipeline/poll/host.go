package poll

import (
	"net/url"
	"strings"
	"time"
)

// host is what one server's manners need. Guarded by Poller.mu.
type host struct {
	busy    int
	next    time.Time            // not before: the gap
	limited map[string]time.Time // feeds that were told 429, and until when
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

func (p *Poller) host(name string) *host {
	h := p.hosts[name]
	if h == nil {
		h = &host{limited: map[string]time.Time{}}
		p.hosts[name] = h
	}
	return h
}

// hostOf is the key of a feed's manners: lower-case name and port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Hostname()) + ":" + port(u)
}

// dueHeap is a heap by due time that knows each entry's place.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.place = -1
	return e
}
