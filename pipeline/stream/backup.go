package stream

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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

// kept are the streams that a backup holds, in its order.
func (s *Store) kept() []string {
	n := s.names
	return []string{"KV_" + n.readers, "KV_" + n.feeds, "KV_" + n.desk, n.items, n.alerts}
}

// backedUp are those that there are: a store of an older program lacks what
// came later.
func (s *Store) backedUp(ctx context.Context) (there []string, err error) {
	for _, name := range s.kept() {
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

// Backup writes all that is stored while everything goes on, and says in the
// log what cannot be read of it.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	streams, err := s.backedUp(ctx)
	if err != nil {
		return err
	}
	for _, name := range streams {
		if err := s.warnOfLost(ctx, name); err != nil {
			return fmt.Errorf("back up stream %s: %w", name, err)
		}
	}
	return s.writeBackup(ctx, w, streams, false)
}

// writeBackup writes a backup with or without the places of those who read the
// streams with consumers of their own.
func (s *Store) writeBackup(ctx context.Context, w io.Writer, streams []string, consumers bool) error {
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
	if err := object("backup.json", backupHead{backupFormat, s.names.prefix, now, streams, s.stamp}); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	tail := backupTail{Messages: map[string]uint64{}}
	for _, name := range streams {
		n, err := s.snapshot(ctx, name, consumers, put)
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
func (s *Store) snapshot(ctx context.Context, name string, consumers bool, put func(string, []byte) error) (messages uint64, err error) {
	inbox := s.nc.NewInbox()
	pieces, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = pieces.Unsubscribe() }()
	if err := pieces.SetPendingLimits(-1, 64<<20); err != nil {
		return 0, err
	}
	req, err := json.Marshal(map[string]any{"deliver_subject": inbox, "no_consumers": !consumers, "chunk_size": backupPiece, "jsck": true})
	if err != nil {
		return 0, err
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Minute) // the checksums come before the answer
	defer cancel()
	asking, answered := s.trouble.during(asking) // what is not permitted is never answered
	defer answered()
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
