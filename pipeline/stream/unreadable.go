package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A message whose bytes changed on the disk is there for the server's counts and
// gone for its readers: nats-server 2.15 answers "not found" to who asks for it,
// while consumers and snapshots pass over it without a word and count it as
// pending for ever. So nobody waits for the last pending message alone, and each
// message is read once a day to see whether it can be.

const (
	verifyEach  = 24 * time.Hour // a pass over each stream
	verifyLeast = 200            // messages at a look, of a small stream
	verifyAhead = 1000           // messages that will be dropped next
	keptBad     = 10             // sequences that are remembered of a stream
	pendingWait = 500 * time.Millisecond
)

// verified is how far a stream was read through.
type verified struct {
	begun   time.Time              // of the pass; zero before the first
	at, end uint64                 // sequences: read, to be read
	deleted []uint64               // sequences that were given and are empty, ascending
	bad     []uint64               // that cannot be read
	first   atomic.Uint64          // of those found in this process; 0 for none
	lacks   atomic.Pointer[string] // what the stream lacked at a start of the server, by the checkpoint; nil for nothing
	stuck   bool                   // the server got stuck on a message of some stream, in this process or the one before
	last    uint64                 // sequence of the stream at the look before
	ahead   uint64                 // sequence up to which what is dropped next was read
}

// errInTheWay ends a daemon whose store is about to get stuck; see rebuild.
var errInTheWay = errors.New("a message of the store cannot be read and is in the way of new ones: start the daemon again, it makes the store anew from what can be read")

// verify reads a part of each stream, so that all of it is read once a day; each
// is how often it is called. Its error is errInTheWay.
func (s *Store) verify(ctx context.Context, each time.Duration) error {
	for label, st := range map[string]jetstream.Stream{"items": s.items, "alerts": s.alerts} {
		switch err := s.verifyPart(ctx, label, st, each); {
		case errors.Is(err, errInTheWay):
			return err
		case err != nil && ctx.Err() == nil:
			s.log.Debug("the stream cannot be verified now", "stream", st.CachedInfo().Config.Name, "error", err)
		}
	}
	return nil
}

func (s *Store) verifyPart(ctx context.Context, label string, st jetstream.Stream, each time.Duration) error {
	info, err := st.Info(ctx)
	if err != nil {
		return err
	}
	v, state := s.verified[label], info.State
	if err := s.verifyNext(ctx, label, st, info); err != nil {
		return err
	}
	if v.at >= v.end {
		if !v.begun.IsZero() && time.Since(v.begun) < verifyEach || state.Msgs == 0 {
			return nil
		}
		if v.end = state.LastSeq; !v.begun.IsZero() || v.at >= v.end {
			v.at = 0 // only the first goes on where the process before was
		}
		v.begun = time.Now()
	}
	// At a steady rate over the day, whatever the pass began with.
	n := max(verifyLeast, (state.LastSeq-state.FirstSeq)/max(uint64(verifyEach/each), 1))
	from := max(v.at+1, state.FirstSeq)
	to := min(max(from+n-1, v.at), v.end)
	bad, err := unreadable(ctx, st, between(from, to), &v.deleted)
	if err != nil {
		return err
	}
	s.found(label, st.CachedInfo().Config.Name, bad)
	v.at = to
	if len(bad) > 0 && bad[0] <= v.ahead && !s.asItIs { // it was whole when verifyNext read it
		return errInTheWay
	}
	return nil
}

// verifyNext reads what a stream will drop next, for its age or for room: with
// all that may go until the next look.
func (s *Store) verifyNext(ctx context.Context, label string, st jetstream.Stream, info *jetstream.StreamInfo) error {
	v, state := s.verified[label], info.State
	came := uint64(0)
	if v.last > 0 { // not the first look
		came = state.LastSeq - min(v.last, state.LastSeq)
	}
	v.last = state.LastSeq
	if !dropping(info) {
		return nil
	}
	to := min(state.FirstSeq+max(verifyAhead, 3*came), state.LastSeq)
	bad, err := unreadable(ctx, st, between(max(v.ahead+1, state.FirstSeq), to), &v.deleted)
	if err != nil {
		return err
	}
	v.ahead = to
	if s.found(label, info.Config.Name, bad); len(bad) > 0 && !s.asItIs {
		return errInTheWay
	}
	return nil
}

// dropping says whether a stream drops its oldest messages, or soon will.
func dropping(info *jetstream.StreamInfo) bool {
	c, state := info.Config, info.State
	return state.Msgs > 0 && (c.MaxAge > 0 && time.Since(state.FirstTime) > c.MaxAge*9/10 ||
		c.MaxBytes > 0 && state.Bytes > uint64(c.MaxBytes)*9/10)
}

// between are the sequences from one to another, both included.
func between(from, to uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for seq := from; seq <= to && yield(seq); seq++ {
		}
	}
}

// unreadable returns those of some sequences that hold a message which cannot be
// read. deleted is what is known of empty ones, and is brought up to date.
func unreadable(ctx context.Context, st jetstream.Stream, seqs iter.Seq[uint64], deleted *[]uint64) (bad []uint64, err error) {
	none := func(seq uint64) (bool, error) {
		_, err := st.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return true, nil
		}
		return false, err
	}
	var missing []uint64
	for seq := range seqs {
		is, err := none(seq)
		if err != nil {
			return nil, err
		}
		if _, gone := slices.BinarySearch(*deleted, seq); is && !gone {
			missing = append(missing, seq)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	info, err := st.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, err
	}
	*deleted = info.State.Deleted
	slices.Sort(*deleted)
	for _, seq := range missing {
		if _, gone := slices.BinarySearch(*deleted, seq); gone || seq < info.State.FirstSeq || seq > info.State.LastSeq {
			continue
		}
		still, err := none(seq) // not only at that moment
		if err != nil {
			return nil, err
		}
		if still {
			bad = append(bad, seq)
		}
	}
	return bad, nil
}

// found says that messages cannot be read: one line, as a bad disk may have many.
func (s *Store) found(label, name string, bad []uint64) {
	if len(bad) == 0 {
		return
	}
	v := s.verified[label]
	for _, seq := range bad {
		if !slices.Contains(v.bad, seq) && len(v.bad) < keptBad {
			v.bad = append(v.bad, seq)
		}
	}
	news := v.first.CompareAndSwap(0, bad[0])
	s.metrics.damaged.WithLabelValues(label).Set(1)
	if !news {
		s.log.Warn("more messages of the stream cannot be read", "stream", name, "sequence", bad[0], "count", len(bad))
		return
	}
	s.log.Error("messages of the stream cannot be read: the disk holds other bytes than were written; readers pass over them", "stream", name, "sequence", bad[0], "count", len(bad),
		"hint", "look after the disk; stop the daemon and restore the last backup (monitor restore FILE --data NEW), or go on with what can be read: the next start makes the store anew from that")
}

// next waits for a consumer's next message and returns nil when there is none
// after a sequence, whatever the server counts as pending.
func next(ctx context.Context, st jetstream.Stream, msgs jetstream.MessagesContext, after uint64, filter []string) (jetstream.Msg, error) {
	for idle := 0; ; {
		wait, cancel := context.WithTimeout(ctx, pendingWait)
		m, err := msgs.Next(jetstream.NextContext(wait))
		over := wait.Err() != nil
		cancel()
		switch {
		case err == nil:
			return m, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !over:
			return nil, err
		}
		more, err := anyAfter(ctx, st, after, filter)
		if err != nil {
			return nil, err
		}
		if more {
			idle = 0
			continue
		}
		if idle++; idle == 2 {
			return nil, nil
		}
	}
}

// anyAfter says whether a stream has a message after a sequence that can be read.
func anyAfter(ctx context.Context, st jetstream.Stream, after uint64, filter []string) (bool, error) {
	if len(filter) == 0 {
		filter = []string{">"}
	}
	for _, subject := range filter {
		_, err := st.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return false, fmt.Errorf("read after sequence %d: %w", after, err)
		}
	}
	return false, nil
}

// lost counts the messages of a stream that cannot be read now.
func lost(ctx context.Context, st jetstream.Stream) (int, error) {
	info, err := st.Info(ctx)
	if err != nil {
		return 0, err
	}
	bad, err := unreadable(ctx, st, between(max(info.State.FirstSeq, 1), info.State.LastSeq), new([]uint64))
	return len(bad), err
}
