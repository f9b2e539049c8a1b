package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/stream"
)

type replayCmd struct {
	ruleFiles
	Since         duration `default:"30d" help:"How far back."`
	Diff          bool     `help:"Only alerts and rules that would change against what was raised."`
	JSON          bool     `name:"json" help:"One alert a line as JSON, then one rule a line, then the total."`
	NATS          string   `name:"nats" default:"nats://127.0.0.1:4222" placeholder:"URL" help:"The daemon's NATS."`
	NATSCreds     string   `name:"nats-creds" placeholder:"FILE" help:"Credentials for it."`
	SubjectPrefix string   `default:"news" help:"First token of every subject."`
	Data          string   `default:"data" placeholder:"DIR" help:"The store to read when no daemon runs."`
}

func (replayCmd) Help() string {
	return `Judges rules before they go live: the stored items are matched again, by the daemon's own engine, and
compared with what was raised. Nothing is published. With no daemon at --nats, the store under --data is read.

Example:
    monitor replay --since 30d --rules builtin --rules my-rules --diff`
}

func (c *replayCmd) Run(ctx context.Context, t terminal) error {
	set, _, err := c.load()
	if err != nil {
		return err
	}
	archive, done, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	now := time.Now()
	bar := progress{w: t.err, on: styleFor(t.err).on}
	r, err := pipeline.RunReplay(ctx, archive, set, now.Add(-time.Duration(c.Since)), now, bar.show)
	bar.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return c.json(t.out, r)
	}
	c.table(t.out, r)
	return nil
}

// open finds the stored items: those of the running daemon, else those of the
// folder.
func (c *replayCmd) open(ctx context.Context) (*stream.Archive, func(), error) {
	archive, err := stream.Connect(ctx, c.NATS, c.NATSCreds, c.SubjectPrefix)
	if err == nil {
		return archive, archive.Close, nil
	}
	archive, done, offline := pipeline.OfflineArchive(ctx, c.Data, slog.New(slog.DiscardHandler))
	if offline != nil {
		return nil, nil, fmt.Errorf("no daemon (%w), and the store cannot be read: %w", err, offline)
	}
	return archive, done, nil
}

func (c *replayCmd) json(w io.Writer, r *pipeline.Replay) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, a := range r.Alerts {
		if c.Diff && a.Change == pipeline.Same {
			continue
		}
		if err := e.Encode(struct {
			Kind string `json:"kind"`
			pipeline.Replayed
		}{"alert", a}); err != nil {
			return err
		}
	}
	for _, x := range r.Rules {
		if err := e.Encode(struct {
			Kind string `json:"kind"`
			pipeline.RuleReplay
		}{"rule", x}); err != nil {
			return err
		}
	}
	return e.Encode(struct {
		Kind     string    `json:"kind"`
		Since    time.Time `json:"since"`
		Until    time.Time `json:"until"`
		Items    int       `json:"items"`
		Same     int       `json:"same"`
		Gained   int       `json:"gained"`
		Lost     int       `json:"lost"`
		Severity int       `json:"severity"`
	}{"total", r.Since, r.Until, r.Items, r.Same, r.Gained, r.Lost, r.Severity})
}

func (c *replayCmd) table(out io.Writer, r *pipeline.Replay) {
	st := styleFor(out)
	signs := map[string]string{pipeline.Gained: "+", pipeline.Lost: "-", pipeline.Severity: "~", pipeline.Same: " "}
	for _, a := range r.Alerts {
		if c.Diff && a.Change == pipeline.Same {
			continue
		}
		severity := string(a.Severity)
		if a.Was != "" {
			severity = string(a.Was) + " > " + severity
		}
		if a.Folded {
			severity += ", folded"
		}
		fmt.Fprintf(out, "%s %s  %s  %s  %s\n", signs[a.Change], a.Fetched.Local().Format("2006-01-02 15:04"), st.bold(a.Channel), severity, safe(a.Title))
		fmt.Fprintf(out, "  %s\n", st.faint(a.Feed+" · rules: "+strings.Join(a.Rules, ", ")))
	}
	if len(r.Alerts) > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%7s %7s %7s  %s\n", "ALERTS", "A DAY", "BEFORE", "RULE")
	same := 0
	for _, x := range r.Rules {
		if c.Diff && x.Alerts == x.Was {
			same++
			continue
		}
		fmt.Fprintf(out, "%7d %7.1f %7d  %s\n", x.Alerts, x.PerDay, x.Was, x.Rule)
	}
	if same > 0 {
		fmt.Fprintf(out, "%d rules are part of as many alerts as before\n", same)
	}
	fmt.Fprintf(out, "\n%d items since %s: %d alerts as before, %d gained, %d lost, %d at another severity\n",
		r.Items, r.Since.Local().Format("2006-01-02 15:04"), r.Same, r.Gained, r.Lost, r.Severity)
}

// progress is a bar for people; nothing when nobody looks.
type progress struct {
	w    io.Writer
	on   bool
	last int // percent shown
}

func (p *progress) show(done, of uint64) {
	percent := int(100 * done / max(of, 1))
	if !p.on || percent == p.last {
		return
	}
	p.last = percent
	fmt.Fprintf(p.w, "\r[%-40s] %3d %% of %d items", strings.Repeat("=", percent*40/100), percent, of)
}

func (p *progress) end() {
	if p.on && p.last > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
