package feed

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
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
	"gov-us-court-nyed-pacer.rss.xml":             {"items": "thirteen items stand in it twice, word for word"},
	"json-us-scriptingnews.feed.json":             {"items": "RSS in JSON is read by us only", "link": "the same", "date": "the same"},
	"news-br-uol.rss.xml":                         {"date": "Seg, 24 Set 2018 is read by us only"},
	"news-fr-lefigaro.rss.xml":                    {"items": "one item stands in it twice, word for word"},
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
