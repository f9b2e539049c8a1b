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
// compare-and-set is lease and fence in one: who cannot save stops. The owner's
// node key in KV LEASES tells the others whether it is alive; a planned stop
// leaves the owner empty.
type place struct {
	Sequence uint64 `json:"seq"`
	Owner    string `json:"owner"`
}

var (
	errUnreadable = errors.New("unreadable message")
	errFenced     = errors.New("another process reads here")
)

const (
	savePlace = time.Second // how often a reader saves its place; what is read again after a crash is refused by the stream
	takeOver  = time.Minute // how long a living owner's place must stand still, with messages waiting, before we take it
)

// each gives fn every message after the reader's place, one at a time, until
// ctx ends. A step that fails is tried again in place, with backoff, and never
// skipped; a message that cannot be read, or on which the code panics, is
// recorded and passed.
func (s *Store) each(ctx context.Context, st jetstream.Stream, reader string, begin func(), fn func(context.Context, jetstream.Msg) error) error {
	standing := false
	for ctx.Err() == nil {
		mine, err := s.free(ctx, st, reader)
		if err == nil && !mine {
			if !standing {
				s.log.Info("standing by: another process has this reader", "reader", reader)
			}
			standing = true
			continue
		}
		if err == nil {
			standing = false
			err = s.eachOwned(ctx, st, reader, begin, fn)
			s.metrics.active.WithLabelValues(reader).Set(0)
		}
		if ctx.Err() != nil || errors.Is(err, errFenced) {
			continue
		}
		s.log.Warn("reader starts again from its place", "reader", reader, "error", err)
		pause(ctx, time.Second)
	}
	return nil
}

// free says whether the reader has no other owner that is alive and gets on.
// It takes up to takeOver to find out.
func (s *Store) free(ctx context.Context, st jetstream.Stream, reader string) (bool, error) {
	at, seen, err := s.loadPlace(ctx, reader)
	if err != nil {
		return false, err
	}
	for since := time.Now(); ; {
		if at.Owner == "" || at.Owner == s.opts.Owner || !s.alive(ctx, at.Owner) {
			return true, nil
		}
		if time.Since(since) >= takeOver {
			info, err := st.Info(ctx)
			return err == nil && at.Sequence < info.State.LastSeq, err
		}
		if !pause(ctx, time.Second) {
			return false, nil
		}
		var version uint64
		if at, version, err = s.loadPlace(ctx, reader); err != nil {
			return false, err
		}
		if version != seen {
			seen, since = version, time.Now()
		}
	}
}

func (s *Store) eachOwned(ctx context.Context, st jetstream.Stream, reader string, begin func(), fn func(context.Context, jetstream.Msg) error) error {
	at, version, err := s.loadPlace(ctx, reader)
	if err != nil {
		return err
	}
	// A store that lost its tail gives sequences a second time: what comes
	// after the end is new, whatever the place says.
	if info, err := st.Info(ctx); err != nil {
		return err
	} else if at.Sequence > info.State.LastSeq {
		s.log.Error("the stream ends before the reader's place: messages were lost", "reader", reader, "sequence", at.Sequence, "last", info.State.LastSeq)
		at.Sequence = info.State.LastSeq
	}
	save := func(ctx context.Context, owner string) error {
		v, err := s.savePlace(ctx, reader, place{at.Sequence, owner}, version)
		if err == nil {
			version = v
		}
		return err
	}
	// Said before the first step: a former owner that still runs is fenced, and
	// others see whose it is.
	if err := save(ctx, s.opts.Owner); err != nil {
		return err
	}
	begin()
	saved := at.Sequence
	s.metrics.active.WithLabelValues(reader).Set(1)
	s.log.Info("this process has the reader", "reader", reader, "sequence", at.Sequence)
	due := time.Now().Add(savePlace)
	var waiting []jetstream.Msg // more than one: a bulk
	var last uint64             // sequence of the last of them
	err = s.consume(ctx, st, at.Sequence, nil, savePlace, func(m jetstream.Msg, seq uint64) error {
		if m != nil {
			waiting, last = append(waiting, m), seq
			if behind := backlog(m); s.level >= 2 && len(waiting) < bulkItems && (behind > bulkFrom || len(waiting) > 1 && behind > 0) {
				return nil
			}
		}
		if len(waiting) > 0 {
			if len(waiting) == 1 || !s.inBulk(ctx, reader, waiting, fn) {
				if len(waiting) > 1 {
					begin()
				}
				for _, m := range waiting {
					s.attempt(ctx, reader, sequence(m), func() error { return fn(ctx, m) })
				}
			}
			if ctx.Err() != nil {
				return ctx.Err() // the step may not have been done
			}
			at.Sequence, waiting = last, waiting[:0]
		}
		now := time.Now()
		if m != nil && now.Before(due) {
			return nil
		}
		due = now.Add(savePlace)
		if at.Sequence == saved {
			return s.stillOurs(ctx, reader, version)
		}
		if err := save(ctx, s.opts.Owner); err != nil {
			return err
		}
		saved = at.Sequence
		return nil
	})
	if errors.Is(err, errFenced) {
		s.log.Warn("another process took the reader over", "reader", reader)
		return err
	}
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	owner := s.opts.Owner
	if ctx.Err() != nil {
		owner = "" // a planned stop: the next may begin at once
	}
	return errors.Join(err, save(final, owner))
}

func sequence(m jetstream.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		return 0
	}
	return meta.Sequence.Stream
}

// backlog is how many messages wait after this one.
func backlog(m jetstream.Msg) int {
	meta, err := m.Metadata()
	if err != nil {
		return 0
	}
	return int(min(meta.NumPending, 1<<20))
}

// stillOurs looks after a place that did not move.
func (s *Store) stillOurs(ctx context.Context, reader string, version uint64) error {
	_, now, err := s.loadPlace(ctx, reader)
	if err == nil && now > version {
		return errFenced
	}
	return nil // not known: the next save will tell
}

// attempt runs one step until it is done, ctx ends, or it turns out that it
// can never be done.
func (s *Store) attempt(ctx context.Context, reader string, seq uint64, step func() error) {
	for wait, failed := 100*time.Millisecond, false; ; wait = min(2*wait, 30*time.Second) {
		err := s.guard(reader, seq, step)
		switch {
		case err == nil:
			if failed {
				s.log.Info("reader goes on", "reader", reader, "sequence", seq)
			}
			return
		case errors.Is(err, errUnreadable):
			s.log.Error("a message is passed over", "reader", reader, "sequence", seq, "error", err)
			return
		case ctx.Err() != nil:
			return
		case !failed:
			failed = true
			s.log.Warn("reader is held up and tries again", "reader", reader, "sequence", seq, "error", err)
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
		s.log.Debug("following starts again", "stream", st.CachedInfo().Config.Name, "sequence", after, "error", err)
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

func (s *Store) savePlace(ctx context.Context, reader string, at place, version uint64) (uint64, error) {
	b, err := json.Marshal(at)
	if err != nil {
		return 0, err
	}
	v, err := s.readers.Update(ctx, reader, b, version)
	if err == nil || wrongLastSequence(err) {
		s.trouble.set("readers", nil)
	}
	if wrongLastSequence(err) {
		// Our own answer may have been lost: then the place is ours.
		if e, gerr := s.readers.Get(ctx, reader); gerr == nil && string(e.Value()) == string(b) {
			return e.Revision(), nil
		}
		return 0, errFenced
	}
	if err != nil {
		err = s.explain("save the place of reader "+reader, err)
		s.trouble.set("readers", err)
		s.metrics.stateErrs.Inc()
		return 0, err
	}
	return v, nil
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
