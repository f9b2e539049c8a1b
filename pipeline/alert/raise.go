// Package alert decides which matches deserve a person's attention. In: items
// in the order in which they were stored, and the rules. Out: events, each
// alert once, appended to ALERTS. It never asks a feed, never pushes to
// anybody, and never decides by the clock: an item read again gives the same
// alerts.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// ErrAhead says that the alert changed between reading and appending.
var ErrAhead = errors.New("somebody else is ahead")

// Items gives fn each stored item in stream order, with its sequence, from the
// reader's own place on. An item is done when fn returns nil; an error is tried
// again in place.
type Items interface {
	// Before the first item, and before items are done again of which it is not
	// known whether they are done, it calls begin.
	Each(ctx context.Context, reader string, begin func(), fn func(ctx context.Context, sequence uint64, it feed.Item) error) error
}

// Outbox takes each alert once.
type Outbox interface {
	// Last returns the last event of an alert, raised or folded, or one with
	// Sequence 0.
	Last(ctx context.Context, channel, feedID, alertID string) (Stored, error)
	// Append stores the event if the alert's last one still stands at after (0:
	// there is none), else it returns ErrAhead.
	Append(ctx context.Context, e Event, after uint64) (sequence uint64, err error)
	// WhenStored calls fn when what was appended within ctx is stored: at once,
	// or later when it only waits to be written together with others.
	WhenStored(ctx context.Context, fn func())
	// Heads gives fn what the headers tell of each event stored since a time,
	// in stream order.
	Heads(ctx context.Context, since time.Time, fn func(Head) error) error
}

// Raiser turns items into alerts.
type Raiser struct {
	Items    Items
	Outbox   Outbox
	Match    func(feed.Item) rule.Result           // by the rules of the moment: one whole set an item, so that a reload is never half seen
	Early    func(feed.Item) *Judged               // what was judged by the same rules while the item was being stored, or nil; may be nil
	Mutes    func(context.Context) ([]Mute, error) // the desk's, of the moment; nil: none, as in a replay
	Instance string                                // the deployment's name, in the events' source
	Now      func() time.Time                      // for the events' time only; decisions never look at it
	Log      *slog.Logger
	Metrics  *Metrics

	stories *stories // of the last days; nil until they are read
}

// Run raises alerts for stored items until ctx ends.
func (r *Raiser) Run(ctx context.Context) error {
	return r.Items.Each(ctx, "raise", func() { r.stories = nil }, r.raise)
}

// raise appends the alerts of one item, one after the other. It may be
// repeated at any time by anybody: what is already stored is left alone.
func (r *Raiser) raise(ctx context.Context, sequence uint64, it feed.Item) error {
	if it.Feed == Canary {
		return r.canary(ctx, it)
	}
	judged := r.judge(it)
	result := judged.result()
	r.Metrics.matched(result)
	if len(result.Channels) == 0 {
		return nil
	}
	if r.stories == nil {
		x := newStories()
		if err := x.load(ctx, r.Outbox, it.Fetched); err != nil {
			return err
		}
		r.stories = x
	}
	var channels []string
	for _, h := range result.Channels {
		channels = append(channels, h.Channel)
	}
	c := &candidate{it, sequence, result.Result, channels, r.stories.place(it, judged.look(), channels), judged.First}
	for _, h := range result.Channels {
		if err := r.raiseOne(ctx, c, h); err != nil {
			return fmt.Errorf("raise %s for item %s of feed %s: %w", h.Channel, it.Key, it.Feed, err)
		}
	}
	return nil
}

// candidate is an item with what is the same for all its alerts.
type candidate struct {
	it       feed.Item
	sequence uint64
	result   rule.Result
	channels []string // strongest first
	placed   placed
	first    bool // no alert of it should be there
}

func (r *Raiser) raiseOne(ctx context.Context, c *candidate, h rule.Hit) error {
	id := ID(h.Channel, c.it.Key)
	for first := c.first; ; first = false {
		// The alert's own past comes before story and mute: a repeat after a
		// crash decides the same, even when mutes or rules changed meanwhile.
		var last Stored
		if !first {
			var err error
			if last, err = r.Outbox.Last(ctx, h.Channel, c.it.Feed, id); err != nil {
				return err
			}
		}
		if last.after(c) || !more(last, c.it, h.Severity) {
			r.stories.recall(c, last)
			return nil
		}
		if last.Sequence > 0 {
			c.placed.story = last.Event.Data.Story.ID // where it is it stays
		}
		e := r.event(c, h)
		if err := r.tell(ctx, &e, c, last); err != nil {
			return err
		}
		hold, err := r.hold(ctx, c.it, e, last)
		if err != nil {
			return err
		}
		typ, ok := decide(last, h.Severity, hold != nil)
		if !ok {
			return nil
		}
		e.finish(typ, last, hold, c.placed.look.sketch)
		_, err = r.Outbox.Append(ctx, e, last.Sequence)
		if errors.Is(err, ErrAhead) {
			continue // read again: what is there now may be ours, or may still need this
		}
		if err != nil {
			return err
		}
		r.stories.told(e)
		c.placed.story = e.Data.Story.ID
		r.Outbox.WhenStored(ctx, func() {
			r.Metrics.raised(e)
			r.Log.Info("alert", "type", typ, "channel", h.Channel, "severity", h.Severity, "feed", c.it.Feed, "alert", id)
		})
		return nil
	}
}

// hold says why an alert is not for anybody's attention now, or nil.
func (r *Raiser) hold(ctx context.Context, it feed.Item, e Event, last Stored) (*Fold, error) {
	if it.Held != "" {
		return &Fold{Reason: it.Held}, nil
	}
	if d := e.Data.Story; !d.Lead && d.Adds == "" && last.raisedAt() == "" {
		return &Fold{Reason: FoldStory}, nil
	}
	if r.Mutes == nil {
		return nil, nil
	}
	mutes, err := r.Mutes(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range mutes {
		if m.holds(e) {
			return &Fold{Reason: FoldMute, By: m.By, Until: m.Until, Mute: m.ID}, nil
		}
	}
	return nil, nil
}

// tell fills in the event's story.
func (r *Raiser) tell(ctx context.Context, e *Event, c *candidate, last Stored) error {
	st := &e.Data.Story
	if c.placed.story != "" {
		st.ID = c.placed.story
	}
	st.Adds, st.Lead = r.stories.adds(c.placed, e.Data.Channel, e.Severity, voiceOf(c.it.Source, e.Data.Voice))
	if last.raisedAt() != "" { // it was raised: what it adds now is its severity
		st.Adds, st.Lead = "", last.Event.Data.Story.Lead
	}
	for _, o := range r.stories.others(c.placed, e.Data.Channel) {
		card, err := r.card(ctx, o, e.Data.Channel)
		if err != nil {
			return err
		}
		st.Also = append(st.Also, card)
	}
	return nil
}

// card is what an event tells of another carrier. What this process did not
// raise itself is read once.
func (r *Raiser) card(ctx context.Context, o *carrier, channel string) (Carrier, error) {
	d := o.channels[channel]
	if d.card == nil {
		st, err := r.Outbox.Last(ctx, channel, o.feed, d.alert)
		if err != nil {
			return Carrier{}, err
		}
		card := cardOf(st.Event)
		card.Feed = o.feed
		d.card = &card
	}
	return *d.card, nil
}

func cardOf(e Event) Carrier {
	it := e.Data.Item
	c := Carrier{Feed: it.Feed, Title: clip(it.Title, 200), Link: it.Link, Published: it.Published}
	if len(c.Link) > 500 {
		c.Link = ""
	}
	return c
}

// after says whether the alert's last event is of a revision that came after
// the candidate's. This one was judged before, then: when it comes again after
// a crash, what people were told of the later one stands. In a stream that was
// made anew sequences begin anew, but time goes on.
func (s Stored) after(c *candidate) bool {
	return s.Event.Sequence > c.sequence && !s.Event.Data.Item.Fetched.Before(c.it.Fetched)
}

// more says whether an item's match can add anything to what is stored of its
// alert. The same revision comes again only when a step is repeated, and is
// judged once, whatever rules and mutes have become meanwhile.
func more(last Stored, it feed.Item, severity rule.Severity) bool {
	switch {
	case last.Sequence == 0:
		return true
	case last.Event.Data.Item.Revision == it.Revision:
		return false
	case !last.Folded:
		return it.Held == "" && severity.Rank() > last.Event.Severity.Rank() // nothing held adds to what was raised
	case it.Held != "":
		return severity.Rank() > last.Event.Severity.Rank()
	}
	return true // folded before, edited since
}

// decide says which event an item's match calls for, given the last event of
// the same alert, to which it can add something.
func decide(last Stored, severity rule.Severity, hold bool) (typ string, ok bool) {
	was := last.raisedAt()
	switch {
	case hold && last.Folded:
		return Folded, severity.Rank() > last.Event.Severity.Rank()
	case hold:
		return Folded, true
	case was == "":
		return Raised, true
	}
	return Updated, severity.Rank() > was.Rank()
}

// raisedAt is the highest severity at which the alert went to people, "" when
// it never did.
func (s Stored) raisedAt() rule.Severity {
	switch {
	case s.Sequence == 0:
		return ""
	case s.Folded:
		return s.Event.Data.Was // an update that was held back
	}
	return s.Event.Severity
}

// finish makes the event one of a type.
func (e *Event) finish(typ string, last Stored, hold *Fold, s sketch) {
	e.Type, e.ID = typ, EventID(e.Data.ID, typ, e.Severity)
	e.Data.Was, e.Data.Folded = last.raisedAt(), hold
	if hold != nil && e.Data.Story.ID != e.Data.ID {
		e.Data.Story.Lead, e.Data.Story.Adds = false, ""
	}
	at := e.Severity
	if hold != nil {
		at = e.Data.Was
	}
	s.voice = voiceOf(e.Data.Source, e.Data.Voice)
	if at != "" {
		s.voice.raised = uint8(at.Rank()) + 1
	}
	e.Sketch = s.encode()
}

// event is the alert without its type.
func (r *Raiser) event(c *candidate, h rule.Hit) Event {
	it, result := c.it, c.result
	id := ID(h.Channel, it.Key)
	e := Event{
		SpecVersion: "1.0",
		Source:      "/newsmonitor/" + r.Instance + "/feeds/" + it.Feed, Subject: h.Channel,
		Time: r.Now().UTC().Truncate(time.Millisecond), DataContentType: "application/json", DataSchema: SchemaURI,
		Severity: h.Severity, Sequence: c.sequence,
		Data: Data{
			ID: id, Channel: h.Channel, Channels: c.channels, Severity: h.Severity, Score: h.Score, Backlog: it.Backlog,
			States: orEmpty(result.States),
			Story:  Story{ID: id, Lead: true, Also: []Carrier{}},
			Item: Item{
				Feed: it.Feed, Key: it.Key, Revision: it.Revision, Title: it.Title, Link: it.Link,
				Summary: clip(summary(it), 500), Language: language(result.Language, it.Language), Authors: orEmpty(it.Authors),
				Published: it.Published, Quality: it.Quality, Fetched: it.Fetched,
			},
			Source: it.Source, Rules: h.Rules, Cut: append(orEmpty(it.Cut), result.Cut...),
		},
	}
	e.Data.Source.Tags = orEmpty(e.Data.Source.Tags)
	if result.Voice.ID != "" {
		e.Data.Voice = &c.result.Voice
	}
	return e
}

// summary is the item's own, else the beginning of its text.
func summary(it feed.Item) string {
	if it.Summary != "" {
		return it.Summary
	}
	return it.Content[:min(len(it.Content), 4<<10)]
}

// languageTag is what a BCP 47 tag may look like; a feed can declare anything.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

func language(judged, declared string) string {
	for _, l := range []string{judged, declared} {
		if languageTag.MatchString(l) {
			return l
		}
	}
	return ""
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return slices.Clone(s)
}
