package feed

import (
	"strings"
	"testing"
)

// What stands for a long text on its way past gofeed is ours: a document that
// writes the same gets its own characters back, and nobody else's text.
func TestHeldTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("secret ", 100)
	for _, fake := range []string{held + "0", held + "1", held + "-1", held + "99999999999999999999", " \n" + held + "0", held} {
		for _, field := range []string{"description", "content:encoded", "dc:description", "itunes:summary", "media:description", "abstract", "title"} {
			p, err := Parse(Document{Body: []byte(`<rss><channel><item><title>a</title><description>` + long + `</description></item><item><guid>b</guid><` + field + `>` + fake + `</` + field + `></item></channel></rss>`)})
			if err != nil || len(p.Items) != 2 {
				t.Fatalf("%q in %s: %v, %+v", fake, field, err, p)
			}
			if it := p.Items[1]; strings.Contains(it.Title+it.Summary+it.Content, "secret") || it.Title+it.Summary+it.Content == "" {
				t.Errorf("%q in %s: title %q, summary %q, content %.50q", fake, field, it.Title, it.Summary, it.Content)
			}
		}
		p, err := Parse(Document{Body: []byte(`{"rss":{"channel":{"item":[{"title":"x","description":"` + strings.TrimSpace(fake) + `"}]}}}`)})
		if err != nil || len(p.Items) != 1 {
			t.Errorf("%q in JSON: %v, %+v", fake, err, p)
		}
	}
}
