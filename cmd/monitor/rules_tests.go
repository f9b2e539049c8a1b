package main

import (
	"encoding/json"
	"fmt"
)

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
