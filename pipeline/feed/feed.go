// Package feed is what a feed is: bytes in, items out. In: a document as a
// server sent it, and the entry of feeds.yaml that it belongs to. Out: plain
// items with identity and dates, and what had to be repaired to get them. It
// never asks a server, never stores anything and never decides what is new.
package feed

import (
	"slices"
	"time"
)

// ParserVersion goes into items and poll state. Raise it when the same bytes
// give other texts than before, so that the first poll after an upgrade only
// re-learns revisions instead of announcing every item as edited.
const ParserVersion = 2

// Canary is the id of the self-test's feed, which is in no catalogue.
const Canary = "canary"

// Feed is one entry of feeds.yaml, checked and complete: whoever holds one
// need not check it again.
type Feed struct {
	ID       string   // slug [a-z0-9-]{1,60}; the identity, for ever: it is part of subjects and keys
	Title    string   // for people
	URL      string   // absolute http(s), or rsshub:/route until the catalogue resolved it
	Kind     string   // one of Kinds
	Tier     string   // one of Tiers: who may speak for a government; voices may override it an item
	Country  string   // ISO 3166-1 alpha-2 of the publisher, or EU, UN
	Language string   // BCP 47
	Tags     []string // free slugs
	Every    time.Duration
	Auto     bool   // every: auto; Every is then where learning starts
	Disabled string // the reason why it is not watched; URL may then be empty

	UserAgent  string            // overrides the daemon's own
	Charset    string            // overrides everything the document says
	DateLayout string            // Go layout, tried before all others
	Identity   string            // auto, guid, link or title: what Key is made of
	Headers    map[string]Secret // sent with each request, never shown
}

// Secret is a header value that lives in the environment or in a file, read at
// each request so that it can be rotated. Exactly one of the two is set.
type Secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// Kinds and Tiers are the values that feeds.yaml may use, in order of the manual.
var (
	Kinds = []string{"ministry", "law-enforcement", "treasury", "cyber-agency", "legislature", "court",
		"international-organisation", "state-media", "party-media", "think-tank", "academic", "media"}
	Tiers = []string{"authoritative", "quasi-authoritative", "non-authoritative"}
)

// Source is what an item says of its feed, as it was when the item was
// fetched: matching uses this copy, so that a replay gives the same answer
// after feeds.yaml has changed.
type Source struct {
	ID      string   `json:"id"`
	Title   string   `json:"title,omitempty"`
	Kind    string   `json:"kind,omitempty"`
	Tier    string   `json:"tier,omitempty"`
	Country string   `json:"country,omitempty"`
	Tags    []string `json:"tags"`
}

// Source returns the copy for an item.
func (f Feed) Source() Source {
	tags := f.Tags
	if tags == nil {
		tags = []string{}
	}
	return Source{ID: f.ID, Title: f.Title, Kind: f.Kind, Tier: f.Tier, Country: f.Country, Tags: tags}
}

// Item is one entry of a feed in plain text. Its JSON form is contract
// (design.md 4.6); offsets of evidence point into Title, Summary and Content
// as they stand here.
type Item struct {
	Feed       string    `json:"feed"`               // feed id, "" when read outside the catalogue
	Key        string    `json:"key"`                // 32 hex: the identity within the feed
	Revision   string    `json:"revision"`           // 16 hex: hash of the normalised text
	GUID       string    `json:"guid,omitempty"`     // as served, up to 4 KB
	Link       string    `json:"link,omitempty"`     // absolute http(s), up to 4 KB
	Title      string    `json:"title"`              // one line, up to 2 KB
	Summary    string    `json:"summary"`            // one line
	Content    string    `json:"content"`            // paragraphs separated by newlines, up to 256 KB
	Authors    []string  `json:"authors"`            //
	Categories []string  `json:"categories"`         //
	Language   string    `json:"language,omitempty"` // BCP 47: item's, else the document's, else the feed's
	Published  time.Time `json:"published,omitzero"` // UTC; only if the document dates the item
	Updated    time.Time `json:"updated,omitzero"`   // UTC
	Quality    string    `json:"date_quality"`       // declared, inferred or missing
	Fetched    time.Time `json:"fetched,omitzero"`   // UTC, when the body's last byte was read
	Held       string    `json:"held,omitempty"`     // "", backlog or flood: stored and matched, but not pushed
	Backlog    bool      `json:"backlog,omitempty"`  // came with the feed's first poll, fresh enough to raise
	Cut        []string  `json:"cut"`                // fields that were longer than we keep
	Parser     int       `json:"parser,omitempty"`   // ParserVersion that made it
	Source     Source    `json:"source"`             //
}

// Equal tells whether two items are the same in every field.
func (it Item) Equal(x Item) bool {
	s, t := it.Source, x.Source
	return it.Feed == x.Feed && it.Key == x.Key && it.Revision == x.Revision && it.GUID == x.GUID && it.Link == x.Link &&
		it.Title == x.Title && it.Summary == x.Summary && it.Content == x.Content && slices.Equal(it.Authors, x.Authors) &&
		slices.Equal(it.Categories, x.Categories) && it.Language == x.Language && it.Published.Equal(x.Published) &&
		it.Updated.Equal(x.Updated) && it.Quality == x.Quality && it.Fetched.Equal(x.Fetched) && it.Held == x.Held &&
		it.Backlog == x.Backlog && slices.Equal(it.Cut, x.Cut) && it.Parser == x.Parser &&
		s.ID == t.ID && s.Title == t.Title && s.Kind == t.Kind && s.Tier == t.Tier && s.Country == t.Country && slices.Equal(s.Tags, t.Tags)
}

// Document is a feed's body as it came, after content decoding.
type Document struct {
	Feed        Feed   // zero when read outside the catalogue
	URL         string // where it came from after redirects; relative links resolve against it
	ContentType string // the HTTP header, for its charset

	// ContentLanguage and ContentLocation are the HTTP headers, "" where there
	// are none: the language of what says nothing else, and the address that
	// the document gives itself.
	ContentLanguage string
	ContentLocation string

	Body    []byte    //
	Fetched time.Time //
}

// Parsed is what a document holds.
type Parsed struct {
	Title       string
	Link        string
	Description string
	Language    string
	TTL         time.Duration  // RSS ttl or sy:updatePeriod/Frequency; 0 when silent
	SkipHours   []int          // GMT hours, RSS skipHours
	SkipDays    []time.Weekday // RSS skipDays
	Items       []Item         // in the document's order
	Repairs     []string       // what had to be mended: charset, control, entity, markup, truncated, html, gzip ...
}
