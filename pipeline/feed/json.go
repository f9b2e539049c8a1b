package feed

import (
	"bytes"
	"encoding/json"
	"strings"

	jsonfeed "github.com/mmcdole/gofeed/json"
	"github.com/mmcdole/gofeed/rss"
)

// jsonKind is what a JSON document turned out to be.
type jsonKind struct {
	rss     *rss.Feed // RSS in JSON
	broken  bool      // JSON that cannot be read
	repairs []string
}

// decodeJSON reads a JSON Feed or RSS in JSON. A document in which a member has
// an odd type, or whose end is missing, is read member by member.
func decodeJSON(body []byte) (*jsonfeed.Feed, jsonKind) {
	body = bytes.TrimRight(body, "\x00 \t\r\n")
	if bytes.Contains(body[:min(len(body), 200)], []byte(`"rss"`)) {
		if f, kind := rssInJSON(body); f != nil {
			return nil, kind
		}
	}
	if body[0] != '{' {
		return nil, jsonKind{broken: !json.Valid(body)}
	}
	if bytes.Count(body, []byte("{")) > 4*maxItems { // whatever they are, most of them are not kept
		return member(body)
	}
	f, err := wired(body)
	if err == nil {
		if f.Items == nil && !strings.Contains(f.Version, "jsonfeed.org") {
			return nil, jsonKind{}
		}
		return f, jsonKind{}
	}
	f, kind := member(body)
	if f != nil && len(kind.repairs) == 0 {
		kind.repairs = []string{"markup"}
	}
	return f, kind
}

// The members of a JSON Feed that we keep. gofeed's own types would read the
// document three times over, for the members that we do not keep.
type (
	wireFeed struct {
		Version     string             `json:"version"`
		Title       string             `json:"title"`
		HomePageURL string             `json:"home_page_url"`
		Description string             `json:"description"`
		Language    string             `json:"language"`
		Author      *jsonfeed.Author   `json:"author"`
		Authors     []*jsonfeed.Author `json:"authors"`
		Items       []*wireItem        `json:"items"`
	}
	wireItem struct {
		ID            looseText          `json:"id"`
		URL           string             `json:"url"`
		ExternalURL   string             `json:"external_url"`
		Title         string             `json:"title"`
		ContentHTML   string             `json:"content_html"`
		ContentText   string             `json:"content_text"`
		Summary       string             `json:"summary"`
		DatePublished string             `json:"date_published"`
		DateModified  string             `json:"date_modified"`
		Language      string             `json:"language"`
		Tags          []string           `json:"tags"`
		Author        *jsonfeed.Author   `json:"author"`
		Authors       []*jsonfeed.Author `json:"authors"`
	}
)

// looseText is a text that many write as a number.
type looseText string

func (l *looseText) UnmarshalJSON(raw []byte) error {
	*l = looseText(loose(raw))
	return nil
}

// wired reads a JSON Feed that is as the standard wants it.
func wired(body []byte) (*jsonfeed.Feed, error) {
	var w wireFeed
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, err
	}
	f := &jsonfeed.Feed{Version: w.Version, Title: w.Title, HomePageURL: w.HomePageURL, Description: w.Description,
		Language: w.Language, Author: w.Author, Authors: w.Authors}
	if w.Items != nil {
		f.Items = make([]*jsonfeed.Item, 0, min(len(w.Items), maxItems+1))
	}
	for _, i := range w.Items[:min(len(w.Items), maxItems+1)] {
		if i != nil {
			f.Items = append(f.Items, i.item())
		}
	}
	return f, nil
}

func (i *wireItem) item() *jsonfeed.Item {
	return &jsonfeed.Item{ID: string(i.ID), URL: i.URL, ExternalURL: i.ExternalURL, Title: i.Title, ContentHTML: i.ContentHTML,
		ContentText: i.ContentText, Summary: i.Summary, DatePublished: i.DatePublished, DateModified: i.DateModified,
		Language: i.Language, Tags: i.Tags, Author: i.Author, Authors: i.Authors}
}

// member reads a JSON Feed as far as it goes.
func member(body []byte) (*jsonfeed.Feed, jsonKind) {
	d := json.NewDecoder(bytes.NewReader(body))
	f, ours := &jsonfeed.Feed{}, false
	kind := jsonKind{}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, jsonKind{broken: true}
	}
	cut := func() (*jsonfeed.Feed, jsonKind) {
		if !ours || len(f.Items) == 0 {
			return nil, jsonKind{broken: true}
		}
		kind.repairs = []string{"truncated"}
		return f, kind
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return cut()
		}
		name, _ := t.(string)
		if name != "items" {
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return cut()
			}
			switch name {
			case "version":
				f.Version = loose(raw)
			case "title":
				f.Title = loose(raw)
			case "home_page_url":
				f.HomePageURL = loose(raw)
			case "description":
				f.Description = loose(raw)
			case "language":
				f.Language = loose(raw)
			}
			ours = ours || strings.Contains(f.Version, "jsonfeed.org")
			continue
		}
		if t, err := d.Token(); err != nil || t != json.Delim('[') {
			return cut()
		}
		ours = true
		for d.More() {
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return cut()
			}
			if len(f.Items) > maxItems {
				continue
			}
			if i := looseItem(raw); i != nil {
				f.Items = append(f.Items, i)
			}
		}
		if _, err := d.Token(); err != nil {
			return cut()
		}
	}
	if _, err := d.Token(); err != nil {
		return cut()
	}
	if !ours {
		return nil, jsonKind{}
	}
	return f, kind
}

func looseItem(raw json.RawMessage) *jsonfeed.Item {
	w := &wireItem{}
	if json.Unmarshal(raw, w) == nil {
		return w.item()
	}
	i := &jsonfeed.Item{}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	*i = jsonfeed.Item{ID: loose(m["id"]), URL: loose(m["url"]), ExternalURL: loose(m["external_url"]), Title: loose(m["title"]),
		ContentHTML: loose(m["content_html"]), ContentText: loose(m["content_text"]), Summary: loose(m["summary"]),
		DatePublished: loose(m["date_published"]), DateModified: loose(m["date_modified"]), Language: loose(m["language"])}
	var tags []json.RawMessage
	if json.Unmarshal(m["tags"], &tags) == nil {
		for _, t := range tags[:min(len(tags), maxWords)] {
			i.Tags = append(i.Tags, loose(t))
		}
	}
	for _, name := range []string{"author", "authors"} {
		var people []json.RawMessage
		if json.Unmarshal(m[name], &people) != nil {
			people = []json.RawMessage{m[name]}
		}
		for _, p := range people[:min(len(people), maxWords)] {
			var a struct {
				Name json.RawMessage `json:"name"`
			}
			if s := loose(p); s != "" && s[0] != '{' {
				i.Authors = append(i.Authors, &jsonfeed.Author{Name: s})
			} else if json.Unmarshal(p, &a) == nil && loose(a.Name) != "" {
				i.Authors = append(i.Authors, &jsonfeed.Author{Name: loose(a.Name)})
			}
		}
	}
	return i
}

// loose reads a text whatever type it was written with; null and objects that
// should be texts are "".
func loose(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	var s string
	if len(raw) == 0 || string(raw) == "null" || raw[0] == '{' || raw[0] == '[' {
		return ""
	}
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// rssInJSON reads RSS 2.0 written as JSON: {"rss": {"channel": {..., "item": []}}}.
func rssInJSON(body []byte) (*rss.Feed, jsonKind) {
	var top struct {
		RSS struct {
			Channel map[string]json.RawMessage `json:"channel"`
		} `json:"rss"`
	}
	if err := json.Unmarshal(body, &top); err != nil || top.RSS.Channel == nil {
		return nil, jsonKind{}
	}
	c := top.RSS.Channel
	f := &rss.Feed{Title: loose(c["title"]), Link: loose(c["link"]), Description: loose(c["description"]),
		Language: loose(c["language"]), TTL: loose(c["ttl"])}
	raw := c["item"]
	if len(raw) == 0 {
		raw = c["items"]
	}
	var items []map[string]json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		var one map[string]json.RawMessage
		if json.Unmarshal(raw, &one) == nil && one != nil {
			items = append(items, one)
		}
	}
	for _, m := range items[:min(len(items), maxItems+1)] {
		i := &rss.Item{Title: loose(m["title"]), Link: loose(m["link"]), Description: loose(m["description"]), Author: loose(m["author"]),
			PubDate: loose(m["pubDate"]), Content: loose(m["content:encoded"])}
		if g := text(m["guid"]); g != "" {
			i.GUID = &rss.GUID{Value: g, IsPermalink: attribute(m["guid"], "isPermaLink")}
		}
		var categories []json.RawMessage
		if json.Unmarshal(m["category"], &categories) != nil {
			categories = []json.RawMessage{m["category"]}
		}
		for _, c := range categories[:min(len(categories), maxWords)] {
			i.Categories = append(i.Categories, &rss.Category{Value: text(c)})
		}
		f.Items = append(f.Items, i)
	}
	return f, jsonKind{rss: f}
}

// text reads an element of RSS in JSON: a text, or an object with the text in
// "#value" and attributes beside it.
func text(raw json.RawMessage) string {
	return or(loose(raw), attribute(raw, "#value"), attribute(raw, "#text"), attribute(raw, "value"))
}

func attribute(raw json.RawMessage, name string) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	return loose(m[name])
}

// jsonFeed reads a JSON Feed.
func (r *reader) jsonFeed(f *jsonfeed.Feed) {
	r.parsed.Title, r.parsed.Description, r.parsed.Language = f.Title, f.Description, f.Language
	r.link, r.base = f.HomePageURL, ""
	var own []string
	for _, a := range append(f.Authors, f.Author) {
		if a != nil {
			own = append(own, a.Name)
		}
	}
	for _, i := range f.Items {
		if i == nil {
			continue
		}
		d := draft{guid: i.ID, guidIsLink: true, title: i.Title, summary: i.Summary, content: i.ContentHTML, language: i.Language,
			categories: i.Tags, published: []string{i.DatePublished}, updated: []string{i.DateModified}}
		for _, l := range []string{i.URL, i.ExternalURL} {
			if l != "" {
				d.links = append(d.links, l)
			}
		}
		d.title, d.summary = protect(d.title), protect(d.summary)
		if d.content == "" {
			d.content = protect(i.ContentText)
			if !strings.Contains(d.content, "<") {
				d.content = strings.ReplaceAll(d.content, "\n", "<br>")
			}
		}
		for _, a := range append(i.Authors, i.Author) {
			if a != nil {
				d.authors = append(d.authors, a.Name)
			}
		}
		if len(people(d.authors)) == 0 {
			d.authors = own
		}
		r.drafts = append(r.drafts, d)
	}
}
