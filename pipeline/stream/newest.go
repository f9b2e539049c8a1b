package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/feed"
)

// ErrEnough ends a reading that has what it wants; it is no failure.
var ErrEnough = errors.New("enough")

// blocks of messages that are read at a time, growing: who wants the newest
// gets them soon, who wants all is not held up by the number of blocks.
const (
	firstBlock = 128
	maxBlock   = 2048
)

// Newest gives fn the stored items from the last one back to a time, each with
// its sequence, until fn returns ErrEnough. wanted, which may be nil, sees an
// item's JSON first, so that what cannot be meant is not decoded.
func (a *Archive) Newest(ctx context.Context, since time.Time, wanted func([]byte) bool, fn func(uint64, feed.Item) error) error {
	info, err := a.items.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the state of %s: %w", a.names.items, err)
	}
	high, first := info.State.LastSeq, info.State.FirstSeq
	for size := uint64(firstBlock); high >= max(first, 1); size = min(2*size, maxBlock) {
		low := max(first, 1)
		if high >= size {
			low = max(low, high-size+1)
		}
		block, err := a.block(ctx, low, high)
		if err != nil {
			return err
		}
		for i := len(block) - 1; i >= 0; i-- {
			m := block[i]
			if m.at.Before(since) {
				return nil
			}
			if wanted != nil && !wanted(m.data) {
				continue
			}
			var it feed.Item
			if err := json.Unmarshal(m.data, &it); err != nil || it.Feed == feed.Canary {
				continue // the daemon passed it over too, and said so
			}
			switch err := fn(m.seq, it); {
			case errors.Is(err, ErrEnough):
				return nil
			case err != nil:
				return err
			}
		}
		high = low - 1
	}
	return nil
}

type stored struct {
	seq  uint64
	at   time.Time
	data []byte
}

// block reads the items between two sequences, both included.
func (a *Archive) block(ctx context.Context, low, high uint64) (out []stored, err error) {
	fail := func(err error) ([]stored, error) {
		return nil, fmt.Errorf("read stream %s: %w", a.names.items, err)
	}
	c, err := a.items.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: low, InactiveThreshold: 30 * time.Second})
	if err != nil {
		return fail(err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = a.items.DeleteConsumer(context.WithoutCancel(ctx), info.Name) }()
	if info.NumPending == 0 {
		return nil, nil
	}
	msgs, err := c.Messages(jetstream.PullMaxMessages(int(min(high-low+1, info.NumPending))))
	if err != nil {
		return fail(err)
	}
	defer msgs.Stop()
	for seq := low - 1; ; {
		m, err := next(ctx, a.items, msgs, seq, nil)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return fail(err)
		case m == nil:
			return out, nil
		}
		meta, err := m.Metadata()
		if err != nil {
			return fail(err)
		}
		seq = meta.Sequence.Stream
		if seq <= high {
			out = append(out, stored{seq, meta.Timestamp, m.Data()})
		}
		if seq >= high || meta.NumPending == 0 {
			return out, nil
		}
	}
}
