package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
)

// Archive reads what is stored, and nothing else: of a running daemon through
// its NATS, or of a store that we opened ourselves.
type Archive struct {
	names         names
	items, alerts jetstream.Stream
	close         func()
}

// Connect opens the archive of a running daemon.
func Connect(ctx context.Context, url, creds, prefix string) (*Archive, error) {
	n := newNames(prefix)
	opts := []nats.Option{nats.Name("monitor replay"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	if creds != "" {
		opts = append(opts, nats.UserCredentials(creds))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", Redact(url), err)
	}
	a, err := archive(ctx, nc, n)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", Redact(url), err)
	}
	a.close = nc.Close
	return a, nil
}

func archive(ctx context.Context, nc *nats.Conn, n names) (*Archive, error) {
	if err := isMonitor(ctx, nc, n); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	a := &Archive{names: n, close: func() {}}
	if a.items, err = js.Stream(ctx, n.items); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", n.items, err)
	}
	if a.alerts, err = js.Stream(ctx, n.alerts); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", n.alerts, err)
	}
	return a, nil
}

// Archive of the open store.
func (s *Store) Archive() *Archive {
	return &Archive{names: s.names, items: s.items, alerts: s.alerts, close: func() {}}
}

// Close ends the archive's own connection, if it has one.
func (a *Archive) Close() { a.close() }

// First says when the oldest item that is still kept was fetched; zero without
// items.
func (a *Archive) First(ctx context.Context) (time.Time, error) {
	info, err := a.items.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the state of %s: %w", a.names.items, err)
	}
	if info.State.Msgs == 0 {
		return time.Time{}, nil
	}
	m, err := a.items.GetMsg(ctx, info.State.FirstSeq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return info.State.FirstTime, nil // dropped just now
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the oldest message of %s: %w", a.names.items, err)
	}
	var it feed.Item
	if err := json.Unmarshal(m.Data, &it); err != nil || it.Fetched.IsZero() {
		return m.Time, nil
	}
	return it.Fetched, nil
}

// Items gives fn the items stored since a time, oldest first, up to the last
// one that is stored now. progress, which may be nil, hears of each.
func (a *Archive) Items(ctx context.Context, since time.Time, progress func(done, of uint64), fn func(feed.Item) error) error {
	return span(ctx, a.items, since, nil, progress, func(m jetstream.Msg, _ uint64) error {
		var it feed.Item
		if err := json.Unmarshal(m.Data(), &it); err != nil {
			return nil // the daemon passed it over too, and said so
		}
		if it.Feed == feed.Canary {
			return nil
		}
		return fn(it)
	})
}

// Alerts gives fn the events stored since a time, raised and folded.
func (a *Archive) Alerts(ctx context.Context, since time.Time, fn func(alert.Stored) error) error {
	s := &Alerts{&Store{names: a.names}}
	return span(ctx, a.alerts, since, []string{a.names.prefix + ".alerts.>", a.names.prefix + ".folded.>"}, nil, func(m jetstream.Msg, seq uint64) error {
		st, err := s.stored(seq, m.Subject(), m.Data())
		if err != nil {
			return nil
		}
		return fn(st)
	})
}

// span reads a stream from a time to its present end.
func span(ctx context.Context, st jetstream.Stream, since time.Time, filter []string, progress func(done, of uint64), fn func(jetstream.Msg, uint64) error) error {
	return spanOf(ctx, st, jetstream.OrderedConsumerConfig{
		FilterSubjects: filter, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}, progress, fn)
}

func spanOf(ctx context.Context, st jetstream.Stream, config jetstream.OrderedConsumerConfig, progress func(done, of uint64), fn func(jetstream.Msg, uint64) error) error {
	name := st.CachedInfo().Config.Name
	c, err := st.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", name, err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", name, err)
	}
	left := info.NumPending // of what the filter lets through, now
	if left == 0 {
		return nil
	}
	msgs, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", name, err)
	}
	defer msgs.Stop()
	last := info.Delivered.Stream
	for done := uint64(1); ; done++ {
		m, err := next(ctx, st, msgs, last, config.FilterSubjects)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("read stream %s: %w", name, err)
		case m == nil:
			return nil
		}
		meta, err := m.Metadata()
		if err != nil {
			return errors.Join(fmt.Errorf("read stream %s", name), err)
		}
		last = meta.Sequence.Stream
		if err := fn(m, last); err != nil {
			return err
		}
		if progress != nil {
			progress(done, left)
		}
		if done >= left || meta.NumPending == 0 {
			return nil
		}
	}
}
