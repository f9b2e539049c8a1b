package rules_test

import "testing"

// Every word of every list, and every name of every state, is found in a text
// that is made of it: none is covered by a mask of its own or read otherwise
// than it was written.
func TestNoWordIsDead(t *testing.T) {
	t.Parallel()
	dead, words := load(t).DeadWords()
	for _, d := range dead {
		t.Errorf("%s:%d: %s: no text can match %s", d.File, d.Line, d.In, d.Text)
	}
	if words < 8000 {
		t.Errorf("%d words were tried, want all of the 8,000 and more that the lists hold", words)
	}
}
