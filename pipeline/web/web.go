// Package web shows alerts to those who pull: the analysts' page, the JSON
// API, the live stream, metrics and health. In: the stored alerts and views of
// feeds, rules and status that the caller computes. Out: HTTP on one listener.
// It changes nothing but the desk's mutes and acknowledgements, never asks a
// feed, and never turns what a feed wrote into markup.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
)

// Limits on what a stranger may hold open or send.
const (
	maxConnections = 1500
	maxHeaderBytes = 16 << 10
	shutdownGrace  = 5 * time.Second
)

// Config is what a Server needs. Alerts, Metrics and Log are required; a
// function that is nil answers as if there were nothing to tell.
type Config struct {
	Addr       string         // host:port; an empty host means loopback
	TokenFile  string         // tokens that open everything, one a line; read again when the file changes
	UserHeader string         // header in which a trusted proxy names the user
	Trust      []netip.Prefix // where that header is believed; empty: loopback
	Hosts      []string       // names besides loopback's that the Host header may have

	Listener net.Listener // to serve on instead of Addr; may be nil

	Alerts    Log
	Feeds     func() []FeedStatus
	Rules     func() []RuleInfo
	Backup    func(context.Context, io.Writer) error // may be nil
	Status    func() Status
	TestPush  func(ctx context.Context, name string) (service string, err error) // sends a test message; may be nil
	Pushed    func(ctx context.Context) []Destination                            // where alerts are pushed
	Revisions func(ctx context.Context, feedID, key string) ([]feed.Item, error) // of an item, oldest first
	Acks      func(alertID string) (alert.Ack, bool)                             // who has seen it
	Desk      Desk                                                               // mutes and acknowledgements; nil: nobody may change them
	Ask       func(ctx context.Context, q Question) (Answer, error)              // a query over stored items; may be nil
	Why       func(ctx context.Context, q string) (Reason, error)                // what became of a link or title; may be nil
	Query     func(q string) (func(alert.Event) bool, error)                     // compiles q=
	Ready     func(ctx context.Context) error                                    // why the daemon is not ready
	Metrics   *prometheus.Registry                                               //
	Log       *slog.Logger                                                       //
	Now       func() time.Time                                                   // default time.Now
}

// Server is the daemon's HTTP side.
type Server struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	index   *index
	tail    *tail
	pages   *pages
	tokens  *tokens // nil without a token file
	changes rate
	asking  busy
	closing chan struct{}
	handler http.Handler

	mu       sync.Mutex
	listener net.Listener
	loopback bool // the listener, or with none the address that was asked for
}

// New checks the configuration and binds nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Alerts == nil || cfg.Metrics == nil || cfg.Log == nil {
		return nil, errors.New("web: Alerts, Metrics and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, log: cfg.Log, now: cfg.Now, closing: make(chan struct{}), index: newIndex(),
		changes: rate{most: changesAMinute}, asking: busy{most: maxAsking}}
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want host:port, for instance 127.0.0.1:8080", cfg.Addr)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	s.cfg.Addr = net.JoinHostPort(host, port)
	s.loopback = isLoopbackHost(host)
	if cfg.TokenFile != "" {
		if s.tokens, err = newTokens(cfg.TokenFile, cfg.Log); err != nil {
			return nil, err
		}
	}
	if s.pages, err = newPages(); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(cfg.Metrics)
	s.tail = &tail{alerts: cfg.Alerts, index: s.index, log: cfg.Log, now: cfg.Now, clients: s.metrics.clients}
	s.handler = s.routes()
	return s, nil
}

// Handler serves everything, for callers that have a listener of their own.
// The index behind it is filled by Run.
func (s *Server) Handler() http.Handler { return s.handler }

// Listen binds the address, once, and says where.
func (s *Server) Listen() (net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil && s.cfg.Listener != nil {
		s.listener = s.cfg.Listener
	}
	if s.listener != nil {
		return s.listener.Addr(), nil
	}
	l, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w (choose another address with --http)", err)
	}
	s.listener = l
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.loopback = a.IP.IsLoopback()
	}
	return l.Addr(), nil
}

// Run serves until ctx ends, then lets requests finish for at most 5 s; live
// streams are closed at once.
func (s *Server) Run(ctx context.Context) error {
	if _, err := s.Listen(); err != nil {
		return err
	}
	if !s.onLoopback() && !s.hasDoor() {
		s.log.Warn("http serves only /livez, /readyz and /metrics: beyond loopback it needs --http-token-file or --http-user-header",
			"address", s.listener.Addr().String())
	}
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // the stream and the export move it as they go
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // strangers' mistakes
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.tail.run(ctx) })
	g.Go(func() error {
		err := srv.Serve(netutil.LimitListener(s.listener, maxConnections))
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve HTTP: %w", err)
	})
	g.Go(func() error {
		<-ctx.Done()
		close(s.closing)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := srv.Shutdown(grace); err != nil {
			return srv.Close() // who is slower than that is cut
		}
		return nil
	})
	return g.Wait()
}

func (s *Server) onLoopback() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loopback
}

// hasDoor tells whether there is a way to know who asks.
func (s *Server) hasDoor() bool { return s.tokens != nil || s.cfg.UserHeader != "" }

// routes is the whole surface; the first word is the metrics' handler label.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range []struct {
		name, pattern string
		handle        func(http.ResponseWriter, *http.Request) error
	}{
		{"page", "GET /{$}", s.page},
		{"alert", "GET /alerts/{id}", s.alertPage},
		{"sources", "GET /sources", s.sourcesPage},
		{"timeline", "GET /timeline", s.timelinePage},
		{"ask", "GET /ask", s.askPage},
		{"rules", "GET /rules", s.rulesPage},
		{"desk", "GET /desk/mute", s.muteForm},
		{"desk", "POST /desk/mute", s.sendMute},
		{"desk", "POST /desk/unmute", s.sendUnmute},
		{"desk", "GET /desk/ack", s.ackForm},
		{"desk", "POST /desk/ack", s.sendAck},
		{"desk", "GET /desk/test", s.testPage},
		{"channel_feed", "GET /channels/{file}", s.channelFeed},
		{"login", "GET /login", s.loginPage},
		{"login", "POST /login", s.login},
		{"static", "GET /static/{name}", s.static},
		{"api_alerts", "GET /api/v1/alerts", s.listAlerts},
		{"api_alert", "GET /api/v1/alerts/{id}", s.getAlert},
		{"api_stream", "GET /api/v1/alerts/stream", s.streamAlerts},
		{"api_csv", "GET /api/v1/alerts.csv", s.exportAlerts},
		{"api_feeds", "GET /api/v1/feeds", s.listFeeds},
		{"api_rules", "GET /api/v1/rules", s.listRules},
		{"api_csv", "GET /api/v1/feeds.csv", s.exportFeeds},
		{"api_csv", "GET /api/v1/rules.csv", s.exportRules},
		{"api_csv", "GET /api/v1/ask.csv", s.exportAnswer},
		{"api_ask", "GET /api/v1/ask", s.ask},
		{"api_why", "GET /api/v1/why", s.why},
		{"api_desk", "GET /api/v1/mutes", s.listMutes},
		{"api_desk", "POST /api/v1/mutes", s.postMute},
		{"api_destinations", "POST /api/v1/destinations/{name}/test", s.testPush},
		{"api_desk", "DELETE /api/v1/mutes/{id}", s.deleteMute},
		{"api_desk", "POST /api/v1/alerts/{id}/ack", s.postAck},
		{"api_status", "GET /api/v1/status", s.getStatus},
		{"api_backup", "GET /api/v1/backup", s.backup},
		{"livez", "GET /livez", s.livez},
		{"readyz", "GET /readyz", s.readyz},
		{"other", "/", func(http.ResponseWriter, *http.Request) error { return errNotFound }},
	} {
		mux.Handle(r.pattern, s.endpoint(r.name, r.handle))
	}
	mux.Handle("GET /metrics", s.metrics.count("metrics", s.metrics.handler(s.cfg.Metrics, s.log)))
	return s.guard(mux)
}
