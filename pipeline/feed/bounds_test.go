package feed

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"
)

// floor is what a document may cost whatever its length, in bytes: 10,000 items
// that say next to nothing come to most of it.
const floor = 32 << 20

// Hostile documents cost bounded time and memory, and no text comes out of
// them that was not in them.
func TestBounds(t *testing.T) {
	const head, tail = `<rss version="2.0"><channel><title>t</title>`, `</channel></rss>`
	item := `<item><title>Good</title><link>https://example.org/good</link></item>`
	bomb := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">`
	for i := range 10 {
		bomb += fmt.Sprintf(`<!ENTITY lol%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&lol%d;", i), 10))
	}
	bomb += `]>` + head + `<item><title>&lol10;</title><link>https://example.org/bomb</link></item>` + item + tail
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(head + item))
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for range 200 {
		_, _ = z.Write(blank)
	}
	_, _ = z.Write([]byte(tail))
	_ = z.Close()

	for _, c := range []struct {
		name     string
		make     func() string // one at a time: what the heap holds lets it grow as much again
		items    int           // -1: an error is right
		unpacked int           // bytes in memory, where that is another number
	}{
		{"xml bomb", func() string {
			return bomb
		}, 2, 0},
		{"deep inside a field", func() string {
			return head + `<item><title>Deep</title><description>` + strings.Repeat("<b>", 200_000) + `x` + strings.Repeat("</b>", 200_000) + `</description></item>` + item + tail
		}, 2, 0},
		{"deep outside of items", func() string {
			return head + strings.Repeat("<a>", 200_000) + strings.Repeat("</a>", 200_000) + item + tail
		}, 1, 0},
		{"deep and never closed", func() string {
			return head + item + `<item>` + strings.Repeat("<a>", 200_000)
		}, 1, 0},
		{"deep xhtml", func() string {
			return `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>a</id><content type="xhtml">` + strings.Repeat("<div>", 100_000)
		}, -1, 0},
		{"deep json", func() string {
			return `{"version":"https://jsonfeed.org/version/1.1","items":` + strings.Repeat("[", 200_000)
		}, -1, 0},
		{"many items", func() string {
			return head + strings.Repeat(item[:len(item)-len("good</link></item>")]+"</link></item>", 50_000) + tail
		}, 1, 0},
		{"many different items", func() string {
			return head + manyItems(50_000) + tail
		}, maxItems, 0},
		{"huge attribute", func() string {
			return head + `<item><title>Good</title><link href="` + strings.Repeat("a", 1<<20) + `"/><guid>g</guid></item>` + item + tail
		}, 2, 0},
		{"many attributes", func() string {
			return head + `<item ` + strings.Repeat(`a="b" `, 100_000) + `><title>Good</title></item>` + item + tail
		}, 2, 0},
		{"many namespaces", func() string {
			return head + strings.Repeat(`<a xmlns:b="c" xml:base="d" xml:lang="en">`, 50_000) + item + tail
		}, 1, 0},
		{"huge title", func() string {
			return head + `<item><title>` + strings.Repeat("word ", 1<<20) + `</title></item>` + tail
		}, 1, 0},
		{"many tags that are none", func() string {
			return head + `<item><title>` + strings.Repeat("<", 1<<20) + `</title></item>` + item + tail
		}, 2, 0},
		{"tags without an end", func() string {
			return head + item + `<item><title>` + strings.Repeat("<a ", 1<<20)
		}, 1, 0},
		{"quotes without an end", func() string {
			return head + item + strings.Repeat(`<a b="`, 1<<19)
		}, 1, 0},
		{"comments without an end", func() string {
			return head + item + strings.Repeat(`<!--`, 1<<19)
		}, 1, 0},
		{"html comments in a text", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&lt;!--", 1<<18) + `</description></item>` + tail
		}, 1, 0},
		{"strange tags in a text", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&lt;apt&gt;", 1<<16) + `</description></item>` + tail
		}, 1, 0},
		{"ampersands", func() string {
			return head + `<item><title>` + strings.Repeat("&", 1<<20) + `</title></item>` + item + tail
		}, 2, 0},
		{"doctype", func() string {
			return `<!DOCTYPE rss [` + strings.Repeat("]", 1<<20) + head + item + tail
		}, 1, 0},
		{"gzip bomb", func() string {
			return zipped.String()
		}, 1, maxUnpacked},
		{"categories", func() string {
			return head + `<item><title>x</title>` + strings.Repeat("<category>c</category>", 50_000) + `</item>` + item + tail
		}, 2, 0},
		{"links", func() string {
			return head + `<item><title>x</title>` + strings.Repeat("<link>javascript:x</link>", 50_000) + `</item>` + item + tail
		}, 2, 0},
		{"many scopes", func() string {
			return `<rss>` + scopes(64) + strings.Repeat("<q:x/>", 500_000) + item + tail
		}, 1, 0},
		{"many bases", func() string {
			return `<rss><channel>` + strings.Repeat(`<a xml:base="https://b.example/c/">`, 2000) + strings.Repeat(item, 20_000) + tail
		}, 1, 0},
		{"bases of links", func() string {
			return head + strings.Repeat(`<a xml:base="d/">`, 2000) + `<item><title>x</title>` + strings.Repeat(`<link xml:base="e/">f</link>`, 100_000) + `</item>` + tail
		}, 1, 0},
		{"declarations", func() string {
			return head + item + strings.Repeat(`<!a>`, 1<<20)
		}, 1, 0},
		{"doctypes", func() string {
			return head + item + strings.Repeat(`<!DOCTYPE x [>`, 1<<18)
		}, 1, 0},
		{"quoted tags", func() string {
			return head + item + `<x ` + strings.Repeat(`b="<a" `, 1<<18) + `<`
		}, 1, 0},
		{"json of long members", func() string {
			return `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"` + strings.Repeat("1 ", 1<<19) + `","title":"x","date_published":"` +
				strings.Repeat("1 Mon Jul ", 1<<18) + `","language":"` + strings.Repeat("en-", 1<<18) + `","url":"https://e.example/` + strings.Repeat("%", 1<<19) + `","author":{"name":"` +
				strings.Repeat("(a@b) ", 1<<18) + `"},"tags":["` + strings.Repeat("<b", 1<<18) + `"]}]}`
		}, 1, 0},
		{"attributes of an item", func() string {
			return `<channel><item lastmod="` + strings.Repeat("1 Mon Jul ", 1<<16) + `" rdf:about="` + strings.Repeat("a", 1<<19) + `"><title>x</title></item></channel>`
		}, 1, 0},
		{"half tags in a text", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&lt;a b=&quot;&lt;c&quot; ", 100_000) + `</description></item>` + tail
		}, 1, 0},
		{"quotes in a text", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&lt;a b='", 100_000) + `</description></item>` + tail
		}, 1, 0},
		{"open comments in a text", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&lt;!--&gt;&lt;![CDATA[", 100_000) + `</description></item>` + tail
		}, 1, 0},
		{"closing tags", func() string {
			return head + item + strings.Repeat("</x>", 1<<19)
		}, 1, 0},
		{"items in items", func() string {
			return head + strings.Repeat("<item><entry>", 100_000) + tail
		}, 0, 0},
		{"groups", func() string {
			return head + `<item><title>x</title>` + strings.Repeat("<media:group><media:title>y</media:title>", 100_000) + `</item>` + tail
		}, 1, 0},
		{"octets", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&#226;&#128;", 200_000) + `</description></item>` + tail
		}, 1, 0},
		{"declarations in a text", func() string {
			return head + `<item><title>x</title><description>` + strings.Repeat("&lt;!'", 200_000) + `</description></item>` + tail
		}, 1, 0},
		{"people", func() string {
			return head + `<item><title>x</title>` + strings.Repeat("<dc:creator>(((((</dc:creator>", 100_000) + `</item>` + tail
		}, 1, 0},
		{"dates", func() string {
			return head + `<item><title>x</title>` + strings.Repeat("<pubDate>Mon, 27 Jul 2026 15:30:00 +0000 ("+strings.Repeat("x", 1000)+"</pubDate>", 2000) + `</item>` + tail
		}, 1, 0},
		{"json of many items", func() string {
			return `{"version":"https://jsonfeed.org/version/1.1","items":[` + strings.Repeat(`{"id":1},`, 300_000) + `{"id":"2"}]}`
		}, 1, 0},
		{"json of odd types", func() string {
			return `{"version":"https://jsonfeed.org/version/1.1","items":[` + strings.Repeat(`{"id":1,"title":7,"tags":[1,2]},`, 50_000) + `{"id":"2"}]}`
		}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(c.make())
			doc := Document{Body: body, URL: "https://example.org/feed", Feed: Feed{ID: "x"}}
			var p *Parsed
			var err error
			var took time.Duration
			// The least of three: others use the machine, and the collector.
			limit := floor + 10*uint64(max(len(body), c.unpacked))
			var peak uint64
			for try := range 3 {
				heap := peakOf(func() {
					start := cpuTime()
					p, err = Parse(doc)
					took = cpuTime() - start
				})
				if try == 0 || heap < peak {
					peak = heap
				}
				if peak <= limit && took <= time.Second {
					break
				}
			}
			if took > slowdown*time.Second {
				t.Errorf("took %v of the processor", took)
			}
			if peak > limit {
				t.Errorf("the heap grew by %d KB for a document of %d KB", peak>>10, len(body)>>10)
			}
			t.Logf("%v, heap +%d KB, document %d KB", took.Round(time.Millisecond), peak>>10, len(body)>>10)
			if c.items < 0 {
				if err == nil && len(p.Items) > 0 {
					t.Errorf("%d items, want none", len(p.Items))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Items) != c.items {
				t.Errorf("%d items, want %d; repairs %v", len(p.Items), c.items, p.Repairs)
			}
			for _, it := range p.Items {
				if len(it.Title) > maxTitle || len(it.Summary) > maxContent || len(it.Content) > maxContent || strings.Contains(it.Title, "lollol") {
					t.Errorf("title %.40q of %d bytes, summary %d, content %d", it.Title, len(it.Title), len(it.Summary), len(it.Content))
				}
			}
		})
	}
}

func manyItems(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<item><title>Story %d</title><link>https://example.org/%d</link><pubDate>Mon, 27 Jul 2026 15:30:00 +0000</pubDate><description>Text of story %d.</description></item>", i, i, i)
	}
	return b.String()
}

// scopes are elements that declare 64 namespaces each and never close.
func scopes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("<a")
		for j := range 64 {
			fmt.Fprintf(&b, ` xmlns:p%dq%d="urn:%d"`, i, j, j)
		}
		b.WriteString(">")
	}
	return b.String()
}
