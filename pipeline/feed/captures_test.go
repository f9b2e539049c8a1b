package feed

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
)

// captures is where real feeds lie beside the project, when they do. They
// belong to their publishers and are no part of it.
const captures = "../../../shared/real-feeds"

// differs are the fields in which we knowingly read a capture otherwise than
// its index, which says what feedparser reads. The test fails when a
// difference is gone, so that the list stays true.
var differs = map[string]map[string]string{
	"bad-gzip-body-nshipster.rss.xml.gz": {
		"title": "feedparser does not unpack the body", "link": "the same", "date": "the same"},
	"bad-html-wrapped-atom-avian.xml":             {"date": "the index has the text only; updated is all there is"},
	"bad-invalid-date-format.rss.xml":             {"date": "the index has the text only"},
	"derived-zh-bbc-chinese-utf16le-bom.atom.xml": {"date": "the index has the text only"},
	"enc-fr-cerclepsy-undeclared-latin1.rss.xml":  {"date": "the index has the text only"},
	"enc-ko-euckr-undeclared.xml":                 {"title": "feedparser cannot guess the charset"},
	"enc-zh-big5-undeclared.xml":                  {"title": "it has no items; the index has a remark"},
	"enc-utf16be.xml":                             {"title": "feedparser takes the declaration's word", "link": "the same"},
	"enc-utf16le.xml":                             {"title": "feedparser takes the declaration's word", "link": "the same"},
	"enc-zh-kc0011-gb2312.rss.xml":                {"date": "2020/1/10 14:33:00 is read by us only"},
	"json-us-scriptingnews.feed.json":             {"items": "RSS in JSON is read by us only", "link": "the same", "date": "the same"},
	"news-br-uol.rss.xml":                         {"date": "Seg, 24 Set 2018 is read by us only"},
	"news-fr-nextinpact-huge.rss.xml":             {"date": "the index has the text only"},
	"news-kr-koreatimes.rss.xml":                  {"date": "GMT+9 is read by us only"},
	"news-us-tpm-empty-xmlbase.atom.xml":          {"link": "relative in the index; we resolve it"},
}

func TestCaptures(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(captures, "index.csv"))
	if err != nil {
		t.Skipf("no captures of real feeds in %s: %v", captures, err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	read := 0
	for _, row := range rows[1:] {
		cell := func(name string) string { return row[column[name]] }
		file := cell("file")
		b, err := os.ReadFile(filepath.Join(captures, file))
		if err != nil {
			t.Error(err)
			continue
		}
		p, err := Parse(Document{Body: b})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		read++
		it, date := Item{}, ""
		if len(p.Items) > 0 {
			it = p.Items[0]
		}
		if !it.Published.IsZero() {
			date = it.Published.Format(time.RFC3339)
		}
		title, _ := plainLine(cell("first_item_title"), maxTitle)
		for _, c := range []struct{ field, got, want string }{
			{"items", strconv.Itoa(len(p.Items)), cell("items")},
			{"title", it.Title, title},
			{"link", it.Link, cell("first_item_link")},
			{"date", date, cell("first_item_date_utc")},
		} {
			reason := differs[file][c.field]
			switch {
			case c.got != c.want && reason == "":
				t.Errorf("%s: %s %q, the index has %q", file, c.field, c.got, c.want)
			case c.got == c.want && reason != "":
				t.Errorf("%s: %s agrees; take it off the list", file, c.field)
			}
		}
	}
	if read != 80 {
		t.Errorf("%d captures read, want 80", read)
	}
}

// gofeedDiffers are the captures and fields in which gofeed reads items
// otherwise, as "number of items: why". A capture that gofeed cannot read as a
// whole, or of which it reads another number of items, is not compared.
var gofeedDiffers = map[string]map[string]string{
	"agg-ja-hatena.rss.xml":                {"guid": "3: rdf:about"},
	"bad-guid-dupes.rss.xml":               {"link": "1: a guid that is a permalink"},
	"bad-us-hyatt-resorts.rss.xml":         {"link": "1: a guid that is a permalink"},
	"blog-ja-tdiary.rdf.xml":               {"guid": "15: rdf:about"},
	"derived-ja-tdiary-shiftjis.rdf.xml":   {"guid": "15: rdf:about"},
	"enc-zh-kc0011-gb2312.rss.xml":         {"date": "20: 2020/1/10 14:33:00 is read by us only"},
	"gov-ca-nrcan-earthquakes.atom.xml":    {"link": "3: an id that is an address"},
	"json-us-scriptingnews.feed.json":      {"items": "RSS in JSON is read by us only"},
	"news-at-derstandard.rss.xml":          {"title": "1: a C1 character"},
	"news-at-orf.rss10.xml":                {"guid": "50: rdf:about"},
	"news-de-finanzen-net-iso8859.rss.xml": {"summary": "10: it is UTF-8 whatever it declares"},
	"news-de-zeit.rss.xml":                 {"link": "1: resolved against the channel's"},
	"news-es-20minutos.rss10.xml":          {"guid": "15: rdf:about"},
	"news-kr-koreatimes.rss.xml":           {"date": "195: GMT+9 is read by us only"},
	"news-ru-yandex-russia.rss.xml":        {"title": "15: C1 characters", "summary": "12: C1 characters"},
	"news-us-slashdot-utm-iso8859.rdf.xml": {"guid": "15: rdf:about"},
	"news-us-tpm-empty-xmlbase.atom.xml":   {"link": "20: xml:base"},
	"sci-us-biorxiv.rdf.xml":               {"guid": "30: rdf:about"},
	"sci-wiley-rss10-ns-on-channel.xml":    {"guid": "44: rdf:about"},
	"sec-debian-security.rdf.xml":          {"guid": "1: rdf:about"},
}

// TestCapturesItems compares every item of the captures, not only the first,
// with what gofeed reads of the same bytes.
func TestCapturesItems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(captures, "*.*"))
	if err != nil || len(files) == 0 {
		t.Skipf("no captures of real feeds in %s", captures)
	}
	items, documents := 0, 0
	for _, file := range files {
		name := filepath.Base(file)
		b, err := os.ReadFile(file)
		if err != nil || filepath.Ext(name) == ".csv" || filepath.Ext(name) == ".md" {
			continue
		}
		theirs, err := gofeed.NewParser().Parse(bytes.NewReader(b))
		if err != nil {
			continue
		}
		p, err := Parse(Document{Body: b})
		if err != nil {
			t.Errorf("%s: gofeed reads it, we do not: %v", name, err)
			continue
		}
		if len(p.Items) != len(theirs.Items) {
			if gofeedDiffers[name]["items"] == "" {
				t.Errorf("%s: %d items, gofeed has %d", name, len(p.Items), len(theirs.Items))
			}
			continue
		}
		documents++
		wrong, example := map[string]int{}, map[string]string{}
		for i, it := range p.Items {
			items++
			other := theirs.Items[i]
			date := ""
			for _, at := range []*time.Time{other.PublishedParsed, other.UpdatedParsed} {
				if date == "" && at != nil {
					date = stamp(at.UTC())
				}
			}
			for _, c := range []struct{ field, got, want string }{
				{"title", squeeze(it.Title), squeeze(reduce(other.Title))},
				{"link", it.Link, strings.TrimSpace(other.Link)},
				{"guid", it.GUID, strings.TrimSpace(other.GUID)},
				{"date", stamp(it.Published, it.Updated), date},
				{"summary", beginning(or(it.Summary, it.Content)), beginning(reduce(or(other.Description, other.Content)))},
			} {
				if c.got != c.want {
					wrong[c.field]++
					example[c.field] = fmt.Sprintf("item %d: %q, gofeed %q", i, c.got, c.want)
				}
			}
		}
		for _, field := range []string{"title", "link", "guid", "date", "summary"} {
			number, reason, _ := strings.Cut(gofeedDiffers[name][field], ": ")
			if n, _ := strconv.Atoi(number); n != wrong[field] {
				t.Errorf("%s: %s of %d items differs from gofeed's, want %d (%s); %s", name, field, wrong[field], n, reason, example[field])
			}
		}
	}
	t.Logf("%d items of %d documents compared", items, documents)
}

// beginning is as much of a text as summaries that were cut have in common.
func beginning(s string) string {
	s = squeeze(s)
	return cut(s, 60)
}
