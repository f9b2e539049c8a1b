package web

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"

	"newsmonitor/pipeline/feed"
)

// askedRule is a query as a rule's file, with tests: what was ticked as
// wanted, and what must not fire.
type askedRule struct {
	YAML  string
	Notes []string // what to see to before it is saved
}

const maxMissTried = 200 // stored alerts that are tried for one that the query leaves alone

// askedRule makes the file. Items that are not wanted and still match make
// tests that fail until the query is better: the note says so.
func (s *Server) askedRule(ctx context.Context, query string, a Answer, hits, misses []string) askedRule {
	var out askedRule
	var fires, silent []string
	matched := map[string]Found{}
	for _, x := range a.Found {
		matched[x.Item.Feed+"/"+x.Item.Key] = x
	}
	if len(hits) == 0 {
		for _, x := range a.Found {
			if key := x.Item.Feed + "/" + x.Item.Key; len(hits) < 3 && !contains(misses, key) {
				hits = append(hits, key)
			}
		}
	}
	for _, key := range hits[:min(len(hits), maxPicked)] {
		if x, ok := matched[key]; ok {
			fires = append(fires, testYAML(true, x.Item, x.Evidence))
		} else {
			out.Notes = append(out.Notes, "An item that you ticked as wanted is not found by this query any more: it is left out.")
		}
	}
	still := 0
	for _, key := range misses[:min(len(misses), maxPicked)] {
		if x, ok := matched[key]; ok {
			still++
			silent = append(silent, testYAML(false, x.Item, x.Evidence))
		} else if it, ok := s.item(ctx, key); ok {
			silent = append(silent, testYAML(false, it, nil))
		}
	}
	if still > 0 {
		out.Notes = append(out.Notes, "The query still finds "+plural(still, "item", "items")+" that you do not want: make it narrower, or write an unless. Until then monitor check refuses the rule.")
	}
	if len(fires) == 0 {
		out.Notes = append(out.Notes, "A rule needs a test that fires, and nothing stored matches the query: write one.")
	}
	if len(silent) == 0 {
		it, ok := s.leftAlone(ctx, query)
		if ok {
			silent = append(silent, testYAML(false, it, nil))
		} else {
			out.Notes = append(out.Notes, "A rule needs a test that does not fire, and no stored alert is left alone by the query: write one.")
		}
	}
	id := ruleSlug(query)
	for _, r := range s.rules() {
		if r.ID == id {
			id += "-" + digest(query)
		}
	}
	var b strings.Builder
	b.WriteString("# A channel's file: save it in the rules folder, or paste the entry under rules: of another file.\n")
	b.WriteString("channel: asked\ntitle: Asked\nabout: Rules that began as a question on the page.\nrules:\n")
	b.WriteString("  - id: " + id + "\n    title: " + quoted(clip(strings.Join(strings.Fields(query), " "), 80)) + "\n    severity: medium\n    match: |\n")
	for l := range strings.Lines(visible(strings.TrimSpace(query))) {
		b.WriteString("      " + strings.TrimSpace(l) + "\n")
	}
	b.WriteString("    tests:\n")
	for _, t := range append(fires, silent...) {
		b.WriteString("      - " + t)
	}
	out.YAML = b.String()
	return out
}

func contains(ws []string, w string) bool {
	for _, have := range ws {
		if have == w {
			return true
		}
	}
	return false
}

// item is a stored one by "feed/key".
func (s *Server) item(ctx context.Context, name string) (feed.Item, bool) {
	feedID, key, ok := strings.Cut(name, "/")
	if _, valid := parseID(key); !ok || !valid || s.cfg.Revisions == nil || strings.ContainsFunc(feedID, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	}) {
		return feed.Item{}, false
	}
	items, err := s.cfg.Revisions(ctx, feedID, key)
	if err != nil || len(items) == 0 {
		return feed.Item{}, false
	}
	return items[len(items)-1], true
}

// leftAlone is the newest alert's item that the query does not match: a test
// that means something, of what this desk really reads.
func (s *Server) leftAlone(ctx context.Context, query string) (feed.Item, bool) {
	if s.cfg.Query == nil {
		return feed.Item{}, false
	}
	match, err := s.cfg.Query(query)
	if err != nil {
		return feed.Item{}, false
	}
	hits, _ := s.index.list(&filter{folded: "with"}, cursor{snapshot: s.index.newest()}, maxMissTried)
	for _, h := range hits {
		st, err := s.cfg.Alerts.Get(ctx, h.read)
		if err != nil || match(st.Event) {
			continue
		}
		d := st.Event.Data
		return feed.Item{Title: d.Item.Title, Summary: d.Item.Summary, Language: d.Item.Language, Source: d.Source}, true
	}
	return feed.Item{}, false
}

// ruleSlug is an id made of the query's first words.
func ruleSlug(query string) string {
	var words []string
	n := 0
	for _, w := range strings.FieldsFunc(strings.ToLower(query), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		plain := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, w)
		if plain != w || plain == "and" || plain == "or" || plain == "not" || plain == "near" {
			continue
		}
		if n += len(plain) + 1; n > 40 {
			break
		}
		words = append(words, plain)
	}
	if len(words) == 0 {
		return "asked-" + digest(query)
	}
	return "asked-" + strings.Join(words, "-")
}

func digest(s string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}
