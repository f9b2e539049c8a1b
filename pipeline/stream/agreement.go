package stream

import (
	"encoding/json"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// nodeValue is what a process says of itself in its node key.
type nodeValue struct {
	Host   string `json:"host"`
	PID    int    `json:"pid"`
	Config string `json:"config,omitempty"` // what its feeds and rules hash to; absent of older programs
}

// Runs says what the feeds and rules of this process hash to, for the others.
func (s *Store) Runs(config string) { s.config.Store(&config) }

// self is the value of our node key.
func (l *Leases) self() []byte {
	v := nodeValue{PID: os.Getpid()}
	v.Host, _ = os.Hostname()
	if config := l.s.config.Load(); config != nil {
		v.Config = *config
	}
	b, _ := json.Marshal(v)
	return b
}

// settleDown is how long replicas may differ before it is a warning: a change
// reaches them one after the other.
const settleDown = time.Minute

// apart is since when another replica runs other feeds or rules than we.
type apart struct {
	since time.Time // zero when all agree
	said  bool
}

// hear takes what another process says of itself.
func (l *Leases) hear(id string, e jetstream.KeyValueEntry) {
	if e.Operation() != jetstream.KeyValuePut {
		delete(l.configs, id)
		return
	}
	var v nodeValue
	_ = json.Unmarshal(e.Value(), &v) // of a version to come: it still has an id
	l.configs[id] = v.Config
}

// compare says when others run other feeds or rules than we: the feeds are
// divided, so that a feed that only some know is polled or not by chance, and
// whoever raises judges by its own rules.
func (l *Leases) compare(now time.Time) {
	config := l.s.config.Load()
	if config == nil {
		return
	}
	other := ""
	for id, c := range l.configs {
		if id != l.s.opts.Owner && c != "" && c != *config {
			other = id
		}
	}
	switch {
	case other == "":
		if l.apart.said {
			l.s.log.Info("all replicas run the same feeds and rules again")
		}
		l.apart = apart{}
		l.s.metrics.mismatch.Set(0)
		return
	case l.apart.since.IsZero():
		l.apart.since = now
	}
	l.s.metrics.mismatch.Set(1)
	if !l.apart.said && now.Sub(l.apart.since) >= settleDown {
		l.apart.said = true
		l.s.log.Warn("another replica runs other feeds or rules than this one: give all the same files, and reload", "replica", other)
	}
}
