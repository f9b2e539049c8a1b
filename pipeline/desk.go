package pipeline

import (
	"context"
	"fmt"
	"slices"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// desk is the store's KV DESK in the web room's words. What a mute names must
// be there: a mistake in a name would hold back nothing, and nobody would know.
type desk struct {
	*stream.Desk
	config func() *Config
}

func (d desk) Mutes(ctx context.Context) ([]web.Muted, error) {
	active, err := d.Desk.Mutes(ctx)
	if err != nil {
		return nil, err
	}
	out := []web.Muted{}
	for _, m := range active {
		out = append(out, web.Muted{Mute: m.Mute, Held: m.Held})
	}
	return out, nil
}

func (d desk) Mute(ctx context.Context, m alert.Mute) (alert.Mute, error) {
	c := d.config()
	known := true
	kind, value := m.Scope.Is()
	switch kind {
	case "rule":
		known = slices.ContainsFunc(c.Rules.Rules(), func(r rule.Rule) bool { return r.ID == value })
	case "channel":
		known = slices.ContainsFunc(c.Rules.Channels(), func(ch rule.Channel) bool { return ch.Slug == value })
	case "feed":
		known = slices.ContainsFunc(c.Feeds, func(f feed.Feed) bool { return f.ID == value })
	}
	if !known {
		return alert.Mute{}, fmt.Errorf("%w: there is no %s of that name", alert.ErrNotAccepted, kind)
	}
	return d.Desk.Mute(ctx, m)
}

// mutes in force, for the raiser.
func (m *Monitor) mutes(ctx context.Context) ([]alert.Mute, error) {
	active, err := m.desk.Mutes(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]alert.Mute, 0, len(active))
	for _, a := range active {
		out = append(out, a.Mute)
	}
	return out, nil
}
