package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

func parseItems(t *testing.T, f Feed, inner string) []Item {
	t.Helper()
	p, err := Parse(Document{Body: []byte(`<rss version="2.0"><channel><title>c</title>` + inner + `</channel></rss>`), Feed: f})
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

func keyOf(feedID, value string) string {
	sum := sha256.Sum256([]byte(feedID + "\x00" + value))
	return hex.EncodeToString(sum[:16])
}

// The key is made of the guid, else the link, else the title and the date.
func TestKey(t *testing.T) {
	t.Parallel()
	const date = "Mon, 27 Jul 2026 15:30:00 GMT"
	full := `<item><title>T</title><link>http://a.example/1?utm_source=x#f</link><guid>g1</guid><pubDate>` + date + `</pubDate></item>`
	for _, c := range []struct{ identity, inner, want string }{
		{"", full, "g1"},
		{"auto", full, "g1"},
		{"guid", full, "g1"},
		{"link", full, "https://a.example/1"},
		{"title", full, "T\x00" + date},
		{"auto", `<item><title>T</title><link>https://a.example/1?gclid=2</link></item>`, "https://a.example/1"},
		{"auto", `<item><title> T </title><pubDate>` + date + `</pubDate></item>`, "T\x00" + date},
		{"auto", `<item><description>D</description></item>`, "D\x00"},
		{"guid", `<item><title>T</title></item>`, "T\x00"},
	} {
		items := parseItems(t, Feed{ID: "f", Identity: c.identity}, c.inner)
		if len(items) != 1 || items[0].Key != keyOf("f", c.want) {
			t.Errorf("identity %q of %s: not made of %q", c.identity, c.inner, c.want)
		}
	}
}

// What stands on several items is no identity; what is the same in all is one.
func TestSharedIdentity(t *testing.T) {
	t.Parallel()
	item := func(guid, link, title, date, text string) string {
		return fmt.Sprintf("<item><guid isPermaLink=\"false\">%s</guid><link>%s</link><title>%s</title><pubDate>%s</pubDate><description>%s</description></item>", guid, link, title, date, text)
	}
	const a, b = "https://a.example/1", "https://a.example/2"
	for _, c := range []struct {
		name  string
		inner string
		items int
	}{
		{"one guid on two links", item("g", a, "One", "", "") + item("g", b, "Two", "", ""), 2},
		{"two of all the same", item("g", a, "One", "", "x") + item("g", a, "One", "", "x"), 1},
		{"a tracking parameter is no other link", item("g", a, "One", "", "x") + item("g", a+"?utm_medium=rss", "One", "", "x"), 1},
		{"a docket: one guid and link, other titles", item("g", a, "One", "", "") + item("g", a, "Two", "", ""), 2},
		{"one title on two days", item("g", a, "One", "Mon, 27 Jul 2026 15:30:00 GMT", "") + item("g", a, "One", "Tue, 28 Jul 2026 15:30:00 GMT", ""), 2},
		{"one title and day, two texts", item("g", a, "One", "", "x") + item("g", a, "One", "", "y"), 2},
		{"no guid, one link for all", item("", a, "One", "", "") + item("", a, "Two", "", ""), 2},
	} {
		items := parseItems(t, Feed{ID: "f"}, c.inner)
		if len(items) != c.items {
			t.Errorf("%s: %d items, want %d", c.name, len(items), c.items)
		}
	}
	// The other item of the document does not change a key that is sound.
	alone := parseItems(t, Feed{ID: "f"}, item("g1", a, "One", "", ""))
	both := parseItems(t, Feed{ID: "f"}, item("g2", b, "Two", "", "")+item("g1", a, "One", "", ""))
	if alone[0].Key != both[1].Key {
		t.Error("the key depends on the neighbours")
	}
}

// Markup and white space are no edits, words are.
func TestRevision(t *testing.T) {
	t.Parallel()
	one := parseOne(t, "<title>A &amp; B</title><description>Some text here.</description>")
	two := parseOne(t, "<title> A &amp;  B</title><description>&lt;p&gt;Some &lt;b&gt;text&lt;/b&gt;\n here.&lt;/p&gt;</description>")
	other := parseOne(t, "<title>A &amp; B</title><description>Some text there.</description>")
	if one.Revision != two.Revision || len(one.Revision) != 16 {
		t.Errorf("revisions %q and %q", one.Revision, two.Revision)
	}
	if one.Revision == other.Revision {
		t.Error("other words, same revision")
	}
}

func TestVoidItems(t *testing.T) {
	t.Parallel()
	const inner = `<item/><item><title>T</title></item><item><comments>x</comments></item>`
	if items := parseItems(t, Feed{ID: "f"}, inner); len(items) != 1 {
		t.Errorf("in the catalogue: %d items, want 1", len(items))
	}
	if items := parseItems(t, Feed{}, inner); len(items) != 3 {
		t.Errorf("outside: %d items, want all 3", len(items))
	}
}
