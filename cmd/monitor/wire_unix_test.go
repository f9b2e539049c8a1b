//go:build unix

package main

import (
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wire is a TCP way to a server on which things go wrong.
type wire struct {
	l     net.Listener
	to    string
	mu    sync.Mutex // guards what follows
	delay time.Duration
	dumb  bool // what is sent goes nowhere, and nobody hears of it
	down  bool // nobody answers
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{l: l, to: strings.TrimPrefix(to, "nats://"), conns: map[net.Conn]bool{}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			w.join(in)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	return w
}

func (w *wire) url() string { return "nats://" + w.l.Addr().String() }

func (w *wire) join(in net.Conn) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	var out net.Conn
	var err error
	if !down {
		out, err = net.Dial("tcp", w.to)
	}
	if down || err != nil {
		_ = in.Close()
		return
	}
	w.mu.Lock()
	w.conns[in], w.conns[out] = true, true
	w.mu.Unlock()
	go w.carry(out, in)
	go w.carry(in, out)
}

func (w *wire) carry(to, from net.Conn) {
	defer func() {
		w.mu.Lock()
		delete(w.conns, to)
		delete(w.conns, from)
		w.mu.Unlock()
		_, _ = to.Close(), from.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		delay, dumb := w.delay, w.dumb
		w.mu.Unlock()
		if delay > 0 {
			<-time.After(rand.N(delay))
		}
		if dumb {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections, in the middle of what is said.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

func (w *wire) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// TestCrashWire: the connection to an external server is cut, slow or dead
// without anybody being told, at random instants; now and then the daemon is
// killed too.
func TestCrashWire(t *testing.T) {
	t.Parallel()
	w := newPress(t, 4)
	ns := startNATS(t)
	line := newWire(t, ns.url())
	d := w.supervise(t, "--http", "off", "--nats", line.url(), "--nats-lease", "2s")
	faults := map[string]func(){
		"cut": func() { line.cut() },
		"away": func() {
			line.set(func() { line.down = true })
			line.cut()
			<-time.After(rand.N(time.Second))
			line.set(func() { line.down = false })
		},
		"slow": func() {
			line.set(func() { line.delay = 400 * time.Millisecond })
			<-time.After(rand.N(2 * time.Second))
			line.set(func() { line.delay = 0 })
		},
		"half-open": func() { // what was swallowed never comes: the connection ends with it
			line.set(func() { line.dumb = true })
			<-time.After(rand.N(3 * time.Second))
			line.set(func() { line.dumb = false })
			line.cut()
		},
	}
	names := []string{"cut", "away", "slow", "half-open"}
	for i := range rounds(8, 200) {
		w.add(3)
		w.moment(t, 100*time.Millisecond)
		faults[names[i%len(names)]]()
		if i%7 == 6 {
			d.signal(os.Signal(syscall.SIGKILL))
		}
	}
	w.settled(t, look(t, ns.url()))
}
