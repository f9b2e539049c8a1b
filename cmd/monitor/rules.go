package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/web"
)

type rulesCmd struct {
	List  rulesListCmd  `cmd:"" help:"The rules that would run."`
	Test  rulesTestCmd  `cmd:"" help:"Run the rules' own tests."`
	Match rulesMatchCmd `cmd:"" help:"Which rules fire on given items, and why, or why not."`
	Fmt   rulesFmtCmd   `cmd:"" help:"The canonical form of queries and rule files."`
	Cost  rulesCostCmd  `cmd:"" help:"What each rule costs an item, dearest first."`
	Eval  rulesEvalCmd  `cmd:"" help:"Precision and recall on labelled items, and what nothing exercises."`
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
	server
	Live bool `name:"live" help:"Ask the running daemon for its rules, with what each raised in 24 hours and 30 days; rules over their budget are named."`
	JSON bool `name:"json" help:"One rule a line as JSON."`
}

func (rulesListCmd) Help() string {
	return `Example:
    monitor rules list --rules rules
    monitor rules list --live`
}

func (c *rulesListCmd) Run(ctx context.Context, t terminal) error {
	if c.Live {
		return c.live(ctx, t)
	}
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Channel, r.ID, r.Severity, r.Version, titled(r.Title, r.Disabled))
	}
	return w.Flush()
}

// live lists what the daemon runs.
func (c *rulesListCmd) live(ctx context.Context, t terminal) error {
	var answer struct{ Rules []web.RuleInfo }
	if err := c.get(ctx, "/api/v1/rules", &answer); err != nil {
		return err
	}
	if c.JSON {
		for _, r := range answer.Rules {
			if err := json.NewEncoder(t.out).Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "CHANNEL\tRULE\tSEVERITY\t24 H\tBUDGET\t30 D\tTITLE")
	for _, r := range answer.Rules {
		budget := "-"
		if r.Budget > 0 {
			budget = fmt.Sprint(r.Budget)
		}
		if r.OverBudget {
			budget += " OVER"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%d\t%s\n", safe(r.Channel), safe(r.ID), safe(r.Severity), r.Today, budget, r.Alerts, safe(titled(r.Title, r.Disabled)))
	}
	return w.Flush()
}

func titled(title, disabled string) string {
	if disabled != "" {
		title += " (disabled: " + disabled + ")"
	}
	return title
}
