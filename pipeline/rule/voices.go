package rule

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule/query"
)

// voice is a Voice with what it is recognised by.
type voice struct {
	Voice
	node  *query.Node // of match
	lists listsOf
	means string // node, with all that its lists stand for
	where where
}

type placedVoice struct {
	file  *sourceFile
	i     int
	entry *voiceEntry
}

// orderVoices finds out which voices count and in which order they are tried:
// a later directory's first, but one that replaces another in its place.
func (a *assembly) orderVoices(files []*sourceFile) []*placedVoice {
	byID := map[string]*placedVoice{}
	var all []*placedVoice
	last := -1
	var fresh []*placedVoice
	flush := func() {
		all = append(fresh, all...)
		fresh = nil
	}
	for _, f := range byAge(files) {
		if f.dir != last {
			flush()
			last = f.dir
		}
		for i := range f.voices.Voices {
			p := &placedVoice{file: f, i: i, entry: &f.voices.Voices[i]}
			at := func() *yaml.Node { return f.find("voices", i, "voice") }
			was := byID[p.entry.Voice]
			switch {
			case !isSlug(p.entry.Voice):
				a.fail(f, at(), slugHint(p.entry.Voice), "voice %s is no slug", problem.Quote(p.entry.Voice))
				continue
			case was == nil:
				fresh = append(fresh, p)
			case was.file.dir == f.dir:
				a.fail(f, at(), fmt.Sprintf("the first is %s:%d", was.file.name, was.file.line("voices", was.i, "voice")), "voice %s is written twice", p.entry.Voice)
				continue
			default:
				all[slices.Index(all, was)] = p
			}
			byID[p.entry.Voice] = p
		}
	}
	flush()
	return all
}

func (a *assembly) voice(p *placedVoice) {
	f, e := p.file, p.entry
	if e.Disabled != "" {
		return
	}
	at := func(key string) []any { return []any{"voices", p.i, key} }
	if strings.TrimSpace(e.Title) == "" {
		a.fail(f, f.find(at("title")...), "", "voice %s has no title", e.Voice)
	}
	if !slices.Contains(feed.Tiers, e.Tier) {
		a.fail(f, f.find(at("tier")...), didYouMean(e.Tier, feed.Tiers, "%s"), "voice %s: %s is no tier", e.Voice, problem.Quote(e.Tier))
	}
	if e.Side != "" && !slices.Contains(Sides, e.Side) {
		a.fail(f, f.find(at("side")...), didYouMean(e.Side, Sides, "%s"), "voice %s: %s is no side", e.Voice, problem.Quote(e.Side))
	}
	if e.Country != "" && !isCode(e.Country) {
		a.fail(f, f.find(at("country")...), "the ISO code: CN, US, EU, UN", "voice %s: %s is no country", e.Voice, problem.Quote(e.Country))
	}
	a.where(f, &e.Where, at("where")...)
	if strings.TrimSpace(e.Match) == "" {
		a.fail(f, f.find("voices", p.i), "write the query under match:", "voice %s has no match", e.Voice)
		return
	}
	n := a.query(f, query.Match, e.Match, at("match")...)
	if n == nil {
		return
	}
	a.set.voices = append(a.set.voices, &voice{Voice: Voice{ID: e.Voice, Title: e.Title, Tier: e.Tier, Side: e.Side, Country: e.Country},
		node: n, lists: a.lists(f), means: meaning(n, a.lists(f)), where: e.Where.compiled()})
}

// meaning is equal for queries that mean the same.
func meaning(n *query.Node, lists map[string]*list) string {
	var d depends
	d.note(n, lists)
	out := query.Format(n)
	for _, u := range d.uses {
		out += "\n" + u.whole
	}
	return out
}

// voiceOf recognises who speaks.
func (s *Set) voiceOf(v *judged) Voice {
	exprs := v.explanations.speakers()
	for i, x := range s.voices {
		if x.where.fails(&v.facts) == "" && v.holds(exprs[i]) {
			return x.speaks(&v.item)
		}
	}
	return Voice{}
}

// speaks is the voice in an item. Authoritative speech in an outlet that is
// not an authoritative one of the same state is reported speech.
func (x *voice) speaks(it *feed.Item) Voice {
	who, src := x.Voice, &it.Source
	who.Reported = who.Tier == "authoritative" && src.Tier != "" && (src.Tier != "authoritative" || src.Country != who.Country)
	return who
}
