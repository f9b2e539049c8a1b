package feed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, reason string }{
		{"nothing", "", Empty},
		{"space", " \n\t ", Empty},
		{"mark", "\xEF\xBB\xBF  ", Empty},
		{"page", "<!DOCTYPE html><html><head><title>Log in</title></head></html>", HTMLPage},
		{"challenge", "<html><script>location='/'</script>\x1b[31m</html>", HTMLPage},
		{"sitemap", `<?xml version="1.0"?><urlset><url><loc>https://a.example/</loc></url></urlset>`, NotAFeed},
		{"opml", `<opml version="2.0"><body/></opml>`, NotAFeed},
		{"text", "Service unavailable", NotAFeed},
		{"json", `{"error":"not found"}`, NotAFeed},
		{"json list", `[1,2]`, NotAFeed},
		{"broken json", `{"version":"https://jsonfeed.org/version/1","items":[{"id":`, BadMarkup},
		{"binary", "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00\x01\xff\xfe", 500), Charset},
		{"cut in the first item", `<rss><channel><item><title>x</title>`, BadMarkup},
		{"cut in the head", `<rss><channel><title>x</title>`, BadMarkup},
		{"bad gzip", "\x1f\x8b\x08\x00garbage", Empty},
	} {
		p, err := Parse(Document{Body: []byte(c.in)})
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Reason != c.reason {
			t.Errorf("%s: %v (%+v), want reason %s", c.name, err, p, c.reason)
			continue
		}
		if s := pe.Error(); len(pe.Excerpt) > 40 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%s: unsafe text %q", c.name, s)
		}
	}
}

func TestRepairs(t *testing.T) {
	t.Parallel()
	const head, item, tail = `<rss version="2.0"><channel><title>t</title>`, `<item><title>Good</title><link>https://a.example/1</link></item>`, `</channel></rss>`
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(head + item + tail))
	_ = z.Close()
	for _, c := range []struct {
		name, in string
		items    int
		repairs  []string
	}{
		{"sound", head + item + tail, 1, nil},
		{"gzip", zipped.String(), 1, []string{"gzip"}},
		{"late root", "<!--" + strings.Repeat("x", 10_000) + "-->" + head + item + tail, 1, nil},
		{"space before", "\n\n <?xml version='1.0'?>" + head + item + tail, 1, nil},
		{"text before", "Notice: x" + head + item + tail, 1, []string{"prefix"}},
		{"text after", head + item + tail + "<script>x</script>", 1, nil},
		{"in html", "<html><body>" + head + item + tail + "</body></html>", 1, nil},
		{"truncated", head + item + "<item><title>Half", 1, []string{"truncated"}},
		{"title inside a text", head + "<item><title>Good</title><description><p>a<title>b</title><link rel='x'/>c</p></description></item>" + tail, 1, nil},
		{"no end", head + item, 1, []string{"truncated"}},
		{"item not closed", head + "<item><title>A</title><link>https://a.example/0</link>" + item + tail, 2, []string{"markup"}},
		{"control", head + "<item><title>a&#x1F;b&#0;c\x01d</title></item>" + tail, 1, []string{"control"}},
		{"ampersand", head + "<item><title>R&D & more &copy; &nope;</title></item>" + tail, 1, []string{"entity"}},
		{"invalid byte", head + "<item><title>caf\xe9 — ö</title></item>" + item + tail, 2, []string{"charset"}},
		{"capitals", `<RSS><Channel><Item><Title>Good</Title></Item></Channel></RSS>`, 1, nil},
		{"channel alone", `<channel>` + item + `</channel>`, 1, nil},
		{"items beside the channel", `<rss><channel><title>t</title></channel>` + item + `</rss>`, 1, nil},
		{"foreign root namespace", `<feed xmlns="urn:new"><entry><id>a</id><title>x</title></entry></feed>`, 1, nil},
		{"prefixed", `<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>a</a:id><a:title>x</a:title></a:entry></a:feed>`, 1, nil},
		{"json with odd types", `{"version":"https://jsonfeed.org/version/1","items":[{"id":1,"title":7,"author":"x","tags":[1]}]}`, 1, []string{"markup"}},
		{"json cut", `{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"a"},{"id":"2","ti`, 1, []string{"truncated"}},
	} {
		p, err := Parse(Document{Body: []byte(c.in)})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(p.Items) != c.items || !slices.Equal(p.Repairs, c.repairs) && len(p.Repairs)+len(c.repairs) > 0 {
			t.Errorf("%s: %d items and repairs %v, want %d and %v", c.name, len(p.Items), p.Repairs, c.items, c.repairs)
		}
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"control a&#x1F;b&#0;c":              "control abc",
		"R&D & more &copy; &nope;":           "R&D & more © &nope;",
		"<![CDATA[A <b>b</b> &amp; c]]>":     "A b & c",
		"A &lt;b&gt;b&lt;/b&gt; &amp;amp; c": "A b & c",
		"&amp;lt;b&amp;gt;":                  "<b>",
		"one\r\ntwo":                         "one two",
		"Wei&#223; &#x4E2D;&#146;":           "Weiß 中’",
		"x <em>y</em> z":                     "x y z",
		"<![CDATA[a]]> &amp; <![CDATA[b]]>":  "a & b",
	} {
		if it := parseOne(t, "<title>"+in+"</title><guid>g</guid>"); it.Title != want {
			t.Errorf("title %q = %q, want %q", in, it.Title, want)
		}
	}
	decoys := parseOne(t, `<media:title>No</media:title><image><title>No</title></image><title>Yes</title><source url="x"><title>No</title></source><media:group><media:title>No</media:title></media:group>`)
	if decoys.Title != "Yes" {
		t.Errorf("among decoys: %q", decoys.Title)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	it := parseOne(t, "<title>"+strings.Repeat("é", 5000)+"</title><guid isPermaLink=\"false\">"+strings.Repeat("g", 9000)+
		"</guid><link>https://a.example/"+strings.Repeat("l", 9000)+"</link><description>"+strings.Repeat("some words ", 50_000)+"</description>")
	if want := []string{"guid", "link", "title", "content"}; !slices.Equal(it.Cut, want) {
		t.Errorf("cut %v, want %v", it.Cut, want)
	}
	if len(it.Title) > maxTitle || len(it.GUID) > maxLink || len(it.Content) > maxContent || it.Link != "" {
		t.Errorf("lengths %d %d %d %d", len(it.Title), len(it.GUID), len(it.Content), len(it.Link))
	}
}

func TestCharset(t *testing.T) {
	t.Parallel()
	const body = "<rss><channel><item><title>\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0</title></item></channel></rss>"
	for _, c := range []struct {
		name string
		doc  Document
		want string
	}{
		{"HTTP says", Document{Body: []byte(body), ContentType: "text/xml; charset=windows-1251"}, "Привет, мир"},
		{"feeds.yaml says", Document{Body: []byte(body), ContentType: "text/xml; charset=utf-8", Feed: Feed{Charset: "windows-1251"}}, "Привет, мир"},
		{"the document says", Document{Body: []byte("<?xml version='1.0' encoding='windows-1251'?>" + body)}, "Привет, мир"},
		{"the document lies", Document{Body: []byte("<?xml version='1.0' encoding='utf-8'?>" + body), Feed: Feed{Language: "ru"}}, "Привет, мир"},
		{"a name nobody knows", Document{Body: []byte("<?xml version='1.0' encoding='x-klingon'?>" + body), Feed: Feed{Language: "ru"}}, "Привет, мир"},
		{"two say different things", Document{Body: []byte("<?xml version='1.0' encoding='utf-8'?>" + body), ContentType: "text/xml; charset=windows-1251"}, "Привет, мир"},
	} {
		p, err := Parse(c.doc)
		if err != nil || len(p.Items) != 1 || p.Items[0].Title != c.want {
			t.Errorf("%s: %v, %+v", c.name, err, p)
		}
	}
}

func TestParsedHead(t *testing.T) {
	t.Parallel()
	p, err := Parse(Document{Body: []byte(`<rss><channel><title>t</title><ttl>90</ttl><skipHours><hour>0</hour><hour>24</hour><hour>x</hour></skipHours><skipDays><day>Monday</day><day>Noday</day></skipDays></channel></rss>`)})
	if err != nil || p.TTL != 90*time.Minute || !slices.Equal(p.SkipHours, []int{0, 0}) || !slices.Equal(p.SkipDays, []time.Weekday{time.Monday}) {
		t.Errorf("%v, %+v", err, p)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<rss version="2.0"><channel><item><title>a &amp; b</title><link>/x</link><description><![CDATA[<p>x</p>]]></description></item></channel></rss>`), "text/xml", "")
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="x"><entry><id>1</id><content type="xhtml"><div>x</div></content></entry></feed>`), "application/atom+xml; charset=utf-16", "big5")
	f.Add([]byte(`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":1,"content_html":"<p>x"}]}`), "", "zh")
	f.Add([]byte("\xff\xfe<\x00r\x00s\x00s\x00>\x00"), "", "")
	f.Add([]byte(`{"rss":{"channel":{"item":[{"title":"x"}]}}}`), "", "")
	f.Fuzz(func(t *testing.T, b []byte, contentType, charset string) {
		p, err := Parse(Document{Body: b, URL: "https://origin.example/feed", ContentType: contentType, Feed: Feed{ID: "fuzz", Charset: charset}})
		if err != nil {
			var pe *ParseError
			if !errors.As(err, &pe) || strings.Contains(pe.Detail, "cannot be read as") {
				t.Fatalf("%T: %v", err, err) // what was mended is well-formed
			}
			checkText(t, "error", err.Error(), 400, false)
			return
		}
		if slices.Contains(p.Repairs, "items_lost") {
			t.Errorf("gofeed saw other items than the mender: %v", p.Repairs)
		}
		keys := map[string]bool{}
		for _, it := range p.Items {
			checkText(t, "title", it.Title, maxTitle, false)
			checkText(t, "summary", it.Summary, maxContent, false)
			checkText(t, "content", it.Content, maxContent, true)
			checkText(t, "guid", it.GUID, maxLink, false)
			checkText(t, "link", it.Link, maxLink, false)
			if it.Link != "" && !httpURL(it.Link) {
				t.Errorf("link %q", it.Link)
			}
			for _, s := range append(slices.Clone(it.Authors), it.Categories...) {
				checkText(t, "word", s, maxWord, false)
			}
			if len(it.Key) != 32 || len(it.Revision) != 16 || keys[it.Key] {
				t.Errorf("key %q, revision %q, seen %v", it.Key, it.Revision, keys[it.Key])
			}
			keys[it.Key] = true
			if !it.Published.IsZero() && (it.Published.Year() < firstYear || it.Published.Year() > lastYear) {
				t.Errorf("published %v", it.Published)
			}
		}
	})
}

func checkText(t *testing.T, what, s string, limit int, lines bool) {
	t.Helper()
	if !utf8.ValidString(s) || len(s) > limit {
		t.Errorf("%s: %d bytes, valid %v", what, len(s), utf8.ValidString(s))
	}
	for _, r := range s {
		if (r < ' ' && (r != '\n' || !lines)) || r == 0x7f || hidden(r) {
			t.Errorf("%s: character %U in %q", what, r, s)
		}
	}
}
