// Package stream is all that we remember, and the only room that speaks NATS.
// In: items, feed states and alert events, to be stored once. Out: the same in
// order, to each reader from its own place. It never decides anything about
// them, and owns no durable consumer: their acknowledgements do not survive a
// crash on one node, and others could take from them.
package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// inboxPrefix of the daemon's own answers: readers cannot listen to it.
const inboxPrefix = "_INBOX_monitor"

// Unlimited is a time to keep that never drops anything.
const Unlimited time.Duration = 0

// Options says where the streams are and how much they keep.
type Options struct {
	Dir        string        // data folder of the embedded server; unused with URL
	Listen     string        // host:port of the embedded server, "off" for none
	MaxStore   int64         // bytes, all streams together
	KeepItems  time.Duration //
	KeepAlerts time.Duration //
	Users      string        // file with the readers of the embedded server; needed beyond loopback
	TLSCert    string        // PEM files; needed beyond loopback
	TLSKey     string        //

	URL      string // external server or cluster: nats://a,nats://b; empty: embedded
	Creds    string // credentials file for URL
	Replicas int    // of external streams; 0: 3 when the cluster has them, else 1
	Manage   bool   // create what is missing in an external server

	ReadOnly bool   // change no limits of streams that are there
	memory   uint64 // that a restore may use, in tests; 0: restoreMemory
	lazy     bool   // not an fsync a message: a restore makes its own at the end

	release stamp         // formats that the program knows, in tests; zero: ours
	look    time.Duration // between two looks at the store's health; 0: lookEach

	Prefix string // first token of every subject, and of the streams' names when it is not news
	Owner  string // this process, in the readers' places

	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Store is the open store.
type Store struct {
	opts    Options
	names   names
	server  *embedded // nil when external
	nc      *nats.Conn
	js      jetstream.JetStream
	level   int // the server's JetStream API level: 1 is 2.11, 2 has atomic batches
	items   jetstream.Stream
	alerts  jetstream.Stream
	feeds   jetstream.KeyValue
	readers jetstream.KeyValue
	desk    jetstream.KeyValue
	leases  atomic.Pointer[jetstream.KeyValue] // made anew when an external server forgot it

	config     atomic.Pointer[string] // what our feeds and rules hash to
	leasesMade time.Time              // when the bucket was made, by the server's clock
	metrics    *metrics
	log        *slog.Logger
	closing    atomic.Bool
	trouble    trouble
	stamp      stamp                // of the data folder
	omitted    map[string]int       // by label: messages that could not be read when the store was made anew at this start
	asItIs     bool                 // the store could not be made anew at this start
	verified   map[string]*verified // by the stream's label in the metrics

	overview overview
}

// Open starts the embedded server or connects to an external one, and makes
// sure of the streams. Whoever opens a Store closes it, after all its readers
// and writers have returned.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	s := &Store{opts: o, names: newNames(o.Prefix), log: o.Log, metrics: newMetrics(o.Registry), omitted: map[string]int{},
		verified: map[string]*verified{"items": {}, "alerts": {}}}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if o.URL == "" {
		if s.server, err = startEmbedded(o, s.names); err != nil {
			return nil, err
		}
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	if err := s.upgrade(ctx); err != nil {
		return nil, err
	}
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	s.checkDamage(ctx)
	if s.server != nil && !o.ReadOnly {
		if err := s.rebuild(ctx); err != nil {
			return nil, err
		}
	}
	s.metrics.connected.Set(1)
	return s, nil
}

func (s *Store) connect() (err error) {
	opts := s.connOptions()
	if s.server != nil {
		s.nc, err = s.server.connect(opts...)
	} else {
		if s.opts.Creds != "" {
			opts = append(opts, nats.UserCredentials(s.opts.Creds))
		}
		s.nc, err = nats.Connect(s.opts.URL, opts...)
	}
	if err != nil {
		return s.connectError(err)
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	return nil
}

func (s *Store) connOptions() []nats.Option {
	return []nats.Option{
		nats.Name("newsmonitor " + s.opts.Owner),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		// A way that died without a word is noticed within three of these, not
		// in the client's usual six minutes.
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.CustomInboxPrefix(inboxPrefix),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			s.metrics.connected.Set(0)
			if !s.closing.Load() {
				s.log.Warn("NATS is away; what was fetched is kept and tried again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			s.metrics.connected.Set(1)
			s.metrics.reconnects.Inc()
			s.log.Info("NATS is back")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if s.trouble.denied(err) {
				s.log.Warn("NATS reports", "error", err)
			}
		}),
	}
}

// connectError says what to do about a server that cannot be reached.
func (s *Store) connectError(err error) error {
	if s.opts.URL == "" {
		return fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	hint := "is it running, and is --nats right?"
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		hint = "it wants other credentials: see --nats-creds, or the user and password in --nats"
	case errors.Is(err, nats.ErrSecureConnWanted):
		hint = "it has no TLS: nats:// instead of tls://, or give it a certificate"
	case errors.Is(err, os.ErrNotExist):
		hint = "the file of --nats-creds is not there"
	}
	return fmt.Errorf("connect to NATS at %s: %w (%s)", Redact(s.opts.URL), err, hint)
}

// Redact leaves passwords out of a comma-separated list of server addresses.
func Redact(urls string) string {
	parts := strings.Split(urls, ",")
	for i, p := range parts {
		if u, err := url.Parse(strings.TrimSpace(p)); err == nil {
			parts[i] = u.Redacted()
		}
	}
	return strings.Join(parts, ",")
}

// Close ends the connection and the embedded server. It is the last to go.
func (s *Store) Close() {
	s.closing.Store(true)
	if s.alerts != nil && s.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		s.checkpoint(ctx)
		cancel()
	}
	if s.nc != nil {
		s.nc.Close()
	}
	if s.server != nil {
		s.server.stop()
	}
}

// ClientURL is where other programs find the streams, "" when nobody can.
func (s *Store) ClientURL() string {
	if s.server != nil {
		return s.server.clientURL()
	}
	return Redact(s.opts.URL)
}

// Ready says why the streams cannot be used now, or nil.
func (s *Store) Ready(ctx context.Context) error {
	if s.server != nil {
		if err := s.server.illness(); err != nil {
			return err
		}
	}
	if !s.nc.IsConnected() {
		return fmt.Errorf("NATS at %s is away", s.where())
	}
	if err := s.trouble.last(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, st := range []jetstream.Stream{s.items, s.alerts} {
		if _, err := st.Info(ctx); err != nil {
			return s.explain("read the state of stream "+st.CachedInfo().Config.Name, err)
		}
	}
	return nil
}

func (s *Store) where() string {
	if s.server != nil {
		return "the embedded server"
	}
	return Redact(s.opts.URL)
}

// lookEach is how often the store's health is looked at.
const lookEach = 10 * time.Second

// Run watches over the store until ctx ends: the state of its streams for the
// metrics, and the embedded server's health.
func (s *Store) Run(ctx context.Context) error {
	each := cmp.Or(s.opts.look, lookEach)
	tick := time.NewTicker(each)
	defer tick.Stop()
	for n := 0; ; n++ {
		s.observe(ctx)
		if s.server != nil {
			if n%6 == 5 { // and no oftener: for any message the server reads a block of thousands
				if err := s.verify(ctx, 6*each); err != nil {
					return err
				}
				s.checkpoint(ctx)
			}
			if err := s.mend(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
