package feed

import (
	"strings"
	"testing"
)

func TestAbsolute(t *testing.T) {
	t.Parallel()
	const base = "https://base.example/dir/feed.xml"
	for _, c := range []struct{ in, want string }{
		{"https://a.example/x", "https://a.example/x"},
		{" http://a.example/x\n ", "http://a.example/x"},
		{"/x", "https://base.example/x"},
		{"x?y=1", "https://base.example/dir/x?y=1"},
		{"//cdn.example/x", "https://cdn.example/x"},
		{"www.a.example/x", "http://www.a.example/x"},
		{"https://a.example/a b<c>", "https://a.example/a%20b%3Cc%3E"},
		{"https://a.example/100%", "https://a.example/100%25"},
		{"https://a.example/中文?q=é", "https://a.example/中文?q=é"},
		{"https://user:secret@a.example/x", "https://a.example/x"},
		{"java\nscript:alert(1)", ""},
		{"javascript:alert(1)", ""},
		{"data:text/html,x", ""},
		{"mailto:a@b.example", ""},
		{"ftp://a.example/x", ""},
		{"https://", ""},
		{"http:///x", ""},
		{"", ""},
		{"https://a.example/" + strings.Repeat("x", maxLink), ""},
	} {
		if got, ok := absolute(c.in, base); got != c.want || ok != (c.want != "") {
			t.Errorf("absolute(%.60q) = %q, %v; want %q", c.in, got, ok, c.want)
		}
	}
	if got, ok := absolute("/x", ""); ok {
		t.Errorf("relative without a base: %q", got)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://WWW.Example.org:80/A?utm_source=x&id=7&fbclid=1#top": "https://www.example.org/A?id=7",
		"https://example.org":                          "https://example.org/",
		"https://example.org/?gclid=1":                 "https://example.org/",
		"https://example.org/a;jsessionid=12?b=1":      "https://example.org/a?b=1",
		"https://example.org/a?PHPSESSID=12&b=%2F&a=1": "https://example.org/a?b=%2F&a=1",
		"https://example.org/#!/page":                  "https://example.org/#!/page",
		"https://example.org/news.pl?sid=20":           "https://example.org/news.pl?sid=20",
		"not a link":                                   "not a link",
		"":                                             "",
		"https://example.org:8443/x?mc_cid=1&_hsenc=2&ref_src=3": "https://example.org:8443/x",
	} {
		if got := Canonical(in); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", in, got, want)
		}
		if again := Canonical(Canonical(in)); again != Canonical(in) {
			t.Errorf("Canonical twice: %q", again)
		}
	}
}

func TestItemLink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ inner, want string }{
		{`<title>t</title><link>/a</link>`, "https://channel.example/a"},
		{`<title>t</title><link xml:base="https://b.example/d/">a</link>`, "https://b.example/d/a"},
		{`<title>t</title><guid>https://g.example/1</guid>`, "https://g.example/1"},
		{`<title>t</title><guid isPermaLink="false">https://g.example/1</guid>`, ""},
		{`<title>t</title><guid>urn:1</guid>`, ""},
		{`<title>t</title><link>javascript:x</link><guid>https://g.example/1</guid>`, "https://g.example/1"},
		{`<title>t</title><link/><link>https://a.example/2</link>`, "https://a.example/2"},
		{`<title>t</title><link href="https://a.example/3"/>`, "https://a.example/3"},
		{`<title>t</title><atom:link rel="alternate" href="https://a.example/4"/>`, "https://a.example/4"},
		{`<title>t</title><link>https://a.example/?a=1&b=2&amp;c=3</link>`, "https://a.example/?a=1&b=2&c=3"},
	} {
		if it := parseOne(t, c.inner); it.Link != c.want {
			t.Errorf("%s: link %q, want %q", c.inner, it.Link, c.want)
		}
	}
}
