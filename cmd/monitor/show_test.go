package main

import "testing"

// TestHead: what is cut short says so.
func TestHead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "four": "four", "fives": "fiv…", "外交部发言": "外交部…"} {
		if got := head(text, 4); got != want {
			t.Errorf("head(%q, 4) is %q, want %q", text, got, want)
		}
	}
}
