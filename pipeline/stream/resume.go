package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/alert"
)

// Resume says where reading the stored alerts begins. One of the two is set.
type Resume struct {
	After uint64    // sequence that was read last
	Since time.Time // by the time of storing
}

// WatchFrom is Watch for a reader who must miss nothing: it begins with what is
// stored since then and goes on live, in the stream's order and without a gap,
// also when the connection goes and comes back; lost is told of that. It reads
// with an ordered consumer, which leaves nothing behind on the server.
func WatchFrom(ctx context.Context, url, creds, prefix string, channels, severities []string, from Resume, ready func(), lost func(yes bool), fn func(alert.Stored) error) error {
	n := newNames(prefix)
	var opts []nats.Option
	if lost != nil {
		opts = append(opts, nats.DisconnectErrHandler(func(*nats.Conn, error) {
			if ctx.Err() == nil {
				lost(true)
			}
		}), nats.ReconnectHandler(func(*nats.Conn) { lost(false) }))
	}
	nc, err := visit(ctx, url, creds, n, opts...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("read the alerts at %s: %w", Redact(url), err)
	}
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: subjects(n.prefix, channels, severities)}
	if from.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from.After+1
	} else {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &from.Since
	}
	c, err := js.OrderedConsumer(ctx, n.alerts, cfg)
	if err != nil {
		return fmt.Errorf("read the alerts at %s: %w", Redact(url), err)
	}
	msgs, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read the alerts at %s: %w", Redact(url), err)
	}
	stop := context.AfterFunc(ctx, msgs.Stop)
	defer stop()
	defer msgs.Stop()
	if ready != nil {
		ready()
	}
	for {
		m, err := msgs.Next()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return fmt.Errorf("read the alerts at %s: %w", Redact(url), err)
		case err != nil: // the consumer is made anew and goes on behind what it gave last
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			continue
		}
		e, err := alert.Decode(m.Data())
		if err != nil {
			continue
		}
		if err := fn(alert.Stored{Sequence: meta.Sequence.Stream, Subject: m.Subject(), Event: e}); err != nil {
			return err
		}
	}
}
