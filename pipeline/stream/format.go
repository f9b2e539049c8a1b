package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Format is the version of what we store: the streams' settings and subjects,
// and the JSON in them. Readers take fields that they do not know as absent, so
// that adding one changes nothing here. A change that the release before would
// misread raises Format; a release writes only what the one before can read,
// so readable follows one release later.
const (
	Format   = 1
	readable = 1 // the least Format that a program must know to work on what we write
)

// stamp is format.json in the data folder: who may work on it.
type stamp struct {
	Format   int       `json:"format"`
	Readable int       `json:"readable"`
	At       time.Time `json:"at"`
}

// formats of this program; tests stand for other releases.
func (o Options) formats() stamp {
	if o.release.Format != 0 {
		return o.release
	}
	return stamp{Format: Format, Readable: readable}
}

func (s *Store) stampFile() string { return filepath.Join(s.opts.Dir, "format.json") }

// upgrade refuses a data folder that a newer program wrote in a way that we
// would misread, and keeps a backup of one that we are about to change: it
// comes before the first write. A program that knows less than the stamp says,
// but may work on the folder, leaves the stamp as it is.
func (s *Store) upgrade(ctx context.Context) error {
	if s.server == nil {
		return s.upgradeExternal(ctx)
	}
	ours, found := s.opts.formats(), stamp{}
	b, err := os.ReadFile(s.stampFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if found.Format, err = s.unstamped(ctx); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("read which format the data folder has: %w", err)
	default:
		if err := json.Unmarshal(b, &found); err != nil || found.Format < 1 {
			return fmt.Errorf("%s does not say which format the data folder has; a restore of a backup makes a new folder", s.stampFile())
		}
	}
	s.stamp = found
	switch {
	case found.Readable > ours.Format:
		return fmt.Errorf("the data folder %s was written by a newer program, in format %d; this one reads up to %d: run the newer one, or restore a backup (monitor restore) that the newer one kept before its first change, %s",
			s.opts.Dir, found.Format, ours.Format, s.keptBackup(found.Format))
	case s.opts.ReadOnly, found.Format >= ours.Format && len(b) > 0:
		return nil
	case found.Format > 0 && found.Format < ours.Format:
		if err := s.keepBackup(ctx, found.Format, ours.Format); err != nil {
			return err
		}
	}
	ours.At, s.stamp = time.Now().UTC(), ours
	return s.writeStamp(ours)
}

func (s *Store) writeStamp(st stamp) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	if err := writeWhole(s.stampFile(), b); err != nil {
		return fmt.Errorf("note the format of the data folder: %w", err)
	}
	return nil
}

// unstamped is the format of a folder of before there were stamps: 1, or 0 for
// one without streams.
func (s *Store) unstamped(ctx context.Context) (int, error) {
	_, err := s.js.Stream(ctx, s.names.items)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, s.explain("read stream "+s.names.items, err)
	}
	return 1, nil
}

func (s *Store) keptBackup(format int) string {
	return filepath.Join(s.opts.Dir, fmt.Sprintf("before-format-%d.tar", format))
}

// keepBackup makes the way back.
func (s *Store) keepBackup(ctx context.Context, from, to int) error {
	file := s.keptBackup(to)
	f, err := os.CreateTemp(s.opts.Dir, ".backup-*")
	if err != nil {
		return fmt.Errorf("keep a backup before the stored format changes: %w", err)
	}
	err = errors.Join(s.Backup(ctx, f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("keep a backup before the stored format changes: %w", err)
	}
	s.log.Warn("the stored format changes; a backup was kept, delete it when you no longer want to go back", "was", from, "format", to, "backup", file,
		"hint", fmt.Sprintf("to go back: monitor restore %s --data %s-before", file, filepath.Clean(s.opts.Dir)))
	return nil
}

// writeWhole makes a small file that is there whole or not at all.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
