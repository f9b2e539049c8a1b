package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/alert"
)

// pushPlace is the place of a reader that works in its own time: it may hold
// still for hours although there is something to read, so that only its
// owner's death frees it. Note is the reader's own.
type pushPlace struct {
	place
	Note json.RawMessage `json:"note,omitempty"`
}

// Own waits until no other living process has the reader, takes it and returns
// its place. A new reader begins at the stream's end, and that is saved.
func (a *Alerts) Own(ctx context.Context, reader string) (seq uint64, note json.RawMessage, version uint64, err error) {
	s := a.s
	for said := false; ; {
		var p pushPlace
		e, err := s.readers.Get(ctx, reader)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			version = 0
		case err != nil:
			return 0, nil, 0, fmt.Errorf("read the place of reader %s: %w", reader, err)
		default:
			version = e.Revision()
			if err := json.Unmarshal(e.Value(), &p); err != nil {
				return 0, nil, 0, fmt.Errorf("read the place of reader %s: %w", reader, err)
			}
		}
		if version > 0 && p.Owner != "" && p.Owner != s.opts.Owner && s.alive(ctx, p.Owner) {
			if !said {
				s.log.Info("standing by: another process has this reader", "reader", reader)
				s.metrics.active.WithLabelValues(reader).Set(0)
				said = true
			}
			if !pause(ctx, time.Second) {
				return 0, nil, 0, ctx.Err()
			}
			continue
		}
		info, err := s.alerts.Info(ctx)
		if err != nil {
			return 0, nil, 0, fmt.Errorf("read the state of %s: %w", s.names.alerts, err)
		}
		switch last := info.State.LastSeq; {
		case version == 0:
			p.Sequence = last
		case p.Sequence > last:
			s.log.Error("the stream ends before the reader's place: messages were lost", "reader", reader, "sequence", p.Sequence, "last", last)
			p.Sequence = last
		}
		v, err := a.SavePlace(ctx, reader, p.Sequence, p.Note, version)
		if errors.Is(err, alert.ErrAhead) {
			continue // somebody was faster
		}
		if err != nil {
			return 0, nil, 0, err
		}
		s.metrics.active.WithLabelValues(reader).Set(1)
		return p.Sequence, p.Note, v, nil
	}
}

// SavePlace moves a place that still has the version.
func (a *Alerts) SavePlace(ctx context.Context, reader string, seq uint64, note json.RawMessage, version uint64) (uint64, error) {
	return a.putPlace(ctx, reader, pushPlace{place{seq, a.s.opts.Owner}, note}, version)
}

func (a *Alerts) putPlace(ctx context.Context, reader string, p pushPlace, version uint64) (uint64, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	v, err := a.s.readers.Update(ctx, reader, b, version)
	if wrongLastSequence(err) {
		// Our own answer may have been lost: then the place is ours.
		if e, gerr := a.s.readers.Get(ctx, reader); gerr == nil && string(e.Value()) == string(b) {
			return e.Revision(), nil
		}
		return 0, alert.ErrAhead
	}
	if err != nil {
		return 0, fmt.Errorf("save the place of reader %s: %w", reader, err)
	}
	return v, nil
}

// Release lets another process have the reader at once.
func (a *Alerts) Release(ctx context.Context, reader string, version uint64) error {
	e, err := a.s.readers.Get(ctx, reader)
	if err != nil || e.Revision() != version {
		return err // not ours any more
	}
	var p pushPlace
	if err := json.Unmarshal(e.Value(), &p); err != nil {
		return err
	}
	p.Owner = ""
	a.s.metrics.active.WithLabelValues(reader).Set(0)
	_, err = a.putPlace(ctx, reader, p, version)
	return err
}

// After returns up to n stored alerts after a sequence, raised and folded, in
// stream order.
func (a *Alerts) After(ctx context.Context, seq uint64, n int) ([]alert.Stored, error) {
	name := a.s.names.alerts
	c, err := a.s.alerts.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: a.told(),
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: seq + 1, InactiveThreshold: 30 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	defer func() { _ = a.s.js.DeleteConsumer(context.WithoutCancel(ctx), name, info.Name) }()
	left := int(min(info.NumPending, uint64(n)))
	if left == 0 {
		return nil, nil
	}
	msgs, err := c.Messages(jetstream.PullMaxMessages(left))
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	defer msgs.Stop()
	var out []alert.Stored
	for range left {
		waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
		m, err := next(waiting, a.s.alerts, msgs, seq, a.told())
		cancel()
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
		if m == nil {
			break
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
		seq = meta.Sequence.Stream
		st, err := a.stored(seq, m.Subject(), m.Data())
		if err != nil {
			a.s.log.Error("an alert cannot be read and is passed over", "error", err)
			st = alert.Stored{Sequence: seq, Folded: true}
		}
		out = append(out, st)
		if meta.NumPending == 0 {
			break
		}
	}
	return out, nil
}

var errThere = errors.New("there is one")

// Wait returns when there is an alert after the sequence.
func (a *Alerts) Wait(ctx context.Context, seq uint64) error {
	err := a.s.consume(ctx, a.s.alerts, seq, a.told(), 0, func(jetstream.Msg, uint64) error { return errThere })
	if errors.Is(err, errThere) {
		return nil
	}
	return err
}

// Behind is how many stored messages of ALERTS stand after a reader's place,
// told or not, and when the first of them was stored.
func (a *Alerts) Behind(ctx context.Context, reader string) (n uint64, oldest time.Time, err error) {
	at, version, err := a.s.loadPlace(ctx, reader)
	if err != nil || version == 0 {
		return 0, oldest, err
	}
	c, err := a.s.alerts.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: a.told(), HeadersOnly: true,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: at.Sequence + 1, InactiveThreshold: 30 * time.Second})
	if err != nil {
		return 0, oldest, fmt.Errorf("read stream %s: %w", a.s.names.alerts, err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return 0, oldest, fmt.Errorf("read stream %s: %w", a.s.names.alerts, err)
	}
	defer func() { _ = a.s.js.DeleteConsumer(context.WithoutCancel(ctx), a.s.names.alerts, info.Name) }()
	if n = info.NumPending; n == 0 {
		return 0, oldest, nil
	}
	m, err := c.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		return n, oldest, fmt.Errorf("read stream %s: %w", a.s.names.alerts, err)
	}
	meta, err := m.Metadata()
	if err != nil {
		return n, oldest, err
	}
	return n, meta.Timestamp, nil
}

func (a *Alerts) told() []string {
	p := a.s.names.prefix
	return []string{p + ".alerts.>", p + ".folded.>"}
}
