package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

type rulesMatchCmd struct {
	ruleFiles
	File    string `arg:"" optional:"" default:"-" help:"Items as JSON, one a line; - is standard input."`
	Title   string `placeholder:"TEXT" help:"An item with this title instead."`
	Summary string `placeholder:"TEXT" help:"Its summary."`
	Content string `placeholder:"TEXT" help:"Its content."`
	WhyNot  string `placeholder:"RULE" help:"For each item, the first clause of this rule that does not hold."`
	JSON    bool   `name:"json" help:"One item a line as JSON."`
}

func (rulesMatchCmd) Help() string {
	return `An item needs a title only; summary, content, url, authors, language and source {id, title, kind, tier,
country} make the answer better. monitor feeds read --json prints items with these fields.

Example:
    monitor rules match --title 'Treasury sanctions two North Korean hackers'
    echo '{"title": "Treasury sanctions two North Korean hackers"}' | monitor rules match
    monitor rules match --why-not sanctions-lifted items.jsonl`
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
	if err := knows(set, c.WhyNot); err != nil {
		return err
	}
	if c.Title+c.Summary+c.Content != "" {
		if c.File != "-" {
			return misuse("give a file, or an item by --title, not both")
		}
		if strings.TrimSpace(c.Title) == "" {
			return misuse("an item needs a --title")
		}
		return c.match(t.out, set, given{Item: feed.Item{Title: c.Title, Summary: c.Summary, Content: c.Content}})
	}
	in, err := t.open(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	lines := bufio.NewReaderSize(in, 64<<10)
	bad := 0
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			g, lerr := readGiven(line)
			if lerr != nil {
				fmt.Fprintf(t.err, "%s:%d: no item: %s\n", c.File, n, safe(lerr.Error()))
				bad++
			} else if err := c.match(t.out, set, g); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
	}
	if bad > 0 {
		return errQuiet
	}
	return nil
}

// knows refuses the id of a rule that is not there.
func knows(set *rule.Set, id string) error {
	var ids []string
	if id != "" {
		for _, r := range set.Rules() {
			ids = append(ids, r.ID)
		}
	}
	if id == "" || slices.Contains(ids, id) {
		return nil
	}
	if near := problem.Nearest(id, ids); near != "" {
		return misuse("there is no rule %s: did you mean %s?", id, near)
	}
	return misuse("there is no rule %s; monitor rules list shows them", id)
}

// readGiven reads one line, and says in an analyst's words what is wrong with it.
func readGiven(line []byte) (g given, err error) {
	err = json.Unmarshal(line, &g)
	var mistyped *json.UnmarshalTypeError
	switch {
	case line[0] != '{':
		return g, errors.New(`want a JSON object on one line, such as {"title": "..."}`)
	case errors.As(err, &mistyped):
		field := strings.TrimPrefix(mistyped.Field, "Item.")
		return g, fmt.Errorf("%s cannot be a JSON %s", field, mistyped.Value)
	case err != nil:
		return g, fmt.Errorf("it is no JSON: %w", err)
	case strings.TrimSpace(g.Title) == "":
		return g, errors.New("it has no title")
	}
	return g, nil
}

func (c *rulesMatchCmd) match(w io.Writer, set *rule.Set, g given) error {
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
	if c.WhyNot != "" && out.WhyNot == "" {
		out.WhyNot = "rule " + c.WhyNot + " fires"
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
