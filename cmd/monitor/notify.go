package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"newsmonitor/pipeline/notify"
	"newsmonitor/pipeline/problem"
)

type notifyCmd struct {
	Test notifyTestCmd `cmd:"" help:"Send one test message to a destination."`
}

// notifyTestCmd sends by itself, from the file: it needs no daemon, and shows
// what the daemon would do with the same file and secrets.
type notifyTestCmd struct {
	Notify string `placeholder:"FILE" help:"The file of destinations."`
	Name   string `arg:"" help:"The destination's name in the file."`
}

func (notifyTestCmd) Help() string {
	return `Exit code 0 when the receiver has taken the message, 1 when it has not, with what it said.
Nothing is tried twice.

Example:
    monitor notify test duty --notify /etc/monitor/notify.yaml`
}

func (c *notifyTestCmd) Run(ctx context.Context, t terminal) error {
	if c.Notify == "" {
		return misuse("notify test: name the file of destinations with --notify FILE")
	}
	ds, problems := notify.Load(c.Notify, notify.Known{})
	if len(problems.Errors()) > 0 {
		return fmt.Errorf("the file of destinations has problems:\n%w", problems)
	}
	i := slices.IndexFunc(ds, func(d *notify.Destination) bool { return d.Name == c.Name })
	if i < 0 {
		var names []string
		for _, d := range ds {
			names = append(names, d.Name)
		}
		hint := "there are " + strings.Join(names, ", ")
		if n := problem.Nearest(c.Name, names); n != "" {
			hint = fmt.Sprintf("did you mean %q?", n)
		}
		return misuse("%s has no destination %q: %s", c.Notify, c.Name, hint)
	}
	if err := notify.Test(ctx, ds[i], slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("%s (%s): %w", ds[i].Name, ds[i].Service, err)
	}
	_, err := fmt.Fprintf(t.out, "%s (%s) has taken the test message\n", ds[i].Name, ds[i].Service)
	return err
}
