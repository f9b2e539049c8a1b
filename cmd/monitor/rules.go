package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

type rulesCmd struct {
	List  rulesListCmd  `cmd:"" help:"The rules that would run."`
	Test  rulesTestCmd  `cmd:"" help:"Run the rules' own tests."`
	Match rulesMatchCmd `cmd:"" help:"Which rules fire on given items, and why."`
}

// ruleFiles is the flag of the commands that need rules only.
type ruleFiles struct {
	Rules []string `placeholder:"DIR" help:"Rules to use; may be repeated; builtin is the copy inside the binary. Default: ./rules if there, else builtin."`
}

// load returns the rules, or their problems as an error.
func (f ruleFiles) load() (*rule.Set, problem.List, error) {
	set, l := pipeline.Files{Rules: f.Rules, Builtin: builtin}.LoadRules()
	if errs := l.Errors(); len(errs) > 0 {
		return nil, l, configError(errs)
	}
	return set, l, nil
}

type rulesListCmd struct {
	ruleFiles
	JSON bool `name:"json" help:"One rule a line as JSON."`
}

func (rulesListCmd) Help() string {
	return `Example:
    monitor rules list --rules rules`
}

func (c *rulesListCmd) Run(t terminal) error {
	set, _, err := c.load()
	if err != nil {
		return err
	}
	if c.JSON {
		for _, r := range set.Rules() {
			if err := json.NewEncoder(t.out).Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "CHANNEL\tRULE\tSEVERITY\tVERSION\tTITLE")
	for _, r := range set.Rules() {
		title := r.Title
		if r.Disabled != "" {
			title += " (disabled: " + r.Disabled + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Channel, r.ID, r.Severity, r.Version, title)
	}
	return w.Flush()
}

type rulesTestCmd struct {
	ruleFiles
	Verbose bool `short:"v" help:"Passed tests too."`
	JSON    bool `name:"json" help:"One problem a line as JSON."`
}

func (rulesTestCmd) Help() string {
	return `Example:
    monitor rules test --rules rules`
}

func (c *rulesTestCmd) Run(t terminal) error {
	set, _, err := c.load()
	if err != nil {
		return err
	}
	passed, wrong := 0, 0
	for _, r := range set.Test() {
		if r.OK {
			passed++
			if c.Verbose && !c.JSON {
				fmt.Fprintf(t.out, "ok    %s: %s\n", r.Rule, r.Title)
			}
			continue
		}
		wrong++
		if c.JSON {
			if err := json.NewEncoder(t.out).Encode(failed(r)); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(t.out, failed(r))
	}
	fmt.Fprintf(t.err, "%d tests passed, %d failed\n", passed, wrong)
	if wrong > 0 {
		return errQuiet
	}
	return nil
}

type rulesMatchCmd struct {
	ruleFiles
	File   string `arg:"" optional:"" default:"-" help:"Items as JSON, one a line; - is standard input."`
	WhyNot string `placeholder:"RULE" help:"For each item, the first clause of this rule that does not hold."`
	JSON   bool   `name:"json" help:"One item a line as JSON."`
}

func (rulesMatchCmd) Help() string {
	return `An item needs a title only; summary, content, url, authors, language and source {id, title, kind, tier,
country} make the answer better. monitor feeds read --json prints items with these fields.

Example:
    echo '{"title": "Treasury sanctions two North Korean hackers"}' | monitor rules match`
}

// given is one line of input: an item, with an id that is echoed.
type given struct {
	ID json.RawMessage `json:"id"`
	feed.Item
	Published json.RawMessage `json:"published"` // any form of date, or null: matching does not look at it
	Updated   json.RawMessage `json:"updated"`
}

// matched is one line of output (design.md 4.6).
type matched struct {
	ID     json.RawMessage `json:"id,omitempty"`
	States []string        `json:"states"`
	Voice  any             `json:"voice"` // a rule.Voice, or an empty object
	Alerts []matchedAlert  `json:"alerts"`
	WhyNot string          `json:"why_not,omitempty"`
}

type matchedAlert struct {
	Channel  string        `json:"channel"`
	Severity rule.Severity `json:"severity"`
	Score    float64       `json:"score"`
	Rules    []rule.Match  `json:"rules"`
}

func (c *rulesMatchCmd) Run(t terminal) error {
	set, _, err := c.load()
	if err != nil {
		return err
	}
	in := t.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	lines := bufio.NewReaderSize(in, 64<<10)
	bad := 0
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			if lerr := c.match(t.out, set, line); lerr != nil {
				fmt.Fprintf(t.err, "%s:%d: %v\n", c.File, n, lerr)
				bad++
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", c.File, err)
		}
	}
	if bad > 0 {
		return errQuiet
	}
	return nil
}

func (c *rulesMatchCmd) match(w io.Writer, set *rule.Set, line []byte) error {
	var g given
	if err := json.Unmarshal(line, &g); err != nil {
		return fmt.Errorf("no item: %w", err)
	}
	if strings.TrimSpace(g.Title) == "" {
		return fmt.Errorf("no item: it has no title")
	}
	res := set.Match(g.Item)
	out := matched{ID: g.ID, States: res.States, Voice: struct{}{}, Alerts: []matchedAlert{}}
	if res.Voice.ID != "" {
		out.Voice = res.Voice
	}
	for _, h := range res.Channels {
		out.Alerts = append(out.Alerts, matchedAlert{h.Channel, h.Severity, h.Score, h.Rules})
	}
	if c.WhyNot != "" {
		out.WhyNot = set.WhyNot(c.WhyNot, g.Item)
	}
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(out)
	}
	out.show(w, styleFor(w), g.Title)
	return nil
}

func (m matched) show(w io.Writer, st style, title string) {
	fmt.Fprintln(w, st.bold(safe(title)))
	var about []string
	if len(m.States) > 0 {
		about = append(about, "about "+strings.Join(m.States, " "))
	}
	if v, ok := m.Voice.(rule.Voice); ok {
		about = append(about, "voice: "+v.Title)
	}
	if len(about) > 0 {
		fmt.Fprintln(w, "    "+st.faint(strings.Join(about, " · ")))
	}
	if len(m.Alerts) == 0 {
		fmt.Fprintln(w, "    no rule fires")
	}
	for _, a := range m.Alerts {
		fmt.Fprintf(w, "    %s  %s\n", st.severity(string(a.Severity)), a.Channel)
		for _, r := range a.Rules {
			fmt.Fprintf(w, "        %s %s\n", st.faint("rule "+r.ID+":"), words(st, r))
		}
	}
	if m.WhyNot != "" {
		fmt.Fprintln(w, "    why not: "+safe(m.WhyNot))
	}
}

// words lists what a rule went by.
func words(st style, r rule.Match) string {
	var out []string
	for _, e := range r.Evidence {
		if w := st.mark(safe(e.Text)); !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return strings.Join(first(out, 8), " ")
}
