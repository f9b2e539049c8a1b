package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
)

type alertsCmd struct {
	server
	Since    duration `default:"30d" help:"How far back."`
	Channel  []string `help:"Only this channel; may be repeated."`
	Severity string   `help:"At least this severity: low, medium, high or critical."`
	Feed     []string `help:"Only this feed; may be repeated."`
	Q        string   `name:"q" placeholder:"QUERY" help:"Only alerts that match this query, in the rules' language."`
	Folded   bool     `help:"Folded ones too."`
	JSON     bool     `name:"json" xor:"form" help:"One event a line as JSON."`
	CSV      bool     `name:"csv" xor:"form" help:"As CSV."`
	Data     string   `default:"data" placeholder:"DIR" help:"The store to read when no daemon runs."`
}

func (alertsCmd) Help() string {
	return `With no daemon at --server, the store under --data is read instead.

Example:
    monitor alerts --since 7d --channel sanctions --severity high`
}

func (c *alertsCmd) query() (url.Values, error) {
	v := url.Values{"since": {time.Duration(c.Since).String()}, "limit": {"1000"}}
	severities, err := atLeast(c.Severity)
	if err != nil {
		return nil, err
	}
	for name, values := range map[string][]string{"channel": c.Channel, "severity": severities, "feed": c.Feed} {
		for _, w := range values {
			v.Add(name, w)
		}
	}
	if c.Q != "" {
		v.Set("q", c.Q)
	}
	if c.Folded {
		v.Set("folded", "true")
	}
	return v, nil
}

func (c *alertsCmd) Run(ctx context.Context, t terminal) error {
	err := c.show(ctx, t, c.server)
	var away *noDaemon
	if !errors.As(err, &away) {
		return err
	}
	// Nobody is there: the store is ours to open, without the listeners that
	// other programs could mistake for the daemon.
	s, done, err := offline(ctx, c.Data)
	if err != nil {
		return fmt.Errorf("%w, and the store cannot be read: %w", away, err)
	}
	defer done()
	return c.show(ctx, t, s)
}

func (c *alertsCmd) show(ctx context.Context, t terminal, s server) error {
	v, err := c.query()
	if err != nil {
		return err
	}
	if c.CSV {
		body, err := s.open(ctx, "/api/v1/alerts.csv?"+v.Encode())
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		_, err = io.Copy(t.out, body)
		return err
	}
	st := styleFor(t.out)
	n := 0
	for more := true; more; {
		var page struct {
			Alerts []struct{ Event alert.Event }
			Next   string
		}
		if err := s.get(ctx, "/api/v1/alerts?"+v.Encode(), &page); err != nil {
			return err
		}
		for _, a := range page.Alerts {
			n++
			if c.JSON {
				if err := json.NewEncoder(t.out).Encode(a.Event); err != nil {
					return err
				}
				continue
			}
			showDay(t.out, st, a.Event)
		}
		more = page.Next != ""
		v.Set("before", page.Next)
	}
	if n == 0 {
		fmt.Fprintln(t.err, "no alerts; monitor status says how the feeds are doing")
	}
	return nil
}

// showDay is showAlert with the date, for alerts of other days.
func showDay(w io.Writer, st style, e alert.Event) {
	fmt.Fprint(w, st.faint(e.Time.Local().Format("2006-01-02 ")))
	showAlert(w, st, e)
}

// offline answers from the store under dir until done is called.
func offline(ctx context.Context, dir string) (server, func(), error) {
	transport, done, err := pipeline.Offline(ctx, dir, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return server{}, nil, err
	}
	s := server{Server: "http://127.0.0.1", transport: transport}
	if err := s.settled(ctx); err != nil {
		done()
		return server{}, nil, err
	}
	return s, done, nil
}

// settled returns when the alerts have been read once.
func (s server) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		body, err := s.open(ctx, "/readyz")
		if err == nil {
			return body.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
