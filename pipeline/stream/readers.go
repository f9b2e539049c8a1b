package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// place is how far a reader got: KV READERS, key = reader. Saving it by
// compare-and-set is lease and fence in one: who cannot save stops.
type place struct {
	Sequence uint64 `json:"seq"`
	Owner    string `json:"owner"`
}

var (
	errUnreadable = errors.New("unreadable message")
	errFenced     = errors.New("another process reads here")
)

const (
	savePlace = time.Second      // how often a reader saves its place; what is read again after a crash is refused by the stream
	takeOver  = 10 * time.Second // how long another's place must stand still, with messages waiting, before we take it
)

// each gives fn every message after the reader's place, one at a time, until
// ctx ends. A step that fails is tried again in place, with backoff, and never
// skipped; a message that cannot be read, or on which the code panics, is
// recorded and passed.
func (s *Store) each(ctx context.Context, st jetstream.Stream, reader string, fn func(context.Context, jetstream.Msg) error) error {
	for {
		err := s.eachOwned(ctx, st, reader, fn)
		if ctx.Err() != nil {
			return nil
		}
		wait := time.Second
		if errors.Is(err, errFenced) {
			s.log.Info("standing by: another process has this reader", "reader", reader)
			s.metrics.active.WithLabelValues(reader).Set(0)
			if err = s.standBy(ctx, st, reader); err == nil {
				continue
			}
		}
		s.log.Warn("reader starts again from its place", "reader", reader, "err", err)
		if !pause(ctx, wait) {
			return nil
		}
	}
}

func (s *Store) eachOwned(ctx context.Context, st jetstream.Stream, reader string, fn func(context.Context, jetstream.Msg) error) error {
	at, version, err := s.loadPlace(ctx, reader)
	if err != nil {
		return err
	}
	// A store that lost its tail gives sequences a second time: what comes
	// after the end is new, whatever the place says.
	if info, err := st.Info(ctx); err != nil {
		return err
	} else if at.Sequence > info.State.LastSeq {
		s.log.Error("the stream ends before the reader's place: messages were lost", "reader", reader, "place", at.Sequence, "last", info.State.LastSeq)
		at.Sequence = info.State.LastSeq
	}
	saved := at.Sequence
	save := func(ctx context.Context) error {
		if at.Sequence == saved {
			return nil
		}
		v, err := s.savePlace(ctx, reader, at.Sequence, version)
		if err != nil {
			return err
		}
		version, saved = v, at.Sequence
		return nil
	}
	s.metrics.active.WithLabelValues(reader).Set(1)
	due := time.Now().Add(savePlace)
	err = s.consume(ctx, st, at.Sequence, nil, savePlace, func(m jetstream.Msg, seq uint64) error {
		if m != nil {
			s.attempt(ctx, reader, seq, func() error { return fn(ctx, m) })
			if ctx.Err() != nil {
				return ctx.Err() // the step may not have been done
			}
			at.Sequence = seq
		}
		if now := time.Now(); m == nil || now.After(due) {
			due = now.Add(savePlace)
			return save(ctx)
		}
		return nil
	})
	if errors.Is(err, errFenced) {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	return errors.Join(err, save(last))
}

// attempt runs one step until it is done, ctx ends, or it turns out that it
// can never be done.
func (s *Store) attempt(ctx context.Context, reader string, seq uint64, step func() error) {
	for wait, failed := 100*time.Millisecond, false; ; wait = min(2*wait, 30*time.Second) {
		err := s.guard(reader, seq, step)
		switch {
		case err == nil:
			if failed {
				s.log.Info("reader goes on", "reader", reader, "seq", seq)
			}
			return
		case errors.Is(err, errUnreadable):
			s.log.Error("a message is passed over", "reader", reader, "seq", seq, "err", err)
			return
		case ctx.Err() != nil:
			return
		case !failed:
			failed = true
			s.log.Warn("reader is held up and tries again", "reader", reader, "seq", seq, "err", err)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// guard turns a panic into an unreadable message: one bad document must not
// stop the daemon, and trying it again would only repeat it.
func (s *Store) guard(reader string, seq uint64, step func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.metrics.panics.Inc()
			err = fmt.Errorf("%w: the code panicked: %v\n%s", errUnreadable, r, debug.Stack())
		}
	}()
	return step()
}

// consume gives fn each message after a sequence, in order, until ctx ends or
// fn fails. When nothing came for idle it calls fn with nil (never, if 0).
func (s *Store) consume(ctx context.Context, st jetstream.Stream, after uint64, filter []string, idle time.Duration, fn func(jetstream.Msg, uint64) error) error {
	c, err := st.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: filter, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", st.CachedInfo().Config.Name, err)
	}
	msgs, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", st.CachedInfo().Config.Name, err)
	}
	defer msgs.Stop()
	for {
		next, cancel := ctx, context.CancelFunc(func() {})
		if idle > 0 {
			next, cancel = context.WithTimeout(ctx, idle)
		}
		m, err := msgs.Next(jetstream.NextContext(next))
		cancel()
		var seq uint64
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && next.Err() != nil:
			m = nil // idle
		case err != nil:
			return fmt.Errorf("read stream %s: %w", st.CachedInfo().Config.Name, err)
		default:
			meta, err := m.Metadata()
			if err != nil {
				return fmt.Errorf("read stream %s: %w", st.CachedInfo().Config.Name, err)
			}
			seq = meta.Sequence.Stream
		}
		if err := fn(m, seq); err != nil {
			return err
		}
	}
}

// follow is consume for those who keep no place: it starts again after an
// interruption from where it was, until ctx ends or fn fails.
func (s *Store) follow(ctx context.Context, st jetstream.Stream, after uint64, filter []string, fn func(jetstream.Msg, uint64) error) error {
	for {
		var failed error
		err := s.consume(ctx, st, after, filter, 0, func(m jetstream.Msg, seq uint64) error {
			if failed = fn(m, seq); failed == nil {
				after = seq
			}
			return failed
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case failed != nil:
			return failed
		}
		s.log.Debug("following starts again", "stream", st.CachedInfo().Config.Name, "after", after, "err", err)
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

func (s *Store) loadPlace(ctx context.Context, reader string) (place, uint64, error) {
	e, err := s.readers.Get(ctx, reader)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return place{}, 0, nil
	}
	if err != nil {
		return place{}, 0, fmt.Errorf("read the place of reader %s: %w", reader, err)
	}
	var p place
	if err := json.Unmarshal(e.Value(), &p); err != nil {
		return place{}, 0, fmt.Errorf("read the place of reader %s: %w", reader, err)
	}
	return p, e.Revision(), nil
}

func (s *Store) savePlace(ctx context.Context, reader string, seq, version uint64) (uint64, error) {
	b, err := json.Marshal(place{Sequence: seq, Owner: s.opts.Owner})
	if err != nil {
		return 0, err
	}
	v, err := s.readers.Update(ctx, reader, b, version)
	if wrongLastSequence(err) {
		// Our own answer may have been lost: then the place is ours.
		if e, gerr := s.readers.Get(ctx, reader); gerr == nil && string(e.Value()) == string(b) {
			return e.Revision(), nil
		}
		return 0, errFenced
	}
	if err != nil {
		return 0, fmt.Errorf("save the place of reader %s: %w", reader, err)
	}
	return v, nil
}

// standBy returns when the reader's place stood still for a while although
// there was something to read: its owner is gone.
func (s *Store) standBy(ctx context.Context, st jetstream.Stream, reader string) error {
	_, seen, err := s.loadPlace(ctx, reader)
	if err != nil {
		return err
	}
	for still := time.Duration(0); still < takeOver; still += time.Second {
		if !pause(ctx, time.Second) {
			return nil
		}
		at, version, err := s.loadPlace(ctx, reader)
		if err != nil {
			return err
		}
		info, err := st.Info(ctx)
		if err != nil {
			return err
		}
		if version != seen || at.Sequence >= info.State.LastSeq {
			seen, still = version, -time.Second
		}
	}
	return nil
}

// pause waits, and says whether it did so to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
