package feed

import (
	"fmt"
	"strings"
	"testing"
)

// hundred is a feed of 100 items, 3 KB each, as content management systems
// write them.
func hundred() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title><link>https://example.org/</link><description>All the news</description>`)
	para := "<p>The ministry said on Monday that it &amp; its partners had <a href=\"https://example.org/x\">imposed measures</a> on nine people, and that more may follow. </p>\n"
	for i := range 100 {
		fmt.Fprintf(&b, "<item><title>Ministry announces measure no. %d</title><link>https://example.org/news/%d?utm_source=rss</link><guid isPermaLink=\"false\">news-%d</guid><dc:creator><![CDATA[Press office]]></dc:creator><pubDate>Mon, 27 Jul 2026 %02d:%02d:00 +0000</pubDate><category><![CDATA[Sanctions]]></category><description><![CDATA[The ministry announced measure no. %d.]]></description><content:encoded><![CDATA[%s]]></content:encoded></item>\n", i, i, i, i%24, i%60, i, strings.Repeat(para, 16))
	}
	b.WriteString("</channel></rss>")
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	doc := Document{Body: hundred(), URL: "https://example.org/feed", Feed: Feed{ID: "bench"}}
	b.SetBytes(int64(len(doc.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if p, err := Parse(doc); err != nil || len(p.Items) != 100 {
			b.Fatal(err, len(p.Items))
		}
	}
}
