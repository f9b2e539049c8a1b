package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
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
