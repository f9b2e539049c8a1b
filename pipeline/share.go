package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// share is which part of the catalogue this process polls: all of it in a run
// of Once, else what it holds leases for.
type share struct {
	mu     sync.Mutex // one update of the poller at a time
	begun  bool       // before that poll is given nothing: most of it would be taken away again
	leased bool
	leases atomic.Pointer[stream.Leases] // nil in a run of Once
	held   [stream.Shards]bool
}

// may says whether a feed is ours right now: a process that slept may find
// polls due that others make by then.
func (s *share) may(f feed.Feed) bool {
	leases := s.leases.Load()
	return leases == nil || leases.Holds(shard(f))
}

func shard(f feed.Feed) int { return stream.Shard(poll.HostOf(f.URL)) }

// hold makes shards the ones whose feeds we poll.
func (m *Monitor) hold(shards []int) {
	m.share.mu.Lock()
	defer m.share.mu.Unlock()
	m.share.begun, m.share.leased, m.share.held = true, true, [stream.Shards]bool{}
	for _, s := range shards {
		m.share.held[s] = true
	}
	m.poller.Update(m.share.of(m.config.Load().Feeds))
}

// catalogue gives poll the feeds of the moment.
func (m *Monitor) catalogue() {
	m.share.mu.Lock()
	defer m.share.mu.Unlock()
	if m.share.begun {
		m.poller.Update(m.share.of(m.config.Load().Feeds))
	}
}

// all gives poll the whole catalogue, for a run of Once.
func (m *Monitor) all() {
	m.share.mu.Lock()
	m.share.begun = true
	m.share.mu.Unlock()
	m.catalogue()
}

func (s *share) of(feeds []feed.Feed) []feed.Feed {
	if !s.leased || !slices.Contains(s.held[:], false) {
		return feeds // all of them: no copy
	}
	mine := make([]feed.Feed, 0, len(feeds))
	for _, f := range feeds {
		if s.held[shard(f)] {
			mine = append(mine, f)
		}
	}
	return mine
}

// poll polls the feeds that we hold until ctx ends. The leases are given back
// after the last poll, so that who takes over meets none of ours.
func (m *Monitor) poll(ctx context.Context) error {
	leases := m.store.Leases()
	leases.Settle = m.poller.Settle
	if m.settings.NATSLease > 0 {
		leases.TTL = m.settings.NATSLease
	}
	m.share.leases.Store(leases)
	leasing, giveBack := context.WithCancel(context.WithoutCancel(ctx))
	defer giveBack()
	m.hold(nil)
	done := make(chan error, 1)
	go func() { done <- leases.Run(leasing, m.hold) }()
	err := m.poller.Run(ctx)
	giveBack()
	return errors.Join(err, <-done)
}

// feedStates lists all feeds of the catalogue: ours as they are, those of
// other replicas as they were last saved.
func (m *Monitor) feedStates(ctx context.Context) []poll.Status {
	snapshot, feeds := m.poller.Snapshot(), m.config.Load().Feeds
	if len(snapshot) == len(feeds) {
		return snapshot // all are ours
	}
	ours := make(map[string]poll.Status, len(snapshot))
	for _, st := range snapshot {
		ours[st.Feed.ID] = st
	}
	saved, err := m.store.Feeds().Others(ctx, func(id string) bool { _, is := ours[id]; return !is })
	if err != nil {
		m.log.Debug("the states of other replicas' feeds cannot be read", "error", err)
	}
	all := make([]poll.Status, 0, len(feeds))
	for _, f := range feeds {
		st, ok := ours[f.ID]
		if !ok {
			st = poll.Remembered(f, saved[f.ID], m.settings.Poll.MinInterval)
		}
		all = append(all, st)
	}
	return all
}

// feedCounts is how many feeds of the catalogue are in each state.
func (m *Monitor) feedCounts(ctx context.Context) map[string]int {
	counts, n := m.poller.Counts(), 0
	for _, c := range counts {
		n += c
	}
	if n == len(m.config.Load().Feeds) {
		return counts // all are ours: no list of many thousand is made to be counted
	}
	clear(counts)
	for _, st := range m.feedStates(ctx) {
		counts[st.State]++
	}
	return counts
}

// nodes lists the replicas, and how many of our catalogue's feeds each polls.
func (m *Monitor) nodes(ctx context.Context) []web.NodeStatus {
	nodes, err := m.store.Nodes(ctx)
	if err != nil {
		m.log.Debug("the leases cannot be read", "error", err)
		return nil
	}
	var feeds [stream.Shards]int
	for _, f := range m.config.Load().Feeds {
		if f.Disabled == "" {
			feeds[shard(f)]++
		}
	}
	out := make([]web.NodeStatus, 0, len(nodes))
	for _, n := range nodes {
		st := web.NodeStatus{ID: n.ID, Host: n.Host, PID: n.PID, Self: n.ID == m.settings.Owner, Shards: n.Shards}
		for _, s := range n.Shards {
			st.Feeds += feeds[s]
		}
		out = append(out, st)
	}
	return out
}

// viewLimit is how long a view of the store may take.
const viewLimit = 5 * time.Second

// hash is equal for replicas that watch the same feeds and look for the same.
func (c *Config) hash() string {
	h := sha256.New()
	e := json.NewEncoder(h) // writing to a hash cannot fail
	for _, f := range c.Feeds {
		_ = e.Encode(f)
	}
	for _, r := range c.Rules.Rules() {
		_ = e.Encode([]string{r.Channel, r.ID, r.Version, string(r.Severity), r.Disabled})
	}
	for _, v := range c.Rules.Voices() {
		_ = e.Encode(v)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
