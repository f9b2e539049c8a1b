package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mmcdole/gofeed"
)

const paragraph = "<p>The ministry said on Monday that it &amp; its partners had <a href=\"https://example.org/x\">imposed measures</a> on nine people, and that more may follow. </p>\n"

// benchRSS is a feed of n items with k paragraphs of 160 bytes each, as content
// management systems write them.
func benchRSS(n, k int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title><link>https://example.org/</link><description>All the news</description>`)
	for i := range n {
		fmt.Fprintf(&b, "<item><title>Ministry announces measure no. %d</title><link>https://example.org/news/%d?utm_source=rss</link><guid isPermaLink=\"false\">news-%d</guid><dc:creator><![CDATA[Press office]]></dc:creator><pubDate>Mon, 27 Jul 2026 %02d:%02d:00 +0000</pubDate><category><![CDATA[Sanctions]]></category><description><![CDATA[The ministry announced measure no. %d.]]></description><content:encoded><![CDATA[%s]]></content:encoded></item>\n", i, i, i, i%24, i%60, i, strings.Repeat(paragraph, k))
	}
	b.WriteString("</channel></rss>")
	return b.Bytes()
}

func benchAtom(n, k int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>News</title><link href="https://example.org/"/><id>https://example.org/feed</id><updated>2026-07-27T10:00:00Z</updated>`)
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(paragraph)
	for i := range n {
		fmt.Fprintf(&b, "<entry><id>https://example.org/news/%d</id><title>Ministry announces measure no. %d</title><link rel=\"alternate\" type=\"text/html\" href=\"https://example.org/news/%d\"/><published>2026-07-27T%02d:%02d:00Z</published><updated>2026-07-27T%02d:%02d:30Z</updated><author><name>Press office</name></author><category term=\"Sanctions\"/><summary>Measure no. %d.</summary><content type=\"html\">%s</content></entry>\n", i, i, i, i%24, i%60, i%24, i%60, i, strings.Repeat(escaped, k))
	}
	b.WriteString("</feed>")
	return b.Bytes()
}

func benchRDF(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" xml:lang="ja"><channel rdf:about="https://example.org/"><title>お知らせ</title><link>https://example.org/</link><description>x</description></channel>`)
	for i := range n {
		fmt.Fprintf(&b, "<item rdf:about=\"https://example.org/%d.html\"><title>重要なお知らせ %d</title><link>https://example.org/%d.html</link><description>攻撃に関する注意喚起を公開しました。対象となる製品と対策は本文をご覧ください。</description><dc:date>2026-07-27T%02d:%02d+09:00</dc:date></item>\n", i, i, i, i%24, i%60)
	}
	b.WriteString("</rdf:RDF>")
	return b.Bytes()
}

func benchJSON(n, k int) []byte {
	type item struct {
		ID        string `json:"id"`
		URL       string `json:"url"`
		Title     string `json:"title"`
		Summary   string `json:"summary"`
		HTML      string `json:"content_html"`
		Published string `json:"date_published"`
	}
	items := make([]item, n)
	for i := range items {
		items[i] = item{fmt.Sprint(i), fmt.Sprintf("https://example.org/%d", i), fmt.Sprintf("Measure no. %d", i), "A measure.", strings.Repeat(paragraph, k), "2026-07-27T10:00:00Z"}
	}
	b, _ := json.Marshal(map[string]any{"version": "https://jsonfeed.org/version/1.1", "title": "News", "home_page_url": "https://example.org/", "items": items})
	return b
}

// BenchmarkParse reads the same bytes with Parse and with gofeed's own parser,
// one pair a shape. Parse also cleans, dates, identifies and cuts; gofeed hands
// out strings as they are. The last pair is the feed of 15 MB.
func BenchmarkParse(b *testing.B) {
	for _, shape := range []struct {
		name  string
		doc   []byte
		items int
	}{
		{"rss", benchRSS(100, 16), 100},
		{"rss-short", benchRSS(100, 1), 100},
		{"atom", benchAtom(100, 16), 100},
		{"rdf", benchRDF(100), 100},
		{"json", benchJSON(100, 16), 100},
		{"rss-15MB", benchRSS(5000, 18), 5000},
		{"atom-15MB", benchAtom(4500, 18), 4500},
	} {
		b.Run(shape.name+"/newsmonitor", func(b *testing.B) {
			doc := Document{Body: shape.doc, URL: "https://example.org/feed", Feed: Feed{ID: "bench"}}
			b.SetBytes(int64(len(doc.Body)))
			b.ReportAllocs()
			for b.Loop() {
				if p, err := Parse(doc); err != nil || len(p.Items) != shape.items {
					b.Fatal(err, len(p.Items))
				}
			}
		})
		b.Run(shape.name+"/gofeed", func(b *testing.B) {
			b.SetBytes(int64(len(shape.doc)))
			b.ReportAllocs()
			for b.Loop() {
				if f, err := gofeed.NewParser().Parse(bytes.NewReader(shape.doc)); err != nil || len(f.Items) != shape.items {
					b.Fatal(err)
				}
			}
		})
	}
}
