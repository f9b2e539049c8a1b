package rule

import (
	"slices"
	"strings"

	"newsmonitor/pipeline/rule/text"
)

// capped is a severity, but that what thinks aloud instead of acting never
// exceeds medium.
func (v *judged) capped(s Severity) Severity {
	if s.Rank() > Medium.Rank() && (thinks[v.item.Source.Kind] || v.opinion()) {
		return Medium
	}
	return s
}

var thinks = map[string]bool{"think-tank": true, "academic": true}

// opinion tells a press article that says of itself that it is one. Organs
// and recognised voices act by speaking, whatever the rubric.
func (v *judged) opinion() bool {
	switch v.item.Source.Kind {
	case "", "media", "state-media", "party-media":
	default:
		return false
	}
	if v.voice.ID != "" && v.voice.Tier != "non-authoritative" {
		return false
	}
	for _, c := range v.item.Categories {
		if rubrics[text.Fold(strings.TrimSpace(c))] {
			return true
		}
	}
	if i := strings.IndexAny(v.item.Title, ":|：｜"); i > 0 && rubrics[text.Fold(strings.TrimSpace(v.item.Title[:i]))] {
		return true
	}
	parts := strings.Split(strings.ToLower(v.item.Link), "/")
	return slices.ContainsFunc(parts, func(p string) bool { return paths[p] })
}

var (
	rubrics = set("opinion", "opinions", "op-ed", "oped", "commentary", "comment", "editorial", "column", "guest essay", "analysis & opinion",
		"评论", "社论", "社评", "观点", "时评", "meinung", "kommentar", "tribune", "editorial board", "мнение", "社説", "오피니언")
	paths = set("opinion", "opinions", "op-ed", "commentary", "commentisfree", "editorials", "editorial")
)

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
