package feed

import "testing"

func TestLocation(t *testing.T) {
	t.Parallel()
	const from = "https://www.origin.example/feeds/news.xml"
	for _, c := range []struct{ header, want string }{
		{"", from},
		{"/en/news.xml", "https://www.origin.example/en/news.xml"},
		{"news-en.xml", "https://www.origin.example/feeds/news-en.xml"},
		{"https://cdn.example/a/b.xml", "https://cdn.example/a/b.xml"},
		{"http://WWW.origin.example/x", "http://WWW.origin.example/x"},
		{"http://localhost:8080/x", from}, // what only the server's own side can know
		{"http://10.1.2.3/x", from},
		{"http://[fd00::1]/x", from},
		{"http://backend-7/x", from},
		{"http://backend-7./x", from},
		{"javascript:alert(1)", from},
		{"file:///srv/feed.xml", from},
		{"http://user:secret@cdn.example/", "http://cdn.example/"},
		{"%zz", "https://www.origin.example/feeds/%25zz"},
	} {
		if got := location(Document{URL: from, ContentLocation: c.header}); got != c.want {
			t.Errorf("Content-Location %q: %q, want %q", c.header, got, c.want)
		}
	}
	p, err := Parse(Document{Body: []byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>a</id><link href="b"/></entry></feed>`), URL: from, ContentLocation: "/en/"})
	if err != nil || p.Items[0].Link != "https://www.origin.example/en/b" {
		t.Errorf("%v, %+v", err, p)
	}
}

// The language is the item's, else the document's, else that of feeds.yaml,
// else what the server says.
func TestContentLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ header, yaml, document, item, want string }{
		{"fr", "de", "<language>ru</language>", "<dc:language>zh</dc:language>", "zh"},
		{"fr", "de", "<language>ru</language>", "", "ru"},
		{"fr", "de", "", "", "de"},
		{"fr", "", "", "", "fr"},
		{"en, fr", "", "", "", ""},
		{"\x1b[31m", "", "", "", ""},
	} {
		p, err := Parse(Document{Body: []byte(`<rss><channel>` + c.document + `<item><title>x</title>` + c.item + `</item></channel></rss>`),
			ContentLanguage: c.header, Feed: Feed{ID: "f", Language: c.yaml}})
		if err != nil || p.Items[0].Language != c.want {
			t.Errorf("%+v: %v, %+v", c, err, p)
		}
	}
}
