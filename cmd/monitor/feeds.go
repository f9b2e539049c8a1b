package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/web"
)

type feedsCmd struct {
	List   feedsListCmd   `cmd:"" help:"The catalogue, with the live state when a daemon runs."`
	Read   feedsReadCmd   `cmd:"" help:"What we would make of a feed: a URL, a file, or - for standard input."`
	Import feedsImportCmd `cmd:"" help:"Print entries for feeds.yaml from an OPML file."`
	Export feedsExportCmd `cmd:"" help:"Print the catalogue as OPML."`
}

type feedsListCmd struct {
	files
	server
	JSON bool `name:"json" help:"One feed a line as JSON."`
}

func (feedsListCmd) Help() string {
	return `Example:
    monitor feeds list | grep failing`
}

func (c *feedsListCmd) Run(ctx context.Context, t terminal) error {
	var live struct{ Feeds []web.FeedStatus }
	err := c.get(ctx, "/api/v1/feeds", &live)
	if err != nil {
		var away *noDaemon
		if !errors.As(err, &away) {
			return err
		}
		config, lerr := c.load().Load(nil)
		if lerr != nil {
			return configError(lerr)
		}
		fmt.Fprintf(t.err, "no daemon at %s: this is the catalogue only\n", c.Server)
		for _, f := range config.Feeds {
			state := "not polled"
			if f.Disabled != "" {
				state = poll.StateDisabled
			}
			live.Feeds = append(live.Feeds, web.FeedStatus{ID: f.ID, Title: f.Title, URL: f.URL, Kind: f.Kind, Tier: f.Tier,
				Country: f.Country, Language: f.Language, Tags: f.Tags, State: state, Disabled: f.Disabled, IntervalSeconds: f.Every.Seconds()})
		}
	}
	if c.JSON {
		for _, f := range live.Feeds {
			if err := json.NewEncoder(t.out).Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	now := time.Now()
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FEED\tSTATE\tEVERY\tLAST GOOD\tLAST NEW\tNEXT\tWHY")
	for _, f := range live.Feeds {
		every, next := short(time.Duration(f.IntervalSeconds)*time.Second), ""
		if f.Disabled != "" {
			every = ""
		}
		switch {
		case f.NextDue.After(now):
			next = ago(f.NextDue, now)
		case !f.NextDue.IsZero():
			next = "now"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.ID, f.State, every,
			ago(f.LastSuccess, now), ago(f.LastNewItem, now), next, safe(reasons(f)))
	}
	return w.Flush()
}

// reasons is all there is to say of a feed in one line: why it is not watched,
// else what is wrong and what to do, why it is asked when it is, what is odd.
func reasons(f web.FeedStatus) string {
	if f.Disabled != "" {
		return f.Disabled
	}
	var all []string
	for _, s := range append([]string{f.Text, f.Why}, f.Notes...) {
		if s = strings.TrimRight(strings.TrimSpace(s), "."); s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, "; ")
}

type feedsReadCmd struct {
	Sources  []string `arg:"" help:"URLs or files; - is standard input."`
	AllowNet []string `placeholder:"CIDR" help:"Addresses that may be asked although they are not public."`
	MaxBody  size     `default:"8MiB" help:"Largest feed, after decompression."`
	JSON     bool     `name:"json" help:"One source a line as JSON."`
}

func (feedsReadCmd) Help() string {
	return `Example:
    monitor feeds read https://example.org/feed.xml`
}

// reading is `feeds read --json` of the contract.
type reading struct {
	Source      string      `json:"source"`
	Title       string      `json:"title"`
	Link        string      `json:"link"`
	Description string      `json:"description"`
	Language    string      `json:"language"`
	Items       []feed.Item `json:"items"`
	Repairs     []string    `json:"repairs"`
	Problem     string      `json:"problem"`
}

func (c *feedsReadCmd) Run(ctx context.Context, t terminal) error {
	o := poll.DefaultOptions()
	o.MaxBody, o.Version = int64(c.MaxBody), versionText()
	for _, s := range c.AllowNet {
		p, err := prefix(s)
		if err != nil {
			return misuse("--allow-net %q: want an address or a range such as 10.0.0.0/8", s)
		}
		o.AllowNet = append(o.AllowNet, p)
	}
	fetcher := poll.NewFetcher(o)
	failed := false
	for _, source := range c.Sources {
		r := read(ctx, fetcher, t.in, source, int64(c.MaxBody))
		failed = failed || r.Problem != ""
		if c.JSON {
			e := json.NewEncoder(t.out)
			e.SetEscapeHTML(false)
			if err := e.Encode(r); err != nil {
				return err
			}
			continue
		}
		r.show(t.out, styleFor(t.out))
	}
	if failed {
		return errQuiet
	}
	return nil
}

func read(ctx context.Context, fetcher *poll.Fetcher, in io.Reader, source string, limit int64) reading {
	r := reading{Source: source, Items: []feed.Item{}, Repairs: []string{}}
	doc, err := document(ctx, fetcher, in, source, limit)
	if err == nil {
		var p *feed.Parsed
		if p, err = feed.Parse(doc); err == nil {
			r.Title, r.Link, r.Description, r.Language = p.Title, p.Link, p.Description, p.Language
			r.Items, r.Repairs = append(r.Items, p.Items...), append(r.Repairs, p.Repairs...)
			for i := range r.Items {
				it := &r.Items[i]
				it.Authors, it.Categories, it.Cut, it.Source.Tags = list(it.Authors), list(it.Categories), list(it.Cut), list(it.Source.Tags)
			}
		}
	}
	if err != nil {
		r.Problem = err.Error()
		if f := (*poll.Failure)(nil); errors.As(err, &f) {
			r.Problem += ". " + poll.Advice(f.Reason, f.Status)
		}
	}
	return r
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// document gets a source's bytes: from a server as the daemon would, from a
// file, or from standard input.
func document(ctx context.Context, fetcher *poll.Fetcher, in io.Reader, source string, limit int64) (feed.Document, error) {
	if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://") {
		a, err := fetcher.Fetch(ctx, poll.Request{Feed: feed.Feed{URL: source}})
		if err != nil {
			return feed.Document{}, err
		}
		return a.Document(feed.Feed{}), nil
	}
	body := in
	switch scheme, _, ok := strings.Cut(source, "://"); {
	case source == "":
		return feed.Document{}, errors.New("no name: give a URL, a file, or - for standard input")
	case ok && scheme != "" && !strings.ContainsAny(scheme, "/\\."):
		return feed.Document{}, errors.New("only http and https addresses are asked, and files by their path")
	case source != "-":
		f, err := os.Open(source)
		if err != nil {
			return feed.Document{}, err
		}
		defer func() { _ = f.Close() }()
		body = f
	}
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("larger than %s: see --max-body", bytesText(uint64(limit)))
	}
	return feed.Document{Body: b, Fetched: time.Now().UTC()}, err
}

func (r reading) show(w io.Writer, st style) {
	fmt.Fprintln(w, st.bold(safe(r.Source)))
	if r.Problem != "" {
		fmt.Fprintln(w, "    problem:", safe(r.Problem))
		return
	}
	fmt.Fprintf(w, "    %s · %d items", safe(r.Title), len(r.Items))
	if r.Language != "" {
		fmt.Fprint(w, " · ", safe(r.Language))
	}
	if len(r.Repairs) > 0 {
		fmt.Fprint(w, " · repaired: ", strings.Join(r.Repairs, ", "))
	}
	fmt.Fprintln(w)
	for _, it := range r.Items {
		date := "undated         "
		if !it.Published.IsZero() {
			date = it.Published.Format("2006-01-02 15:04")
			if it.Quality != "declared" {
				date += "?"
			}
		}
		title := safe(it.Title)
		if title == "" {
			title = strings.TrimSpace("(no title) " + safe(head(it.Summary+it.Content, 80)))
		}
		fmt.Fprintf(w, "    %s  %s\n", st.faint(date), title)
		if it.Link != "" {
			fmt.Fprintf(w, "    %16s  %s\n", "", st.faint(safe(it.Link)))
		}
	}
}

type feedsImportCmd struct {
	File string `arg:"" help:"OPML file, or - for standard input."`
}

func (feedsImportCmd) Help() string {
	return `Example:
    monitor feeds import subscriptions.opml > more.yaml
    monitor check --feeds feeds.yaml --feeds more.yaml`
}

func (c *feedsImportCmd) Run(t terminal) error {
	in, err := t.open(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	feeds, left, err := feed.ReadOPML(in)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.File, err)
	}
	for _, why := range left {
		fmt.Fprintln(t.err, "left out:", safe(why))
	}
	if len(feeds) == 0 {
		return fmt.Errorf("read %s: no feeds in it: an outline needs an xmlUrl", c.File)
	}
	fmt.Fprintf(t.err, "%d feeds; kind, tier and country are guesses: mend them before use\n", len(feeds))
	return feed.WriteCatalogue(t.out, feeds)
}

type feedsExportCmd struct{ files }

func (feedsExportCmd) Help() string {
	return `Example:
    monitor feeds export > newsmonitor.opml`
}

func (c *feedsExportCmd) Run(t terminal) error {
	config, err := c.load().Load(nil)
	if err != nil {
		return configError(err)
	}
	return feed.WriteOPML(t.out, "newsmonitor", config.Feeds)
}
