package web

import (
	"context"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

// Desk is what the page changes for everybody: mutes and acknowledgements. It
// refuses with alert.ErrNotAccepted, ErrNoMute and ErrNoAlert.
type Desk interface {
	Mutes(ctx context.Context) ([]Muted, error) // the active ones, the next to end first
	Mute(ctx context.Context, m alert.Mute) (alert.Mute, error)
	Unmute(ctx context.Context, id, by string) error
	Ack(ctx context.Context, alertID string, a alert.Ack) error
}

// Muted is an active mute and what it held back so far.
type Muted struct {
	alert.Mute
	Held int `json:"held"` // alerts folded by it
}

// Question is a query of the rule language over stored items.
type Question struct {
	Query string
	Since time.Duration // how far back, by the time of fetching
	Limit int           // items to return; all are counted
}

// Answer is what a query would match. A query with problems has nothing else.
type Answer struct {
	Problems problem.List `json:"problems"` // positions in the query, with caret and hint
	Found    []Found      `json:"found"`    // newest first
	Days     []Day        `json:"days"`     // oldest first, without a hole
	Matched  int          `json:"matched"`
	Read     int          `json:"read"`     // items looked at
	Complete bool         `json:"complete"` // false: stopped at the bound before all were read
	Price    string       `json:"price"`    // what `rules cost` says of it
}

// Found is one stored item that the query matches.
type Found struct {
	Item     feed.Item       `json:"item"`
	Snippet  string          `json:"snippet"`
	Evidence []rule.Evidence `json:"evidence"`
	Raised   []RaisedAs      `json:"raised"` // what was raised for it already
}

// RaisedAs names an alert that exists.
type RaisedAs struct {
	ID       string        `json:"id"`
	Channel  string        `json:"channel"`
	Severity rule.Severity `json:"severity"`
	Folded   string        `json:"folded,omitempty"` // the reason, when it is
}

// Day counts what a query matched on a day (UTC).
type Day struct {
	Date  string `json:"date"` // 2006-01-02
	Count int    `json:"count"`
}

// Reason answers why a link or a title did, or did not, become an alert: the
// sentences in order, each with what it is about.
type Reason struct {
	Query   string       `json:"query"`
	Items   []ReasonItem `json:"items"`   // stored items it means, newest first
	Verdict string       `json:"verdict"` // one of not-watched, not-seen, held, no-match, folded, muted, raised
	Text    string       `json:"text"`    // a sentence for a person
}

// ReasonItem is one stored item and what became of it.
type ReasonItem struct {
	Feed    string        `json:"feed"`
	Key     string        `json:"key"`
	Title   string        `json:"title"`
	Link    string        `json:"link,omitempty"`
	Fetched time.Time     `json:"fetched"`
	Held    string        `json:"held,omitempty"` // backlog or flood
	Verdict string        `json:"verdict"`
	Raised  []RaisedAs    `json:"raised"`
	Sent    []string      `json:"sent"`    // destinations that have passed it
	Nearest []NearestRule `json:"nearest"` // per channel, when nothing matched there
	Text    string        `json:"text"`
}

// NearestRule is the rule of a channel that came closest, and where it failed.
type NearestRule struct {
	Channel string `json:"channel"`
	Rule    string `json:"rule"`
	Failed  string `json:"failed"` // the first clause that failed, or the unless/where that stopped it
}
