package stream

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	runtimemetrics "runtime/metrics"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// Restore makes a data folder out of a backup. There must be none yet: it is
// made beside its place and moved there when it is whole.
func Restore(ctx context.Context, o Options, r io.Reader) (err error) {
	if _, err := os.Stat(filepath.Join(o.Dir, "jetstream")); err == nil {
		return fmt.Errorf("%s holds a store; move it away first, or restore to another folder with --data", o.Dir)
	}
	o.Dir = filepath.Clean(o.Dir)
	target := o.Dir
	o.Dir, o.Listen, o.URL, o.lazy = target+".restoring", "off", "", true
	if _, err := os.Stat(o.Dir); err == nil {
		return fmt.Errorf("%s is there, from a restore that was cut off: remove it and try again", o.Dir)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(o.Dir)
		}
	}()
	f, end, err := atHand(ctx, r, filepath.Dir(target))
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer end()
	if err := restoreTo(ctx, o, f); err != nil {
		return err
	}
	if err := syncTree(o.Dir); err != nil {
		return fmt.Errorf("write the restored store to the disk: %w", err)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is in the way: %w", target, err) // not empty
	}
	if err := os.Rename(o.Dir, target); err != nil {
		return fmt.Errorf("move the restored store to its place: %w", err)
	}
	return nil
}

// atHand returns a backup that need not be waited for: what is no file is copied
// into one, as the server gives up a stream whose next piece does not come
// within five seconds, and who makes the backup may read a stream for longer.
func atHand(ctx context.Context, r io.Reader, dir string) (file io.Reader, end func(), err error) {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f, func() {}, nil
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.CreateTemp(dir, ".restore-*.tar")
	if err != nil {
		return nil, nil, err
	}
	_ = os.Remove(f.Name()) // where that can be: nobody finds what a crash left
	end = func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	// Nothing else ends a read of a pipe that gives nothing.
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(f, r)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return f, end, nil
}

// syncTree makes a folder durable, with all that is in it.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path, d.IsDir())
	})
}

func syncPath(path string, dir bool) error {
	how := os.O_RDWR
	if dir {
		if how = os.O_RDONLY; runtime.GOOS == "windows" {
			return nil // has no such thing
		}
	}
	f, err := os.OpenFile(path, how, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func restoreTo(ctx context.Context, o Options, r io.Reader) error {
	t := tar.NewReader(r)
	entry := func() (string, []byte, error) {
		h, err := t.Next()
		if err != nil {
			return "", nil, err
		}
		if h.Size > 16<<20 {
			return "", nil, fmt.Errorf("entry %q is too large", h.Name)
		}
		b, err := io.ReadAll(t)
		return h.Name, b, err
	}
	name, b, err := entry()
	var head backupHead
	if err != nil || name != "backup.json" || json.Unmarshal(b, &head) != nil {
		return errors.New("not a backup of newsmonitor")
	}
	if head.Format != backupFormat {
		return fmt.Errorf("the backup has format %d, this program reads %d: use a newer one", head.Format, backupFormat)
	}
	if head.Store.Readable > o.formats().Format {
		return fmt.Errorf("the backup holds data of format %d, this program reads up to %d: use a newer one", head.Store.Format, o.formats().Format)
	}
	if newNames(head.Prefix).prefix != newNames(o.Prefix).prefix {
		return fmt.Errorf("the backup is of --subject-prefix %s: give the same", head.Prefix)
	}
	o.Registry = prometheus.NewRegistry()
	s := &Store{opts: o, names: newNames(o.Prefix), log: o.Log, metrics: newMetrics(o.Registry)}
	if s.server, err = startEmbedded(o, s.names); err != nil {
		return err
	}
	defer s.Close()
	if head.Store.Format > 0 {
		if err := s.writeStamp(head.Store); err != nil {
			return err
		}
	}
	if s.nc, err = s.server.connect(s.connOptions()...); err != nil {
		return s.connectError(err)
	}
	js, err := jetstream.New(s.nc)
	if err != nil {
		return err
	}
	runtime.GC() // whoever makes a store anew has rules and feeds already
	most := inUse() + cmp.Or(o.memory, restoreMemory)
	var open *restoring
	for {
		name, b, err := entry()
		if err != nil {
			return fmt.Errorf("the backup is cut off: %w", err)
		}
		piece := strings.Contains(name, "/")
		if !piece && open != nil {
			if err := open.end(ctx); err != nil {
				return fmt.Errorf("restore stream %s: %w", open.name, err)
			}
			open = nil
		}
		switch stream, isInfo := strings.CutSuffix(name, ".json"); {
		case name == "complete.json":
			var tail backupTail
			if err := json.Unmarshal(b, &tail); err != nil {
				return fmt.Errorf("the backup is damaged: %w", err)
			}
			return s.restored(ctx, js, head, tail)
		case piece && open != nil && strings.HasPrefix(name, open.name+"/"):
			err = open.piece(ctx, b)
		case isInfo:
			open, err = s.restore(ctx, stream, b, most)
		default:
			return fmt.Errorf("the backup is damaged: entry %q is out of place", name)
		}
		if err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
	}
}

// restored compares what is there with what the backup says.
func (s *Store) restored(ctx context.Context, js jetstream.JetStream, head backupHead, tail backupTail) error {
	for _, name := range head.Streams {
		st, err := js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("read the restored stream %s: %w", name, err)
		}
		if name == "KV_"+s.names.desk {
			continue // mutes that ended since are gone
		}
		if have, want := st.CachedInfo().State.Msgs, tail.Messages[name]; have < want {
			s.log.Warn("the restored stream holds less than the one that was backed up: what has reached its age since is gone, and what could not be read then", "stream", name, "count", have, "was", want)
		}
	}
	return nil
}

// nats-server lets go of the blocks that it wrote ten seconds later, so that a fast
// disk fills the memory: a gigabyte for a store of 1.8 GB, which is more than the
// unit and the pod give a daemon that makes its store anew. So no piece is sent
// while more than that is in use, or only just before the server gives up.
const (
	restoreMemory = 200 << 20
	pieceWait     = 3 * time.Second
)

// restoring is a stream that is being filled.
type restoring struct {
	s        *Store
	name, to string
	memory   uint64
}

// inUse is how much memory the heap takes, with what nobody collected yet.
func inUse() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}

// slow waits while more memory is in use than that.
func slow(ctx context.Context, most uint64) {
	for end := time.Now().Add(pieceWait); inUse() > most; {
		runtime.GC()
		if inUse() <= most || time.Now().After(end) || !pause(ctx, pieceWait/10) {
			return
		}
	}
}

func (s *Store) restore(ctx context.Context, name string, info []byte, most uint64) (*restoring, error) {
	m, err := s.request(ctx, "$JS.API.STREAM.RESTORE."+name, info)
	if err != nil {
		return nil, err
	}
	var answer struct {
		DeliverSubject string              `json:"deliver_subject"`
		Error          *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	return &restoring{s, name, answer.DeliverSubject, most}, nil
}

func (r *restoring) piece(ctx context.Context, b []byte) error {
	if len(b) == 0 {
		return errors.New("the backup is damaged: an empty piece")
	}
	slow(ctx, r.memory)
	m, err := r.s.request(ctx, r.to, b)
	if err != nil {
		return err
	}
	return refused(m)
}

// end tells the server that all pieces came; it checks and opens the stream.
func (r *restoring) end(ctx context.Context) error {
	m, err := r.s.request(ctx, r.to, nil)
	if err != nil {
		return err
	}
	return refused(m)
}
