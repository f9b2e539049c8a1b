package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/rule/query"
)

type rulesFmtCmd struct {
	Paths []string `arg:"" optional:"" name:"path" help:"Files, or folders of rules; - is standard input. Default: ./rules."`
	Query string   `placeholder:"QUERY" help:"Print the canonical form of this query instead."`
	Write bool     `short:"w" help:"Write the files back instead of printing them."`
	Check bool     `help:"Name the files that are not in canonical form, and exit 1 if there are any."`
}

func (rulesFmtCmd) Help() string {
	return `Queries of other houses come out in our words: near5 of Factiva is NEAR/4, hd= is title:. Only the text
under match, unless and when changes; comments, lists, tests and everything else stay as they are.

Examples:
    monitor rules fmt --query 'hd=sanction* AND (Iran)'
    monitor rules fmt --check rules
    monitor rules fmt -w rules/sanctions.yaml`
}

func (c *rulesFmtCmd) Run(t terminal) error {
	if c.Write && c.Check {
		return misuse("--write and --check exclude each other")
	}
	if c.Query != "" {
		if len(c.Paths) > 0 || c.Write || c.Check {
			return misuse("--query stands alone")
		}
		return formatQuery(t, c.Query)
	}
	paths := c.Paths
	if len(paths) == 0 {
		if _, err := os.Stat("rules"); err != nil {
			return misuse("there is no ./rules here: name a file, a folder, or - for standard input")
		}
		paths = []string{"rules"}
	}
	bad, differ := false, false
	for _, p := range paths {
		files, err := ruleFilesOf(p)
		if err != nil {
			fmt.Fprintf(t.err, "monitor: %v\n", err)
			bad = true
		}
		for _, name := range files {
			was, now, err := c.format(t, name)
			switch problems := (problem.List)(nil); {
			case errors.As(err, &problems):
				for _, p := range problems {
					fmt.Fprintln(t.err, safeLines(p.String()))
				}
				bad = true
			case err != nil:
				fmt.Fprintf(t.err, "monitor: %v\n", err)
				bad = true
			case c.Check:
				if !bytes.Equal(was, now) {
					fmt.Fprintln(t.out, name)
					differ = true
				}
			case c.Write && name != "-":
				if bytes.Equal(was, now) {
					continue
				}
				if err := replaceFile(name, now); err != nil {
					return err
				}
				fmt.Fprintln(t.err, name)
			default:
				if _, err := t.out.Write(now); err != nil {
					return err
				}
			}
		}
	}
	if bad || differ {
		return errQuiet
	}
	return nil
}

// format reads and formats one file.
func (c *rulesFmtCmd) format(t terminal, name string) (was, now []byte, err error) {
	if name == "-" {
		was, err = io.ReadAll(t.in)
	} else {
		was, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, nil, err
	}
	now, problems := rule.Format(name, was)
	if len(problems) > 0 {
		return nil, nil, problems
	}
	return was, now, nil
}

// ruleFilesOf returns the files that a path means: those of a folder that hold
// queries, which its lists do not.
func ruleFilesOf(path string) ([]string, error) {
	if path == "-" {
		return []string{"-"}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == ".yaml" && e.Name()[0] != '.' {
			out = append(out, filepath.Join(path, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no rules there", path)
	}
	return out, nil
}

// replaceFile puts a file in the place of another at once, so that nobody
// reads a half of it.
func replaceFile(name string, b []byte) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // of no use once it is renamed
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(info.Mode()&fs.ModePerm), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func formatQuery(t terminal, src string) error {
	n, errs := query.Parse(src)
	for _, e := range errs {
		line, column := query.Position(src, e.Start)
		p := problem.Problem{File: "query", Line: line, Column: column, Severity: problem.Error, Message: e.Message,
			Hint: strings.TrimPrefix(e.Hint+"\n    "+strings.ReplaceAll(query.Caret(src, e), "\n", "\n    "), "\n    ")}
		if e.Warning {
			p.Severity = problem.Warning
		}
		fmt.Fprintln(t.err, safeLines(p.String()))
	}
	if n == nil {
		return errQuiet
	}
	_, err := fmt.Fprintln(t.out, safe(query.Format(n)))
	return err
}

// safeLines is safe for a text of several lines.
func safeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = safe(lines[i])
	}
	return strings.Join(lines, "\n")
}
