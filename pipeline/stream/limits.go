package stream

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
)

// limit brings the limits of a stream to what the flags say, if we made it.
func (s *Store) limit(ctx context.Context, st jetstream.Stream, want jetstream.StreamConfig) (jetstream.Stream, error) {
	have := st.CachedInfo().Config
	if s.opts.Replicas == 0 {
		// Never fewer than there are: a server that is down now must not
		// cost the others their copies.
		want.Replicas = max(want.Replicas, have.Replicas)
	}
	same := have.MaxAge == want.MaxAge && have.MaxBytes == want.MaxBytes && have.Replicas == want.Replicas && have.AllowAtomicPublish == want.AllowAtomicPublish
	if s.opts.ReadOnly || same && have.Duplicates == want.Duplicates {
		return st, nil
	}
	if have.Metadata[formatMark] == "" || (s.server == nil && !s.opts.Manage) {
		if same {
			return st, nil
		}
		s.log.Warn("stream has other limits than the flags say; they stay, as it is not ours to change", "stream", want.Name,
			"max_age", have.MaxAge, "want_max_age", want.MaxAge, "max_bytes", have.MaxBytes, "want_max_bytes", want.MaxBytes)
		return st, nil
	}
	changed := have // everything else as it is
	changed.MaxAge, changed.MaxBytes, changed.Replicas, changed.AllowAtomicPublish = want.MaxAge, want.MaxBytes, want.Replicas, want.AllowAtomicPublish
	changed.Duplicates = want.Duplicates
	updated, err := s.js.UpdateStream(ctx, changed)
	if s.single(err) {
		changed.Replicas = have.Replicas
		updated, err = s.js.UpdateStream(ctx, changed)
	}
	if err != nil {
		return nil, s.explain("change the limits of stream "+want.Name, err)
	}
	return updated, nil
}

// limitBucket does so for a bucket. It is not made smaller than twice what it
// holds, as it refuses what is new when it is full; and one that we may not change
// is as good as it was.
func (s *Store) limitBucket(ctx context.Context, c jetstream.KeyValueConfig) error {
	st, err := s.js.Stream(ctx, "KV_"+c.Bucket)
	if err != nil {
		return s.explain("read bucket "+c.Bucket, err)
	}
	have, want := st.CachedInfo().Config, bucketStream(c)
	want.MaxAge, want.Duplicates, want.AllowAtomicPublish = have.MaxAge, have.Duplicates, have.AllowAtomicPublish
	want.MaxBytes = max(want.MaxBytes, min(have.MaxBytes, 2*int64(st.CachedInfo().State.Bytes)))
	if _, err := s.limit(ctx, st, want); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.log.Warn("the bucket keeps its limits", "stream", want.Name, "error", err)
	}
	return nil
}

// reserved is how many bytes the streams of a data folder may take, by what
// nats-server wrote of them. A server that may use less, after --max-store was
// lowered, does not let us lower theirs.
func reserved(dir string) (bytes int64) {
	files, _ := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "*", "meta.inf")) // the pattern is right
	for _, file := range files {
		var meta struct {
			MaxBytes int64 `json:"max_bytes"`
		}
		if b, err := os.ReadFile(file); err == nil && json.Unmarshal(b, &meta) == nil {
			bytes += max(meta.MaxBytes, 0) // the server says what is wrong with a file
		}
	}
	return bytes
}
