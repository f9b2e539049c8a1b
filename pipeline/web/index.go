package web

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
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

	// retold holds the later carriers of a story by its first one's id, as
	// alert ids in stream order; most stories have none.
	retold map[[16]byte][][16]byte

	channels, feeds, countries, tiers, languages, states, rules names
	stateSets, ruleSets                                         sets
}

// slot is one event.
type slot struct {
	sequence   uint64
	superseded uint64 // sequence of the alert's next event; 0 for the newest
	at         int64  // Event.Time, Unix nanoseconds
	id         [16]byte
	item       uint64 // the item's key, shortened: alerts of one item share it
	states     uint32 // of stateSets
	rules      uint32 // of ruleSets
	channel    uint16
	feed       uint16
	country    uint16
	language   uint16
	tier       uint8
	severity   uint8
	folded     bool
}

func newIndex() *index {
	return &index{byID: map[[16]byte]uint64{}, retold: map[[16]byte][][16]byte{}}
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
		sequence: st.Sequence, at: e.Time.UnixNano(), id: id, item: itemHash(e.Data),
		states:   x.stateSets.intern(&x.states, e.Data.States),
		rules:    x.ruleSets.intern(&x.rules, ruleIDs(e.Data)),
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
	if story, ok := parseID(e.Data.Story.ID); ok && story != id && !slices.Contains(x.retold[story], id) {
		x.retold[story] = append(x.retold[story], id)
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
			delete(x.retold, s.id) // its story began before everything that is kept
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
	x.retold = map[[16]byte][][16]byte{}
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

// itemHash shortens the item's key, which is 32 hexadecimal digits of a hash.
func itemHash(d alert.Data) uint64 {
	id, ok := parseID(d.Item.Key)
	if !ok {
		id, _ = parseID(d.ID) // an item of its own
	}
	return binary.BigEndian.Uint64(id[:8])
}

func ruleIDs(d alert.Data) []string {
	ids := make([]string, 0, len(d.Rules))
	for _, m := range d.Rules {
		ids = append(ids, m.ID)
	}
	return ids
}

// told is one carrier of a story, as far as the index knows it.
type told struct {
	ID       string
	Item     uint64
	Feed     string
	At       time.Time
	Folded   bool
	Severity rule.Severity
}

// carriers returns who told a story, the first one first; storyID is the
// first one's alert id.
func (x *index) carriers(storyID string) []told {
	id, ok := parseID(storyID)
	if !ok {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.retold[id]) == 0 {
		return nil
	}
	var out []told
	for _, member := range append([][16]byte{id}, x.retold[id]...) {
		if i, ok := x.find(x.byID[member]); ok && x.byID[member] != 0 {
			s := &x.slots[i]
			out = append(out, told{hex.EncodeToString(member[:]), s.item, x.feeds.word(s.feed), time.Unix(0, s.at).UTC(), s.folded,
				rule.Severities[min(int(s.severity), len(rule.Severities)-1)]})
		}
	}
	return out
}
