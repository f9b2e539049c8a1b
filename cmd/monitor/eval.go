package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

type rulesEvalCmd struct {
	ruleFiles
	Gold     []string `placeholder:"FILE" help:"Labelled items as JSON, one a line; may be repeated."`
	Floor    string   `placeholder:"FILE" help:"What the figures must reach, as YAML."`
	Coverage bool     `help:"Name the parts of rules and lists that neither the rules' own tests nor the labelled items exercise."`
	JSON     bool     `name:"json" help:"One figure, mistake or idle part a line as JSON."`
}

func (rulesEvalCmd) Help() string {
	return `A labelled item is {"id", "title", "summary", "body", "lang", "publisher", "kind", "tier": 1 to 4, "country",
"themes": ["indictment", "attribution"] or ["none"], "themes_optional", "states": ["CN", "US"]}; id, title and
themes are required. Only channels that occur as a theme are judged, states only where an item carries them.

A floor file names a channel a line, none for the share of items without a theme that may raise something, and states:

    indictment: {precision: 0.95, recall: 0.92}
    none: {alarms: 0.05}
    states: {precision: 0.95, recall: 0.9}

Exit code 1 when a figure is below its floor, or has a floor and cannot be told.

Examples:
    monitor rules eval --gold gold.jsonl --floor floors.yaml
    monitor rules eval --coverage`
}

func (c *rulesEvalCmd) Run(t terminal) error {
	if len(c.Gold) == 0 && !c.Coverage {
		return misuse("name labelled items with --gold FILE, or ask for --coverage of the rules' own tests")
	}
	if c.Floor != "" && len(c.Gold) == 0 {
		return misuse("--floor needs --gold")
	}
	set, _, err := c.load()
	if err != nil {
		return err
	}
	var floors []floor
	if c.Floor != "" {
		if floors, err = readFloors(c.Floor); err != nil {
			return err
		}
	}
	var gold []labelled
	for _, name := range c.Gold {
		more, err := readGold(name)
		if err != nil {
			return err
		}
		gold = append(gold, more...)
	}
	var below []string
	if len(gold) > 0 {
		v := judge(set, gold)
		if c.JSON {
			err = v.json(t.out)
		} else {
			err = v.show(t.out, styleFor(t.out))
		}
		if err != nil {
			return err
		}
		for _, ch := range v.unraised {
			fmt.Fprintf(t.err, "no rule has the channel %s\n", safe(ch))
		}
		below = v.below(floors)
	}
	if c.Coverage {
		if err := c.coverage(t, set, gold); err != nil {
			return err
		}
	}
	for _, b := range below {
		fmt.Fprintln(t.err, b)
	}
	if len(below) > 0 {
		return errQuiet
	}
	return nil
}

func (c *rulesEvalCmd) coverage(t terminal, set *rule.Set, gold []labelled) error {
	items := make([]feed.Item, len(gold))
	for i := range gold {
		items[i] = gold[i].item()
	}
	idle, parts := set.Coverage(items)
	if c.JSON {
		e := lineEncoder(t.out)
		for _, p := range idle {
			if err := e.Encode(struct {
				Type string `json:"type"`
				rule.Idle
			}{"idle", p}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(gold) > 0 {
		fmt.Fprintln(t.out)
	}
	for i := 0; i < len(idle); {
		p, n := idle[i], 1
		for i+n < len(idle) && idle[i+n].Kind == p.Kind && idle[i+n].In == p.In {
			n++
		}
		switch same := idle[i : i+n]; p.Kind {
		case "rule":
			fmt.Fprintf(t.out, "%s:%d: rule %s fires on nothing%s\n", p.File, p.Line, p.In, dead(p))
		case "voice":
			fmt.Fprintf(t.out, "voice %s is recognised in nothing%s\n", p.In, dead(p))
		default:
			fmt.Fprintf(t.out, "%s:%d: %s: nothing exercises (%s, %d)\n", p.File, p.Line, p.In, p.Kind, n)
			for _, q := range same {
				fmt.Fprintf(t.out, "    %s%s\n", safe(q.Text), dead(q))
			}
		}
		i += n
	}
	out := 0
	for _, p := range idle {
		if !p.Made {
			out++
		}
	}
	fmt.Fprintf(t.err, "%d of %d parts of rules, lists, states and voices are exercised by nothing; an item made for the purpose reaches all but %d of them\n",
		len(idle), parts, out)
	return nil
}

// dead marks what even an item made for it does not reach.
func dead(p rule.Idle) string {
	if p.Made {
		return ""
	}
	return "  (nor by an item made for it)"
}

// floor is what one figure must reach.
type floor struct {
	name, measure string // of a channel, of none or of states
	value         float64
	place         string
}

// readFloors reads a floor file.
func readFloors(name string) ([]floor, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	type figures struct {
		Precision *float64 `yaml:"precision"`
		Recall    *float64 `yaml:"recall"`
		Alarms    *float64 `yaml:"alarms"` // of none: the most that is allowed
	}
	var raw map[string]figures
	root, problems := problem.YAML(name, b, &raw)
	var out []floor
	for who, f := range raw {
		for measure, v := range map[string]*float64{"precision": f.Precision, "recall": f.Recall, "alarms": f.Alarms} {
			if v == nil {
				continue
			}
			at := problem.Find(root, who, measure)
			switch {
			case (who == noTheme) != (measure == "alarms"):
				problems = append(problems, problem.At(name, at, "%s has no %s", problem.Quote(who), measure).
					WithHint("a channel and states have precision and recall, none has alarms"))
			case *v < 0 || *v > 1:
				problems = append(problems, problem.At(name, at, "%v is no share", *v).WithHint("from 0 to 1: 0.95"))
			default:
				out = append(out, floor{who, measure, *v, fmt.Sprintf("%s:%d", name, at.Line)})
			}
		}
	}
	if errs := problems.Errors(); len(errs) > 0 {
		errs.Sort()
		return nil, errs
	}
	slices.SortFunc(out, func(a, b floor) int { return strings.Compare(a.name+" "+a.measure, b.name+" "+b.measure) })
	return out, nil
}

// below tells in a sentence each what does not reach its floor. What cannot be
// told does not reach it: a floor that nothing can miss is none.
func (v *verdict) below(floors []floor) []string {
	var out []string
	for _, f := range floors {
		t := v.score(f.name, "")
		if f.name == "states" {
			t = v.states
		}
		have := t.precision()
		switch f.measure {
		case "recall":
			have = t.recall()
		case "alarms":
			have = v.none
		}
		switch {
		case !have.known():
			out = append(out, fmt.Sprintf("%s: %s %s cannot be told: there is nothing to count", f.place, f.name, f.measure))
		case f.measure == "alarms" && have.value() > f.value:
			out = append(out, fmt.Sprintf("%s: %s %s is above %.3f", f.place, f.measure, have, f.value))
		case f.measure != "alarms" && have.value() < f.value:
			out = append(out, fmt.Sprintf("%s: %s %s %s is below %.3f", f.place, f.name, f.measure, have, f.value))
		}
	}
	return out
}

// show prints a verdict for people.
func (v *verdict) show(out io.Writer, st style) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 8, 2, ' ', tabwriter.AlignRight)
	line := func(name string, t tally) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t\n", name, t.Right, t.Alarms, t.Missed, t.precision(), t.recall(), t.f1())
	}
	fmt.Fprint(w, "CHANNEL\tRIGHT\tALARMS\tMISSED\tPRECISION\tRECALL\tF1\t\n")
	for _, ch := range v.channels {
		line(safe(ch), v.score(ch, ""))
	}
	line("all", v.score("", ""))
	fmt.Fprint(w, "\t\t\t\t\t\t\t\nLANGUAGE\t\t\t\t\t\t\t\n")
	for _, l := range v.languages {
		line(safe(l), v.score("", l))
	}
	if v.withState > 0 {
		fmt.Fprint(w, "\t\t\t\t\t\t\t\n")
		line("states", v.states)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(out, "\n%d items; %d of %d without a theme raise something (%s)\n", v.items, v.none.part, v.none.of, v.none)
	for _, ch := range sortedKeys(v.unjudged) {
		fmt.Fprintf(out, "%s raised by %d items, but no label speaks of it\n", ch, v.unjudged[ch])
	}
	if len(v.misses) > 0 {
		fmt.Fprintf(out, "\nMISSED\n")
	}
	for _, m := range v.misses {
		fmt.Fprintf(out, "%s  %s  %s\n", safe(m.item.ID), m.channel, st.bold(safe(m.item.Title)))
		for _, n := range first(m.nearest, 3) {
			fmt.Fprintf(out, "    %s %s\n", st.faint("rule "+n.Rule+":"), head(safe(n.Clause), 160))
		}
	}
	if len(v.alarms) > 0 {
		fmt.Fprintf(out, "\nFALSE ALARMS\n")
	}
	for _, a := range v.alarms {
		fmt.Fprintf(out, "%s  %s  %s\n", safe(a.item.ID), a.channel, st.bold(safe(a.item.Title)))
		for _, r := range a.rules {
			var marked []string
			for _, w := range first(evidenceWords(r), 8) {
				marked = append(marked, st.mark(safe(w)))
			}
			fmt.Fprintf(out, "    %s %s\n", st.faint("rule "+r.ID+":"), strings.Join(marked, " "))
		}
	}
	if len(v.about) > 0 {
		fmt.Fprintf(out, "\nSTATES\n")
	}
	for _, o := range v.about {
		var said []string
		if len(o.missed) > 0 {
			said = append(said, "missed "+safe(strings.Join(o.missed, " ")))
		}
		if len(o.extra) > 0 {
			said = append(said, "too many: "+strings.Join(o.extra, " "))
		}
		if _, err := fmt.Fprintf(out, "%s  %s  %s\n", safe(o.item.ID), strings.Join(said, "; "), st.bold(safe(o.item.Title))); err != nil {
			return err
		}
	}
	return nil
}

// figure is a line of figures for programs; channel and language are absent
// where they do not matter.
type figure struct {
	Type     string `json:"type"` // channel, language, channel-language, all or states
	Channel  string `json:"channel,omitempty"`
	Language string `json:"language,omitempty"`
	tally
	Precision share `json:"precision"`
	Recall    share `json:"recall"`
	F1        share `json:"f1"`
}

// mistake is a line about one item.
type mistake struct {
	Type    string      `json:"type"` // miss, alarm or states-mistake
	ID      string      `json:"id"`
	Title   string      `json:"title"`
	Channel string      `json:"channel,omitempty"`
	Nearest []rule.Near `json:"nearest,omitempty"`
	Rules   []firedRule `json:"rules,omitempty"`
	Missed  []string    `json:"missed,omitempty"`
	Extra   []string    `json:"extra,omitempty"`
}

type firedRule struct {
	ID    string   `json:"id"`
	Words []string `json:"words"`
}

// json prints a verdict for programs, one object a line.
func (v *verdict) json(out io.Writer) error {
	var lines []any
	add := func(kind, ch, lang string, t tally) {
		lines = append(lines, figure{kind, ch, lang, t, t.precision(), t.recall(), t.f1()})
	}
	add("all", "", "", v.score("", ""))
	for _, ch := range v.channels {
		add("channel", ch, "", v.score(ch, ""))
	}
	for _, l := range v.languages {
		add("language", "", l, v.score("", l))
	}
	for _, ch := range v.channels {
		for _, l := range v.languages {
			if t := v.score(ch, l); t != (tally{}) {
				add("channel-language", ch, l, t)
			}
		}
	}
	lines = append(lines, struct {
		Type   string `json:"type"`
		Items  int    `json:"items"`
		Raised int    `json:"raised"`
		Rate   share  `json:"rate"`
	}{noTheme, v.none.of, v.none.part, v.none})
	if v.withState > 0 {
		add("states", "", "", v.states)
	}
	for _, m := range v.misses {
		lines = append(lines, mistake{Type: "miss", ID: m.item.ID, Title: m.item.Title, Channel: m.channel, Nearest: m.nearest})
	}
	for _, a := range v.alarms {
		m := mistake{Type: "alarm", ID: a.item.ID, Title: a.item.Title, Channel: a.channel}
		for _, r := range a.rules {
			m.Rules = append(m.Rules, firedRule{r.ID, evidenceWords(r)})
		}
		lines = append(lines, m)
	}
	for _, o := range v.about {
		lines = append(lines, mistake{Type: "states-mistake", ID: o.item.ID, Title: o.item.Title, Missed: o.missed, Extra: o.extra})
	}
	e := lineEncoder(out)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func lineEncoder(out io.Writer) *json.Encoder {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e
}

// evidenceWords lists the different words that a rule went by.
func evidenceWords(r rule.Match) []string {
	out := []string{}
	for _, e := range r.Evidence {
		if !slices.Contains(out, e.Text) {
			out = append(out, e.Text)
		}
	}
	return out
}

func sortedKeys(m map[string]int) []string {
	keys := map[string]bool{}
	for k := range m {
		keys[k] = true
	}
	return sorted(keys)
}
