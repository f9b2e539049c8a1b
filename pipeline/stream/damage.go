package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/feed"
)

// mark is what a stream held when it was last looked at, beside the store:
// after damage on one disk a stream can come up shorter without saying so.
type mark struct {
	First    uint64    `json:"first"`
	Last     uint64    `json:"last"`
	Messages uint64    `json:"messages"`
	Brief    uint64    `json:"brief"` // of those, the self-test's, which end by themselves
	Bytes    uint64    `json:"bytes"`
	FirstAt  time.Time `json:"first_at"`

	Missing    string   `json:"missing,omitempty"`    // what it lacked at a start; stays until somebody deletes the file
	Verified   uint64   `json:"verified,omitempty"`   // sequence up to which it was read through
	Unreadable []uint64 `json:"unreadable,omitempty"` // sequences that could not be read
	Stuck      bool     `json:"stuck,omitempty"`      // the server could not drop one
}

// UnmarshalJSON reads the number that older programs wrote, too.
func (m *mark) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &m.Last) == nil {
		return nil
	}
	type plain mark
	return json.Unmarshal(b, (*plain)(m))
}

func (s *Store) marks(ctx context.Context) (map[string]mark, error) {
	marks := map[string]mark{}
	for stream, brief := range map[jetstream.Stream]string{s.items: "items." + feed.Canary, s.alerts: "canary"} {
		// Counted before: one that comes in between must not be missed later.
		b, err := stream.Info(ctx, jetstream.WithSubjectFilter(s.names.prefix+"."+brief+".>"))
		if err != nil {
			return nil, err
		}
		i, err := stream.Info(ctx)
		if err != nil {
			return nil, err
		}
		st := i.State
		m := mark{First: st.FirstSeq, Last: st.LastSeq, Messages: st.Msgs, Bytes: st.Bytes, FirstAt: st.FirstTime}
		for _, n := range b.State.Subjects {
			m.Brief += n
		}
		marks[i.Config.Name] = m
	}
	return marks, nil
}

// checkpoint remembers how far the streams got.
func (s *Store) checkpoint(ctx context.Context) {
	marks, err := s.marks(ctx)
	if err != nil {
		return // they do not answer: the last one stays
	}
	for label, st := range map[string]jetstream.Stream{"items": s.items, "alerts": s.alerts} {
		name := st.CachedInfo().Config.Name
		m, v := marks[name], s.verified[label]
		m.Verified, m.Unreadable, m.Stuck = v.at, v.bad, v.stuck
		if what := v.lacks.Load(); what != nil {
			m.Missing = *what
		}
		marks[name] = m
	}
	b, err := json.Marshal(marks)
	if err == nil {
		err = writeWhole(s.checkpointFile(), b)
	}
	if err != nil {
		s.log.Warn("the checkpoint of the streams cannot be written", "error", err)
	}
}

const checkpointName = "checkpoint.json"

func (s *Store) checkpointFile() string { return filepath.Join(s.opts.Dir, checkpointName) }

// checkDamage compares the streams with the last checkpoint.
func (s *Store) checkDamage(ctx context.Context) {
	if s.server == nil {
		return
	}
	b, err := os.ReadFile(s.checkpointFile())
	if err != nil {
		return // the first start
	}
	var before map[string]mark
	if err := json.Unmarshal(b, &before); err != nil {
		s.log.Warn("the checkpoint of the streams cannot be read; whether they are whole is not known", "file", s.checkpointFile(), "error", err)
		return
	}
	now, err := s.marks(ctx)
	if err != nil {
		s.log.Warn("the streams cannot be compared with their checkpoint", "error", err)
		return
	}
	for stream, label := range map[jetstream.Stream]string{s.items: "items", s.alerts: "alerts"} {
		config := stream.CachedInfo().Config
		was, is := before[config.Name], now[config.Name]
		s.verified[label].at = was.Verified
		s.verified[label].stuck = was.Stuck
		if bad, err := unreadable(ctx, stream, slices.Values(was.Unreadable), &s.verified[label].deleted); err == nil {
			s.found(label, config.Name, bad)
		}
		// Since the start that missed something more may have come than was lost.
		what := cmp.Or(missing(was, is, config, time.Now()), was.Missing)
		if what == "" {
			continue
		}
		s.verified[label].lacks.Store(&what)
		s.metrics.damaged.WithLabelValues(label).Set(1)
		s.log.Error("the stream holds less than when the daemon last ran: its folder is damaged, or an older copy", "stream", config.Name, "missing", what,
			"hint", fmt.Sprintf("stop the daemon and restore the last backup (monitor restore FILE --data NEW), or go on with what is left: delete %s and restart", s.checkpointFile()))
	}
}

// damage says what was found of a stream, "" for nothing: to those who ask how
// we are, while the streams are read through.
func (s *Store) damage(label string) string {
	v := s.verified[label]
	if v == nil {
		v = &verified{} // a bucket is not read through
	}
	if what := v.lacks.Load(); what != nil {
		return "it lacks " + *what
	}
	if n := s.omitted[label]; n > 0 {
		return fmt.Sprintf("it was made anew without messages that could not be read (%d)", n)
	}
	if seq := v.first.Load(); seq != 0 {
		return fmt.Sprintf("the message at sequence %d cannot be read", seq)
	}
	return ""
}

// missing says what a stream lacks, "" for nothing. It may drop its oldest
// messages by age or size, and the self-test's by their own time; an append
// takes away one of its subject's at most.
func missing(was, is mark, config jetstream.StreamConfig, now time.Time) string {
	if is.Last < was.Last {
		return fmt.Sprintf("the end: it was at sequence %d and is at %d", was.Last, is.Last)
	}
	front := uint64(0)
	if is.First > was.First {
		front = is.First - was.First
		aged := config.MaxAge > 0 && !now.Add(time.Minute).Before(was.FirstAt.Add(config.MaxAge))
		full := config.MaxBytes > 0 && max(was.Bytes, is.Bytes) >= uint64(config.MaxBytes)*8/10
		if !aged && !full && front > was.Brief && was.Messages > 0 {
			return fmt.Sprintf("the beginning: it began at sequence %d and begins at %d, and nothing of it was due to be dropped", was.First, is.First)
		}
	}
	if was.Messages > is.Messages+was.Brief+front {
		return fmt.Sprintf("%d messages within", was.Messages-is.Messages-was.Brief-front)
	}
	return ""
}
