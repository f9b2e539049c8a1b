package web

import (
	"time"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

// FeedStatus is one feed as /api/v1/feeds and the sources page tell of it: the
// catalogue's words and the live state.
type FeedStatus struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	URL      string   `json:"url,omitempty"`
	NewURL   string   `json:"new_url,omitempty"` // where a permanent redirect points
	Kind     string   `json:"kind"`
	Tier     string   `json:"tier"`
	Country  string   `json:"country"`
	Language string   `json:"language"`
	Tags     []string `json:"tags"`

	State    string    `json:"state"` // pending, ok, failing, silent, gone or disabled
	Since    time.Time `json:"since,omitzero"`
	Reason   string    `json:"reason,omitempty"` // class of the last failure
	Text     string    `json:"text,omitempty"`   // a sentence that says what is wrong and what to do
	Failures int       `json:"failures"`         // in a row
	Disabled string    `json:"disabled,omitempty"`

	LastSuccess     time.Time `json:"last_success,omitzero"`
	LastNewItem     time.Time `json:"last_new_item,omitzero"`
	LastPoll        time.Time `json:"last_poll,omitzero"`
	NextDue         time.Time `json:"next_due,omitzero"`
	IntervalSeconds float64   `json:"interval_seconds"`
	Why             string    `json:"why,omitempty"`            // how the interval came about, or why the next poll is later
	Notes           []string  `json:"notes,omitempty"`          // what is odd but no failure
	Certificate     time.Time `json:"certificate_end,omitzero"` // of the server
}

// RuleInfo is one rule as /api/v1/rules tells of it.
type RuleInfo struct {
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	Channel      string   `json:"channel"`
	ChannelTitle string   `json:"channel_title,omitempty"`
	Severity     string   `json:"severity"`
	Version      string   `json:"version"`
	File         string   `json:"file,omitempty"`
	Match        string   `json:"match,omitempty"`
	Unless       string   `json:"unless,omitempty"`
	Budget       int      `json:"budget,omitempty"`      // alerts a day; 0 when the rule has none
	OverBudget   bool     `json:"over_budget,omitempty"` // raised more than that today
	Disabled     string   `json:"disabled,omitempty"`
	References   []string `json:"references"`

	About  string      `json:"about,omitempty"`
	Line   int         `json:"line,omitempty"`
	Cost   float64     `json:"cost"`             // expected steps an item
	Anchor string      `json:"anchor,omitempty"` // what an item must hold for the rule to be tried; "" for every item
	Tests  []rule.Case `json:"tests"`
	Alerts int         `json:"alerts_30d"` // raised in the last 30 days; filled in by web
	Today  int         `json:"alerts_24h"` // in the last 24 hours; filled in by web
}

// Status is the daemon at a glance, for `monitor status` and /api/v1/status.
type Status struct {
	Version    string            `json:"version"`
	Instance   string            `json:"instance"`
	Started    time.Time         `json:"started,omitzero"`
	Uptime     float64           `json:"uptime_seconds"`
	Ready      string            `json:"ready"` // "yes", or why not; filled in by web
	SelfTest   SelfTest          `json:"self_test"`
	Feeds      map[string]int    `json:"feeds"` // by state
	Rules      int               `json:"rules"`
	Copies     Copies            `json:"copies"`
	Problems   []problem.Problem `json:"problems"` // of the configuration files, as they are now
	NATS       NATSStatus        `json:"nats"`
	Streams    []StreamStatus    `json:"streams"`
	Readers    []ReaderStatus    `json:"readers"`
	Pushed     []Destination     `json:"destinations"`
	Mutes      []Muted           `json:"mutes"`       // active ones, the next to end first
	Folded     map[string]int    `json:"folded"`      // alerts of the last 24 hours that were not pushed, by reason
	OverBudget []string          `json:"over_budget"` // rules that raised more in the last 24 hours than their budget
	Nodes      []NodeStatus      `json:"nodes"`       // the processes that share the feeds, this one among them
}

// SelfTest says when a document of our own last became a stored alert.
type SelfTest struct {
	Every float64   `json:"every_seconds"` // 0: off
	Last  time.Time `json:"last,omitzero"` // of this process; zero before the first
}

// Destination is one place that alerts are pushed to.
type Destination struct {
	Name          string    `json:"name"`
	Service       string    `json:"service"`
	State         string    `json:"state"` // ok, waiting, failing, disabled or standing by
	LastDelivered time.Time `json:"last_delivered,omitzero"`
	Undelivered   int       `json:"undelivered"`
	More          bool      `json:"more,omitempty"` // at least so many
	LastError     string    `json:"last_error,omitempty"`
	Text          string    `json:"text"` // a sentence
}

// Copies names the feeds files and rules folders that run: paths, or builtin.
type Copies struct {
	Feeds []string `json:"feeds"`
	Rules []string `json:"rules"`
}

// NATSStatus says where alerts are published.
type NATSStatus struct {
	URL       string `json:"url,omitempty"` // where a client subscribes; empty when the listener is off
	Embedded  bool   `json:"embedded"`
	Connected bool   `json:"connected"`
	Prefix    string `json:"prefix"`
}

// StreamStatus is the size of one stream.
type StreamStatus struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	Limit    int64  `json:"limit_bytes"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Damage   string `json:"damage,omitempty"` // what was found of it: the log has more, and what to do
}

// ReaderStatus is how far a reader is behind its stream.
type ReaderStatus struct {
	Name     string    `json:"name"`
	Owner    string    `json:"owner,omitempty"`
	Sequence uint64    `json:"sequence"`
	Lag      uint64    `json:"lag"`
	Oldest   time.Time `json:"oldest,omitzero"` // of what waits
}

// NodeStatus is one process of this deployment and what it polls.
type NodeStatus struct {
	ID     string `json:"id"`
	Host   string `json:"host"`
	PID    int    `json:"pid"`
	Self   bool   `json:"self,omitempty"` // the one that answers
	Shards []int  `json:"shards"`
	Feeds  int    `json:"feeds"` // watched ones
}

func (s *Server) feeds() []FeedStatus {
	if s.cfg.Feeds == nil {
		return []FeedStatus{}
	}
	feeds := s.cfg.Feeds()
	for i := range feeds {
		feeds[i].Tags = list(feeds[i].Tags)
	}
	return list(feeds)
}

func (s *Server) rules() []RuleInfo {
	if s.cfg.Rules == nil {
		return []RuleInfo{}
	}
	rules := s.cfg.Rules()
	for i := range rules {
		rules[i].References, rules[i].Tests = list(rules[i].References), list(rules[i].Tests)
	}
	return list(rules)
}

// list keeps null out of JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
