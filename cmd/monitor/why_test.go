package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"newsmonitor/pipeline/web"
)

// TestWhyPrints: the answer is for people, and nothing in a title reaches the
// terminal as an escape code.
func TestWhyPrints(t *testing.T) {
	t.Parallel()
	want := web.Reason{Verdict: "no-match", Text: "No rule matches it.", Items: []web.ReasonItem{{Feed: "mfa", Title: "Talks\x1b[2J resume", Link: "https://example.org/1", Verdict: "no-match",
		Nearest: []web.NearestRule{{Channel: "sanctions", Rule: "listing", Failed: `match: "sanction*" is not there`}}}}}
	asked := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path + " " + r.URL.Query().Get("q")
		_ = json.NewEncoder(w).Encode(want)
	}))
	defer srv.Close()
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"why", "--server", srv.URL, "talks", "resume"}, strings.NewReader(""), &out, &errOut); code != exitFine {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	if asked != "/api/v1/why talks resume" {
		t.Errorf("asked %q", asked)
	}
	for _, part := range []string{"no-match: No rule matches it.\n", "mfa  Talks[2J resume\n", "    https://example.org/1\n", `    not sanctions: nearest listing, match: "sanction*" is not there`} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is not in\n%s", part, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("an escape code: %q", &out)
	}
	out.Reset()
	if code := run(t.Context(), []string{"why", "--server", srv.URL, "--json", "x"}, strings.NewReader(""), &out, &errOut); code != exitFine || !strings.Contains(out.String(), `"verdict":"no-match"`) {
		t.Errorf("exit %d: %s", code, &out)
	}
}

// TestRulesLive: a rule over its budget is named.
func TestRulesLive(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"rules": []web.RuleInfo{
			{ID: "noisy", Channel: "sanctions", Severity: "high", Budget: 3, OverBudget: true, Today: 7, Alerts: 90, Title: "Noise"},
			{ID: "calm", Channel: "norms", Severity: "low", Title: "Calm", Disabled: "too calm"}}})
	}))
	defer srv.Close()
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"rules", "list", "--live", "--server", srv.URL}, strings.NewReader(""), &out, &errOut); code != exitFine {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	for _, want := range []string{"noisy  high      7     3 OVER  90    Noise", "calm   low       0     -       0     Calm (disabled: too calm)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}
