package feed

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

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
		name  string
		doc   string
		items int // -1: an error is right
	}{
		{"xml bomb", bomb, 2},
		{"deep inside a field", head + `<item><title>Deep</title><description>` + strings.Repeat("<b>", 200_000) + `x` + strings.Repeat("</b>", 200_000) + `</description></item>` + item + tail, 2},
		{"deep outside of items", head + strings.Repeat("<a>", 200_000) + strings.Repeat("</a>", 200_000) + item + tail, 1},
		{"deep and never closed", head + item + `<item>` + strings.Repeat("<a>", 200_000), 1},
		{"deep xhtml", `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>a</id><content type="xhtml">` + strings.Repeat("<div>", 100_000), -1},
		{"deep json", `{"version":"https://jsonfeed.org/version/1.1","items":` + strings.Repeat("[", 200_000), -1},
		{"many items", head + strings.Repeat(item[:len(item)-len("good</link></item>")]+"</link></item>", 50_000) + tail, 1},
		{"many different items", head + manyItems(50_000) + tail, maxItems},
		{"huge attribute", head + `<item><title>Good</title><link href="` + strings.Repeat("a", 1<<20) + `"/><guid>g</guid></item>` + item + tail, 2},
		{"many attributes", head + `<item ` + strings.Repeat(`a="b" `, 100_000) + `><title>Good</title></item>` + item + tail, 2},
		{"many namespaces", head + strings.Repeat(`<a xmlns:b="c" xml:base="d" xml:lang="en">`, 50_000) + item + tail, 1},
		{"huge title", head + `<item><title>` + strings.Repeat("word ", 1<<20) + `</title></item>` + tail, 1},
		{"many tags that are none", head + `<item><title>` + strings.Repeat("<", 1<<20) + `</title></item>` + item + tail, 2},
		{"tags without an end", head + item + `<item><title>` + strings.Repeat("<a ", 1<<20), 1},
		{"quotes without an end", head + item + strings.Repeat(`<a b="`, 1<<19), 1},
		{"comments without an end", head + item + strings.Repeat(`<!--`, 1<<19), 1},
		{"html comments in a text", head + `<item><title>x</title><description>` + strings.Repeat("&lt;!--", 1<<18) + `</description></item>` + tail, 1},
		{"strange tags in a text", head + `<item><title>x</title><description>` + strings.Repeat("&lt;apt&gt;", 1<<16) + `</description></item>` + tail, 1},
		{"ampersands", head + `<item><title>` + strings.Repeat("&", 1<<20) + `</title></item>` + item + tail, 2},
		{"doctype", `<!DOCTYPE rss [` + strings.Repeat("]", 1<<20) + head + item + tail, 1},
		{"gzip bomb", zipped.String(), 1},
		{"categories", head + `<item><title>x</title>` + strings.Repeat("<category>c</category>", 50_000) + `</item>` + item + tail, 2},
		{"links", head + `<item><title>x</title>` + strings.Repeat("<link>javascript:x</link>", 50_000) + `</item>` + item + tail, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			p, err := Parse(Document{Body: []byte(c.doc), URL: "https://example.org/feed", Feed: Feed{ID: "x"}})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 600 {
				t.Errorf("allocated %d MB for a document of %d KB", mb, len(c.doc)>>10)
			}
			t.Logf("%v, %d MB allocated, document %d KB", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, len(c.doc)>>10)
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
