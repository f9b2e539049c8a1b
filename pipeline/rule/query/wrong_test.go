package query

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestWrong holds what is said of wrong queries against a golden file: place,
// message, hint and caret.
func TestWrong(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, q := range []string{
		"",
		"   \n ",
		"sanctions Iran",
		"North Korea OR Iran",
		"sanctions near Iran",
		"sanctions near/5 Iran",
		"sanctions within/5 Iran",
		"sanctions and Iran",
		"a AND and",
		"sanctions OR Iran AND Russia",
		"a AND b OR c",
		"a OR b NOT c",
		"sanctions W/5 Iran",
		"sanctions PRE/3 Iran",
		"sanctions w/s Iran",
		"sanctions SAME Iran",
		"sanctions NEAR Iran",
		"sanctions NEAR/x Iran",
		"sanctions NEAR/500 Iran",
		"(sanctions OR Iran",
		"sanctions)",
		"()",
		`"export control`,
		"titel:sanctions",
		"title: ",
		"title:summary:a",
		"title:a NEAR/5 b",
		"(a AND b) NEAR/5 c",
		"a NEAR/5 NOT b",
		"a SENT tier:authoritative",
		"title:(a AND tier:authoritative)",
		"*ban",
		"ba*",
		"sanction!",
		"制裁*",
		`"ministry of *"`,
		"ATLEAST(iran)",
		"ATLEAST/0(iran)",
		"SOME/3(a, b)",
		"SOME/2(a)",
		"CAPS(us)",
		"HLEAD(us)",
		"SECTION(us)",
		"CASE US",
		"STEM:xx(a)",
		"STEM(sanction*)",
		"a^0",
		"a^",
		"a^2^3",
		"@",
		"a, b",
		"a | b",
		"a && b",
		"a = b",
		"hd a",
		"https://example.org",
		"AND a",
		"a OR",
		"NOT",
		"a NOT",
		"...",
		"a\nAND (b\nOR c AND d)",
		"中国 制裁",
		"tier:(a AND b)",
		"tier:",
		`C\*`,
		strings.Repeat("(", 70) + "a" + strings.Repeat(")", 70),
		"very long query before the mistake which is shown with its beginning cut away AND b OR c",
		`"a b c"~x`,
		"word~2",
		"/F50/ a",
		"-a",
		"a AND +b",
		"all except one",
		"a AND Or",
		"SOME/2(a b, c)",
		"ATLEAST/2(a AND b)",
		"FIRST/0(a)",
		"EXACT(tier:authoritative)",
		"a NEAR/5 ATLEAST/2(b)",
		"title:url:a",
		"a EXCEPT title:b",
		`"a b"~500`,
		strings.Repeat("a", 70),
		"a b c",
		"channel: ",
		"(a OR b",
		"text:)",
	} {
		n, errs := Parse(q)
		fmt.Fprintf(&b, "== %s\n", strings.ReplaceAll(q, "\n", "\n   "))
		if n == nil && len(errs) == 0 {
			t.Errorf("Parse(%q): neither tree nor error", q)
		}
		if n != nil && len(errs) == 0 {
			t.Errorf("Parse(%q) = %s, want a mistake", q, Format(n))
		}
		for _, e := range errs {
			if e.Hint == "" {
				t.Errorf("Parse(%q): %s: nothing is proposed", q, e.Message)
			}
			line, column := Position(q, e.Start)
			kind := "error"
			if e.Warning {
				kind = "warning"
			}
			fmt.Fprintf(&b, "%d:%d: %s: %s\n", line, column, kind, e.Message)
			if e.Hint != "" {
				fmt.Fprintf(&b, "    %s\n", e.Hint)
			}
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(Caret(q, e), "\n", "\n    "))
		}
	}
	golden(t, "wrong.golden", b.String())
}

// TestCheck is about what depends on where a query stands.
func TestCheck(t *testing.T) {
	t.Parallel()
	facts := map[string][]string{"kind": {"ministry", "media"}, "tier": {"authoritative"}, "state": {"CN", "US"}}
	var b strings.Builder
	for _, c := range []struct {
		use Use
		q   string
	}{
		{Match, "NOT a"}, {Match, "a OR NOT b"}, {Match, "NOT a AND NOT b"}, {Match, "channel:x AND a"}, {Match, "kind:ministri AND a"},
		{Match, "country:China AND a"}, {Match, "state:FR AND a"}, {Match, "@agencys"}, {Match, "@zzz"}, {Entry, "a AND b"}, {Entry, "title:a"},
		{Entry, "NOT a"}, {Unless, "channel:x"},
	} {
		n, errs := Parse(c.q)
		if n == nil {
			t.Fatalf("Parse(%q): %v", c.q, errs)
		}
		errs = Check(n, c.use, facts, func(s string) bool { return s == "agencies" }, []string{"agencies"})
		if len(errs) == 0 {
			t.Errorf("Check(%q) finds nothing", c.q)
		}
		for _, e := range errs {
			fmt.Fprintf(&b, "== %s\n%d-%d: %s\n    %s\n", c.q, e.Start, e.End, e.Message, e.Hint)
		}
	}
	golden(t, "check.golden", b.String())
	for use, q := range map[Use]string{When: "NOT channel:x", Unless: "NOT title:a", Match: "a AND NOT state:CN AND tier:* AND @agencies", Entry: "(a NEAR/3 b) EXCEPT CASE(C)"} {
		n, errs := Parse(q)
		if n == nil {
			t.Fatalf("Parse(%q): %v", q, errs)
		}
		if errs := Check(n, use, facts, func(s string) bool { return s == "agencies" }, nil); len(errs) > 0 {
			t.Errorf("Check(%q): %v", q, errs)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to rewrite):\n%s", file, got)
	}
}
