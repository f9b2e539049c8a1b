package main

import (
	"context"
	"encoding/json"
	"fmt"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

type watchCmd struct {
	Channels      []string `arg:"" optional:"" help:"Channels; all without."`
	Severity      string   `help:"At least this severity: low, medium, high or critical."`
	NATS          string   `name:"nats" default:"nats://127.0.0.1:4222" placeholder:"URL" help:"The daemon's NATS."`
	NATSCreds     string   `name:"nats-creds" placeholder:"FILE" help:"Credentials for it."`
	SubjectPrefix string   `default:"news" help:"First token of every subject."`
	JSON          bool     `name:"json" help:"One event a line as JSON."`
}

func (watchCmd) Help() string {
	return `The live view: what was raised while nobody watched is in monitor alerts and on the page.

Example:
    monitor watch sanctions indictment --severity high`
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
	st := styleFor(t.out)
	ready := func() { fmt.Fprintf(t.err, "watching %s; stop with Ctrl-C\n", stream.Redact(c.NATS)) }
	return stream.Watch(ctx, c.NATS, c.NATSCreds, c.SubjectPrefix, c.Channels, severities, ready, func(s alert.Stored) error {
		if c.JSON {
			return json.NewEncoder(t.out).Encode(s.Event)
		}
		showAlert(t.out, st, s.Event)
		return nil
	})
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
