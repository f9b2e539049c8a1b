package query

import (
	"fmt"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"sanctions", "sanctions"},
		{"a AND b NOT c", "a AND b AND NOT c"},
		{"( a OR (b OR c) )", "a OR b OR c"},
		{"(a AND b) OR c", "(a AND b) OR c"},
		{"a AND (b OR c)", "a AND (b OR c)"},
		{"NOT (a OR b) AND c", "NOT (a OR b) AND c"},
		{"a NEAR/5 b NEAR/3 c", "a NEAR/5 b NEAR/3 c"},
		{"a NEAR/5 (b NEAR/3 c)", "a NEAR/5 (b NEAR/3 c)"},
		{"a ONEAR/5 (b OR c)", "a ONEAR/5 (b OR c)"},
		{"a NEAR5 b", "a NEAR/4 b"},
		{"a ADJ1 b", "a ONEAR/0 b"},
		{`"export control"~3`, "export NEAR/3 control"},
		{"hd=sanction*", "title:sanction*"},
		{"atleast3(iran)", "ATLEAST/3(iran)"},
		{"中国 EXCEPT “发展中国家”", "中国 EXCEPT 发展中国家"},
		{"title:(a OR b)^2", "title:(a OR b)^2"},
		{"(title:a)^2.50", "(title:a)^2.5"},
		{`"and" AND x`, `"and" AND x`},
		{`"NEAR/3"`, `"NEAR/3"`},
		{`"White House"^3 OR @states`, `"White House"^3 OR @states`},
		{"SOME/2(a, b OR c, @x)", "SOME/2(a, b OR c, @x)"},
		{"STEM:de(Sanktion) AND CASE(US) AND EXACT(裏)", "STEM:de(Sanktion) AND CASE(US) AND EXACT(裏)"},
		{"tier:authoritative AND country:(CN OR RU) AND x", "tier:authoritative AND country:(CN OR RU) AND x"},
		{`"a \"b\" c"`, `"a \"b\" c"`},
		{"U.S. AND l'Europe AND COVID-19 AND AT&T", "U.S. AND l'Europe AND COVID-19 AND AT&T"},
		{"a SENT b PARA c", "a SENT b PARA c"},
		{"FIRST/40（钟声）", "FIRST/40(钟声)"},
		{`"ministry of * affairs"`, `"ministry of * affairs"`},
		{"a\n  OR\tb", "a OR b"},
		{"(a EXCEPT b) EXCEPT c", "a EXCEPT b EXCEPT c"},
		{"a EXCEPT (b EXCEPT c)", "a EXCEPT (b EXCEPT c)"},
		{"サイ* OR 한국", "サイ* OR 한국"},
	} {
		n, errs := Parse(c.in)
		if len(errs) > 0 {
			t.Errorf("Parse(%q): %+v", c.in, errs)
			continue
		}
		if got := Format(n); got != c.want {
			t.Errorf("Format(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a AND (b OR c)", "a NEAR/5 b EXCEPT c^2", `"x \"y"~3`, "STEM:de(a)", "SOME/2(a,b)", "tier:(a OR b)", "title:a*", "中国 OR @x", "NOT a", "@\\", "a:b", "ATLEAST/3(\"a b\")^4 NOT hd=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, errs := Parse(s)
		for _, e := range errs {
			if e.Start < 0 || e.End < e.Start || e.End > len(s) || e.Message == "" {
				t.Fatalf("Parse(%q): error at %d-%d: %s", s, e.Start, e.End, e.Message)
			}
			Caret(s, e)
		}
		if n == nil {
			if len(errs) == 0 {
				t.Fatalf("Parse(%q): neither tree nor error", s)
			}
			return
		}
		one := Format(n)
		for _, form := range []string{one, Layout(n, 40)} {
			again, errs := Parse(form)
			if again == nil {
				t.Fatalf("Format(Parse(%q)) = %q: %v", s, form, errs)
			}
			if two := Format(again); two != one {
				t.Fatalf("Parse(%q): %q, then %q", s, one, two)
			}
			if was, is := dump(n), dump(again); was != is {
				t.Fatalf("Parse(%q) means %s, its form %q means %s", s, was, form, is)
			}
		}
	})
}

// dump is all that a tree means, places left out.
func dump(n *Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d/%d/%g/%q/%q/%q(", n.Op, n.N, n.Weight, n.Name, n.Values, n.Text)
	for _, k := range n.Kids {
		b.WriteString(dump(k) + " ")
	}
	b.WriteString(")")
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	const src = `(sanction* OR "export controls" OR 制裁) NEAR/12 (@states OR OFAC) AND NOT title:sport`
	b.ReportAllocs()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if n, _ := Parse(src); n == nil {
			b.Fatal("does not parse")
		}
	}
}
