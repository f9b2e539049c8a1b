package pipeline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// Offline opens the store under dir and answers the daemon's API from it, in
// memory only: no other program can take it for the daemon. The transport asks
// it; whoever calls done ends it. With files it also answers what is asked of
// feeds and rules.
func Offline(ctx context.Context, dir string, files *Files, log *slog.Logger) (_ http.RoundTripper, done func(), err error) {
	m, err := openOffline(ctx, dir, log)
	if err != nil {
		return nil, nil, err
	}
	l := newMemory()
	config := web.Config{Addr: m.settings.HTTP, Listener: l, Alerts: alertLog{m.store.Alerts()}, Revisions: m.store.Items().Revisions,
		Ready: m.store.Ready, Metrics: m.registry, Log: log}
	if files != nil {
		loaded, err := files.Load(nil)
		if err != nil {
			m.Close()
			return nil, nil, err
		}
		m.config.Store(loaded)
		asked := &inquiry{store: m.store, config: m.Config, now: time.Now}
		config.Ask, config.Why = asked.ask, asked.why
	}
	srv, err := web.New(config)
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { _ = srv.Run(ctx) })
	return &http.Transport{DialContext: l.dial}, func() {
		cancel()
		work.Wait()
		m.Close()
	}, nil
}

// OfflineArchive opens the store under dir to read what it holds.
func OfflineArchive(ctx context.Context, dir string, log *slog.Logger) (*stream.Archive, func(), error) {
	m, err := openOffline(ctx, dir, log)
	if err != nil {
		return nil, nil, err
	}
	return m.store.Archive(), m.Close, nil
}

// openOffline opens a store that is there, without listeners, and changes
// none of its limits.
func openOffline(ctx context.Context, dir string, log *slog.Logger) (_ *Monitor, err error) {
	if _, err := os.Stat(filepath.Join(dir, "jetstream")); err != nil {
		return nil, fmt.Errorf("%s holds no store", dir)
	}
	s := Settings{Data: dir, MaxStore: 8 << 30, NATSListen: "off", HTTP: "127.0.0.1:0"}
	m := &Monitor{settings: s, log: log, registry: newRegistry()}
	o := s.store(log, m.registry)
	o.KeepItems, o.KeepAlerts = stream.Unlimited, stream.Unlimited
	o.ReadOnly = true
	if m.store, err = stream.Open(ctx, o); err != nil {
		return nil, err
	}
	return m, nil
}

// memory is a listener that only this process can reach.
type memory struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (l *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ended:
		return nil, io.ErrClosedPipe
	}
}

func (l *memory) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *memory) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
