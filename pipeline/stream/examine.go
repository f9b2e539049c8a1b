package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Examined is what an external NATS looks like from here.
type Examined struct {
	Server    string        // its version
	RoundTrip time.Duration //
	Level     int           // of the JetStream API
	Used      uint64        // bytes of file storage that the account uses
	Limit     int64         // bytes that it may use; -1: no limit
	MaxSize   int64         // largest message that the server takes, in bytes
	Streams   []string      // of ours, that are there
	Missing   []string      // of ours, that are not
}

// Examine connects as the daemon would, looks and changes nothing.
func Examine(ctx context.Context, o Options) (Examined, error) {
	s := &Store{opts: o, names: newNames(o.Prefix)}
	opts := []nats.Option{nats.Name("monitor doctor"), nats.Timeout(5 * time.Second), nats.CustomInboxPrefix(inboxPrefix),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	nc, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return Examined{}, s.connectError(err)
	}
	defer nc.Close()
	e := Examined{Server: nc.ConnectedServerVersion(), MaxSize: nc.MaxPayload()}
	if e.RoundTrip, err = nc.RTT(); err != nil {
		return e, s.connectError(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return e, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	info, err := js.AccountInfo(ctx)
	if err != nil {
		return e, s.explain("ask for JetStream", err)
	}
	e.Level, e.Used, e.Limit = info.API.Level, info.Store, info.Limits.MaxStore
	for _, name := range []string{s.names.items, s.names.alerts, "KV_" + s.names.feeds, "KV_" + s.names.readers, "KV_" + s.names.leases, "KV_" + s.names.desk} {
		_, err := js.Stream(ctx, name)
		switch {
		case err == nil:
			e.Streams = append(e.Streams, name)
		case errors.Is(err, jetstream.ErrStreamNotFound):
			e.Missing = append(e.Missing, name)
		default:
			return e, s.explain("read stream "+name, err)
		}
	}
	return e, nil
}
