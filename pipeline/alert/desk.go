package alert

import "time"

// Mute holds back alerts for the whole desk: they are folded, not pushed. The
// one active raiser judges mutes when it raises. Kept in KV DESK as mute.<id>.
type Mute struct {
	ID       string    `json:"id"`
	Scope    Scope     `json:"scope"`
	Until    time.Time `json:"until"` // at most 30 days after At
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	Critical bool      `json:"critical"` // holds back critical alerts too
}

// Scope is what a mute holds back; exactly one field is set.
type Scope struct {
	Rule    string `json:"rule,omitempty"`
	Feed    string `json:"feed,omitempty"`
	Channel string `json:"channel,omitempty"`
	Story   string `json:"story,omitempty"`
}

// Verdicts of an acknowledgement.
const (
	VerdictSeen        = "seen"
	VerdictNotRelevant = "not-relevant"
)

// Ack is somebody's word on an alert. Kept in KV DESK as ack.<alert id>.
type Ack struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Verdict string    `json:"verdict"` // seen or not-relevant
	Note    string    `json:"note,omitempty"`
}
