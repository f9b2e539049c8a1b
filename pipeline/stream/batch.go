package stream

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	batchFrom = 10   // messages from which one atomic batch is cheaper than single ones: it costs about five fsyncs whatever its size
	batchMax  = 1000 // the server's limit

	bulkFrom  = 200      // waiting messages from which a reader works in bulk
	bulkItems = 500      // messages that it judges before it writes
	bulkBytes = 16 << 20 // that it holds meanwhile
)

// batch stores all messages or none (ADR-50; the Go client has no call for
// it), and returns the sequence of the last.
func (s *Store) batch(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	id := nuid.Next()
	for k, msg := range msgs {
		msg.Header.Set("Nats-Batch-Id", id)
		msg.Header.Set("Nats-Batch-Sequence", strconv.Itoa(k+1))
		last := k == len(msgs)-1
		if last {
			msg.Header.Set("Nats-Batch-Commit", "1")
		}
		if k > 0 && !last { // the first and the last are answered, the others not
			if err := s.nc.PublishMsg(msg); err != nil {
				return 0, err
			}
			continue
		}
		reply, err := s.nc.RequestMsgWithContext(ctx, msg)
		if err != nil {
			return 0, err
		}
		if !last && len(reply.Data) == 0 {
			continue
		}
		var ack struct {
			Seq   uint64              `json:"seq"`
			Count int                 `json:"count"`
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(reply.Data, &ack); err != nil {
			return 0, err
		}
		if ack.Error != nil {
			return 0, ack.Error
		}
		if !last || ack.Count != len(msgs) {
			return 0, errors.New("the server took the batch for single messages")
		}
		s.metrics.published(nil, time.Time{}, len(msgs))
		s.trouble.set(family(msgs[0].Subject), nil)
		return ack.Seq, nil
	}
	return 0, nil
}

// bulk collects what the steps of a reader append, so that a backlog costs a
// few fsyncs and not one an alert. Nothing of it is stored before flush, which
// stores all or nothing; then the steps are simply done again, one by one.
type bulk struct {
	s      *Store
	msgs   []*nats.Msg
	filter map[string]bool // expectations in msgs
	bytes  int
	stored []func() // to be called when msgs are stored
}

type bulkKey struct{}

// bulkOf returns the bulk in which a step runs, or nil.
func bulkOf(ctx context.Context) *bulk {
	b, _ := ctx.Value(bulkKey{}).(*bulk)
	return b
}

// expect sets what publish would expect of the stream.
func expect(msg *nats.Msg, after uint64, filter string) {
	msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(after, 10))
	msg.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, filter)
}

// append takes a message. Of two with one expectation the second must know the
// first's sequence, so the reader asks before (see holds).
func (b *bulk) append(ctx context.Context, msg *nats.Msg, after uint64, filter string) error {
	if len(b.msgs) >= batchMax-1 || b.bytes+len(msg.Data) > bulkBytes {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	expect(msg, after, filter)
	b.msgs, b.bytes = append(b.msgs, msg), b.bytes+len(msg.Data)
	b.filter[filter] = true
	return nil
}

// holds makes sure that whoever asks the stream sees what the bulk has for it.
func (b *bulk) holds(ctx context.Context, filter string) error {
	if b == nil || !b.filter[filter] {
		return nil
	}
	return b.flush(ctx)
}

// flush stores what was collected.
func (b *bulk) flush(ctx context.Context) error {
	msgs, stored := b.msgs, b.stored
	b.msgs, b.bytes, b.filter, b.stored = nil, 0, map[string]bool{}, nil
	if err := b.write(ctx, msgs); err != nil {
		return err
	}
	for _, fn := range stored {
		fn()
	}
	return nil
}

func (b *bulk) write(ctx context.Context, msgs []*nats.Msg) error {
	if len(msgs) >= batchFrom {
		_, err := b.s.batch(ctx, msgs)
		return err
	}
	for _, m := range msgs {
		after, err := strconv.ParseUint(m.Header.Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
		if err != nil {
			return err
		}
		if _, err := b.s.publish(ctx, m, after, m.Header.Get(jetstream.ExpectedLastSubjSeqSubjHeader)); err != nil {
			return err
		}
	}
	return nil
}

// inBulk does many steps with few writes. It says whether they are done; if
// not, nobody knows which of them are, and doing all again is safe.
func (s *Store) inBulk(ctx context.Context, reader string, msgs []jetstream.Msg, fn func(context.Context, jetstream.Msg) error) bool {
	b := &bulk{s: s, filter: map[string]bool{}}
	within := context.WithValue(ctx, bulkKey{}, b)
	for _, m := range msgs {
		if err := s.guard(reader, sequence(m), func() error { return fn(within, m) }); err != nil {
			return false
		}
	}
	err := b.flush(ctx)
	if err != nil {
		s.log.Debug("a bulk is done again one by one", "reader", reader, "error", err)
	}
	return err == nil
}
