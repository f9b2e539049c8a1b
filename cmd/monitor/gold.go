package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// labelled is one item of a gold file, a JSON object a line: what the item says
// and what a person found in it before looking at any rule.
type labelled struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Summary   string    `json:"summary"`
	Body      string    `json:"body"`
	Lang      string    `json:"lang"`
	Publisher string    `json:"publisher"` // "style: ..." is nobody's name
	Kind      string    `json:"kind"`
	Tier      int       `json:"tier"` // 1 official, 2 scholarly, 3 news, 4 other
	Country   string    `json:"country"`
	Themes    []string  `json:"themes"` // channels, or none alone
	Optional  []string  `json:"themes_optional"`
	States    *[]string `json:"states"` // nil: nobody looked for them
}

// noTheme is the label of an item that no channel should have.
const noTheme = "none"

// goldKinds are the kinds of a gold file that a catalogue calls otherwise. The
// rest (companies, blogs, agencies of all sorts) says nothing to the rules.
var goldKinds = map[string]string{"newspaper": "media", "broadcaster": "media", "news-agency": "media", "trade-press": "media",
	"igo": "international-organisation", "eu-body": "international-organisation"}

// item is the item as a feed would have brought it.
func (l *labelled) item() feed.Item {
	it := feed.Item{Title: l.Title, Summary: l.Summary, Content: l.Body, Language: l.Lang, Authors: []string{}, Categories: []string{}, Cut: []string{}}
	it.Source = feed.Source{Kind: goldKinds[l.Kind], Tier: "non-authoritative", Country: l.Country}
	if slices.Contains(feed.Kinds, l.Kind) {
		it.Source.Kind = l.Kind
	}
	if l.Tier == 1 {
		it.Source.Tier = "authoritative"
	}
	if !strings.HasPrefix(l.Publisher, "style:") {
		it.Source.Title = l.Publisher
	}
	return it
}

// readGold reads a gold file; every wrong line is said with its number.
func readGold(name string) ([]labelled, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var out []labelled
	var wrong []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 8<<20)
	for n := 1; s.Scan(); n++ {
		if len(strings.TrimSpace(s.Text())) == 0 {
			continue
		}
		var l labelled
		err := json.Unmarshal(s.Bytes(), &l)
		switch {
		case err != nil:
		case strings.TrimSpace(l.Title) == "":
			err = fmt.Errorf("the item has no title")
		case len(l.Themes) == 0:
			err = fmt.Errorf("the item has no themes; write [%q] where none applies", noTheme)
		case slices.Contains(l.Themes, noTheme) && len(l.Themes) > 1:
			err = fmt.Errorf("%s stands beside other themes", noTheme)
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s:%d: %v", name, n, err))
			continue
		}
		out = append(out, l)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("labelled items:\n%s", strings.Join(wrong, "\n"))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no labelled items", name)
	}
	return out, nil
}

// tally counts what was raised against what should have been.
type tally struct {
	Right  int `json:"right"`
	Alarms int `json:"alarms"` // raised, and should not have been
	Missed int `json:"missed"`
}

func (t tally) add(u tally) tally {
	return tally{t.Right + u.Right, t.Alarms + u.Alarms, t.Missed + u.Missed}
}

// share is a part of a whole; of nothing there is no share.
type share struct{ part, of int }

func (t tally) precision() share { return share{t.Right, t.Right + t.Alarms} }
func (t tally) recall() share    { return share{t.Right, t.Right + t.Missed} }
func (t tally) f1() share        { return share{2 * t.Right, 2*t.Right + t.Alarms + t.Missed} }

// known is false where there is nothing to have a share of.
func (s share) known() bool { return s.of > 0 }

func (s share) value() float64 { return float64(s.part) / float64(s.of) }

func (s share) String() string {
	if !s.known() {
		return "-"
	}
	return fmt.Sprintf("%.3f", s.value())
}

// MarshalJSON writes null for what there is no share of.
func (s share) MarshalJSON() ([]byte, error) {
	if !s.known() {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%.4f", s.value()), nil
}

// outcome is one item that the rules judged otherwise than its label.
type outcome struct {
	item    *labelled
	channel string
	rules   []rule.Match // of an alarm
	nearest []rule.Near  // of a miss
}

// stateOutcome is one item whose states were judged otherwise.
type stateOutcome struct {
	item          *labelled
	missed, extra []string
}

// verdict is what came of trying a set on labelled items.
type verdict struct {
	items     int
	channels  []string            // that are judged, by name
	languages []string            // by name
	scores    map[[2]string]tally // by channel and language
	misses    []outcome
	alarms    []outcome
	none      share // of the items without a theme those that raised something
	states    tally
	withState int // items with states
	about     []stateOutcome
	unjudged  map[string]int // raised in channels that the gold file has no label of
	unraised  []string       // labels that no rule has as its channel
}

// judge tries the set on the items. Only channels that occur as a label are
// judged: nobody has looked for the others.
func judge(set *rule.Set, items []labelled) *verdict {
	v := &verdict{items: len(items), scores: map[[2]string]tally{}, unjudged: map[string]int{}}
	labels, langs := map[string]bool{}, map[string]bool{}
	bodies := false // does the file name bodies that are no states?
	for i := range items {
		langs[items[i].Lang] = true
		for _, t := range slices.Concat(items[i].Themes, items[i].Optional) {
			labels[t] = true
		}
		if s := items[i].States; s != nil {
			bodies = bodies || slices.ContainsFunc(*s, isBody)
		}
	}
	delete(labels, noTheme)
	v.channels, v.languages = sorted(labels), sorted(langs)
	for _, ch := range v.channels {
		if !slices.ContainsFunc(set.Channels(), func(c rule.Channel) bool { return c.Slug == ch }) {
			v.unraised = append(v.unraised, ch)
		}
	}
	for i := range items {
		v.judge(set, &items[i], bodies)
	}
	return v
}

func (v *verdict) judge(set *rule.Set, l *labelled, bodies bool) {
	it := l.item()
	res := set.Match(it)
	raised := map[string][]rule.Match{}
	for _, h := range res.Channels {
		raised[h.Channel] = h.Rules
		if !slices.Contains(v.channels, h.Channel) {
			v.unjudged[h.Channel]++
		}
	}
	alarm := false
	for _, ch := range v.channels {
		rules, got := raised[ch]
		var t tally
		switch want := slices.Contains(l.Themes, ch); {
		case want && got:
			t.Right = 1
		case want:
			t.Missed = 1
			v.misses = append(v.misses, outcome{item: l, channel: ch, nearest: set.Nearest(ch, it)})
		case got && !slices.Contains(l.Optional, ch):
			t.Alarms, alarm = 1, true
			v.alarms = append(v.alarms, outcome{item: l, channel: ch, rules: rules})
		}
		key := [2]string{ch, l.Lang}
		v.scores[key] = v.scores[key].add(t)
	}
	if slices.Contains(l.Themes, noTheme) {
		v.none.of++
		if alarm {
			v.none.part++
		}
	}
	if l.States == nil {
		return
	}
	v.withState++
	o := stateOutcome{item: l}
	for _, s := range res.States {
		switch {
		case slices.Contains(*l.States, s):
			v.states.Right++
		case bodies || !isBody(s):
			o.extra = append(o.extra, s)
		}
	}
	for _, s := range *l.States {
		if !slices.Contains(res.States, s) {
			o.missed = append(o.missed, s)
		}
	}
	v.states.Alarms += len(o.extra)
	v.states.Missed += len(o.missed)
	if len(o.extra)+len(o.missed) > 0 {
		v.about = append(v.about, o)
	}
}

// isBody tells codes of bodies that act like states: who labels states alone
// does not mean them.
func isBody(code string) bool { return code == "EU" || code == "UN" || len(code) > 2 }

// score sums up a channel or a language; "" is all of them.
func (v *verdict) score(channel, language string) tally {
	var sum tally
	for key, t := range v.scores {
		if (channel == "" || key[0] == channel) && (language == "" || key[1] == language) {
			sum = sum.add(t)
		}
	}
	return sum
}

func sorted(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
