package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"newsmonitor/pipeline/rule/query"
)

// someLists are lists for tests.
type someLists map[string][]*query.Node

func (l someLists) Entries(name string) ([]*query.Node, bool) {
	n, ok := l[name]
	return n, ok
}

// someFacts hold where they are in the map.
type someFacts map[string]string

func (f someFacts) Holds(name string, values []string) bool { return slices.Contains(values, f[name]) }

func listsFor(t testing.TB) someLists {
	l := someLists{}
	for name, entries := range map[string][]string{
		"actors": {"iran", "russia", `"north korea"`, "chin*", "france", "CASE(US)"},
		"acts":   {"@actors", "sanction*", "制裁", `"export controls"`, "ban EXCEPT \"ban ki moon\"", "tariffs"},
		"empty":  {},
	} {
		l[name] = []*query.Node{}
		for _, e := range entries {
			n, errs := query.ParseEntry(e)
			if n == nil {
				t.Fatal(e, errs)
			}
			l[name] = append(l[name], n)
		}
	}
	return l
}

func TestMatch(t *testing.T) {
	t.Parallel()
	lists := listsFor(t)
	for _, c := range []struct {
		query string
		yes   []string // title|content
		no    []string
	}{
		{"iran", []string{"Iran", "|IRAN"}, []string{"Iranian", ""}},
		{"title:iran", []string{"Iran"}, []string{"|Iran"}},
		{"@actors", []string{"North Korea", "the US", "Chinese", "a|France"}, []string{"North", "tell us"}},
		{"SOME/2(@actors)", []string{"Iran, Russia"}, []string{"Iran, Iran", "China Chinese"}},
		{"@acts NEAR/2 @actors", []string{"sanctions on Russia", "Iran and Russia"}, []string{"sanctions", "iran", "iran|sanctions"}},
		{"@acts AND NOT @actors", []string{"制裁", "a ban"}, []string{"制裁 iran", "Ban Ki Moon"}},
		{"@empty OR iran", []string{"iran"}, []string{"x"}},
		{"@empty AND iran", nil, []string{"iran"}},
		{"iran AND tier:high", []string{"iran"}, nil},
		{"iran AND tier:low", nil, []string{"iran"}},
		{"NOT iran AND tier:high", []string{"x", ""}, []string{"iran"}},
		{`"a * c" OR "aaa* b"`, []string{"a b c", "aaaa b"}, []string{"a c", "a b"}},
		{"ATLEAST/3(a OR b)", []string{"a b a"}, []string{"a b"}},
		{"FIRST/2(c)", []string{"a c"}, []string{"a b c"}},
		{"SOME/2(a AND b, c, d, e, f NEAR/1 g)", []string{"a b c", "f g e"}, []string{"a c", "f x x g e"}},
		{"(a OR b OR c OR d OR e OR f) NEAR/1 g", []string{"e g"}, []string{"e x x g"}},
		{"STEM(talks)", []string{"talks"}, nil},
	} {
		b := NewBuilder(plainStems{})
		b.Add(Rules, b.Query(parse(t, c.query), lists))
		m, it := b.Program().NewMatcher(), &Item{}
		for want, texts := range [][]string{c.no, c.yes} {
			for _, s := range texts {
				title, content, _ := strings.Cut(s, "|")
				it.Read(&[Fields]string{Title: title, Content: content})
				m.Load(it)
				if got := m.Match(Rules, someFacts{"tier": "high"}, nil); len(got) != want {
					t.Errorf("%s on %q: %d hits, want %d", c.query, s, len(got), want)
				}
			}
		}
	}
}

func TestLanes(t *testing.T) {
	t.Parallel()
	lists := listsFor(t)
	b := NewBuilder(plainStems{})
	for _, q := range []string{"iran", "russia OR ruble OR kremlin OR moscow OR duma", "@actors"} {
		b.Add(States, b.Query(parse(t, q), lists))
	}
	b.Add(Voices, b.Query(parse(t, "NOT x AND tier:high"), lists))
	b.Add(Rules, b.Query(parse(t, "iran"), lists))
	p := b.Program()
	if p.Len(States) != 3 || p.Len(Voices) != 1 || p.Stats().Rules != 1 {
		t.Errorf("lanes: %+v", p.Stats())
	}
	m, it := p.NewMatcher(), &Item{}
	it.Read(&[Fields]string{Title: "Moscow and Iran"})
	m.Load(it)
	got := fmt.Sprint(m.Match(States, nil, nil), m.Match(Voices, someFacts{"tier": "high"}, nil), m.Match(Voices, someFacts{}, nil), m.Match(Rules, nil, nil))
	if got != "[0 1 2] [0] [] [0]" {
		t.Errorf("lanes answer %s", got)
	}
}

// TestLimits: what a hostile text may cost is cut, and said.
func TestLimits(t *testing.T) {
	t.Parallel()
	many := func(query func(i int) string, n int) []string {
		var out []string
		for i := range n {
			out = append(out, query(i))
		}
		return out
	}
	for _, c := range []struct {
		name    string
		queries []string
		text    string
		hits    int
		cut     string
	}{
		{"nothing", []string{"a NEAR/3 b"}, strings.Repeat("a ", 9000) + "b", 1, "[]"},
		{"words", []string{"a AND b"}, strings.Repeat("a ", MaxWords) + "b", 0, "[match-words]"},
		{"words of Han", []string{"b"}, strings.Repeat("中", MaxWords+1), 0, "[match-words]"},
		{"places", []string{"(a NEAR/1 a) NEAR/1 b"}, strings.Repeat("a ", 20_000), 0, "[]"},
		{"places that count", []string{"(a NEAR/1 a) NEAR/1 b"}, strings.Repeat("a ", 20_000) + " c c c c b", 0, "[match-places]"},
		{"steps", many(func(i int) string { return fmt.Sprintf("((a NEAR/%d a) NEAR/9 a) ONEAR/0 b", i) }, 100), "b " + strings.Repeat("a ", 5_000), 0, "[match-places match-steps]"},
	} {
		b := NewBuilder(plainStems{})
		for _, q := range c.queries {
			b.Add(Rules, b.Query(parse(t, q), noLists{}))
		}
		m, it := b.Program().NewMatcher(), &Item{}
		it.Read(&[Fields]string{Content: c.text})
		m.Load(it)
		hits := m.Match(Rules, nil, nil)
		if got := fmt.Sprint(m.Cut(nil)); len(hits) != c.hits || got != c.cut {
			t.Errorf("%s: %d hits, cut %s, want %d and %s", c.name, len(hits), got, c.hits, c.cut)
		}
		// The work is bounded by what is counted, with room for what each query
		// may still do.
		if most := MaxSteps + len(c.queries)*(fewPlaces*fewPlaces*8+2*MaxPlaces); m.steps > most {
			t.Errorf("%s: %d steps, more than %d", c.name, m.steps, most)
		}
	}
}

// TestAgain: a matcher that has seen other items answers as a new one.
func TestAgain(t *testing.T) {
	t.Parallel()
	g := english(3)
	p := program(t, g, 500)
	m, it := p.NewMatcher(), &Item{}
	for i := range 200 {
		texts := [Fields]string{Title: g.text(50), Content: g.text(2000 + i*10)}
		if i%5 == 0 {
			texts[Content] = ""
		}
		it.Read(&texts)
		m.Load(it)
		got := m.Match(Rules, nil, nil)
		fresh := &Item{}
		fresh.Read(&texts)
		n := p.NewMatcher()
		n.Load(fresh)
		if want := n.Match(Rules, nil, nil); !slices.Equal(got, want) {
			t.Fatalf("item %d: %v, want %v", i, got, want)
		}
	}
}

func TestNoGarbage(t *testing.T) {
	for name, g := range map[string]*tongue{"en": english(1), "zh": chinese(1)} {
		p := program(t, g, 2000)
		m, it := p.NewMatcher(), &Item{}
		var texts [16][Fields]string
		for i := range texts {
			texts[i][Content] = g.text(5000)
		}
		var hits []uint32
		all := func() {
			for i := range texts {
				it.Read(&texts[i])
				m.Load(it)
				hits = m.Match(Rules, nil, hits[:0])
			}
		}
		all()
		if n := testing.AllocsPerRun(10, all); n != 0 {
			t.Errorf("%s: %v allocations in 16 items", name, n)
		}
	}
}

// TestGrowth holds the promise that time hardly grows with the rules, by
// counting instead of the clock: what 10,000 rules look at beyond 100.
func TestGrowth(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]*tongue{"en": english(1), "zh": chinese(1)} {
		text := [Fields]string{Content: g.text(5000)}
		it := &Item{}
		it.Read(&text)
		p := program(t, g, 10_000)
		m := p.NewMatcher()
		m.Load(it)
		m.Match(Rules, nil, nil)
		if m.postsN > 2000 || m.evals > 200 {
			t.Errorf("%s: an item looks at %d postings of 10,000 rules and evaluates %d", name, m.postsN, m.evals)
		}
		if s := p.Stats(); s.Bytes > 10_000*600 {
			t.Errorf("%s: %d bytes a rule", name, s.Bytes/10_000)
		}
	}
}

// FuzzMatch feeds the engine any queries and any text: it must end, say the
// same twice, and find places that are in the text.
func FuzzMatch(f *testing.F) {
	f.Add(`(sanction* NEAR/5 @actors) OR ATLEAST/2("a * b")`, "sanctions on Iran", "a x b a\nb. 制裁")
	f.Add("SOME/2(@acts) AND NOT CASE(US)", "Ban Ki Moon", "export controls, tariffs")
	f.Add("FIRST/3(制裁 SENT 中国) EXCEPT 发展中国家", "制裁。中国", "发展中国家\u0301\xff")
	f.Add("한국 PARA (b OR c OR d OR e OR f)", "한국은 대한국", "b\n\n한국")
	f.Add("EXACT(裏) OR STEM(talk) ONEAR/1 café", "裏里", "talk cafe\u0301")
	lists := listsFor(f)
	f.Fuzz(func(t *testing.T, q, title, content string) {
		n, errs := query.Parse(q)
		if n == nil || slices.ContainsFunc(errs, func(e query.Error) bool { return !e.Warning }) {
			n = parse(t, "@actors")
		}
		b := NewBuilder(plainStems{})
		r := b.Query(n, lists)
		b.Add(Rules, r)
		p := b.Program()
		m, it := p.NewMatcher(), &Item{}
		var was []uint32
		for range 2 {
			it.Read(&[Fields]string{Title: title, Content: content})
			m.Load(it)
			hits := m.Match(Rules, someFacts{}, nil)
			if was != nil && !slices.Equal(was, hits) || was == nil && len(hits) > 1 {
				t.Fatalf("%q on %q %q: %v, then %v", q, title, content, was, hits)
			}
			if was = hits; was == nil {
				was = []uint32{}
			}
			if held := m.Holds(r); held != (len(hits) == 1) {
				t.Fatalf("%q on %q %q holds %v, but has %d hits", q, title, content, held, len(hits))
			}
			last := Span{}
			for _, s := range m.Spans(r) {
				if s.Start < 0 || s.End <= s.Start || int(s.End) > it.Len() || compare(last, s) > 0 || it.Field(s.Start) != it.Field(s.End-1) {
					t.Fatalf("%q on %q %q stands at %v", q, title, content, s)
				}
				last = s
			}
		}
	})
}
