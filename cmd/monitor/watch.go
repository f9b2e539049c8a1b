package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

type watchCmd struct {
	Channels      []string `arg:"" optional:"" help:"Channels; all without."`
	Severity      string   `help:"At least this severity: low, medium, high or critical."`
	State         []string `placeholder:"CODE" help:"Only what is about this state; of several, all must be named."`
	Country       []string `placeholder:"CODE" help:"Only publishers of this country; may be repeated."`
	Tier          []string `placeholder:"TIER" help:"Only voices of this tier; may be repeated."`
	Feed          []string `help:"Only this feed; may be repeated."`
	Since         string   `placeholder:"WHEN" help:"Begin with what is stored: a duration, a time, or the number that watch ended with."`
	NATS          string   `name:"nats" default:"nats://127.0.0.1:4222" placeholder:"URL" help:"The daemon's NATS."`
	NATSCreds     string   `name:"nats-creds" placeholder:"FILE" help:"Credentials for it."`
	SubjectPrefix string   `default:"news" help:"First token of every subject."`
	JSON          bool     `name:"json" help:"One event a line as JSON."`
}

func (watchCmd) Help() string {
	return `An item is shown once, with all its channels; again only when it becomes more severe. With --since
nothing is missed, also while the connection is away, and the last line says where to go on.

Example:
    monitor watch sanctions indictment --severity high
    monitor watch --since 12h --state US --state CN`
}

func (c *watchCmd) Run(ctx context.Context, t terminal) error {
	for _, ch := range c.Channels {
		if !slug(ch) {
			return misuse("channel %q: want lower-case letters, digits and hyphens", ch)
		}
	}
	severities, err := atLeast(c.Severity)
	if err != nil {
		return err
	}
	for _, w := range c.Tier {
		if !slices.Contains(feed.Tiers, w) {
			return misuse("--tier %q: want %s", w, strings.Join(feed.Tiers, ", "))
		}
	}
	from, err := resumeAt(c.Since, time.Now())
	if err != nil {
		return err
	}
	v := &view{t: t, st: styleFor(t.out), shown: map[string]shown{}}
	if c.JSON {
		v.json = json.NewEncoder(t.out)
	}
	show := func(s alert.Stored) error {
		v.last = max(v.last, s.Sequence)
		if !c.wants(s.Event.Data) {
			return nil
		}
		return v.show(s.Event)
	}
	where := func() { fmt.Fprintf(t.err, "watching %s; stop with Ctrl-C\n", stream.Redact(c.NATS)) }
	if from == nil {
		return stream.Watch(ctx, c.NATS, c.NATSCreds, c.SubjectPrefix, c.Channels, severities, where, show)
	}
	lost := func(yes bool) {
		if yes {
			fmt.Fprintln(t.err, "the connection is lost; trying again, nothing will be missed")
		} else {
			fmt.Fprintln(t.err, "connected again")
		}
	}
	v.last = from.After
	err = stream.WatchFrom(ctx, c.NATS, c.NATSCreds, c.SubjectPrefix, c.Channels, severities, *from, where, lost, show)
	if v.last > 0 {
		fmt.Fprintf(t.err, "to go on from here: --since %d\n", v.last)
	}
	return err
}

// resumeAt reads --since; nil without.
func resumeAt(w string, now time.Time) (*stream.Resume, error) {
	if w == "" {
		return nil, nil
	}
	if n, err := strconv.ParseUint(w, 10, 63); err == nil {
		return &stream.Resume{After: n}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, w); err == nil {
			return &stream.Resume{Since: at}, nil
		}
	}
	d, err := feed.ParseDuration(w)
	if err != nil || d <= 0 {
		return nil, misuse("--since %q: want a duration such as 12h or 7d, a time such as 2026-11-22T08:00:00Z, or the number that watch ended with", w)
	}
	return &stream.Resume{Since: now.Add(-d)}, nil
}

// wants holds an alert against the filters that the subject does not know.
func (c *watchCmd) wants(d alert.Data) bool {
	tier := d.Source.Tier
	if d.Voice != nil && d.Voice.Tier != "" {
		tier = d.Voice.Tier
	}
	any := func(want []string, have string) bool {
		return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, have) })
	}
	for _, w := range c.State {
		if !slices.ContainsFunc(d.States, func(s string) bool { return strings.EqualFold(s, w) }) {
			return false
		}
	}
	return any(c.Country, d.Source.Country) && any(c.Tier, tier) && any(c.Feed, d.Source.ID)
}

// view prints each item once.
type view struct {
	t     terminal
	st    style
	json  *json.Encoder // instead, when not nil
	last  uint64
	day   string
	shown map[string]shown // by the item's key
	order []string         // the same, oldest first
}

// shown is how an item was printed.
type shown struct {
	revision string
	severity rule.Severity
}

const maxShown = 2000 // items that are remembered

func (v *view) show(e alert.Event) error {
	if v.json != nil {
		return v.json.Encode(e)
	}
	d := e.Data
	was, known := v.shown[d.Item.Key]
	if known && (was.revision == d.Item.Revision || e.Type != alert.Updated) && was.severity.Rank() >= e.Severity.Rank() {
		return nil // another channel of what stands above
	}
	if !known {
		v.order = append(v.order, d.Item.Key)
		if len(v.order) > maxShown {
			delete(v.shown, v.order[0])
			v.order = v.order[1:]
		}
	}
	v.shown[d.Item.Key] = shown{d.Item.Revision, e.Severity}
	var b bytes.Buffer // in one piece
	if day := e.Time.Local().Format("Monday 2 January 2006"); day != v.day {
		v.day = day
		fmt.Fprintf(&b, "%s\n\n", v.st.faint("-- "+day+" --"))
	}
	watched(&b, v.st, e)
	_, err := fmt.Fprintln(v.t.out, b.String())
	return err
}

// atLeast returns the severities from the named one on; none for "".
func atLeast(name string) (out []string, err error) {
	if name == "" {
		return nil, nil
	}
	rank := rule.Severity(name).Rank()
	if rank < 0 {
		return nil, misuse("--severity %q: want low, medium, high or critical", name)
	}
	for _, s := range rule.Severities[rank:] {
		out = append(out, string(s))
	}
	return out, nil
}
