package main

import (
	"encoding/json"
	"fmt"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

type checkCmd struct {
	files
	JSON bool `name:"json" help:"One problem a line as JSON."`
}

func (checkCmd) Help() string {
	return `Example:
    monitor check --feeds feeds.yaml --rules rules`
}

// Run prints every problem of feeds and rules, and of the rules' own tests.
func (c *checkCmd) Run(t terminal) error {
	config, problems := loadAll(c.load())
	bad := len(problems.Errors())
	for _, p := range problems {
		if c.JSON {
			if err := json.NewEncoder(t.out).Encode(p); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(t.out, p)
	}
	if bad > 0 {
		word := "problems"
		if bad == 1 {
			word = "problem"
		}
		fmt.Fprintln(t.err, bad, word)
		return errQuiet
	}
	fmt.Fprintf(t.err, "fine: %s (%v, %v)\n", config.Summary(), config.FeedsRun, config.RulesRun)
	return nil
}

// loadAll loads the files and runs the rules' own tests.
func loadAll(f pipeline.Files) (*pipeline.Config, problem.List) {
	config, _ := f.Load(nil) // its error is the list of problems
	problems := config.Problems
	if config.Rules != nil {
		for _, r := range config.Rules.Test() {
			if !r.OK {
				problems = append(problems, failed(r))
			}
		}
	}
	problems.Sort()
	return config, problems
}

// failed is a failed test as a problem of its file.
func failed(r rule.TestResult) problem.Problem {
	return problem.Problem{File: r.File, Line: r.Line, Column: r.Column, Severity: problem.Error,
		Message: fmt.Sprintf("test %d of rule %s %s", r.Index, r.Rule, r.Message), Hint: fmt.Sprintf("the item: %q", head(r.Title, 100))}
}
