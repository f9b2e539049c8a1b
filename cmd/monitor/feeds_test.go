package main

import (
	"testing"

	"newsmonitor/pipeline/web"
)

// TestReasons: the last column of `feeds list` leaves out nothing that we know.
func TestReasons(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]web.FeedStatus{
		"":                   {},
		"no feed since 2025": {Disabled: "no feed since 2025", Text: "old"},
		"status 500. Nothing to do unless it lasts; failed 3 times in a row; never 304; the certificate ends on 2026-12-01": {Text: "status 500. Nothing to do unless it lasts.",
			Why: "failed 3 times in a row", Notes: []string{"never 304", "the certificate ends on 2026-12-01"}},
		"auto: not enough news yet": {Why: "auto: not enough news yet"},
	} {
		if got := reasons(f); got != want {
			t.Errorf("reasons(%+v) = %q, want %q", f, got, want)
		}
	}
}
