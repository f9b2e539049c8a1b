package poll

import (
	"context"
	"errors"
	"time"

	"newsmonitor/pipeline/feed"
)

// State is what we remember of one feed between polls: KV FEEDS, key = feed
// id. It is written after the items of a poll are in ITEMS, never before, so
// that a crash in between repeats the poll and the stream refuses the repeats.
type State struct {
	URL          string `json:"url"`                     // the validators below belong to this address
	ETag         string `json:"etag,omitempty"`          // byte for byte as served
	LastModified string `json:"last_modified,omitempty"` // byte for byte as served
	Body         string `json:"body,omitempty"`          // hash of the last good body: the same bytes need no parsing
	Parser       int    `json:"parser"`                  // feed.ParserVersion that made Items

	State       string    `json:"state"`            // pending, ok, failing, silent, gone (disabled is the catalogue's word)
	Since       time.Time `json:"since,omitzero"`   // of State
	Reason      string    `json:"reason,omitempty"` // class of the last failure, one of Reasons
	Error       string    `json:"error,omitempty"`  // the last failure in words, no bytes of the server's
	Failures    int       `json:"failures"`         // in a row
	LastPoll    time.Time `json:"last_poll,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastNew     time.Time `json:"last_new,omitzero"` // when the last new item was fetched
	NextDue     time.Time `json:"next_due,omitzero"`
	NewURL      string    `json:"new_url,omitempty"` // where a permanent redirect points

	Origin    string    `json:"origin,omitempty"`     // what gave the validators, when redirects led away from URL
	LastFull  time.Time `json:"last_full,omitzero"`   // when a body last came: a server may be stuck on 304
	NotBefore time.Time `json:"not_before,omitzero"`  // the server's wish: Retry-After after a failure, else freshness and Wish
	Wish      Wish      `json:"wish,omitzero"`        // what the last document said about its pace
	Gone      int       `json:"gone,omitempty"`       // answers 410 since the last good one
	Status    int       `json:"status,omitempty"`     // of the last failure, 0 without an answer
	Moved     int       `json:"moved_seen,omitempty"` // answers in a row that named NewURL, up to 5

	MovedSince time.Time `json:"moved_since,omitzero"`    // when NewURL was first named
	Adopted    bool      `json:"adopted,omitempty"`       // NewURL is asked directly; feeds.yaml stays as it is
	Rhythm     Rhythm    `json:"rhythm,omitzero"`         // when it had news: every: auto and silence
	Suspect    bool      `json:"suspect,omitempty"`       // its 304 was wrong: a whole answer each day
	Ignored    int       `json:"never_304,omitempty"`     // conditional requests in a row that brought the same bytes again, up to 3
	SilentTold bool      `json:"silent_told,omitempty"`   // the silence was told of; until there is news again
	LastQuiet  time.Time `json:"last_unchanged,omitzero"` // when a 304 last came since LastFull

	Newest string `json:"newest,omitempty"` // end of a long document without dates where new items appear: first or last

	Items map[string]Known `json:"items"` // by key: the last document's items, and for a while those it dropped
}

// clockSlack is how far the clocks of replicas may lie apart.
const clockSlack = time.Minute

// anchor ties a state that was read to our clock of now. What was saved by a
// clock that was ahead, ours before it was set back or another replica's, lies
// in the future: nothing waits longer than it was to wait then. After that a
// clock that is set moves no time that we wait for.
func (s *State) anchor(now time.Time) {
	ahead := s.LastPoll.Sub(now)
	if ahead < clockSlack {
		ahead = 0
	}
	for _, t := range []*time.Time{&s.NextDue, &s.NotBefore} {
		if !t.IsZero() {
			*t = now.Add(t.Sub(now) - ahead).UTC()
		}
	}
	if ahead == 0 {
		return
	}
	for _, t := range []*time.Time{&s.LastPoll, &s.LastSuccess, &s.LastNew, &s.LastFull, &s.LastQuiet, &s.Since, &s.MovedSince} {
		if t.After(now) {
			*t = now.UTC()
		}
	}
	s.Rhythm = s.Rhythm.until(now)
}

// Wish is what a document says about how often to ask.
type Wish struct {
	TTL       time.Duration  `json:"ttl,omitempty"`        // ns
	SkipHours []int          `json:"skip_hours,omitempty"` // GMT
	SkipDays  []time.Weekday `json:"skip_days,omitempty"`  // GMT
}

// Known is what we remember of one item that the feed still lists. The hashes
// recognise an item whose guid changed.
type Known struct {
	GUID      string   `json:"guid,omitempty"`
	Link      string   `json:"link,omitempty"`
	Title     string   `json:"title,omitempty"`
	Sequence  uint64   `json:"seq"`       // of its last revision in ITEMS
	Revisions []string `json:"revisions"` // the last 4, newest last

	Missed int `json:"missed,omitempty"` // documents in a row that did not list it
}

// Draft is an item to append, with the sequence that its subject is expected
// to have: 0 for a new item, Known.Sequence for a new revision.
type Draft struct {
	Item  feed.Item
	After uint64
}

// ErrAhead says that somebody else wrote first: drop this poll, load the
// State again, never overwrite.
var ErrAhead = errors.New("somebody else is ahead")

// ErrRefused says that the store will never take an item, however often it is
// offered: it is too large for the store's own settings. The others are stored
// without it, and the feed says so.
var ErrRefused = errors.New("the store refuses it for good")

// Recaller is an Inbox that can also say what it holds. An item that left the
// document and comes back edited, and one that was edited between a crash and
// the next poll, are refused with ErrAhead although nobody is ahead; with
// Last they find their place again. Sequence 0 means that nothing is stored.
type Recaller interface {
	Last(ctx context.Context, feedID, key string) (sequence uint64, revision string, err error)
}

// States remembers feed state across restarts. A State that was never saved
// loads as zero with version 0; Save with another version than the stored one
// fails with ErrAhead.
type States interface {
	Load(ctx context.Context, feedID string) (s State, version uint64, err error)
	Save(ctx context.Context, feedID string, s State, version uint64) (uint64, error)
}

// Inbox takes each item revision once and returns the sequences it stands at.
// An item that is already there counts as appended. With an error other than
// ErrAhead some may be stored and others not; all are offered again.
type Inbox interface {
	Append(ctx context.Context, drafts []Draft) (sequences []uint64, err error)
}
