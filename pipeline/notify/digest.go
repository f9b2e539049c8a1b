package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
)

func isAhead(err error) bool { return errors.Is(err, alert.ErrAhead) }

// digests sends a letter at each hour of the schedule, with all that came
// since the one before: also when nothing came. The place holds the hour that
// is done, so that each comes once; one that was missed comes late.
func (p *pusher) digests(ctx context.Context, r *reader) error {
	if r.at.IsZero() { // new: from now on
		if err := r.save(ctx, r.seq, time.Now().Truncate(time.Second)); err != nil {
			return err
		}
	}
	for {
		due := p.d.digest.next(r.at)
		if late := p.d.digest.last(time.Now()); late.After(due) {
			due = late // several were missed: one letter for all
		}
		if !until(ctx, due) {
			return ctx.Err()
		}
		c, err := p.gather(ctx, r.seq, newTold(), func(*alert.Event) bool { return true })
		if err != nil {
			return err
		}
		if _, err := p.send(ctx, r, p.digestPost(c, due)); err != nil {
			return err
		}
		if err := r.save(ctx, c.through, due); err != nil {
			return err
		}
	}
}

func (p *pusher) digestPost(c collected, due time.Time) post {
	hour := due.In(p.d.digest.zone).Format("Monday 2 January, 15:04")
	out := post{id: digestID(p.d.Name, "digest", due.UTC().Format(time.RFC3339)), kind: "digest", page: p.d.page, at: time.Now(), more: c.more}
	for i := range c.events {
		out.messages = append(out.messages, newMessage(&c.events[i], p.d))
	}
	strongest(out.messages)
	switch n := len(c.events) + c.more; n {
	case 0:
		out.headline = "newsmonitor: nothing new · " + hour
		out.notes = append(out.notes, "Nothing new for this destination since the last digest.")
	case 1:
		out.headline = "newsmonitor: 1 alert · " + hour
	default:
		out.headline = fmt.Sprintf("newsmonitor: %d alerts · %s", n, hour)
	}
	if line := c.held.line(); line != "" {
		out.notes = append(out.notes, line)
	}
	if p.cfg.Health != nil {
		h := p.cfg.Health()
		out.notes = append(out.notes, h.line())
		for _, m := range first(h.Mutes, maxMutes) {
			out.mutes = append(out.mutes, m.line(p.d.zone))
		}
		if n := len(h.Mutes) - maxMutes; n > 0 {
			out.mutes = append(out.mutes, fmt.Sprintf("and %d more mutes", n))
		}
	}
	return out
}

const maxMutes = 20 // that a digest names

// line is "Muted until 24 Nov 09:00 CET: channel norms, by lee: too loud. 12
// alerts held back."
func (m *Mute) line(zone *time.Location) string {
	kind, value := m.Scope.Is()
	held := fmt.Sprintf("%d alerts held back", m.Held)
	if m.Held == 1 {
		held = "1 alert held back"
	}
	if m.Critical {
		held += ", critical ones too"
	}
	return fmt.Sprintf("Muted until %s: %s %s, by %s: %s. %s.", m.Until.In(zone).Format("2 Jan 15:04 MST"), kind, oneLine(value, 60),
		oneLine(m.By, 80), strings.TrimRight(oneLine(m.Reason, 200), "."), held)
}

// line is "118 of 121 feeds read; silent: a, b; failing: c".
func (h Health) line() string {
	s := fmt.Sprintf("%d of %d feeds read", h.Read, h.Feeds)
	for _, g := range []struct {
		word string
		ids  []string
	}{{"silent", h.Silent}, {"failing", h.Failing}} {
		if len(g.ids) == 0 {
			continue
		}
		s += "; " + g.word + ": " + strings.Join(first(g.ids, 20), ", ")
		if n := len(g.ids) - 20; n > 0 {
			s += fmt.Sprintf(" and %d more", n)
		}
	}
	return s + "."
}
