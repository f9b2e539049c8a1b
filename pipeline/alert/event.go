package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// Types of events. In v1 fields are only ever added.
const (
	Raised  = "newsmonitor.alert.raised.v1"
	Updated = "newsmonitor.alert.updated.v1" // a higher severity than before; Data.Was is the old one
	Folded  = "newsmonitor.alert.folded.v1"  // stored with its reason, not pushed
)

// SchemaURI names deploy/schemas/alert.v1.json in each event.
const SchemaURI = "urn:newsmonitor:schema:alert.v1"

// ContentType is the media type of an encoded Event: CloudEvents 1.0 in its
// structured JSON form, the only form that the released NATS binding knows.
const ContentType = "application/cloudevents+json"

// maxEvent is the size that no encoded event exceeds, in bytes (contract 4.4).
const maxEvent = 64 << 10

// Event is an alert as it travels: a CloudEvents 1.0 envelope. Consumers drop
// repeats by ID and join the events of one alert by Data.ID.
type Event struct {
	SpecVersion     string        `json:"specversion" jsonschema:"enum=1.0"`
	ID              string        `json:"id" jsonschema:"pattern=^[0-9a-f]{32}$"`
	Type            string        `json:"type" jsonschema:"enum=newsmonitor.alert.raised.v1,enum=newsmonitor.alert.updated.v1,enum=newsmonitor.alert.folded.v1"`
	Source          string        `json:"source" jsonschema:"pattern=^/newsmonitor/"`
	Subject         string        `json:"subject" jsonschema_description:"The channel."`
	Time            time.Time     `json:"time" jsonschema_description:"When the alert was raised."`
	DataContentType string        `json:"datacontenttype" jsonschema:"enum=application/json"`
	DataSchema      string        `json:"dataschema"`
	Severity        rule.Severity `json:"severity" jsonschema:"enum=low,enum=medium,enum=high,enum=critical"`
	Data            Data          `json:"data"`

	// Not part of the message's body:
	Sketch   string `json:"-"` // for the header Nm-Sketch
	Sequence uint64 `json:"-"` // where the item stands in ITEMS, for the header Nm-Sequence; 0 when it is not known
}

// Data says what was found, where, who said it and why it was raised. Lists
// are never null; unknown strings are absent.
type Data struct {
	ID       string        `json:"id" jsonschema:"pattern=^[0-9a-f]{32}$" jsonschema_description:"The alert: one for each item and channel."`
	Channel  string        `json:"channel"`
	Channels []string      `json:"channels" jsonschema_description:"Every channel that this revision of the item raises, strongest first."`
	Severity rule.Severity `json:"severity" jsonschema:"enum=low,enum=medium,enum=high,enum=critical"`
	Was      rule.Severity `json:"was,omitempty" jsonschema:"enum=low,enum=medium,enum=high,enum=critical"`
	Score    float64       `json:"score"`
	Backlog  bool          `json:"backlog" jsonschema_description:"The item came with the feed's first poll."`
	States   []string      `json:"states" jsonschema_description:"ISO codes of the states that the item is about."`
	Story    Story         `json:"story"`
	Folded   *Fold         `json:"folded,omitempty"`
	Item     Item          `json:"item"`
	Source   feed.Source   `json:"source"`
	Voice    *rule.Voice   `json:"voice,omitempty"`
	Rules    []rule.Match  `json:"rules" jsonschema_description:"Why: the rules that matched, strongest first, with the words and their places."`
	Cut      []string      `json:"cut" jsonschema_description:"What was left out to keep the event under 64 KB."`
}

// Story groups the alerts that tell the same news.
type Story struct {
	ID   string    `json:"id" jsonschema_description:"The alert id of the story's first carrier."`
	Lead bool      `json:"lead" jsonschema_description:"The story's first alert, or the first of a voice of a higher tier."`
	Adds string    `json:"adds,omitempty" jsonschema:"enum=severity,enum=voice,enum=organ" jsonschema_description:"Why a later carrier is raised: a higher severity, a voice of a higher tier, or an authoritative organ or country that had not spoken."`
	Also []Carrier `json:"also" jsonschema_description:"Other carriers known when the event was made."`
}

// Carrier is another item that tells the same story.
type Carrier struct {
	Feed      string    `json:"feed"`
	Title     string    `json:"title"`
	Link      string    `json:"link,omitempty"`
	Published time.Time `json:"published,omitzero"`
}

// Reasons why an alert is folded: stored, not pushed.
const (
	FoldStory   = "story"
	FoldMute    = "mute"
	FoldBacklog = "backlog"
	FoldFlood   = "flood"
)

// Fold says why an alert was not pushed.
type Fold struct {
	Reason string    `json:"reason" jsonschema:"enum=story,enum=mute,enum=backlog,enum=flood"`
	By     string    `json:"by,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Mute   string    `json:"mute,omitempty" jsonschema_description:"The id of the mute, when that is the reason."`
}

// Item is what an event tells of the item: enough to judge it, never its full
// text.
type Item struct {
	Feed      string    `json:"feed"`
	Key       string    `json:"key" jsonschema:"pattern=^[0-9a-f]{32}$"`
	Revision  string    `json:"revision"`
	Title     string    `json:"title"`
	Link      string    `json:"link,omitempty"`
	Summary   string    `json:"summary" jsonschema_description:"Plain text, up to 500 characters."`
	Language  string    `json:"language,omitempty"`
	Authors   []string  `json:"authors"`
	Published time.Time `json:"published,omitzero"`
	Quality   string    `json:"date_quality,omitempty" jsonschema:"enum=declared,enum=inferred,enum=missing"`
	Fetched   time.Time `json:"fetched,omitzero"`
}

// Stored is an event where it stands in ALERTS.
type Stored struct {
	Sequence uint64 // of the stream; 0 when there is none
	Subject  string
	Folded   bool // on news.folded instead of news.alerts
	Event    Event
}

// ID returns the identity of the alert for an item in a channel.
func ID(channel, itemKey string) string { return hash(channel, itemKey) }

// EventID returns the identity of one event of an alert.
func EventID(alertID, typ string, severity rule.Severity) string {
	return hash(alertID, typ, string(severity))
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Encode returns the event's JSON, never larger than 64 KB: evidence goes
// first, then the snippets, then the summary, and Data.Cut names what went.
func Encode(e Event) ([]byte, error) {
	b, err := json.Marshal(e)
	for _, c := range cuts {
		if err != nil || len(b) <= maxEvent {
			break
		}
		e.Data = c.cut(e.Data)
		e.Data.Cut = append(e.Data.Cut[:len(e.Data.Cut):len(e.Data.Cut)], c.name)
		b, err = json.Marshal(e)
	}
	if err != nil {
		return nil, fmt.Errorf("encode alert %s: %w", e.Data.ID, err)
	}
	if len(b) > maxEvent {
		return nil, fmt.Errorf("encode alert %s: %d bytes after every cut, %d allowed", e.Data.ID, len(b), maxEvent)
	}
	return b, nil
}

// Decode reads what Encode wrote, of this or an older version.
func Decode(b []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(b, &e); err != nil {
		return Event{}, fmt.Errorf("decode alert: %w", err)
	}
	return e, nil
}

// cuts are tried in order until the event fits.
var cuts = []struct {
	name string
	cut  func(Data) Data
}{
	{"evidence", func(d Data) Data {
		return perRule(d, func(m rule.Match) rule.Match { m.Evidence = first(m.Evidence, 10); return m })
	}},
	{"evidence context", func(d Data) Data {
		return perRule(d, func(m rule.Match) rule.Match {
			m.Snippet = clip(m.Snippet, 240)
			m.Evidence = append([]rule.Evidence{}, first(m.Evidence, 3)...)
			for i := range m.Evidence {
				e := &m.Evidence[i]
				e.Before, e.After, e.Text = "", "", clip(e.Text, 200)
			}
			return m
		})
	}},
	{"rules", func(d Data) Data { d.Rules = first(d.Rules, 20); return d }},
	{"authors", func(d Data) Data {
		d.Item.Authors = first(d.Item.Authors, 3)
		for i, a := range d.Item.Authors {
			d.Item.Authors[i] = clip(a, 200)
		}
		return d
	}},
	{"story", func(d Data) Data { d.Story.Also = first(d.Story.Also, 5); return d }},
}

func perRule(d Data, f func(rule.Match) rule.Match) Data {
	out := make([]rule.Match, len(d.Rules))
	for i, m := range d.Rules {
		out[i] = f(m)
	}
	d.Rules = out
	return d
}

// first copies, so that what is cut from an event is not cut from its maker.
func first[T any](s []T, n int) []T { return append([]T{}, s[:min(n, len(s))]...) }

// clip shortens to n runes on a word's end where there is one near.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	cut := string(r[:n-1])
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)*3/4 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " ,;:") + "…"
}
