package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A message that the disk changed is only passed over until nats-server wants to
// drop it: for its age, for room, or for a newer one of its key. Then server
// 2.15 stores nothing in that stream any more, or loses the rest of the
// message's block when it starts again, as it does after a purge up to it; and
// deleting the message is refused. So a start that finds one makes the embedded
// store anew from all that can be read, as monitor backup and restore would,
// and a running daemon ends for that before such a message has to go.

// Beside jetstream in the data folder.
const (
	copyFile   = ".rebuilt.tar"      // what can be read
	rebuiltDir = ".rebuilt"          // being made of that
	asideDir   = "jetstream.damaged" // what was there before
)

// stuck counts, by stream, the messages that the server cannot drop.
func (s *Store) stuck(ctx context.Context) (map[string]int, error) {
	found := map[string]int{}
	for _, name := range s.kept() {
		st, err := s.js.Stream(ctx, name)
		if err != nil {
			return nil, s.explain("read stream "+name, err)
		}
		var n int
		if v := s.verified[s.label(name)]; v != nil {
			n, err = v.inTheWay(ctx, st)
		} else {
			n, err = lostOfBucket(ctx, st)
		}
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
		if n > 0 {
			found[name] = n
		}
	}
	return found, nil
}

// inTheWay counts what is known of a stream that is read through once a day, and
// what goes next. Where the server got stuck on something else, all is read.
func (v *verified) inTheWay(ctx context.Context, st jetstream.Stream) (int, error) {
	info := st.CachedInfo()
	switch from := info.State.FirstSeq; {
	case info.State.Msgs == 0:
		return 0, nil
	case v.stuck:
		return lost(ctx, st)
	default:
		to := from
		if dropping(info) {
			to = min(from+verifyAhead, info.State.LastSeq)
		}
		bad, err := unreadable(ctx, st, between(from, to), new([]uint64))
		return max(len(bad), len(v.bad)), err
	}
}

// lostOfBucket is lost of a bucket, which has one value for each key, but a
// hundred thousand keys maybe, and gave a sequence to each poll since it was made.
func lostOfBucket(ctx context.Context, st jetstream.Stream) (int, error) {
	read := uint64(0)
	err := heads(ctx, st, time.Unix(0, 0), nil, func(jetstream.Msg, uint64) error { read++; return nil })
	if err != nil || read >= st.CachedInfo().State.Msgs {
		return 0, err
	}
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return 0, err
	}
	var missing []string
	for subject := range info.State.Subjects {
		switch _, err := st.GetLastMsgForSubject(ctx, subject); {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			missing = append(missing, subject)
		case err != nil:
			return 0, err
		}
	}
	if len(missing) == 0 {
		return 0, nil
	}
	if info, err = st.Info(ctx, jetstream.WithSubjectFilter(">")); err != nil {
		return 0, err
	}
	n := 0
	for _, subject := range missing {
		if info.State.Subjects[subject] > 0 { // else its time ended meanwhile
			n++
		}
	}
	return n, nil
}

// rebuild makes the store anew where it would get stuck. Where that cannot be
// done it says so, and the daemon goes on with what there is. What cannot be
// read is lost either way: of a bucket a feed is then polled as a new one, a
// reader begins again where it would without a place, a mute is not in force.
func (s *Store) rebuild(ctx context.Context) error {
	found, err := s.stuck(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		for _, v := range s.verified {
			v.stuck = false
		}
		return nil
	}
	s.log.Error("messages that cannot be read are in the way of new ones: the disk holds other bytes than were written; the store is made anew from what can be read",
		"stream", counts(found))
	cannot := func(err error) error {
		s.asItIs = true
		s.log.Error("the store cannot be made anew and will get stuck", "error", err,
			"hint", "it needs free room for twice the store; where the disk gives errors, stop the daemon, copy the folder to another disk with a program that passes over them, and start there")
		return nil
	}
	before, err := s.marks(ctx)
	if err == nil {
		// To others who read it is still the same store: their places come along,
		// but where the server refuses one that is damaged, too.
		if err = s.copyStore(ctx, true); err != nil && ctx.Err() == nil {
			err = s.copyStore(ctx, false)
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // told to stop: the next start begins with that again
	case err != nil:
		return cannot(err)
	}
	s.nc.SetDisconnectErrHandler(nil)
	s.nc.Close()
	s.server.halt()
	failed := swap(s.opts.Dir)
	if _, err := os.Stat(filepath.Join(s.opts.Dir, "jetstream")); err != nil { // the server would make an empty one
		return fmt.Errorf("put the store that was made anew in its place: %w", errors.Join(failed, err))
	}
	ns, err := s.server.boot()
	if err != nil {
		return err
	}
	s.server.ns = ns
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.ensure(ctx); err != nil {
		return err
	}
	if failed != nil {
		return cannot(failed)
	}
	for label, v := range s.verified {
		fresh := &verified{}
		fresh.lacks.Store(v.lacks.Load())
		s.verified[label] = fresh
	}
	after, err := s.marks(ctx)
	if err != nil {
		return err
	}
	for _, st := range []jetstream.Stream{s.items, s.alerts} {
		c := st.CachedInfo().Config
		if n := omitted(before[c.Name], after[c.Name], c.MaxAge); n > 0 {
			found[c.Name] = max(found[c.Name], n)
		}
	}
	for name, n := range found {
		label := s.label(name)
		s.omitted[label] = n
		s.metrics.damaged.WithLabelValues(label).Set(1)
	}
	// The one of before stood until here: a kill on the way tells of too much that
	// is gone, not of nothing.
	s.checkpoint(ctx)
	s.log.Warn("the store was made anew from what could be read; look after the disk", "stream", counts(found), "backup", filepath.Join(s.opts.Dir, asideDir),
		"hint", "restore the last backup if that lacks too much; else remove the folder of before")
	return nil
}

// omitted is how many messages a copy of a stream lacks, also of those that
// nobody knew of. What reached its age meanwhile is none, and the self-test's.
func omitted(was, is mark, keep time.Duration) int {
	n := int(was.Messages) - int(was.Brief) - (int(is.Messages) - int(is.Brief))
	if keep > 0 && time.Since(was.FirstAt) > keep {
		n -= int(is.First - was.First)
	}
	return n
}

// counts are how many messages of each stream, in words.
func counts(of map[string]int) string {
	var what []string
	for name, n := range of {
		what = append(what, fmt.Sprint(name, ": ", n))
	}
	slices.Sort(what)
	return strings.Join(what, ", ")
}

// mend looks after the embedded server. One that was restarted may hold less
// than it did.
func (s *Store) mend(ctx context.Context) error {
	restarted, err := s.server.mend(ctx)
	if errors.Is(err, errInTheWay) {
		for _, v := range s.verified {
			v.stuck = true
		}
	}
	if err != nil || !restarted {
		return err
	}
	s.checkDamage(ctx)
	return nil
}

// label of a stream in the metrics.
func (s *Store) label(stream string) string {
	switch n := s.names; stream {
	case n.items:
		return "items"
	case n.alerts:
		return "alerts"
	case "KV_" + n.feeds:
		return "feeds"
	case "KV_" + n.readers:
		return "readers"
	}
	return "desk"
}

// copyStore makes a store of what can be read beside this one, with or without
// the consumers of others.
func (s *Store) copyStore(ctx context.Context, consumers bool) (err error) {
	f, err := os.OpenFile(filepath.Join(s.opts.Dir, copyFile), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600) // what is in the streams is not everybody's
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	// Who waits for the start need not wait for Backup's reading, too.
	if err := s.writeBackup(ctx, f, s.kept(), consumers); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	o := s.opts
	o.Log = slog.New(slog.DiscardHandler)
	o.Dir = filepath.Join(o.Dir, rebuiltDir)
	return Restore(ctx, o, f)
}

// swap puts the store that was made anew in its place. Where that fails the one
// of before is still there.
func swap(dir string) error {
	store, aside := filepath.Join(dir, "jetstream"), filepath.Join(dir, asideDir)
	if err := syncPath(dir, true); err != nil { // no power failure may leave neither
		return err
	}
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := os.Rename(store, aside); err != nil {
		return err
	}
	if err := takePlace(dir); err != nil {
		return errors.Join(err, os.Rename(aside, store))
	}
	_ = removeCopy(dir) // else the next start does
	return nil
}

// resumeSwap ends what a crash cut off: a copy in the making goes, and one that
// was to take the store's place takes it.
func resumeSwap(dir string) error {
	if err := takePlace(dir); err != nil {
		return err
	}
	return removeCopy(dir)
}

// takePlace moves a copy to where there is no store.
func takePlace(dir string) error {
	store, fresh := filepath.Join(dir, "jetstream"), filepath.Join(dir, rebuiltDir, "jetstream")
	if _, err := os.Stat(store); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(fresh); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return os.Rename(fresh, store)
}

// removeCopy removes what is left of a copy.
func removeCopy(dir string) error {
	fresh := filepath.Join(dir, rebuiltDir)
	return errors.Join(os.RemoveAll(fresh), os.RemoveAll(fresh+".restoring"), os.RemoveAll(filepath.Join(dir, copyFile)), syncPath(dir, true))
}
