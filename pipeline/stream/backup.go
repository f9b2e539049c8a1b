package stream

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// A backup is a tar file: backup.json, then for each stream its definition
// (NAME.json) and its snapshot in pieces (NAME/000001 ...), and at the end
// complete.json, without which it is cut. The readers' places, the feeds'
// states and the desk's mutes come first: what they speak of is then in the
// streams.

const (
	backupFormat = 1
	backupPiece  = 128 << 10
	snapshotWait = 30 * time.Second // for the next piece
)

type backupHead struct {
	Format  int       `json:"format"`
	Prefix  string    `json:"prefix"`
	At      time.Time `json:"at"`
	Streams []string  `json:"streams"`
	Store   stamp     `json:"store,omitzero"` // what reads what was stored; absent before there were stamps
}

type backupTail struct {
	Messages map[string]uint64 `json:"messages"` // by stream
}

type snapshotInfo struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// backedUp are the streams that there are, in the backup's order: a store of an
// older program lacks what came later.
func (s *Store) backedUp(ctx context.Context) (there []string, err error) {
	n := s.names
	for _, name := range []string{"KV_" + n.readers, "KV_" + n.feeds, "KV_" + n.desk, n.items, n.alerts} {
		_, err := s.js.Stream(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
		case err != nil:
			return nil, s.explain("read stream "+name, err)
		default:
			there = append(there, name)
		}
	}
	return there, nil
}

// Backup writes all that is stored while everything goes on.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	t := tar.NewWriter(w)
	now := time.Now().UTC()
	put := func(name string, b []byte) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(b)), ModTime: now, Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := t.Write(b)
		return err
	}
	object := func(name string, v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return put(name, b)
	}
	streams, err := s.backedUp(ctx)
	if err != nil {
		return err
	}
	if err := object("backup.json", backupHead{backupFormat, s.names.prefix, now, streams, s.stamp}); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	tail := backupTail{Messages: map[string]uint64{}}
	for _, name := range streams {
		if err := s.warnOfLost(ctx, name); err != nil {
			return fmt.Errorf("back up stream %s: %w", name, err)
		}
		n, err := s.snapshot(ctx, name, put)
		if err != nil {
			return fmt.Errorf("back up stream %s: %w", name, err)
		}
		tail.Messages[name] = n
	}
	if err := object("complete.json", tail); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// warnOfLost reads a stream through, as a snapshot passes over what cannot be
// read without a word.
func (s *Store) warnOfLost(ctx context.Context, name string) error {
	if s.server == nil || name != s.names.items && name != s.names.alerts {
		return nil
	}
	st, err := s.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	n, err := lost(ctx, st)
	if err == nil && n > 0 {
		s.log.Error("the backup lacks messages that cannot be read: the disk holds other bytes than were written; keep the backup before this one", "stream", name, "count", n)
	}
	return err
}

// snapshot asks the server for a stream's content.
func (s *Store) snapshot(ctx context.Context, name string, put func(string, []byte) error) (messages uint64, err error) {
	inbox := s.nc.NewInbox()
	pieces, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = pieces.Unsubscribe() }()
	if err := pieces.SetPendingLimits(-1, 64<<20); err != nil {
		return 0, err
	}
	req, err := json.Marshal(map[string]any{"deliver_subject": inbox, "no_consumers": true, "chunk_size": backupPiece, "jsck": true})
	if err != nil {
		return 0, err
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Minute) // the checksums come before the answer
	defer cancel()
	m, err := s.nc.RequestWithContext(asking, "$JS.API.STREAM.SNAPSHOT."+name, req)
	if err != nil {
		return 0, s.explain("ask for a snapshot", err)
	}
	var answer struct {
		snapshotInfo
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return 0, err
	}
	if answer.Error != nil {
		return 0, answer.Error
	}
	var state struct {
		Messages uint64 `json:"messages"`
	}
	if err := json.Unmarshal(answer.State, &state); err != nil {
		return 0, err
	}
	b, err := json.Marshal(answer.snapshotInfo)
	if err != nil {
		return 0, err
	}
	if err := put(name+".json", b); err != nil {
		return 0, err
	}
	for n := 1; ; n++ {
		next, cancel := context.WithTimeout(ctx, snapshotWait)
		m, err := pieces.NextMsgWithContext(next)
		cancel()
		if err != nil {
			return 0, fmt.Errorf("wait for piece %d: %w", n, err)
		}
		if len(m.Data) == 0 {
			if code := m.Header.Get("Status"); code != "" && code != "204" {
				return 0, fmt.Errorf("the server gave up: %s %s", code, m.Header.Get("Description"))
			}
			return state.Messages, nil
		}
		if err := put(fmt.Sprintf("%s/%06d", name, n), m.Data); err != nil {
			return 0, err
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return 0, err
			}
		}
	}
}

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
	if err := restoreTo(ctx, o, r); err != nil {
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

// syncTree makes a folder durable, with all that is in it.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		how := os.O_RDWR
		if d.IsDir() {
			if how = os.O_RDONLY; runtime.GOOS == "windows" {
				return nil // has no such thing
			}
		}
		f, err := os.OpenFile(path, how, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
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
			open, err = s.restore(ctx, stream, b)
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

// restoring is a stream that is being filled.
type restoring struct {
	s        *Store
	name, to string
}

func (s *Store) restore(ctx context.Context, name string, info []byte) (*restoring, error) {
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
	return &restoring{s, name, answer.DeliverSubject}, nil
}

func (r *restoring) piece(ctx context.Context, b []byte) error {
	if len(b) == 0 {
		return errors.New("the backup is damaged: an empty piece")
	}
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

// refused is the error in an answer, if there is one.
func refused(m *nats.Msg) error {
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if len(m.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return answer.Error
	}
	return nil
}

func (s *Store) request(ctx context.Context, subject string, b []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return s.nc.RequestWithContext(ctx, subject, b)
}
