package query

import (
	"strings"
	"testing"
)

// TestLayout: conditions get their own lines, words fill them, and a chain of
// distances stays in one column.
func TestLayout(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		`
title:@listing OR summary:@listing
OR text:((add OR adds OR put)
    ONEAR/8 ("to list" OR "on its list")
    NEAR/8 (@bodies OR 清单))
OR content:(@listing SENT @states)`, `
title:(webinar OR guide OR explained
    OR onions OR wheat OR rice)
OR summary:("world heritage" OR 遗产)`, `
(title:@states
  AND summary:(@control
      EXCEPT (@control
        NEAR/10 (spoke OR talked))))
OR text:(a SENT b)`,
	} {
		want = strings.TrimPrefix(want, "\n")
		n, errs := Parse(want)
		if n == nil {
			t.Fatal(errs)
		}
		if got := Layout(n, 42); got != want {
			t.Errorf("Layout:\n%s\nwant\n%s", got, want)
		}
	}
}
