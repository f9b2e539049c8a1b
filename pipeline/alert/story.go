package alert

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

const (
	storyTime = 72 * time.Hour // from the first carrier on, by the items' fetched
	// storyLead is how much more of ALERTS is read again, as items are not
	// quite in the order of their fetching.
	storyLead = 24 * time.Hour

	maxCarriers = 20_000 // in the index; the oldest go first
	maxCompared = 128    // carriers that an item is compared with
	maxAlso     = 30     // carriers that an event names
	maxCommon   = 256    // carriers of one telling word that are looked at, the newest
)

// What a later carrier of a story adds to it, so that it is raised.
const (
	AddsSeverity = "severity" // higher than any carrier's that was raised
	AddsVoice    = "voice"    // of a higher tier than every carrier's: the new lead
	AddsOrgan    = "organ"    // authoritative, of a country or an organ that had not spoken
)

// Head is what a story needs to know of a stored event: its subject and
// headers, without its body.
type Head struct {
	Channel string
	Feed    string
	ID      string // of the alert
	Story   string
	Item    string // key
	Sketch  string
}

// stories groups the items that were raised lately into stories. It holds
// nothing that is not in the headers of ALERTS, so that another process, or
// this one after a restart, groups the same.
type stories struct {
	carriers []*carrier // by arrival
	byItem   map[string]*carrier
	byAlert  map[string]*carried
	byWord   map[uint32][]*carrier
	byLink   map[uint64][]*carrier
	byTitle  map[uint64][]*carrier
	of       map[string][]*carrier // by story
	asked    uint64                // how often for candidates
}

// carrier is an item in a story.
type carrier struct {
	item     string // feed and key
	feed     string
	story    string
	sketch   sketch
	channels map[string]*carried
	dead     bool // dropped, or replaced by a later revision

	asked uint64 // when it last was a candidate
	signs int    // what spoke for it then
}

// carried is the alert of a carrier in one channel. A later revision of the
// item may have raised other channels only.
type carried struct {
	alert   string
	fetched int64
	voice   voiced
	card    *Carrier // for other events; nil until it is needed, when another process raised it
}

func newStories() *stories {
	return &stories{byItem: map[string]*carrier{}, byAlert: map[string]*carried{}, byWord: map[uint32][]*carrier{},
		byLink: map[uint64][]*carrier{}, byTitle: map[uint64][]*carrier{}, of: map[string][]*carrier{}}
}

// placed is where an item belongs, for all its alerts.
type placed struct {
	story string // "" for a new one
	look  looked
	item  string
}

// place finds an item's story among those of its channels. An item stays in
// the story that it has.
func (x *stories) place(it feed.Item, seen looked, channels []string) placed {
	p := placed{look: seen, item: it.Feed + "/" + it.Key}
	p.look.voice = voiceOf(it.Source, nil)
	if c := x.byItem[p.item]; c != nil && x.open(c, p.look.fetched) {
		p.story = c.story
		return p
	}
	best, sure := (*carrier)(nil), 0.0
	for _, c := range x.candidates(&p.look) {
		if c.item == p.item || !x.open(c, p.look.fetched) || !c.in(channels, p.look.fetched) {
			continue
		}
		s := p.look.alike(&c.sketch, c.feed == it.Feed)
		if s > sure && (s >= sureEnough || x.leadAgrees(&p.look, c)) {
			best, sure = c, s
		}
	}
	if best != nil {
		p.story = best.story
	}
	return p
}

// leadAgrees keeps a story from drifting: who is like a carrier is to be like
// the story's first one too, though less.
func (x *stories) leadAgrees(l *looked, c *carrier) bool {
	for _, lead := range x.of[c.story] {
		if !lead.dead {
			return lead == c || lead.sketch.bare || l.kin(&lead.sketch)
		}
	}
	return true
}

// in says whether a carrier was told in one of the channels lately.
func (c *carrier) in(channels []string, at int64) bool {
	for _, ch := range channels {
		if c.told(ch, at) != nil {
			return true
		}
	}
	return false
}

func (c *carrier) told(channel string, at int64) *carried {
	if d := c.channels[channel]; d != nil && !c.dead && within(d.fetched, at) {
		return d
	}
	return nil
}

// open says whether a carrier's story still takes others: for 72 hours from
// its first carrier on. It depends on what is stored within that time only.
func (x *stories) open(c *carrier, at int64) bool {
	first := x.byAlert[c.story]
	return first != nil && within(first.fetched, at) && within(c.sketch.fetched, at)
}

func within(a, b int64) bool {
	d := a - b
	return -storyTime.Milliseconds() <= d && d <= storyTime.Milliseconds()
}

// candidates are carriers with the item's link or title, or at least two of
// its telling words, by arrival.
func (x *stories) candidates(l *looked) []*carrier {
	x.asked++
	var out []*carrier
	count := func(cs []*carrier, n int) {
		for i, left := len(cs)-1, maxCommon; i >= 0 && left > 0; i-- {
			c := cs[i]
			if c.dead {
				continue
			}
			if c.asked != x.asked {
				c.asked, c.signs = x.asked, 0
			}
			if c.signs < 2 && c.signs+n >= 2 {
				out = append(out, c)
			}
			c.signs += n
			left--
		}
	}
	if l.link != 0 {
		count(x.byLink[l.link], 2*sketchLead)
	}
	if l.title != 0 {
		count(x.byTitle[l.title], sketchLead)
	}
	for h := range l.all {
		count(x.byWord[h], 1)
	}
	// Not by the map's order: of two that are as alike the earlier one counts.
	byArrival := func(a, b *carrier) int {
		return cmp.Or(cmp.Compare(a.sketch.fetched, b.sketch.fetched), strings.Compare(a.item, b.item))
	}
	if len(out) > maxCompared {
		slices.SortFunc(out, func(a, b *carrier) int { return cmp.Or(cmp.Compare(b.signs, a.signs), byArrival(a, b)) })
		out = out[:maxCompared]
	}
	slices.SortFunc(out, byArrival)
	return out
}

// adds says what an alert adds to its story in its channel, "" for nothing,
// and whether it leads it from now on.
func (x *stories) adds(p placed, channel string, severity rule.Severity, v voiced) (what string, lead bool) {
	var highest, rank uint8
	said, raised := false, false
	for _, c := range x.of[p.story] {
		d := c.told(channel, p.look.fetched)
		if d == nil || c.item == p.item || d.voice.raised == 0 {
			continue
		}
		raised = true
		highest, rank = max(highest, d.voice.raised), max(rank, d.voice.rank)
		said = said || d.voice.speaksFor(v) || d.voice.country == v.country && p.look.copies(&c.sketch)
	}
	switch {
	case !raised:
		return "", true // the first that people see
	case v.rank > rank:
		return AddsVoice, true
	case uint8(severity.Rank())+1 > highest:
		return AddsSeverity, false
	case v.rank >= rankReported && !said:
		return AddsOrgan, false
	}
	return "", false
}

// told takes an event that was just stored.
func (x *stories) told(e Event) {
	d := e.Data
	x.note(Head{Channel: d.Channel, Feed: d.Item.Feed, ID: d.ID, Story: d.Story.ID, Item: d.Item.Key, Sketch: e.Sketch})
	if c := x.byItem[d.Item.Feed+"/"+d.Item.Key]; c != nil && c.channels[d.Channel] != nil {
		card := cardOf(e)
		c.channels[d.Channel].card = &card
	}
}

// recall takes an alert that was stored although we were not told so: the
// answer was lost.
func (x *stories) recall(c *candidate, last Stored) {
	d := last.Event.Data
	if d.Item.Revision != c.it.Revision {
		return
	}
	if have := x.byItem[c.placed.item]; have != nil && have.channels[d.Channel] != nil && have.channels[d.Channel].fetched == c.placed.look.fetched {
		return
	}
	e := last.Event
	e.finish(e.Type, last, d.Folded, c.placed.look.sketch)
	e.Data.Story, e.Data.Folded = d.Story, d.Folded
	x.told(e)
	c.placed.story = d.Story.ID
}

// note takes a stored event into the index.
func (x *stories) note(h Head) {
	s, err := decodeSketch(h.Sketch)
	if err != nil || h.Story == "" || h.Item == "" {
		return
	}
	item := h.Feed + "/" + h.Item
	c := x.byItem[item]
	switch {
	case c == nil:
		c = &carrier{item: item, feed: h.Feed, story: h.Story, channels: map[string]*carried{}}
		x.add(c, s)
	case c.story != h.Story || c.sketch.fetched != s.fetched:
		// A later revision: what it says now counts, at its place in time.
		c.dead = true
		again := &carrier{item: item, feed: h.Feed, story: h.Story, channels: c.channels}
		if c.story != h.Story {
			again.channels = map[string]*carried{}
		}
		c = again
		x.add(c, s)
	}
	d := &carried{alert: h.ID, fetched: s.fetched, voice: s.voice}
	c.channels[h.Channel], x.byAlert[h.ID] = d, d
}

func (x *stories) add(c *carrier, s sketch) {
	c.sketch = s
	x.byItem[c.item] = c
	x.carriers = append(x.carriers, c)
	for _, w := range s.words {
		x.byWord[w.hash] = append(x.byWord[w.hash], c)
	}
	if s.link != 0 {
		x.byLink[s.link] = append(x.byLink[s.link], c)
	}
	if s.title != 0 {
		x.byTitle[s.title] = append(x.byTitle[s.title], c)
	}
	x.of[c.story] = append(x.of[c.story], c)
	x.shrink(s.fetched)
}

// shrink drops what no item can join any more.
func (x *stories) shrink(now int64) {
	n := 0
	for _, c := range x.carriers {
		if len(x.carriers)-n <= maxCarriers && now-c.sketch.fetched <= (storyTime+storyLead).Milliseconds() {
			break
		}
		x.drop(c)
		n++
	}
	if n > 0 {
		x.carriers = append(x.carriers[:0:0], x.carriers[n:]...)
	}
}

func (x *stories) drop(c *carrier) {
	if x.byItem[c.item] == c {
		delete(x.byItem, c.item)
		for _, d := range c.channels {
			if x.byAlert[d.alert] == d {
				delete(x.byAlert, d.alert)
			}
		}
	}
	c.dead = true
	without(x.of, c.story, c)
	for _, w := range c.sketch.words {
		without(x.byWord, w.hash, c)
	}
	without(x.byLink, c.sketch.link, c)
	without(x.byTitle, c.sketch.title, c)
}

func without[K comparable](m map[K][]*carrier, k K, c *carrier) {
	rest := slices.DeleteFunc(m[k], func(o *carrier) bool { return o == c })
	if len(rest) == 0 {
		delete(m, k)
		return
	}
	m[k] = rest
}

// others are the story's other carriers in a channel, by arrival: the first
// and the newest when they are many.
func (x *stories) others(p placed, channel string) (out []*carrier) {
	for _, c := range x.of[p.story] {
		if c.item != p.item && c.told(channel, p.look.fetched) != nil {
			out = append(out, c)
		}
	}
	if len(out) > maxAlso {
		out = append(out[:1], out[len(out)-maxAlso+1:]...)
	}
	return out
}

// load fills the index from what is stored.
func (x *stories) load(ctx context.Context, from Outbox, at time.Time) error {
	return from.Heads(ctx, at.Add(-storyTime-storyLead), func(h Head) error { x.note(h); return nil })
}
