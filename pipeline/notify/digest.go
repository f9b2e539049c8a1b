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
		out.notes = append(out.notes, p.cfg.Health().line())
	}
	return out
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
