package rule

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/engine"
	"newsmonitor/pipeline/rule/query"
)

// The plain evaluator is what the language means. The engine must say the same
// of every rule and item.

// words that random rules and items are made of: few, so that they meet often.
var oracleWords = []string{"iran", "Iran", "IRAN", "talks", "sanction", "sanctions", "sanctioned", "US", "us", "U.S.", "the", "of", "treasury", "export", "control", "controls",
	"café", "cafe", "Straße", "COVID-19", "3.5", "minister's", "organisation", "organization", "internationalisation", "internationalization",
	"中", "国", "中国", "制裁", "發展", "发展中国家", "裏", "里", "外交部", "インド", "インドネシア", "한국", "한국은", "대한국", "제재", "санкции", "санкций", "ёлка", "елка", "l'Europe", "منظمة", "กข"}

var oraclePatterns = []string{"sanction*", "ira*", "organi?ation", "internationali?ation", "con*ol*", "インド*", "the*", "tre?sur*", "санкци*"}

type oracleGen struct{ *rand.Rand }

func (g oracleGen) pick(s []string) string { return s[g.IntN(len(s))] }

func (g oracleGen) word() string {
	switch g.IntN(12) {
	case 0, 1:
		return g.pick(oraclePatterns)
	case 2, 3:
		var w []string
		for range 2 + g.IntN(2) {
			w = append(w, g.pick(oracleWords))
		}
		return `"` + strings.Join(w, " ") + `"`
	case 4:
		return `"` + g.pick(oracleWords) + " * " + g.pick(oracleWords) + `"`
	case 5:
		return `"` + g.pick(oraclePatterns) + " " + g.pick(oracleWords) + `"`
	}
	return `"` + g.pick(oracleWords) + `"`
}

// placed is a query with places in the text.
func (g oracleGen) placed(depth int) string {
	if depth <= 0 {
		return g.word()
	}
	d := depth - 1
	switch g.IntN(14) {
	case 0, 1:
		return fmt.Sprintf("(%s NEAR/%d %s)", g.placed(d), g.IntN(8), g.placed(d))
	case 2:
		return fmt.Sprintf("(%s ONEAR/%d %s)", g.placed(d), g.IntN(8), g.placed(d))
	case 3:
		return fmt.Sprintf("(%s SENT %s)", g.placed(d), g.placed(d))
	case 4:
		return fmt.Sprintf("(%s PARA %s)", g.placed(d), g.placed(d))
	case 5:
		return fmt.Sprintf("(%s EXCEPT %s)", g.placed(d), g.placed(d))
	case 6:
		return fmt.Sprintf("FIRST/%d(%s)", 1+g.IntN(8), g.placed(d))
	case 7:
		return fmt.Sprintf("%s(%s)", g.pick([]string{"CASE", "EXACT"}), g.placed(d))
	case 8:
		return fmt.Sprintf("STEM%s(%s)", g.pick([]string{"", ":ru", ":en"}), `"`+g.pick(oracleWords)+`"`)
	case 9:
		return g.pick([]string{"@one", "@many", "@nest", "@states", "@state-cn", "@empty"})
	case 10, 11:
		n := 2 + g.IntN(7)
		var kids []string
		for range n {
			kids = append(kids, g.placed(d-1))
		}
		return "(" + strings.Join(kids, " OR ") + ")"
	}
	return g.word()
}

func (g oracleGen) query(depth int) string {
	if depth <= 0 {
		return g.placed(0)
	}
	d := depth - 1
	switch g.IntN(14) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s AND %s)", g.query(d), g.query(d))
	case 3:
		return fmt.Sprintf("(%s AND NOT %s)", g.query(d), g.query(d))
	case 4:
		var kids []string
		for range 2 + g.IntN(7) {
			kids = append(kids, g.query(d-1))
		}
		return "(" + strings.Join(kids, " OR ") + ")"
	case 5:
		var kids []string
		n := 2 + g.IntN(7)
		for range n {
			kids = append(kids, g.query(d-1))
		}
		return fmt.Sprintf("SOME/%d(%s)", 1+g.IntN(n), strings.Join(kids, ", "))
	case 6:
		return fmt.Sprintf("SOME/%d(%s)", 1+g.IntN(3), g.pick([]string{"@one", "@many", "@states"}))
	case 7:
		return fmt.Sprintf("ATLEAST/%d(%s)", 1+g.IntN(4), g.placed(d))
	case 8, 9:
		return g.pick([]string{"title", "summary", "content", "text", "author", "category", "source", "url"}) + ":" + g.scoped(d)
	case 10:
		return g.pick([]string{"tier:authoritative", "country:US", "language:zh", "tag:cyber", "state:CN", "feed:*"})
	}
	return g.placed(depth)
}

func (g oracleGen) scoped(d int) string {
	switch g.IntN(3) {
	case 0:
		return fmt.Sprintf("(%s AND %s)", g.placed(d), g.placed(d))
	case 1:
		return fmt.Sprintf("ATLEAST/2(%s)", g.placed(d))
	}
	return "(" + g.placed(d) + ")"
}

func (g oracleGen) text(n int) string {
	var b strings.Builder
	for range n {
		w := g.pick(oracleWords)
		if g.IntN(4) == 0 {
			w = strings.TrimRight(g.pick(oraclePatterns), "*")
			w = strings.NewReplacer("*", "tr", "?", "s").Replace(w)
		}
		b.WriteString(w)
		b.WriteString(g.pick([]string{" ", " ", " ", " ", "", ". ", "。", "\n", ", "}))
	}
	return b.String()
}

func (g oracleGen) item() feed.Item {
	it := feed.Item{Title: g.text(g.IntN(7)), Summary: g.text(g.IntN(10)), Content: g.text(g.IntN(40)), Link: "https://example.org/iran/talks",
		Authors: []string{g.text(2), g.text(1)}, Categories: []string{g.text(1)}, Feed: "f",
		Source: feed.Source{ID: "f", Title: g.text(2), Tier: g.pick([]string{"authoritative", "non-authoritative", ""}), Country: g.pick([]string{"US", "CN", ""}), Tags: []string{g.pick([]string{"cyber", "trade"})}}}
	if g.IntN(3) == 0 {
		it.Summary = it.Content[:len(it.Content)/2]
	}
	return it
}

const oracleLists = `
lists:
  - {name: one, terms: [iran, CASE(US), sanction*]}
  - {name: many, terms: [iran, talks, treasury, "export controls", 制裁, "sanction* EXCEPT sanctioned", CASE(IRAN), インド*, "中国 NEAR/2 外交部"]}
  - {name: nest, terms: ["@one", "@many", 한국, "the OR of"]}
  - {name: empty, terms: [x], disabled: none}
`

// oracleSet is a set with lists alone, and both forms of some queries.
func oracleSet(t testing.TB) *Set {
	t.Helper()
	s := loadOne(t, "x", "lists/states.yaml", someStates, "lists/more.yaml", oracleLists)
	return s
}

func oraclePairs(t testing.TB, seed uint64, rules, items int) (pairs, hits int) {
	t.Helper()
	g := oracleGen{rand.New(rand.NewPCG(seed, 1))}
	s := oracleSet(t)
	p := newProgram(s.lists)
	b := engine.NewBuilder(vocabulary{})
	var exprs []*expr
	var queries []string
	for len(exprs) < rules {
		q := g.query(g.IntN(5))
		n, errs := query.Parse(q)
		if n == nil || slices.ContainsFunc(errs, func(e query.Error) bool { return !e.Warning }) {
			continue
		}
		exprs = append(exprs, p.compile(n))
		queries = append(queries, q)
		b.Add(engine.Rules, b.Query(n, listsOf(s.lists)))
	}
	m := b.Program().NewMatcher()
	var in engine.Item
	for range items {
		it := g.item()
		known := s.evaluate(it)
		v := newEvaluation(known.doc)
		v.facts = known.facts
		var want []uint32
		for i, e := range exprs {
			if v.holds(e) {
				want = append(want, uint32(i))
			}
		}
		in.Read(known.doc.texts)
		m.Load(&in)
		got := m.Match(engine.Rules, &v.facts, nil)
		pairs += len(exprs)
		hits += len(want)
		if slices.Equal(got, want) {
			continue
		}
		for i := range exprs {
			g, w := slices.Contains(got, uint32(i)), slices.Contains(want, uint32(i))
			if g != w {
				t.Errorf("seed %d: %s\non title %q\nsummary %q\ncontent %q\nauthors %q source %q category %q: engine %v, plain %v",
					seed, queries[i], it.Title, it.Summary, it.Content, it.Authors, it.Source.Title, it.Categories, g, w)
				return pairs, hits
			}
		}
	}
	return pairs, hits
}

func TestEngineIsPlain(t *testing.T) {
	t.Parallel()
	rounds, rules, items := 10, 100, 30
	if os.Getenv("NEWSMONITOR_LONG") != "" {
		rounds, rules, items = 40, 500, 100
	}
	pairs, hits := 0, 0
	for seed := range rounds {
		p, h := oraclePairs(t, uint64(seed), rules, items)
		pairs, hits = pairs+p, hits+h
	}
	t.Logf("%d pairs, %d hits", pairs, hits)
}

// plainly is Set.Match without the engine.
func (s *Set) plainly(it feed.Item) Result {
	v := s.evaluate(it)
	r := Result{States: v.facts.states, Voice: v.voice, Language: v.facts.language}
	var fired []*explained
	for _, r := range s.rules {
		if x := v.explanations.whole(r); !r.disabled && v.tries(x).none() {
			fired = append(fired, x)
		}
	}
	v.facts.channels = map[string]bool{}
	for _, x := range fired {
		v.facts.channels[x.Channel] = true
	}
	for _, x := range fired {
		severity := x.Severity
		if i := slices.IndexFunc(x.whens, v.holds); i >= 0 {
			severity = x.raise[i].to
		}
		r.add(x.Channel, v.match(x, v.capped(severity)))
	}
	r.sort()
	return r
}
