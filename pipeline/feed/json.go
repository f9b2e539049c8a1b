package feed

import (
	"bytes"
	"encoding/json"
	"io"
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

// decodeJSON reads a JSON Feed or RSS in JSON. A document that gofeed refuses,
// because a member has an odd type or because its end is missing, is read
// member by member.
func decodeJSON(body string) (*jsonfeed.Feed, jsonKind) {
	body = strings.TrimRight(body, "\x00 \t\r\n")
	if strings.Contains(body[:min(len(body), 200)], `"rss"`) {
		if f, kind := rssInJSON(body); f != nil {
			return nil, kind
		}
	}
	if body[0] != '{' {
		return nil, jsonKind{broken: !json.Valid([]byte(body))}
	}
	f, err := (&jsonfeed.Parser{}).Parse(strings.NewReader(body))
	if err == nil {
		if f.Items == nil && !strings.Contains(f.Version, "jsonfeed.org") {
			return nil, jsonKind{}
		}
		return f, jsonKind{}
	}
	f, kind := member(body)
	return f, kind
}

// member reads a JSON Feed as far as it goes.
func member(body string) (*jsonfeed.Feed, jsonKind) {
	d := json.NewDecoder(strings.NewReader(body))
	f, ours := &jsonfeed.Feed{}, false
	kind := jsonKind{repairs: []string{"markup"}}
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
			if i := looseItem(raw); i != nil && len(f.Items) <= maxItems {
				f.Items = append(f.Items, i)
			}
		}
		if _, err := d.Token(); err != nil {
			return cut()
		}
	}
	if _, err := d.Token(); err != nil && err != io.EOF {
		return cut()
	}
	if !ours {
		return nil, jsonKind{}
	}
	return f, kind
}

func looseItem(raw json.RawMessage) *jsonfeed.Item {
	i := &jsonfeed.Item{}
	if json.Unmarshal(raw, i) == nil {
		return i
	}
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
func rssInJSON(body string) (*rss.Feed, jsonKind) {
	var top struct {
		RSS struct {
			Channel map[string]json.RawMessage `json:"channel"`
		} `json:"rss"`
	}
	if err := json.Unmarshal([]byte(body), &top); err != nil || top.RSS.Channel == nil {
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
