package rule

import (
	"cmp"
	"slices"
	"strings"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/text"
)

// Match says which channels an item belongs to, and why. It is pure and safe
// for use by many at once. What it costs hardly grows with the number of
// rules, but with those that fire.
func (s *Set) Match(it feed.Item) Result {
	r := s.index.readers.Get().(*reader)
	r.read(s, &it)
	out := Result{States: r.facts.states, Voice: r.voice, Language: r.facts.language, Cut: r.cut()}
	if len(r.fired) > 0 {
		s.explain(r, &it, &out)
	}
	r.forget()
	s.index.readers.Put(r)
	return out
}

// explain says why the rules fired that did, and how severe that is.
func (s *Set) explain(r *reader, it *feed.Item, out *Result) {
	r.facts.channels = make(map[string]bool, 4)
	explanations := s.explains.get()
	rules := make([]*explained, len(r.fired))
	for i, f := range r.fired {
		rules[i] = explanations.rule(s.rules[f.place])
		r.facts.channels[rules[i].Channel] = true
	}
	for _, m := range r.matchers { // channel: is judged here, when every rule has had its say
		m.Ask(&r.facts)
	}
	r.found.next()
	r.doc.read(&r.item)
	v := &judged{evaluation: &evaluation{doc: &r.doc, facts: r.facts, found: &r.found}, item: *it, voice: r.voice}
	for i, f := range r.fired {
		x := rules[i]
		out.add(x.Channel, v.match(x, v.capped(r.severity(s, f, x.spelled))))
	}
	out.sort()
}

// match is what is said of a rule that fired.
func (v *judged) match(x *explained, severity Severity) Match {
	evidence, score := v.evidence(x.match)
	return Match{ID: x.ID, Title: x.Title, Severity: severity, Version: x.Version, Score: score,
		Snippet: v.snippet(evidence), Evidence: v.lines(evidence)}
}

// add puts a match under its channel.
func (r *Result) add(channel string, m Match) {
	i := slices.IndexFunc(r.Channels, func(h Hit) bool { return h.Channel == channel })
	if i < 0 {
		r.Channels = append(r.Channels, Hit{Channel: channel, Severity: Low})
		i = len(r.Channels) - 1
	}
	h := &r.Channels[i]
	h.Rules = append(h.Rules, m)
	h.Score = max(h.Score, m.Score)
	if m.Severity.Rank() > h.Severity.Rank() {
		h.Severity = m.Severity
	}
}

// sort puts the strongest first.
func (r *Result) sort() {
	for _, h := range r.Channels {
		slices.SortStableFunc(h.Rules, func(a, b Match) int {
			return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
		})
	}
	slices.SortStableFunc(r.Channels, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Channel, b.Channel))
	})
}

// judged is an item of which everything is known but the rules.
type judged struct {
	*evaluation
	item         feed.Item
	voice        Voice
	explanations *explanations // of a judgement that is made plainly
}

// evaluate reads an item and finds out what rules may ask of it, in the order
// in which one needs the other: language, states, voice, tier.
func (s *Set) evaluate(it feed.Item) *judged {
	v := &judged{evaluation: newEvaluation(read(it)), item: it, explanations: s.explains.get()}
	v.facts = facts{source: it.Source, feed: cmp.Or(it.Feed, it.Source.ID), tier: it.Source.Tier, channels: map[string]bool{}}
	v.facts.language = text.Language(it.Title+"\n"+it.Summary+"\n"+beginning(it.Content), it.Language)
	v.facts.states = s.statesOf(v)
	v.voice = s.voiceOf(v)
	v.facts.voice = v.voice.ID
	if v.voice.ID != "" {
		v.facts.tier = v.voice.Tier
	}
	return v
}

// beginning is enough of a text to tell its language. It ends at a space if
// there is one, so that it has the words that the text has.
func beginning(s string) string {
	if len(s) > 4000 {
		s = s[:4000]
		if i := strings.LastIndexByte(s, ' '); i > 3000 {
			s = s[:i]
		}
	}
	return s
}

// failure is the first clause of a rule that keeps it from firing.
type failure struct {
	clause string // "", where, match or unless
	detail string
}

func (f failure) none() bool { return f.clause == "" }

// tries judges a rule plainly: for whoever asks why it did not fire.
func (v *judged) tries(x *explained) failure {
	if key := x.where.fails(&v.facts); key != "" {
		return failure{"where", key}
	}
	if !v.holds(x.match) {
		return failure{clause: "match"}
	}
	if x.unless != nil && v.holds(x.unless) {
		return failure{clause: "unless"}
	}
	return failure{}
}
