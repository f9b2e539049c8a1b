package web

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	changesAMinute = 60
	maxWindows     = 10_000 // clients that are counted at a time
)

// rate lets each client do so much a minute.
type rate struct {
	most int

	mu     sync.Mutex
	start  time.Time
	counts map[string]int
}

func (l *rate) allow(client string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil || now.Sub(l.start).Abs() >= time.Minute {
		l.start, l.counts = now, map[string]int{}
	}
	if _, known := l.counts[client]; !known && len(l.counts) >= maxWindows {
		return false
	}
	l.counts[client]++
	return l.counts[client] <= l.most
}

// busy lets each client do one thing at a time, and all of them a few.
type busy struct {
	most int

	mu  sync.Mutex
	now map[string]bool
}

func (b *busy) enter(client string) (leave func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now == nil {
		b.now = map[string]bool{}
	}
	if b.now[client] || len(b.now) >= b.most {
		return nil, false
	}
	b.now[client] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.now, client)
	}, true
}

// client is who asks, for limits: the proxy's user, else the address.
func (s *Server) client(r *http.Request) string {
	if s.trustedUser(r) {
		return "user " + s.who(r)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
