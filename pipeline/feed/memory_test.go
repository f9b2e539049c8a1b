package feed

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sameAsParse holds a memory against Parse.
func sameAsParse(t *testing.T, m *Memory, doc Document, about string) {
	t.Helper()
	want, wantErr := Parse(doc)
	got, err := m.Parse(doc)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%s: %v, Parse says %v", about, err, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s differs (-Parse +Memory):\n%s", about, cmp.Diff(want, got))
	}
}

// changedWays are a document as it may come next: with an item less, with one
// twice, cut off, with another address or language.
func changedWays(s string) []string {
	out := []string{s}
	for _, tag := range []string{"item", "entry"} {
		from := strings.Index(s, "<"+tag)
		if from < 0 {
			continue
		}
		to := strings.Index(s[from:], "</"+tag+">")
		if to < 0 {
			continue
		}
		to += from + len(tag) + 3
		out = append(out, s[:from]+s[to:], s[:to]+s[from:], s[:from]+strings.Replace(s[from:to], "e", "é", 3)+s[to:])
	}
	return append(out, s[:len(s)*2/3], strings.Replace(s, "<link>", "<link>https://other.example/", 1), strings.Replace(s, "xml:lang=\"", "xml:lang=\"fr-", 1),
		strings.Replace(s, "xmlns:dc=", "xmlns:x=", 1), strings.Replace(s, "version=\"2.0\"", "version=\"0.91\"", 1), s)
}

// TestMemory reads documents as they change, once by memory and once without,
// and compares all that comes out.
func TestMemory(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"testdata/*.xml", "testdata/*.json", captures + "/*.xml", captures + "/*.rss*", captures + "/*/*.xml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Fatalf("%d documents", len(files))
	}
	feeds := []Feed{{ID: "fixture", Tier: "authoritative"}, {ID: "fixture", Country: "US", Language: "fr", Tags: []string{"x"}}, {ID: "other", Identity: "link"}}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > 8<<10 {
				b = b[:8<<10] // of large ones the beginning
			}
			m := NewMemory(4 << 20)
			for i, s := range changedWays(string(b)) {
				doc := Document{Body: []byte(s), URL: "https://origin.example/feeds/news.xml", ContentType: "text/xml", Fetched: time.Date(2026, 7, 28, 12, i, 0, 0, time.UTC)}
				for j, f := range feeds[:1+i%2] {
					doc.Feed = f
					sameAsParse(t, m, doc, fmt.Sprintf("change %d, feed %d", i, j))
				}
			}
		})
	}
}

// TestMemoryRemembers: what it knows is not read again, it holds no more than
// it may, and what means something else elsewhere is no hit.
func TestMemoryRemembers(t *testing.T) {
	t.Parallel()
	m := NewMemory(64 << 10)
	doc := Document{Body: benchRSS(10, 1), Feed: Feed{ID: "f"}, URL: "https://example.org/feed"}
	for range 3 {
		sameAsParse(t, m, doc, "ten items")
	}
	r, err := gather(doc, m)
	if err != nil || r.recalled != 10 {
		t.Fatalf("%d items recalled, %v", r.recalled, err)
	}
	doc.URL = "https://example.net/feed"
	sameAsParse(t, m, doc, "at another address")
	for n := range 50 {
		doc.Body = []byte(strings.ReplaceAll(string(benchRSS(10, 1)), "news-", fmt.Sprint("n", n, "-")))
		sameAsParse(t, m, doc, "many documents")
	}
	for n := range 50 { // whatever field is long
		long := fmt.Sprint(n, strings.Repeat("x", 8<<10))
		doc.Body = fmt.Appendf(nil, `<feed xml:base="https://example.org/%[1]s"><title>t</title><link href="%[1]s"/><author><name>%[1]s</name></author>
			<entry xml:base="/%[1]s"><id>%[1]s</id><title>%[2]d</title></entry></feed>`, long, n)
		sameAsParse(t, m, doc, "long fields")
	}
	held := 0
	for _, generation := range []map[entrySum]*remembered{m.young, m.old} {
		for _, x := range generation {
			held += lengths(reflect.ValueOf(*x))
		}
	}
	if held == 0 || held > 64<<10+2*maxRemembered {
		t.Errorf("%d bytes held", held)
	}
}

// lengths is how long all strings within a value are.
func lengths(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Struct:
		for i := range v.NumField() {
			n += lengths(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += lengths(v.Index(i))
		}
	}
	return n
}

func FuzzMemory(f *testing.F) {
	f.Add(string(benchRSS(3, 1)), 200, 700, "x")
	f.Add(string(benchAtom(3, 2)), 300, 310, "<entry>")
	f.Add(string(benchRDF(3)), 250, 400, "<item>")
	f.Add("<rss>\uE0FFnm:1<item><description>\uE0FFnm:0"+strings.Repeat("a", 300)+"</description></item></rss>", 5, 12, "<item/>")
	f.Fuzz(func(t *testing.T, s string, from, to int, between string) {
		m := NewMemory(1 << 20)
		doc := Document{Body: []byte(s), Feed: Feed{ID: "f"}, URL: "https://example.org/feed"}
		sameAsParse(t, m, doc, "first")
		from = min(max(from, 0), len(s))
		to = min(max(to, from), len(s))
		doc.Body = []byte(s[:from] + between + s[to:])
		sameAsParse(t, m, doc, "changed")
		doc.Body = []byte(s)
		sameAsParse(t, m, doc, "again")
	})
}

// BenchmarkMemory reads a document of 20 items of which one is new.
func BenchmarkMemory(b *testing.B) {
	body := string(benchRSS(20, 8))
	at := strings.Index(body, "<item>")
	for _, with := range []bool{false, true} {
		b.Run(map[bool]string{false: "without", true: "with"}[with], func(b *testing.B) {
			parse := Parse
			if with {
				parse = NewMemory(4 << 20).Parse
			}
			n := 0
			for b.Loop() {
				n++
				item := fmt.Sprintf("<item><title>New %d</title><guid>new-%d</guid><description>%s</description></item>", n, n, strings.Repeat("News. ", 200))
				if _, err := parse(Document{Body: []byte(body[:at] + item + body[at:]), Feed: Feed{ID: "f"}, URL: "https://example.org/feed"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
