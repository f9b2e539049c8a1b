package rule

import (
	"testing"

	"newsmonitor/pipeline/feed"
)

func TestWhyNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, title, want string }{
		{"a AND b", "a", "match: b is not there"},
		{"(a AND b) OR (c AND d AND e)", "c d", "match: none of the 2 alternatives holds; in the nearest, e is not there"},
		{"a OR b", "c", "match: (a OR b) is not there"},
		{"a NEAR/1 b", "a x y b", "match: (a NEAR/1 b): both are there, but not so near"},
		{"title:(a AND (b OR c))", "a", "match: (b OR c) is not there"},
		{"a EXCEPT \"a b\"", "a b", "match: a is there only where EXCEPT takes it away"},
		{"ATLEAST/3(a)", "a a", "match: a is there 2 times, not 3"},
		{"FIRST/1(a)", "b a", "match: a is there, but not within the first 1 words"},
		{"a NOT b", "a b", `match: NOT fails: the item has "b"`},
	} {
		s := loadOne(t, c.query)
		if got := s.WhyNot("x", feed.Item{Title: c.title}); got != c.want {
			t.Errorf("%s on %q: %s, want %s", c.query, c.title, got, c.want)
		}
	}
}
