package stream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Times returns when each channel's alerts were stored since a time, oldest
// first, from the subjects and headers only.
func (a *Alerts) Times(ctx context.Context, since time.Time) (map[string][]time.Time, error) {
	s := a.s
	fail := func(err error) (map[string][]time.Time, error) {
		return nil, fmt.Errorf("read the times of the alerts in %s: %w", s.names.alerts, err)
	}
	filter := []string{s.names.prefix + ".alerts.>"}
	c, err := s.alerts.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: filter,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since, HeadersOnly: true, InactiveThreshold: 30 * time.Second})
	if err != nil {
		return fail(err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = s.js.DeleteConsumer(context.WithoutCancel(ctx), s.names.alerts, info.Name) }()
	out := map[string][]time.Time{}
	if info.NumPending == 0 {
		return out, nil
	}
	msgs, err := c.Messages()
	if err != nil {
		return fail(err)
	}
	defer msgs.Stop()
	for last := info.Delivered.Stream; ; {
		m, err := next(ctx, s.alerts, msgs, last, filter)
		if err != nil {
			return fail(err)
		}
		if m == nil {
			return out, nil
		}
		meta, err := m.Metadata()
		if err != nil {
			return fail(err)
		}
		last = meta.Sequence.Stream
		if t := strings.Split(m.Subject(), "."); len(t) > 2 {
			out[t[2]] = append(out[t[2]], meta.Timestamp)
		}
		if meta.NumPending == 0 {
			return out, nil
		}
	}
}
