package rule

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
	"newsmonitor/pipeline/rule/text"
)

// sameResult holds Match, which goes by the engine, against the plain
// evaluation of every rule.
func sameResult(t *testing.T, s *Set, it feed.Item) Result {
	t.Helper()
	got, want := s.Match(it), s.plainly(it)
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Result{}, "Cut")); d != "" {
		t.Fatalf("Match of %q %q (-plain +engine):\n%s", it.Title, it.Link, d)
	}
	return got
}

// TestMatchIsPlain: rules with where, unless, raise, states and voices.
func TestMatchIsPlain(t *testing.T) {
	t.Parallel()
	sets, rules, items := 4, 40, 60
	if os.Getenv("NEWSMONITOR_LONG") != "" {
		sets, rules, items = 40, 200, 100
	}
	pairs, hits := 0, 0
	for seed := range sets {
		g := oracleGen{rand.New(rand.NewPCG(uint64(seed), 9))}
		s, problems := Load(dir("a.yaml", g.file("a", rules/2), "b.yaml", g.file("b", rules/2), "lists/states.yaml", someStates, "lists/more.yaml", oracleLists, "voices.yaml", someVoices))
		if errs := problems.Errors(); len(errs) > 0 {
			t.Fatal(errs)
		}
		for range items {
			it := g.item()
			it.Source.Kind = g.pick([]string{"", "ministry", "media", "think-tank"})
			it.Categories = append(it.Categories, g.pick([]string{"", "Opinion"}))
			for _, h := range sameResult(t, s, it).Channels {
				hits += len(h.Rules)
			}
			pairs += len(s.rules)
		}
	}
	t.Logf("%d pairs, %d hits", pairs, hits)
}

// valid is a random query that a rule may have.
func (g oracleGen) valid() string {
	for {
		q := g.query(g.IntN(4))
		n, errs := query.Parse(q)
		if n == nil {
			continue
		}
		bad := false
		for _, e := range append(errs, query.Check(n, query.Match, nil, func(string) bool { return true }, nil)...) {
			bad = bad || !e.Warning
		}
		if !bad {
			return q
		}
	}
}

// file is a rules file of random rules.
func (g oracleGen) file(channel string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "channel: %s\ntitle: T\nrules:\n", channel)
	quote := func(q string) string { return "'" + strings.ReplaceAll(q, "'", "''") + "'" }
	for i := range n {
		fmt.Fprintf(&b, "  - id: %s-%d\n    title: T\n    severity: %s\n    match: %s\n", channel, i, g.pick([]string{"low", "medium", "high"}), quote(g.valid()))
		b.WriteString("    allow_unanchored: true\n    slow_ok: true\n")
		if g.IntN(3) == 0 {
			fmt.Fprintf(&b, "    unless: %s\n", quote(g.valid()))
		}
		if g.IntN(3) == 0 {
			fmt.Fprintf(&b, "    raise:\n      - {to: critical, when: %s}\n      - {to: low, when: %s}\n", quote(g.valid()),
				quote("channel:"+g.pick([]string{"a", "b"})+" AND "+g.valid()))
		}
		if g.IntN(3) == 0 {
			fmt.Fprintf(&b, "    where: {%s}\n", g.pick([]string{"language: [zh, en]", "states: [CN, US]", "tier: [authoritative]", "country: [US]", "tags: [cyber]"}))
		}
		b.WriteString("    tests: [{fires: true, title: x}, {fires: false, title: x}]\n")
	}
	return b.String()
}

// shipped is the project's own rules.
func shipped(t testing.TB) *Set {
	t.Helper()
	if found, _ := filepath.Glob("../../rules/*.yaml"); len(found) == 0 {
		t.Fatal("no rules/*.yaml")
	}
	s, _ := Load(Dir{Name: "rules", FS: os.DirFS("../../rules")})
	return s
}

// realItems are the items of the captures and of the corpus, if they are here.
func realItems(t testing.TB) []feed.Item {
	t.Helper()
	const shared = "../../../shared"
	var items []feed.Item
	captures, _ := filepath.Glob(shared + "/real-feeds/*")
	for _, name := range captures {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, _ = io.ReadAll(io.LimitReader(z, 8<<20))
		}
		p, err := feed.Parse(feed.Document{Body: b})
		if err != nil {
			continue
		}
		items = append(items, p.Items...)
	}
	if f, err := os.Open(shared + "/corpus/dev.jsonl"); err == nil {
		defer f.Close()
		for in := bufio.NewScanner(f); in.Scan(); {
			var x struct{ ID, Title, Summary, Content, Lang, Publisher, Kind string }
			if json.Unmarshal(in.Bytes(), &x) == nil {
				items = append(items, feed.Item{GUID: x.ID, Title: x.Title, Summary: x.Summary, Content: x.Content, Language: x.Lang,
					Source: feed.Source{ID: "dev", Title: x.Publisher, Kind: x.Kind, Country: "CN"}})
			}
		}
	}
	seeds, _ := filepath.Glob(shared + "/corpus/seeds/*")
	for _, name := range seeds {
		if b, err := os.ReadFile(name); err == nil {
			items = append(items, feed.Item{Title: filepath.Base(name), Content: string(b[:min(len(b), 256<<10)]), Source: feed.Source{Country: "US"}})
		}
	}
	if len(items) == 0 {
		t.Skip("neither " + shared + "/real-feeds nor " + shared + "/corpus is here")
	}
	return items
}

// TestRealItems: the shipped rules on all real items that we have, with the
// spans of the evidence and twins; each tenth of them in a short run.
func TestRealItems(t *testing.T) {
	t.Parallel()
	items, s := realItems(t), shipped(t)
	hits := 0
	for i, it := range items {
		if i%10 != 0 && os.Getenv("NEWSMONITOR_LONG") == "" {
			continue
		}
		r := sameResult(t, s, it)
		texts := textsOf(&it)
		for _, h := range r.Channels {
			for _, m := range h.Rules {
				hits++
				for _, e := range m.Evidence {
					in := texts[fieldOf(e.Field)]
					if in[e.Start:e.End] != e.Text {
						t.Fatalf("%s of %q: [%d:%d] is %q, not %q", m.ID, it.Title, e.Start, e.End, in[e.Start:e.End], e.Text)
					}
				}
			}
		}
		if i%20 == 0 {
			twins(t, s, it)
		}
	}
	t.Logf("of %d items, %d hits", len(items), hits)
}

func fieldOf(name string) field {
	for f, n := range fieldNames {
		if n == name {
			return field(f)
		}
	}
	return fieldCount
}

// fired is which rules fire.
func fired(r Result) string {
	var ids []string
	for _, h := range r.Channels {
		for _, m := range h.Rules {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// twins holds an item against itself in other forms of writing.
func twins(t *testing.T, s *Set, it feed.Item) {
	t.Helper()
	want := fired(s.Match(it))
	for name, form := range map[string]func(string) string{
		"NFC": norm.NFC.String, "NFD": norm.NFD.String,
	} {
		twin := it
		twin.Title, twin.Summary, twin.Content = form(it.Title), form(it.Summary), form(it.Content)
		if got := fired(s.Match(twin)); got != want {
			t.Errorf("%s of %q: %s, want %s", name, it.Title, got, want)
		}
	}
}

// TestTwins: the same text in other forms of writing gives the same hits, and
// what each place holds folds to the same words.
func TestTwins(t *testing.T) {
	t.Parallel()
	forms := map[string]func(string) string{
		"upper": strings.ToUpper, "lower": strings.ToLower, "NFC": norm.NFC.String, "NFD": norm.NFD.String,
		"wide": width.Widen.String, "narrow": width.Narrow.String,
		"simplified":  strings.NewReplacer("發", "发", "國", "国", "裏", "里").Replace,
		"traditional": strings.NewReplacer("发", "發", "国", "國", "里", "裡").Replace,
	}
	for seed := range 30 {
		g := oracleGen{rand.New(rand.NewPCG(uint64(seed), 5))}
		var rules []string
		for len(rules) < 40 {
			q := g.placed(1 + g.IntN(3))
			if strings.Contains(q, "CASE") || strings.Contains(q, "EXACT") || strings.Contains(q, "STEM") || strings.Contains(q, "SENT") || strings.Contains(q, "PARA") ||
				strings.Contains(q, "@") { // of which the form of writing, or where a sentence ends, is the point
				continue
			}
			if _, errs := query.Parse(q); len(errs) == 0 {
				rules = append(rules, q)
			}
		}
		var b strings.Builder
		b.WriteString("channel: x\ntitle: T\nrules:\n")
		for i, q := range rules {
			fmt.Fprintf(&b, "  - {id: r%d, title: T, severity: low, allow_unanchored: true, slow_ok: true, match: '%s', tests: [{fires: true, title: x}, {fires: false, title: x}]}\n",
				i, strings.ReplaceAll(q, "'", "''"))
		}
		s, problems := Load(dir("x.yaml", b.String()))
		if errs := problems.Errors(); len(errs) > 0 {
			t.Fatal(errs)
		}
		for range 20 {
			// Apostrophes and points join by what stands around them, which only ASCII tells.
			plain := strings.NewReplacer("U.S.", "us", "'", "", "3.5", "35")
			it := feed.Item{Title: plain.Replace(g.text(6)), Content: plain.Replace(g.text(30))}
			want := s.Match(it)
			for name, form := range forms {
				twin := it
				twin.Title, twin.Content = form(it.Title), form(it.Content)
				got := s.Match(twin)
				if fired(got) != fired(want) {
					t.Fatalf("seed %d: %s of %q %q: %s, want %s", seed, name, it.Title, it.Content, fired(got), fired(want))
				}
				if d := cmp.Diff(places(want), places(got)); d != "" {
					t.Fatalf("seed %d: %s of %q %q finds other places: %s", seed, name, it.Title, it.Content, d)
				}
			}
		}
	}
}

// places is what the evidence of each rule holds, folded.
func places(r Result) map[string]string {
	out := map[string]string{}
	for _, h := range r.Channels {
		for _, m := range h.Rules {
			for _, e := range m.Evidence {
				out[m.ID] += folded(e.Text) + "| "
			}
		}
	}
	return out
}

// folded is the words of a text.
func folded(s string) string {
	var b strings.Builder
	for _, k := range text.Tokenise(s) {
		b.WriteString(k.Text + " ")
	}
	return b.String()
}

// TestNoHitNoGarbage: an item that nothing fires on, and that is about no
// state, allocates nothing.
func TestNoHitNoGarbage(t *testing.T) {
	s := loadOne(t, "(sanction* NEAR/5 @states) AND CASE(NOPE) AND NOT STEM(talks)", "lists/states.yaml", someStates, "voices.yaml", someVoices)
	it := feed.Item{Title: "Sanctions on China", Content: strings.ReplaceAll(article(5000), "中国", "企业"), Link: "https://example.org", Language: "", Source: feed.Source{ID: "f", Country: "CN", Title: "T"}}
	if r := s.Match(it); len(r.Channels) > 0 {
		t.Fatal("fires")
	}
	it.Title = "Sanctions on nobody"
	r := s.index.readers.Get().(*reader) // which a pool keeps, but not under the race detector
	r.read(s, &it)
	if n := testing.AllocsPerRun(100, func() { r.read(s, &it); r.cut(); r.forget() }); n >= 1 {
		t.Errorf("%v allocations an item", n)
	}
}

// TestManyAtOnce shares a set, also while it is reloaded.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	g := oracleGen{rand.New(rand.NewPCG(3, 3))}
	d := dir("a.yaml", g.file("a", 20), "b.yaml", g.file("b", 20), "lists/states.yaml", someStates, "lists/more.yaml", oracleLists, "voices.yaml", someVoices)
	s, problems := Load(d)
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	var items []feed.Item
	var want []Result
	for range 20 {
		items = append(items, g.item())
		want = append(want, s.Match(items[len(items)-1]))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			set := s
			for k := range 10 {
				for i, it := range items {
					if d := cmp.Diff(want[i], set.Match(it)); d != "" {
						t.Errorf("differs: %s", d)
						return
					}
				}
				if k%3 == 2 {
					set, _ = set.Reload(d)
				}
			}
		})
	}
	wg.Wait()
}

// TestBesideIsWhole: a set that was reloaded many times, with what changed
// compiled beside the rest, matches as one that is loaded whole.
func TestBesideIsWhole(t *testing.T) {
	t.Parallel()
	g := oracleGen{rand.New(rand.NewPCG(11, 11))}
	tree := map[string]string{"lists/states.yaml": someStates, "lists/more.yaml": oracleLists, "voices.yaml": someVoices, "a.yaml": g.file("a", 20)}
	for i := range 30 {
		tree[fmt.Sprintf("b%d.yaml", i)] = strings.ReplaceAll(g.file("b", 5), "id: b-", fmt.Sprintf("id: b%d-", i))
	}
	load := func() Dir {
		var pairs []string
		for name, s := range tree {
			pairs = append(pairs, name, s)
		}
		return dir(pairs...)
	}
	s, problems := Load(load())
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	beside := 0
	for round := range 30 {
		name := fmt.Sprintf("b%d", g.IntN(34))
		switch g.IntN(8) {
		case 0:
			delete(tree, name+".yaml")
		case 1:
			tree["lists/more.yaml"] = strings.Replace(oracleLists, "[iran, CASE(US)", fmt.Sprintf("[iran, talks%d, CASE(US)", round), 1)
		case 2:
			tree["voices.yaml"] = strings.Replace(someVoices, "外交部发言人 OR", fmt.Sprintf("外交部发言人 OR x%d OR", round), 1)
		default:
			tree[name+".yaml"] = strings.ReplaceAll(g.file("b", 5), "id: b-", "id: "+name+"-")
		}
		s, problems = s.Reload(load())
		whole, more := Load(load())
		if len(problems.Errors())+len(more.Errors()) > 0 {
			t.Fatal(problems.Errors(), more.Errors())
		}
		beside += len(s.index.parts) - 1
		for range 20 {
			it := g.item()
			if d := cmp.Diff(whole.Match(it), s.Match(it)); d != "" {
				t.Fatalf("round %d (-whole +reloaded): %s", round, d)
			}
		}
	}
	if beside == 0 {
		t.Error("nothing was ever compiled beside the rest")
	}
}

// TestShippedIsPlain: the shipped rules on the items of their own tests.
func TestShippedIsPlain(t *testing.T) {
	t.Parallel()
	s := shipped(t)
	tests := map[*version]map[string][]test{}
	for _, r := range s.rules {
		for _, x := range r.tests(tests) {
			sameResult(t, s, x.item)
		}
	}
}
