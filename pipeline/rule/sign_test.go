package rule

import (
	"testing"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule/query"
)

// TestSigns holds that signs only ever say no where nothing stands, and that
// they do say it.
func TestSigns(t *testing.T) {
	t.Parallel()
	d := read(feed.Item{Title: "Treasury sanctions three banks", Content: "外交部发言人就制裁答记者问. Die Bánken zahlten."})
	for _, c := range []struct {
		query string
		shown bool
	}{
		{"treasury", true}, {"sanction*", true}, {"sanction?", true}, {`"sanctions * banks"`, true}, {"三家", false},
		{"发言人", true}, {"STEM(zahlen)", true}, {"CASE(Treasury)", true}, {`"three banks"`, true}, {"banken", true},
		{"treasure", false}, {"tariff*", false}, {`"three bankers"`, false}, {"(treasury NEAR/3 tariffs)", false},
		{"(tariffs SENT treasury)", false}, {"(treasury EXCEPT tariffs)", true}, {"(tariffs EXCEPT treasury)", false}, {"title:tariffs", false},
		{"(treasury OR tariffs)", true}, {"FIRST/9(tariffs)", false},
	} {
		node, problems := query.Parse(c.query)
		if node == nil {
			t.Errorf("%s: %v", c.query, problems)
			continue
		}
		e := newProgram(nil).compile(node)
		if got := d.shows(e.sign); got != c.shown {
			t.Errorf("%s is shown: %v, want %v", c.query, got, c.shown)
		}
	}
}
