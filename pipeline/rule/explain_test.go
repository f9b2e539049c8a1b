package rule

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline/feed"
)

// TestExplainAtOnce: many explain at once what was never explained before,
// from the same blocks of the shelf, and say what one alone says.
func TestExplainAtOnce(t *testing.T) {
	t.Parallel()
	s, alone := shipped(t), shipped(t)
	var items []feed.Item
	tests := map[*version]map[string][]test{}
	for _, r := range s.rules {
		for i, x := range r.tests(tests) {
			if i%6 == 0 && x.fires {
				items = append(items, x.item)
			}
		}
	}
	want := make([]Result, len(items))
	for i, it := range items {
		want[i] = alone.Match(it)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range items {
				i = (i + w*len(items)/4) % len(items)
				if diff := cmp.Diff(want[i], s.Match(items[i])); diff != "" {
					t.Errorf("%q (-alone +at once):\n%s", items[i].Title, diff)
				}
				if w == 0 && i%10 == 0 {
					s.Rules()
					s.WhyNot("sanctions-lifted", items[i])
				}
			}
		})
	}
	wg.Wait()
}

// TestExplainForgets: beyond its limit an explainer begins anew, and whoever
// began with the old one ends with it.
func TestExplainForgets(t *testing.T) {
	t.Parallel()
	const rules = manyRules + 50
	s, problems := Load(benchRules(rules))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs[0])
	}
	old := s.explains.get()
	for _, r := range s.rules[:rules-10] {
		old.rule(r)
	}
	now := s.explains.get()
	if now == old || len(now.rules) != 0 {
		t.Errorf("after %d rules the explainer keeps %d", len(old.rules), len(now.rules))
	}
	last := s.rules[rules-1]
	x, y := old.whole(last), now.whole(last)
	if x.Query != y.Query || x.match == y.match || x.Query != s.Rules()[rules-1].Query {
		t.Errorf("rule %s is %q and %q", last.id, x.Query, y.Query)
	}
}

// TestShelf: what is packed comes back as it was, in any order.
func TestShelf(t *testing.T) {
	t.Parallel()
	s := shipped(t)
	listed := s.Rules()
	var open unpacked
	for i, r := range slices.Backward(s.rules) {
		x := open.rule(r).Rule
		x.Price = listed[i].Price
		if diff := cmp.Diff(listed[i], x); diff != "" {
			t.Errorf("%s (-in order +backward):\n%s", r.id, diff)
		}
		if one := r.spell(); one.ID != r.id || len(one.raise) != len(open.rule(r).raise) || one.node == nil {
			t.Errorf("%s is spelled out as %s", r.id, one.ID)
		}
	}
}

// TestPrepare: whatever fires first finds its explanation made.
func TestPrepare(t *testing.T) {
	t.Parallel()
	s := shipped(t)
	s.Prepare()
	made := s.explains.get()
	for _, r := range s.rules {
		if !r.disabled && made.rules[r] == nil {
			t.Errorf("%s is not ready", r.id)
		}
	}
	if len(made.rules) == 0 || made.much() {
		t.Errorf("%d rules of %d exprs are ready, and would be forgotten", len(made.rules), made.program.count)
	}
}
