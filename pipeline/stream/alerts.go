package stream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
)

// Alerts is ALERTS: every alert once.
type Alerts struct{ s *Store }

func (s *Store) Alerts() *Alerts { return &Alerts{s} }

// Severity and raised or folded stand in the subject, so whether an alert is
// there is asked by a pattern that leaves them open.
func (a *Alerts) pattern(channel, feedID, id string) string {
	return a.s.names.prefix + ".*." + channel + ".*." + feedID + "." + id
}

// Last returns the last event of an alert, raised or folded.
func (a *Alerts) Last(ctx context.Context, channel, feedID, id string) (alert.Stored, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := bulkOf(ctx).holds(ctx, a.pattern(channel, feedID, id)); err != nil {
		return alert.Stored{}, fmt.Errorf("append a bulk of alerts: %w", err)
	}
	m, err := a.s.alerts.GetLastMsgForSubject(ctx, a.pattern(channel, feedID, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return alert.Stored{}, nil
	}
	if err != nil {
		return alert.Stored{}, fmt.Errorf("read alert %s: %w", id, err)
	}
	last, err := a.stored(m.Sequence, m.Subject, m.Data)
	last.Event.Sequence, _ = strconv.ParseUint(m.Header.Get("Nm-Sequence"), 10, 64) // 0 in what older releases wrote
	return last, err
}

// Append stores the event if the alert's last one still stands at after. In a
// reader's bulk it is only noted, without a sequence.
func (a *Alerts) Append(ctx context.Context, e alert.Event, after uint64) (uint64, error) {
	d := e.Data
	family := "alerts"
	if e.Type == alert.Folded {
		family = "folded"
	}
	if d.Item.Feed == feed.Canary {
		family = "canary"
	}
	msg := nats.NewMsg(strings.Join([]string{"in", a.s.names.prefix, family, d.Channel, string(e.Severity), d.Item.Feed, d.ID}, "."))
	var err error
	if msg.Data, err = alert.Encode(e); err != nil {
		return 0, err
	}
	msg.Header = headers(e)
	if family == "canary" {
		msg.Header.Set(jetstream.MsgTTLHeader, canaryTTL)
	}
	if b := bulkOf(ctx); b != nil {
		return 0, b.append(ctx, msg, after, a.pattern(d.Channel, d.Item.Feed, d.ID))
	}
	ack, err := a.s.publish(ctx, msg, after, a.pattern(d.Channel, d.Item.Feed, d.ID))
	if wrongLastSequence(err) {
		a.s.metrics.conflicts.WithLabelValues("alerts").Inc()
		return 0, alert.ErrAhead
	}
	if err != nil {
		return 0, fmt.Errorf("append alert %s: %w", d.ID, err)
	}
	return ack.Sequence, nil
}

// WhenStored calls fn when what was appended within ctx is stored: in a
// reader's bulk with its flush, and never if that fails, as all is then done
// again.
func (a *Alerts) WhenStored(ctx context.Context, fn func()) {
	if b := bulkOf(ctx); b != nil {
		b.stored = append(b.stored, fn)
		return
	}
	fn()
}

// word is what may stand in a header: nothing that a stranger wrote.
var word = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// headers carry the facets that are not in the subject, so that an index can
// be built without the bodies.
func headers(e alert.Event) nats.Header {
	h := nats.Header{}
	h.Set("Content-Type", alert.ContentType)
	h.Set("Nm-Time", e.Time.Format(time.RFC3339Nano))
	d := e.Data
	tier, country := d.Source.Tier, d.Source.Country
	if d.Voice != nil && d.Voice.Tier != "" {
		tier = d.Voice.Tier
	}
	mute := ""
	if d.Folded != nil {
		mute = d.Folded.Mute
	}
	for name, value := range map[string]string{"Nm-Mute": mute, "Nm-Tier": tier, "Nm-Country": country, "Nm-Language": d.Item.Language,
		"Nm-Kind": d.Source.Kind, "Nm-Story": d.Story.ID, "Nm-Item": d.Item.Key, "Nm-States": strings.Join(d.States, "-")} {
		if word.MatchString(value) {
			h.Set(name, value)
		}
	}
	if e.Sequence > 0 {
		h.Set("Nm-Sequence", strconv.FormatUint(e.Sequence, 10))
	}
	if sketch.MatchString(e.Sketch) {
		h.Set("Nm-Sketch", e.Sketch)
	}
	return h
}

// sketch is what Nm-Sketch may hold: base64 of hashes.
var sketch = regexp.MustCompile(`^[A-Za-z0-9_-]{1,192}$`)

// Heads gives fn what the headers tell of the events stored since a time, up
// to the last one that is stored now.
func (a *Alerts) Heads(ctx context.Context, since time.Time, fn func(alert.Head) error) error {
	return heads(ctx, a.s.alerts, since, a.told(), func(m jetstream.Msg, _ uint64) error {
		part := strings.Split(m.Subject(), ".") // prefix, family, channel, severity, feed, id
		if len(part) != 6 {
			return nil
		}
		h := m.Headers()
		return fn(alert.Head{Channel: part[2], Feed: part[4], ID: part[5], Story: h.Get("Nm-Story"), Item: h.Get("Nm-Item"), Sketch: h.Get("Nm-Sketch")})
	})
}

func (a *Alerts) stored(seq uint64, subject string, data []byte) (alert.Stored, error) {
	e, err := alert.Decode(data)
	if err != nil {
		return alert.Stored{}, fmt.Errorf("message %d of %s: %w", seq, a.s.names.alerts, err)
	}
	return alert.Stored{Sequence: seq, Subject: subject, Folded: strings.HasPrefix(subject, a.s.names.prefix+".folded."), Event: e}, nil
}

// Get returns the event at a sequence; Sequence 0 when it is not kept any more.
func (a *Alerts) Get(ctx context.Context, seq uint64) (alert.Stored, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m, err := a.s.alerts.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return alert.Stored{}, nil
	}
	if err != nil {
		return alert.Stored{}, fmt.Errorf("read message %d of %s: %w", seq, a.s.names.alerts, err)
	}
	return a.stored(m.Sequence, m.Subject, m.Data)
}

// Last and first sequence kept.
func (a *Alerts) Bounds(ctx context.Context) (first, last uint64, err error) {
	info, err := a.s.alerts.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the state of %s: %w", a.s.names.alerts, err)
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// Follow gives fn each stored event after a sequence, oldest first, and then
// each new one as it comes, until ctx ends or fn fails. It keeps no place.
func (a *Alerts) Follow(ctx context.Context, after uint64, fn func(alert.Stored) error) error {
	p := a.s.names.prefix
	return a.s.follow(ctx, a.s.alerts, after, []string{p + ".alerts.>", p + ".folded.>"}, func(m jetstream.Msg, seq uint64) error {
		st, err := a.stored(seq, m.Subject(), m.Data())
		if err != nil {
			a.s.log.Error("an alert cannot be read and is passed over", "error", err)
			return nil
		}
		return fn(st)
	})
}

// FollowSince is Follow from a time on.
func (a *Alerts) FollowSince(ctx context.Context, since time.Time, fn func(alert.Stored) error) error {
	for said := false; ; said = true {
		_, after, err := a.Bounds(ctx)
		if err == nil {
			err = heads(ctx, a.s.alerts, since, a.told(), func(_ jetstream.Msg, seq uint64) error {
				after = seq - 1
				return ErrEnough
			})
		}
		if err == nil || errors.Is(err, ErrEnough) {
			return a.Follow(ctx, after, fn)
		}
		if !said && ctx.Err() == nil {
			a.s.log.Warn("alerts cannot be read; trying again", "error", err)
		}
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}
