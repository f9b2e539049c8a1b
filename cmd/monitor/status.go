package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

type statusCmd struct {
	server
	JSON bool `name:"json" help:"As JSON."`
}

func (statusCmd) Help() string {
	return `Exit code 0 when the daemon is ready, 1 when it is not or does not answer.

Example:
    monitor status --server http://monitor.example.org:8080 --token-file token`
}

func (c *statusCmd) Run(ctx context.Context, t terminal) error {
	var st web.Status
	if err := c.get(ctx, "/api/v1/status", &st); err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(t.out).Encode(st); err != nil {
			return err
		}
	} else {
		var live struct{ Feeds []web.FeedStatus }
		if err := c.get(ctx, "/api/v1/feeds", &live); err != nil {
			return err
		}
		c.show(t, st, live.Feeds)
	}
	if st.Ready != "yes" {
		return errQuiet
	}
	return nil
}

// activeAt says which of several replicas has a reader.
func activeAt(owner string, nodes []web.NodeStatus) string {
	if len(nodes) < 2 {
		return ""
	}
	for _, n := range nodes {
		if n.ID == owner {
			return ", active on " + nodeName(n)
		}
	}
	return ", active nowhere: another takes over within 20 s"
}

func nodeName(n web.NodeStatus) string {
	if n.Host == "" {
		return safe(n.ID)
	}
	return fmt.Sprintf("%s/%d", safe(n.Host), n.PID)
}

func answers(self bool) string {
	if self {
		return ", this one"
	}
	return ""
}

func (c *statusCmd) show(t terminal, st web.Status, feeds []web.FeedStatus) {
	now, paint := time.Now(), styleFor(t.out)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t.out, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("daemon", "newsmonitor %s, instance %s, up %s", safe(st.Version), safe(st.Instance), short(time.Duration(st.Uptime)*time.Second))
	line("ready", "%s", safe(st.Ready))
	switch {
	case st.SelfTest.Every <= 0:
		line("self-test", "off (--canary 0)")
	case st.SelfTest.Last.IsZero():
		line("self-test", "has not succeeded since the start")
	default:
		late := ""
		if ago := now.Sub(st.SelfTest.Last); ago > time.Duration(3*st.SelfTest.Every*float64(time.Second)) {
			late = ": LATE, alerts may not be raised; the log says why"
		}
		line("self-test", "an alert of our own was stored %s ago%s", short(now.Sub(st.SelfTest.Last)), late)
	}
	var states []string
	total := 0
	for _, s := range poll.AllStates {
		if n := st.Feeds[s]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, s))
		}
		total += st.Feeds[s]
	}
	line("feeds", "%d: %s (%s)", total, strings.Join(states, ", "), strings.Join(st.Copies.Feeds, ", "))
	line("rules", "%d (%s)", st.Rules, strings.Join(st.Copies.Rules, ", "))
	nats := "external"
	if st.NATS.Embedded {
		nats = "embedded"
	}
	if !st.NATS.Connected {
		nats += ", AWAY"
	}
	where := st.NATS.URL
	if where == "" {
		where = "not listening"
	}
	line("nats", "%s (%s), alerts on %s.alerts.>", safe(where), nats, st.NATS.Prefix)
	for _, s := range st.Streams {
		line(strings.ToLower(s.Name), "%d messages, %s of %s", s.Messages, bytesText(s.Bytes), bytesText(uint64(max(0, s.Limit))))
		if s.Damage != "" {
			line("DAMAGED", "%s: %s; the log says what to do, and so does deploy/RUNBOOK.md", s.Name, s.Damage)
		}
	}
	for _, r := range st.Readers {
		line("reader", "%s is %d items behind%s", r.Name, r.Lag, activeAt(r.Owner, st.Nodes))
	}
	for _, n := range st.Nodes {
		if len(st.Nodes) > 1 || !n.Self {
			line("replica", "%s polls %d feeds (%d of %d shards)%s", nodeName(n), n.Feeds, len(n.Shards), stream.Shards, answers(n.Self))
		}
	}
	for _, d := range st.Pushed {
		line("push", "%s (%s): %s", d.Name, d.Service, safe(head(d.Text, 200)))
	}
	if n := st.Folded[alert.FoldStory] + st.Folded[alert.FoldMute] + st.Folded[alert.FoldFlood]; n > 0 {
		line("folded", "%d alerts in 24 h: %d repeat a story, %d muted, %d in a flood", n, st.Folded[alert.FoldStory], st.Folded[alert.FoldMute], st.Folded[alert.FoldFlood])
	}
	for _, m := range st.Mutes {
		kind, value := m.Scope.Is()
		also := ""
		if m.Critical {
			also = ", critical too"
		}
		line("muted", "%s %s until %s by %s (%s)%s: %d held back", kind, safe(value), m.Until.Local().Format("2006-01-02 15:04"), safe(m.By), safe(head(m.Reason, 80)), also, m.Held)
	}
	if len(st.OverBudget) > 0 {
		line("over", "budget in 24 h: %s", safe(strings.Join(st.OverBudget, ", ")))
	}
	for _, p := range st.Problems {
		text := strings.SplitN(p.String(), "\n", 2)[0]
		if p.Hint != "" {
			text += " (" + strings.SplitN(p.Hint, "\n", 2)[0] + ")"
		}
		line("problem", "%s", safe(text))
	}
	shown := 0
	for _, f := range feeds {
		if f.State != poll.StateFailing && f.State != poll.StateGone {
			continue
		}
		if shown++; shown > 10 {
			continue
		}
		line(f.State, "%s %s", paint.bold(f.ID), safe(head(f.Text, 240))+" (last good: "+ago(f.LastSuccess, now)+")")
	}
	if shown > 10 {
		line("", "and %d more: monitor feeds list", shown-10)
	}
}
