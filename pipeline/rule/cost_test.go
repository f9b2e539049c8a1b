package rule

import (
	"testing"

	"newsmonitor/pipeline/rule/query"
)

func priced(t *testing.T, s *Set, src string) Price {
	t.Helper()
	n, errs := query.Parse(src)
	if n == nil {
		t.Fatalf("Parse(%q): %v", src, errs)
	}
	return priceOf(n, s.lists)
}

// TestAnchor tells which words a rule waits for.
func TestAnchor(t *testing.T) {
	t.Parallel()
	s := loadOne(t, "x", "lists/states.yaml", someStates, "lists/l.yaml", "lists:\n  - {name: names, terms: [Zhongnanhai, Yasenevo]}\n  - {name: all, terms: ['@names', the]}\n")
	for _, c := range []struct{ query, anchor string }{
		{"the AND Zhongnanhai", "Zhongnanhai"},
		{"the NEAR/5 Zhongnanhai", "Zhongnanhai"},
		{"the AND (Zhongnanhai OR Yasenevo)", "Yasenevo OR Zhongnanhai"},
		{"(the AND Zhongnanhai) OR (of AND Yasenevo)", "Yasenevo OR Zhongnanhai"},
		{"Zhongnanhai OR tier:authoritative", ""},
		{"Zhongnanhai OR NOT the", ""},
		{"tier:authoritative AND the", "the"},
		{"the EXCEPT Zhongnanhai", "the"},
		{"title:the AND of", "title:the"},
		{"@states AND @names", "@names"},
		{"@all AND government", "government"},
		{"SOME/2(the, Zhongnanhai, Yasenevo)", "Yasenevo OR Zhongnanhai"},
		{"ATLEAST/2(Zhongnanhai) AND the", "Zhongnanhai"},
		{"制裁 AND 的", "制裁"},
		{"STEM(Zhongnanhai) AND CASE(US)", "Zhongnanhai"},
	} {
		if got := priced(t, s, c.query).Anchor; got != c.anchor {
			t.Errorf("%s waits for %q, want %q", c.query, got, c.anchor)
		}
	}
	// Dearer and dearer.
	last := 0.0
	for _, q := range []string{"Zhongnanhai", "Zhongnanhai OR Yasenevo", "government", "the", "the AND NOT (a1 OR a2 OR a3)", "the AND NOT (a1 OR a2 OR a3 OR a4 OR a5 OR a6 OR a7)",
		"(the OR of) AND NOT (a1 OR a2 OR a3 OR a4 OR a5 OR a6 OR a7 OR a8 OR a9)"} {
		p := priced(t, s, q)
		if p.Cost <= last || p.Probability <= 0 || p.Probability > 1 {
			t.Errorf("%s costs %+v, less than the one before (%g)", q, p, last)
		}
		last = p.Cost
	}
	// The price is the query's alone: no other rule, and no order, changes it.
	a, b := priced(t, s, "(the OR Zhongnanhai OR of) AND @states"), priced(t, s, "@states AND (of OR the OR Zhongnanhai)")
	if a.Cost != b.Cost || a.Probability != b.Probability {
		t.Errorf("one query, two prices: %+v, %+v", a, b)
	}
}
