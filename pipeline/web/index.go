package web

import (
	"encoding/hex"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// index is what the page can be filtered by, of every stored alert: about 100
// bytes each, the events stay in the log. Slots stand in stream order; an
// alert's later event takes a new slot and supersedes the old one, which stays
// so that a reader in the middle of the list misses nothing.
type index struct {
	mu    sync.RWMutex
	slots []slot
	byID  map[[16]byte]uint64 // sequence of the alert's newest event
	seen  uint64              // last sequence given to add, indexed or not
	live  int                 // slots that nothing supersedes

	channels, feeds, countries, tiers, languages, states names
	stateSets                                            sets
}

// slot is one event.
type slot struct {
	sequence   uint64
	superseded uint64 // sequence of the alert's next event; 0 for the newest
	at         int64  // Event.Time, Unix nanoseconds
	id         [16]byte
	states     uint32 // of stateSets
	channel    uint16
	feed       uint16
	country    uint16
	language   uint16
	tier       uint8
	severity   uint8
	folded     bool
}

func newIndex() *index {
	return &index{byID: map[[16]byte]uint64{}}
}

// add takes the next event of the log. It reports false for what is no alert
// of a channel: the self-test, or an id that we did not make.
func (x *index) add(st alert.Stored) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if st.Sequence <= x.seen {
		return false // read again after a reconnect
	}
	x.seen = st.Sequence
	e := &st.Event
	id, ok := parseID(e.Data.ID)
	if !ok || isCanary(st) {
		return false
	}
	s := slot{
		sequence: st.Sequence, at: e.Time.UnixNano(), id: id,
		states:   x.stateSets.intern(&x.states, e.Data.States),
		channel:  x.channels.intern(e.Data.Channel),
		feed:     x.feeds.intern(e.Data.Source.ID),
		country:  x.countries.intern(strings.ToUpper(e.Data.Source.Country)),
		language: x.languages.intern(strings.ToLower(e.Data.Item.Language)),
		tier:     uint8(min(x.tiers.intern(tierOf(e.Data)), math.MaxUint8)),
		severity: uint8(max(e.Severity.Rank(), 0)),
		folded:   isFolded(st),
	}
	if old, ok := x.byID[id]; ok {
		if i, ok := x.find(old); ok {
			x.slots[i].superseded = st.Sequence
			x.live--
		}
	}
	x.byID[id] = st.Sequence
	x.slots = append(x.slots, s)
	x.live++
	return true
}

// isCanary keeps the self-test off everything that people read.
func isCanary(st alert.Stored) bool {
	_, rest, _ := strings.Cut(st.Subject, ".")
	return strings.HasPrefix(rest, "canary.") || st.Event.Data.Channel == "canary"
}

func isFolded(st alert.Stored) bool { return st.Folded || st.Event.Type == alert.Folded }

// tierOf is the voice's tier where a voice was recognised, else the feed's.
func tierOf(d alert.Data) string {
	if d.Voice != nil && d.Voice.Tier != "" {
		return d.Voice.Tier
	}
	return d.Source.Tier
}

func parseID(s string) (id [16]byte, ok bool) {
	if len(s) != 32 {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

// find returns the place of a sequence. The caller holds mu.
func (x *index) find(sequence uint64) (int, bool) {
	return slices.BinarySearchFunc(x.slots, sequence, func(s slot, seq uint64) int {
		switch {
		case s.sequence < seq:
			return -1
		case s.sequence > seq:
			return 1
		}
		return 0
	})
}

// last returns the newest event of an alert.
func (x *index) last(alertID string) (sequence uint64, ok bool) {
	id, ok := parseID(alertID)
	if !ok {
		return 0, false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	sequence, ok = x.byID[id]
	return sequence, ok
}

// drop forgets what the log no longer keeps: every sequence before first.
func (x *index) drop(first uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, _ := x.find(first)
	if n == 0 {
		return
	}
	for _, s := range x.slots[:n] {
		if s.superseded == 0 {
			delete(x.byID, s.id)
			x.live--
		}
	}
	x.slots = slices.Clone(x.slots[n:])
}

// reset forgets everything: the log is another one than before.
func (x *index) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slots, x.byID, x.seen, x.live = nil, map[[16]byte]uint64{}, 0, 0
}

// newest returns the last sequence that the index has seen.
func (x *index) newest() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.seen
}

// size returns the number of alerts.
func (x *index) size() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.live
}

// hit is where a page's entry is read, and where it stands in the list. They
// differ when the alert was updated after the list's first page was made.
type hit struct {
	at   uint64 // place in the list
	read uint64 // newest event of the alert
}

// list returns up to n entries below the cursor, newest first, and whether
// there are more. One entry an alert: an event that was superseded when the
// list's first page was made is passed over; one that was superseded later
// keeps its place, with the alert as it now is, because its new place is above
// everything that this reader will see.
func (x *index) list(f *filter, c cursor, n int) (hits []hit, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.match(f)
	end := len(x.slots)
	if c.before > 0 {
		end, _ = x.find(c.before)
	}
	for i := end - 1; i >= 0; i-- {
		s := &x.slots[i]
		if s.sequence <= f.after {
			break
		}
		if s.sequence > c.snapshot {
			continue
		}
		at := s.sequence
		for s.superseded != 0 && s.superseded > c.snapshot {
			j, ok := x.find(s.superseded)
			if !ok {
				break
			}
			s = &x.slots[j]
		}
		if s.superseded != 0 || !m.ok(s) {
			continue
		}
		if len(hits) == n {
			return hits, true
		}
		hits = append(hits, hit{at, s.sequence})
	}
	return hits, false
}

// between returns the sequences of matching events in (after, upto], in stream
// order, superseded ones too: it is what a reader of the live stream missed.
func (x *index) between(f *filter, after, upto uint64, n int) []uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.match(f)
	i, _ := x.find(after + 1)
	var out []uint64
	for ; i < len(x.slots) && x.slots[i].sequence <= upto && len(out) < n; i++ {
		if m.ok(&x.slots[i]) {
			out = append(out, x.slots[i].sequence)
		}
	}
	return out
}

// facet is one value that the list can be filtered by.
type facet struct {
	Value string
	Count int
}

// facets counts the alerts that are not folded by channel, feed, country,
// language and state, for the page's menus.
func (x *index) facets() map[string][]facet {
	x.mu.RLock()
	defer x.mu.RUnlock()
	type counter struct {
		names  *names
		counts []int
	}
	dims := map[string]*counter{}
	for name, t := range map[string]*names{"channel": &x.channels, "feed": &x.feeds, "country": &x.countries,
		"language": &x.languages, "state": &x.states, "tier": &x.tiers} {
		dims[name] = &counter{t, make([]int, len(t.words)+1)}
	}
	severity := make([]int, len(rule.Severities))
	channel, feeds, country, language, state, tier := dims["channel"].counts, dims["feed"].counts,
		dims["country"].counts, dims["language"].counts, dims["state"].counts, dims["tier"].counts
	for i := range x.slots {
		s := &x.slots[i]
		if s.superseded != 0 || s.folded {
			continue
		}
		channel[s.channel]++
		feeds[s.feed]++
		country[s.country]++
		language[s.language]++
		tier[s.tier]++
		severity[s.severity]++
		for _, st := range x.stateSets.members(s.states) {
			state[st]++
		}
	}
	out := map[string][]facet{}
	for name, d := range dims {
		fs := []facet{}
		for i, w := range d.names.words {
			if n := d.counts[i+1]; n > 0 {
				fs = append(fs, facet{w, n})
			}
		}
		sort.Slice(fs, func(i, j int) bool { return fs[i].Value < fs[j].Value })
		out[name] = fs
	}
	for i, sev := range rule.Severities {
		out["severity"] = append(out["severity"], facet{string(sev), severity[i]})
	}
	return out
}

// recent counts the alerts since a time, folded ones left out.
func (x *index) recent(since time.Time) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n, from := 0, since.UnixNano()
	for i := len(x.slots) - 1; i >= 0; i-- {
		s := &x.slots[i]
		if s.at < from {
			break
		}
		if s.superseded == 0 && !s.folded {
			n++
		}
	}
	return n
}

// names gives short ids to words; 0 is "none". Words come from checked files
// or were checked by the raiser, the cap is for the case that they were not.
type names struct {
	ids   map[string]uint16
	words []string // words[id-1]
}

const (
	maxNames   = 20_000
	maxNameLen = 100
)

func (n *names) intern(w string) uint16 {
	if id, ok := n.ids[w]; ok {
		return id
	}
	if w == "" || len(w) > maxNameLen || len(n.words) >= maxNames {
		return 0
	}
	if n.ids == nil {
		n.ids = map[string]uint16{}
	}
	w = strings.Clone(w) // not the whole event's buffer
	n.words = append(n.words, w)
	n.ids[w] = uint16(len(n.words))
	return n.ids[w]
}

// sets gives ids to sets of words, of which there are few different ones.
type sets struct {
	ids  map[string]uint32
	sets [][]uint16 // sets[id-1]
}

func (s *sets) intern(n *names, words []string) uint32 {
	if len(words) == 0 {
		return 0
	}
	words = slices.Compact(slices.Sorted(slices.Values(words[:min(len(words), 64)])))
	key := strings.Join(words, ",")
	if id, ok := s.ids[key]; ok {
		return id
	}
	var set []uint16
	for _, w := range words {
		if id := n.intern(w); id != 0 {
			set = append(set, id)
		}
	}
	if s.ids == nil {
		s.ids = map[string]uint32{}
	}
	s.sets = append(s.sets, set)
	s.ids[key] = uint32(len(s.sets))
	return s.ids[key]
}

func (s *sets) members(id uint32) []uint16 {
	if id == 0 {
		return nil
	}
	return s.sets[id-1]
}
