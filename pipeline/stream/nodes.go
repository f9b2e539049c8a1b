package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// markerTTL is how long the bucket remembers that a key lapsed or was given
// back: long enough for every watch to see it.
const markerTTL = time.Minute

// Node is a process that shares the feeds, for people.
type Node struct {
	ID     string
	Host   string
	PID    int
	Shards []int
}

// Nodes lists the processes that share the feeds, and what each holds.
func (s *Store) Nodes(ctx context.Context) ([]Node, error) {
	w, err := s.leaseBucket().WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("read the leases: %w", err)
	}
	defer func() { _ = w.Stop() }()
	byID := map[string]*Node{}
	node := func(id string) *Node {
		if byID[id] == nil {
			byID[id] = &Node{ID: id, Shards: []int{}}
		}
		return byID[id]
	}
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("read the leases: %w", ctx.Err())
		case e, ok := <-w.Updates():
			if ok && e != nil {
				if id, is := strings.CutPrefix(e.Key(), "node."); is {
					var v nodeValue
					_ = json.Unmarshal(e.Value(), &v) // of a version to come: it still has an id
					node(id).Host, node(id).PID = v.Host, v.PID
				} else if shard, is := shardOf(e.Key()); is {
					n := node(string(e.Value()))
					n.Shards = append(n.Shards, shard)
				}
				continue
			}
			if !ok {
				return nil, errors.New("read the leases: the watch ended")
			}
			out := make([]Node, 0, len(byID))
			for _, n := range byID {
				slices.Sort(n.Shards)
				out = append(out, *n)
			}
			slices.SortFunc(out, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
			return out, nil
		}
	}
}

// alive says whether a process renews its node key. One that we cannot ask
// about counts as alive.
func (s *Store) alive(ctx context.Context, id string) bool {
	_, err := s.leaseBucket().Get(ctx, "node."+id)
	return !errors.Is(err, jetstream.ErrKeyNotFound)
}

// ensureLeases opens KV LEASES, and makes it when it is missing: in memory, as
// it is worth nothing once all who wrote it are gone. A server of one node
// forgets it at a restart; then all claim anew.
func (s *Store) ensureLeases(ctx context.Context) error {
	want := s.leasesConfig(s.replicas())
	kv, err := s.js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if err := s.mayCreate("bucket "+want.Bucket, want); err != nil {
			return err
		}
		if kv, err = s.js.CreateKeyValue(ctx, want); noMemory(err) {
			want.Storage = jetstream.FileStorage
			kv, err = s.js.CreateKeyValue(ctx, want)
		}
		if err := s.created("bucket "+want.Bucket, want, err); err != nil {
			return err
		}
	}
	if err != nil {
		return s.explain("open bucket "+want.Bucket, err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return s.explain("read bucket "+want.Bucket, err)
	}
	if status.LimitMarkerTTL() <= 0 {
		return fmt.Errorf("bucket %s at %s cannot keep our promises:\n    limit marker TTL: have none, want %s", want.Bucket, s.where(), markerTTL)
	}
	s.leases.Store(&kv)
	if st, ok := status.(*jetstream.KeyValueBucketStatus); ok {
		s.leasesMade = st.StreamInfo().Created
	}
	return nil
}

// leaseBucket is KV LEASES as it was made last.
func (s *Store) leaseBucket() jetstream.KeyValue { return *s.leases.Load() }

// noMemory says whether an account has no room for streams in memory.
func noMemory(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == 10028 || api.ErrorCode == 10023 || api.ErrorCode == 10047)
}

func (s *Store) leasesConfig(replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: s.names.leases, Description: "newsmonitor: which process polls which feeds", History: 1,
		LimitMarkerTTL: markerTTL, MaxBytes: 4 << 20, Storage: jetstream.MemoryStorage, Replicas: replicas, Metadata: s.opts.marked()}
}
