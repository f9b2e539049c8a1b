package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"newsmonitor/pipeline/notify"
)

type notifyCmd struct {
	Test notifyTestCmd `cmd:"" help:"Send one test message to a destination."`
}

// notifyTestCmd asks the daemon, whose file, secrets and network are those
// that count; with a file it sends by itself, before a daemon uses that file.
type notifyTestCmd struct {
	server
	Notify string `placeholder:"FILE" env:"-" help:"Send by yourself, from this file of destinations, without a daemon."`
	Name   string `arg:"" help:"The destination's name in the file."`
}

func (notifyTestCmd) Help() string {
	return `Exit code 0 when the receiver has taken the message, 1 when it has not, with what it said.
The daemon sends it, past the destination's filters, quiet hours and limits. Nothing is tried twice.

Examples:
    monitor notify test duty
    monitor notify test duty --notify /etc/monitor/notify.yaml`
}

func (c *notifyTestCmd) Run(ctx context.Context, t terminal) error {
	if c.Notify != "" {
		return c.fromFile(ctx, t)
	}
	var sent struct{ Name, Service string }
	if err := c.post(ctx, "/api/v1/destinations/"+url.PathEscape(c.Name)+"/test", &sent); err != nil {
		return err
	}
	return c.taken(t, sent.Name, sent.Service)
}

func (c *notifyTestCmd) fromFile(ctx context.Context, t terminal) error {
	ds, problems := notify.Load(c.Notify, notify.Known{})
	if len(problems.Errors()) > 0 {
		return fmt.Errorf("the file of destinations has problems:\n%w", problems)
	}
	d, err := notify.Named(ds, c.Name)
	if err != nil {
		return misuse("%s: %w", c.Notify, err)
	}
	if err := notify.Test(ctx, d, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("%s (%s): %w", d.Name, d.Service, err)
	}
	return c.taken(t, d.Name, d.Service)
}

func (*notifyTestCmd) taken(t terminal, name, service string) error {
	_, err := fmt.Fprintf(t.out, "%s (%s) has taken the test message\n", safe(name), safe(service))
	return err
}
