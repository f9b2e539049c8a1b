package stream

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// external is somebody else's NATS server, which can be stopped and started.
type external struct {
	opts *server.Options
	ns   *server.Server
}

func startExternal(t *testing.T) *external {
	t.Helper()
	x := &external{opts: &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}}
	x.start(t)
	x.opts.Port = x.ns.Addr().(*net.TCPAddr).Port
	t.Cleanup(x.stop)
	return x
}

func (x *external) start(t *testing.T) {
	t.Helper()
	ns, err := server.NewServer(x.opts)
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("the external server does not start")
	}
	x.ns = ns
}

func (x *external) stop() {
	if x.ns != nil {
		x.ns.Shutdown()
		x.ns.WaitForShutdown()
		x.ns = nil
	}
}

// cable is a way to a server that can be cut without a word to either end.
type cable struct {
	net.Listener
	to    string
	mu    sync.Mutex
	dead  bool
	lost  map[net.Conn]bool // dead for ever
	conns []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, to: to}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", c.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			go c.copy(out, in)
			go c.copy(in, out)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, n := range c.conns {
			_ = n.Close()
		}
	})
	return c
}

// copy passes bytes on; a cut cable swallows them.
func (c *cable) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		dead := c.dead || c.lost[from]
		c.mu.Unlock()
		if dead {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// lose makes the present connections dead for ever; new ones are well.
func (c *cable) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = map[net.Conn]bool{}
	for _, n := range c.conns {
		c.lost[n] = true
	}
}

func (c *cable) cut(dead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = dead
}
