package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// An external NATS has no folder of ours: there the format stands in the
// metadata of ITEMS, beside the mark that we made it.
const (
	formatMark   = "newsmonitor"
	readableMark = "newsmonitor-readable" // absent: 1
)

// marked is the metadata of streams and buckets that this program makes, so that
// we change only those.
func (o Options) marked() map[string]string {
	f := o.formats()
	m := map[string]string{formatMark: strconv.Itoa(f.Format)}
	if f.Readable > 1 {
		m[readableMark] = strconv.Itoa(f.Readable)
	}
	return m
}

// upgradeExternal refuses streams that a newer program wrote in a way that we
// would misread, and changes none without a backup: ours in the data folder, or
// the word of an administrator who has made one.
func (s *Store) upgradeExternal(ctx context.Context) error {
	ctx, end := s.trouble.during(ctx)
	defer end()
	var st jetstream.Stream
	err := s.patient(ctx, func() (err error) {
		st, err = s.js.Stream(ctx, s.names.items)
		return err
	})
	switch {
	case err != nil && leaderless(err):
		return s.explain("read stream "+s.names.items, err)
	case err != nil:
		return nil // none yet, or ensure says what is wrong
	}
	config, ours := st.CachedInfo().Config, s.opts.formats()
	found := stamp{Format: max(number(config.Metadata[formatMark]), 1), Readable: max(number(config.Metadata[readableMark]), 1)}
	s.stamp = found
	switch {
	case found.Readable > ours.Format:
		return fmt.Errorf("the streams at %s were written by a newer program, in format %d; this one reads up to %d: run the newer one, or restore a backup (monitor restore) that the newer one kept in its data folder before its first change, %s",
			s.where(), found.Format, ours.Format, s.keptBackup(found.Format))
	case s.opts.ReadOnly, found.Format >= ours.Format:
		return nil
	}
	why := errors.New("--nats-manage is never")
	if s.opts.Manage {
		if err = os.MkdirAll(s.opts.Dir, 0o700); err == nil {
			err = s.keepBackup(ctx, found.Format, ours.Format)
		}
		if why = err; err == nil {
			if config.Metadata == nil {
				config.Metadata = map[string]string{}
			}
			for k, v := range s.opts.marked() {
				config.Metadata[k] = v
			}
			if _, err = s.js.UpdateStream(ctx, config); err == nil {
				s.stamp = ours
				return nil
			}
			why = s.explain("note the format of stream "+config.Name, err)
		}
	}
	edit := ""
	for _, k := range []string{formatMark, readableMark} {
		if v := s.opts.marked()[k]; v != "" {
			edit += fmt.Sprintf(" --metadata %s=%s", k, v)
		}
	}
	return fmt.Errorf("the stored format at %s changes from %d to %d, and nothing is changed without a backup: %w\n    make one yourself, with the program of before (monitor backup FILE) or with the server's tools (nats account backup FOLDER), and say so: nats stream edit %s%s",
		s.where(), found.Format, ours.Format, why, config.Name, edit)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
