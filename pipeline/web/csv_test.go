package web

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"newsmonitor/pipeline/rule"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	log := newMemory()
	text := `=HYPERLINK("http://evil.example","x"), and "more"`
	log.append(made{title: text, link: "javascript:alert(1)", states: []string{"CN", "US"}, summary: "two\nlines",
		rules: []rule.Match{{ID: "r1", Evidence: []rule.Evidence{mark("title", text, "more")}}}}.stored())
	for i := range 1200 {
		log.append(made{title: fmt.Sprintf("n%d", i), feed: "other"}.stored())
	}
	s := serve(t, Config{Alerts: log})
	res := get(t, s, "/api/v1/alerts.csv?feed=us-treasury")
	if got := res.Header.Get("Content-Disposition"); got != `attachment; filename="alerts-2026-11-22.csv"` {
		t.Errorf("Content-Disposition %s", got)
	}
	raw := body(t, res)
	rest, ok := strings.CutPrefix(raw, "\uFEFF")
	if !ok {
		t.Error("no byte order mark")
	}
	rows, err := csv.NewReader(strings.NewReader(rest)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{"title": "'" + text, "link": "", "states": "CN US", "rules": "r1", "evidence": "more",
		"raised": "2026-11-22 11:00:00", "state": "raised", "sequence": "1"} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	all, err := csv.NewReader(strings.NewReader(body(t, get(t, s, "/api/v1/alerts.csv")))).ReadAll()
	if err != nil || len(all) != 1202 {
		t.Errorf("the whole export has %d rows, want 1202 (%v)", len(all), err)
	}
	part := get(t, s, "/api/v1/alerts.csv?limit=10")
	if n := strings.Count(body(t, part), "\r\n"); n != 11 || !strings.Contains(part.Header.Get("Link"), "before=") {
		t.Errorf("limit=10 gives %d lines, Link %q", n, part.Header.Get("Link"))
	}
}

func TestDefuse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "\rx": "'\rx",
		"  =1": "'  =1", "＝1": "'＝1", "－1": "'－1", "'x": "'x", "中": "中",
	} {
		if got := defuse(in); got != want {
			t.Errorf("defuse(%q) = %q, want %q", in, got, want)
		}
	}
}
