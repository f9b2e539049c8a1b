package rule

import (
	"cmp"
	"slices"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/text"
)

// Match says which channels an item belongs to, and why. It is pure, safe for
// use by many at once, and takes time in proportion to the item and the rules.
func (s *Set) Match(it feed.Item) Result {
	v := s.evaluate(it)
	r := Result{States: v.facts.states, Voice: v.voice, Language: v.facts.language}
	var fired []*rule
	for _, x := range s.rules {
		if x.Disabled != "" {
			continue
		}
		if f := v.tries(x); f.none() {
			fired = append(fired, x)
			v.facts.channels[x.Channel] = true
		}
	}
	// channel: is judged here, when every rule has had its say.
	for _, x := range fired {
		severity := v.severity(x)
		evidence, score := v.evidence(x.match)
		m := Match{ID: x.ID, Title: x.Title, Severity: severity, Version: x.Version, Score: score,
			Snippet: v.snippet(evidence), Evidence: v.lines(evidence)}
		i := slices.IndexFunc(r.Channels, func(h Hit) bool { return h.Channel == x.Channel })
		if i < 0 {
			r.Channels = append(r.Channels, Hit{Channel: x.Channel, Severity: Low})
			i = len(r.Channels) - 1
		}
		h := &r.Channels[i]
		h.Rules = append(h.Rules, m)
		h.Score = max(h.Score, score)
		if severity.Rank() > h.Severity.Rank() {
			h.Severity = severity
		}
	}
	for _, h := range r.Channels {
		slices.SortStableFunc(h.Rules, func(a, b Match) int {
			return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
		})
	}
	slices.SortStableFunc(r.Channels, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Channel, b.Channel))
	})
	return r
}

// judged is an item of which everything is known but the rules.
type judged struct {
	*evaluation
	item  feed.Item
	voice Voice
}

// evaluate reads an item and finds out what rules may ask of it, in the order
// in which one needs the other: language, states, voice, tier.
func (s *Set) evaluate(it feed.Item) *judged {
	v := &judged{evaluation: newEvaluation(read(it), s.exprs), item: it}
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

// beginning is enough of a text to tell its language.
func beginning(s string) string {
	if len(s) > 4000 {
		return s[:4000]
	}
	return s
}

// failure is the first clause of a rule that keeps it from firing.
type failure struct {
	clause string // "", where, match or unless
	detail string
}

func (f failure) none() bool { return f.clause == "" }

func (v *judged) tries(x *rule) failure {
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
