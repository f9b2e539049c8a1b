package stream

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/poll"
)

// TestOpenErrors shows what an operator reads when the store cannot be opened.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	busy := open(t, options(t))
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	go func() { // answers as no NATS server does
		for {
			c, err := mute.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail\r\n"))
			_ = c.Close()
		}
	}()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	single := ownServer(t)
	for _, tc := range []struct {
		name   string
		change func(*Options)
		want   []string
	}{
		{"folder in use", func(o *Options) { o.Dir = busy.opts.Dir }, []string{busy.opts.Dir, "in use by another monitor", "--data"}},
		{"folder is a file", func(o *Options) { o.Dir = file }, []string{"data folder", "not a directory"}},
		{"port taken by us", func(o *Options) { o.Listen = strings.TrimPrefix(busy.ClientURL(), "nats://") },
			[]string{"address already in use", "another newsmonitor has it", "--nats-listen 127.0.0.1:0", "--nats nats://127.0.0.1"}},
		{"port taken by a stranger", func(o *Options) { o.Listen = mute.Addr().String() }, []string{"another program has it"}},
		{"all interfaces", func(o *Options) { o.Listen = ":4222" }, []string{"open to others"}},
		{"beyond loopback", func(o *Options) { o.Listen = "0.0.0.0:0" }, []string{"--nats-users", "--nats-tls-cert"}},
		{"no TLS there", func(o *Options) { o.URL = strings.Replace(busy.ClientURL(), "nats://", "tls://", 1) }, []string{"no TLS", "nats:// instead of tls://"}},
		{"copies of a single server", func(o *Options) { o.URL, o.Manage, o.Replicas = single.ClientURL(), true, 3 }, []string{"stream ITEMS", "--nats-replicas"}},
		{"unreachable", func(o *Options) { o.URL = "nats://user:secret@127.0.0.1:1" }, []string{"connect to NATS", "--nats", "connection refused|no servers available"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t)
			tc.change(&o)
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			for _, w := range tc.want {
				found := false
				for _, alt := range strings.Split(w, "|") {
					found = found || strings.Contains(err.Error(), alt)
				}
				if !found {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows the password", err)
			}
		})
	}
}

// TestExternal: somebody else's server holds the streams; it goes away and comes
// back, and we go on by ourselves.
func TestExternal(t *testing.T) {
	t.Parallel()
	so := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	boot := func() *server.Server {
		ns, err := server.NewServer(so)
		if err != nil {
			t.Fatal(err)
		}
		go ns.Start()
		if !ns.ReadyForConnections(20 * time.Second) {
			t.Fatal("the external server does not start")
		}
		return ns
	}
	ns := boot()
	so.Port = ns.Addr().(*net.TCPAddr).Port
	o := options(t)
	o.URL = ns.ClientURL()
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "stream ITEMS is missing") || !strings.Contains(err.Error(), `"in.news.items.>"`) {
		t.Errorf("with --nats-manage never: %v; want the definition", err)
	}
	o.Manage, o.Registry = true, prometheus.NewRegistry()
	s := open(t, o)
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for s.Ready(ctx) == nil {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatal("still ready without its server")
		}
	}
	if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "is away") {
		t.Errorf("the reason is %v", err)
	}
	ns = boot()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	for s.Ready(ctx) != nil {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatal("not ready again")
		}
	}
	if _, err := s.Items().Append(ctx, []poll.Draft{draft("a", "r1", 0), draft("b", "r1", 0)}); err != nil {
		t.Errorf("append after the server came back: %v", err)
	}
	if n := count(t, s.items); n != 2 {
		t.Errorf("ITEMS holds %d messages, want 2", n)
	}
}

// TestPromisedSettings: a stream that somebody else made differently is
// refused, field by field; other limits of ours are changed.
func TestPromisedSettings(t *testing.T) {
	t.Parallel()
	host := open(t, options(t))
	// An external server without accounts: our own embedded one plays it, and
	// its daemon connection makes the foreign stream.
	if _, err := host.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ACME_ITEMS", Subjects: []string{"acme.items.>"}, MaxMsgsPerSubject: 1}); err != nil {
		t.Fatal(err)
	}
	s := &Store{opts: options(t), names: newNames("acme"), js: host.js, nc: host.nc, log: host.log, metrics: host.metrics}
	s.opts.Manage = true
	err := s.ensure(t.Context())
	for _, w := range []string{"stream ACME_ITEMS", "subjects: have [acme.items.>], want [in.acme.items.>]", "republish: have none", "messages per subject: have 1, want 8"} {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("error %v does not say %q", err, w)
		}
	}
	host.opts.KeepItems = 2 * time.Hour
	if err := host.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := host.items.CachedInfo().Config.MaxAge; got != 2*time.Hour {
		t.Errorf("ITEMS keeps %v after the flag changed, want 2h", got)
	}
}

// TestHalfOpen: a connection that died without a word, as a firewall leaves
// them, is noticed and made anew; what was to be stored meanwhile is, once.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	line := newCable(t, x.ns.Addr().String())
	o := options(t)
	o.URL, o.Manage = "nats://"+line.Addr().String(), true
	s := open(t, o)
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	line.lose()
	for start := time.Now(); ; pause(t.Context(), 100*time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := s.Items().Append(ctx, []poll.Draft{draft("b", "r1", 0)})
		cancel()
		if err == nil {
			break
		}
		if time.Since(start) > 60*time.Second {
			t.Fatal(err)
		}
	}
	if n := count(t, s.items); n != 2 {
		t.Errorf("ITEMS holds %d messages, want 2", n)
	}
	if n := testutil.ToFloat64(s.metrics.reconnects); n != 1 {
		t.Errorf("reconnected %v times", n)
	}
}
