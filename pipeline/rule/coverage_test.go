package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline/feed"
)

// idleOf loads rules and returns what the items leave untried, as "kind in text".
func idleOf(t *testing.T, items []string, pairs ...string) []string {
	t.Helper()
	s, problems := Load(dir(pairs...))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	var its []feed.Item
	for _, title := range items {
		its = append(its, feed.Item{Title: title})
	}
	idle, parts := s.Coverage(its)
	if parts < len(idle) {
		t.Errorf("Coverage counts %d parts and %d of them idle", parts, len(idle))
	}
	out := []string{}
	for _, p := range idle {
		if p.File == "" && p.Kind != "voice" || p.Kind != "voice" && p.Line == 0 {
			t.Errorf("Coverage: %+v has no place", p)
		}
		out = append(out, p.Kind+" "+p.In+" "+p.Text)
	}
	return out
}

func TestCoverageOfRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		query string
		keys  string
		items []string
		want  []string
	}{
		{name: "fires on nothing", query: "alpha", want: []string{"rule x alpha"}},
		{name: "fires", query: "alpha", items: []string{"alpha"}, want: []string{}},
		{name: "an alternative that is there, but not as the rule wants it", query: "(alpha OR beta) NEAR/1 gamma",
			items: []string{"alpha gamma one two three beta"}, want: []string{"alternative x beta"}},
		{name: "an alternative inside another", query: "alpha OR (beta NEAR/3 (gamma OR delta))",
			items: []string{"beta gamma"}, want: []string{"alternative x alpha", "alternative x delta"}},
		{name: "fields stay around alternatives", query: "title:(alpha OR beta)", items: []string{"alpha"}, want: []string{"alternative x beta"}},
		{name: "NOT and EXCEPT count when an item has what they take", query: "(alpha EXCEPT (beta OR gamma)) NOT (delta OR epsilon)",
			items: []string{"alpha", "alpha beta", "alpha delta"}, want: []string{"except x gamma", "not x epsilon"}},
		{name: "SOME and ATLEAST keep their counts", query: "SOME/2(alpha, beta, gamma)",
			items: []string{"alpha beta"}, want: []string{"alternative x gamma"}},
		{name: "unless holds the rule back", query: "alpha", keys: "    unless: beta OR gamma\n",
			items: []string{"alpha", "alpha beta", "gamma"}, want: []string{"unless x gamma"}},
		{name: "the first raise that holds", query: "alpha", keys: "    raise: [{to: high, when: beta}, {to: low, when: beta OR gamma}]\n",
			items: []string{"alpha", "alpha beta"}, want: []string{"raise x low when beta OR gamma"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rules := one("x", "    match: "+quoted(c.query)+"\n    allow_unanchored: true\n    slow_ok: true\n"+c.keys)
			if d := cmp.Diff(c.want, idleOf(t, c.items, "x.yaml", rules)); d != "" {
				t.Errorf("Coverage(%s) of %q (-want +got)\n%s", c.query, c.items, d)
			}
		})
	}
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func TestCoverageOfLists(t *testing.T) {
	t.Parallel()
	lists := `
lists:
  - name: inner
    terms: [alpha]
  - name: outer
    terms: [beta, 'gamma EXCEPT (delta OR epsilon)', '@inner', CASE(Zeta), 'eta OR theta']
states:
  - {code: FR, names: [France], capital: [Paris], except: [Paris Hilton]}
`
	rules := one("x", "    match: '@outer'\n") // its tests say x, which holds nothing of this
	for _, c := range []struct {
		items []string
		want  []string
	}{
		{nil, []string{"rule x @outer", "term @inner alpha", "term @outer beta", "term @outer gamma EXCEPT (delta OR epsilon)",
			"term @outer CASE(Zeta)", "term @outer eta", "term @outer theta", "except @outer delta", "except @outer epsilon",
			"term FR France", "term FR Paris", `except FR "Paris Hilton"`}},
		{[]string{"alpha", "beta", "gamma", "delta", "zeta", "theta", "Paris Hilton"}, []string{"term @outer CASE(Zeta)", "term @outer eta", "except @outer epsilon",
			"term FR France", "term FR Paris"}},
	} {
		if d := cmp.Diff(c.want, idleOf(t, c.items, "x.yaml", rules, "lists/words.yaml", lists)); d != "" {
			t.Errorf("Coverage of %q (-want +got)\n%s", c.items, d)
		}
	}
}

func TestCoverageOfVoices(t *testing.T) {
	t.Parallel()
	voices := `
- {voice: one, title: One, tier: authoritative, match: 'alpha'}
- {voice: two, title: Two, tier: authoritative, match: 'beta'}
`
	rules := one("x", "    match: alpha\n")
	want := []string{"voice two Two"}
	if d := cmp.Diff(want, idleOf(t, []string{"alpha"}, "x.yaml", rules, "voices.yaml", voices)); d != "" {
		t.Errorf("Coverage (-want +got)\n%s", d)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	near := one("near", "    match: '(alpha NEAR/2 beta) OR (gamma AND delta AND epsilon)'\n")
	far := one("far", "    match: 'zeta AND eta'\n")
	held := one("held", "    match: 'alpha'\n    unless: gamma\n")
	where := one("where", "    match: 'alpha'\n    where: {tier: [authoritative]}\n")
	text := strings.NewReplacer("channel: near", "channel: x", "channel: far", "channel: x", "channel: held", "channel: x", "channel: where", "channel: x")
	s, problems := Load(dir("a.yaml", text.Replace(near), "b.yaml", text.Replace(far), "c.yaml", text.Replace(held), "d.yaml", text.Replace(where)))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		title string
		want  []string // rule: clause, the closest first
	}{
		{"nothing", []string{"near: match: ((alpha NEAR/2 beta) OR (gamma AND delta AND epsilon)) is not there", "far: match: zeta is not there",
			"held: match: alpha is not there", "where: where: tier does not hold (the item has none)"}},
		{"alpha", []string{"where: where: tier does not hold (the item has none)", "near: match: beta is not there", "far: match: zeta is not there"}},
		{"alpha one two three beta", []string{"where: where: tier does not hold (the item has none)",
			"near: match: (alpha NEAR/2 beta): both are there, but not so near", "far: match: zeta is not there"}},
		{"gamma and epsilon", []string{"near: match: delta is not there", "far: match: zeta is not there", "held: match: alpha is not there",
			"where: where: tier does not hold (the item has none)"}},
		{"alpha gamma", []string{`held: unless: holds, on "gamma"`, "where: where: tier does not hold (the item has none)",
			"near: match: beta is not there", "far: match: zeta is not there"}},
	} {
		got := []string{}
		for _, n := range s.Nearest("x", feed.Item{Title: c.title}) {
			if n.Share < 0 || n.Share >= 1 {
				t.Errorf("Nearest(%q): share %v of %s", c.title, n.Share, n.Rule)
			}
			got = append(got, n.Rule+": "+n.Clause)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("Nearest(%q) (-want +got)\n%s", c.title, d)
		}
	}
	if got := s.Nearest("absent", feed.Item{Title: "alpha"}); got == nil || len(got) > 0 {
		t.Errorf("Nearest of a channel without rules: %v", got)
	}
}

// A word is dead when not even a text made of it has it; the rest is found in
// what is made for it, whatever the form.
func TestDeadWords(t *testing.T) {
	t.Parallel()
	lists := `
lists:
  - name: words
    terms: [alpha, 'bet* NEAR/3 (gamma OR "delta * eps?lon")', 'CASE(Zeta) EXCEPT "Zeta theta"', 网络攻击 EXCEPT 攻击, '@more']
  - name: more
    terms: [iota, kappa EXCEPT kap*]
`
	s, problems := Load(dir("lists/words.yaml", lists))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	dead, words := s.DeadWords()
	got := []string{}
	for _, p := range dead {
		got = append(got, p.In+" "+p.Text)
	}
	want := []string{"@more kappa EXCEPT kap*", "@words 网络攻击 EXCEPT 攻击"}
	if d := cmp.Diff(want, got); d != "" || words < 9 {
		t.Errorf("DeadWords, of %d (-want +got)\n%s", words, d)
	}
}

// What nothing exercises is marked as made where an item can be made for it.
func TestCoverageMakesItems(t *testing.T) {
	t.Parallel()
	rules := one("x", "    match: '(alpha OR summary:(beta SENT gamma) OR url:delta) AND tier:authoritative'\n    unless: title:omega OR @states\n    raise: [{to: high, when: alpha}, {to: low, when: alpha AND beta}]\n    allow_unanchored: true\n    slow_ok: true\n")
	s, problems := Load(dir("x.yaml", rules, "lists/states.yaml", someStates))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	idle, _ := s.Coverage(nil)
	for _, p := range idle {
		if p.In == "x" && p.Made == (p.Text == "low when alpha AND beta") {
			t.Errorf("Coverage: %s %s made %t", p.Kind, p.Text, p.Made)
		}
	}
}
