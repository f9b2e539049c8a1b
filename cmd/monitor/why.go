package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/web"
)

type whyCmd struct {
	server
	Words []string `arg:"" name:"link-or-title" help:"A link, or words of a title."`
	JSON  bool     `name:"json" help:"The answer as JSON."`
	Data  string   `default:"data" placeholder:"DIR" help:"The store to read when no daemon runs."`
	files
}

func (whyCmd) Help() string {
	return `Says what became of an item: not watched, not seen, held, matched by no rule (with the nearest of each
channel and where it fails), folded under a story, muted, or raised and sent. A running daemon answers
with its own feeds and rules; with none at --server, the store under --data is read with those that
--feeds and --rules name.

Example:
    monitor why https://www.justice.gov/opa/pr/three-officers-charged`
}

func (c *whyCmd) Run(ctx context.Context, t terminal) error {
	err := c.show(ctx, t, c.server)
	var away *noDaemon
	if !errors.As(err, &away) {
		return err
	}
	files := c.load()
	files.Notify = "" // nothing is pushed here
	transport, done, err := pipeline.Offline(ctx, c.Data, &files, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("%w, and the store cannot be asked: %w", away, err)
	}
	defer done()
	return c.show(ctx, t, server{Server: "http://127.0.0.1", transport: transport})
}

func (c *whyCmd) show(ctx context.Context, t terminal, s server) error {
	var why web.Reason
	if err := s.get(ctx, "/api/v1/why?"+url.Values{"q": {strings.Join(c.Words, " ")}}.Encode(), &why); err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(t.out)
		e.SetEscapeHTML(false)
		return e.Encode(why)
	}
	st := styleFor(t.out)
	fmt.Fprintf(t.out, "%s: %s\n", why.Verdict, safe(why.Text))
	for _, it := range why.Items {
		fmt.Fprintf(t.out, "\n%s  %s  %s\n", it.Fetched.Local().Format("2006-01-02 15:04"), safe(it.Feed), safe(it.Title))
		if it.Link != "" {
			fmt.Fprintf(t.out, "    %s\n", st.faint(safe(it.Link)))
		}
		if len(why.Items) > 1 {
			fmt.Fprintf(t.out, "    %s: %s\n", it.Verdict, safe(it.Text))
		}
		for _, r := range it.Raised {
			folded := ""
			if r.Folded != "" {
				folded = ", folded: " + r.Folded
			}
			fmt.Fprintf(t.out, "    alert %s in %s (%s%s)\n", r.ID, r.Channel, r.Severity, folded)
		}
		for _, n := range it.Nearest {
			fmt.Fprintf(t.out, "    not %s: nearest %s, %s\n", n.Channel, n.Rule, safe(n.Failed))
		}
	}
	return nil
}
