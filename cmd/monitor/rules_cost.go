package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"newsmonitor/pipeline/rule"
)

type rulesCostCmd struct {
	ruleFiles
	IDs   []string `arg:"" optional:"" name:"rule" help:"Only these rules."`
	Query string   `placeholder:"QUERY" help:"What a rule with this query would cost instead; it may use the rules' lists."`
	JSON  bool     `name:"json" help:"One rule a line as JSON."`
}

func (rulesCostCmd) Help() string {
	return `A rule waits until an item holds its anchor: the words that it needs and that items hold least often.
It costs the chance of that, times the steps that judging it then takes. The figures are estimates from
the query alone, for an item of 5 KB; they do not change with what the feeds bring. A rule of more than
1 step an item is a warning of monitor check, one of more than 10 is refused, unless slow_ok: true stands
beside it. A rule that needs no word at all is tried on every item and needs allow_unanchored: true.

Examples:
    monitor rules cost --rules rules
    monitor rules cost --query '@states NEAR/5 sanction*'`
}

// priced is one line of the output.
type priced struct {
	ID      string `json:"id"`
	Channel string `json:"channel,omitempty"`
	rule.Price
}

func (c *rulesCostCmd) Run(t terminal) error {
	set, _, err := c.load()
	if err != nil {
		return err
	}
	for _, id := range c.IDs {
		if err := knows(set, id); err != nil {
			return err
		}
	}
	var rules []priced
	for _, r := range set.Rules() {
		if c.Query == "" && (len(c.IDs) == 0 && r.Disabled == "" || slices.Contains(c.IDs, r.ID)) {
			rules = append(rules, priced{r.ID, r.Channel, r.Price})
		}
	}
	if c.Query != "" {
		q, l := set.Query(c.Query)
		for _, p := range l {
			fmt.Fprintln(t.err, safeLines(p.String()))
		}
		if q == nil {
			return errQuiet
		}
		rules = []priced{{ID: "query", Price: q.Price()}}
	}
	slices.SortStableFunc(rules, func(a, b priced) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.ID, b.ID)) })
	if c.JSON {
		e := json.NewEncoder(t.out)
		e.SetEscapeHTML(false)
		for _, r := range rules {
			if err := e.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "COST\tSTEPS\tITEMS\tRULE\tANCHOR")
	steps, tried := 0.0, 0.0
	for _, r := range rules {
		anchor := r.Anchor
		if anchor == "" {
			anchor = "(none: every item)"
		}
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%s\t%s\n", rule.Figure(r.Cost), r.Steps, rule.Percent(r.Probability), r.ID, safe(anchor))
		steps += r.Cost
		tried += r.Probability
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(rules) == 1 {
		return nil
	}
	fmt.Fprintf(t.out, "%d rules, %s steps an item, %s rules tried an item\n", len(rules), rule.Figure(steps), rule.Figure(tried))
	return nil
}
