package feed

import (
	"strconv"
	"strings"
	"time"

	ext "github.com/mmcdole/gofeed/extensions"
	"github.com/mmcdole/gofeed/rss"
)

// rss reads RSS in all its versions, RDF, and RSS in JSON.
func (r *reader) rss(f *rss.Feed, m mended) {
	dc := extension(f.Extensions, "dc")
	r.parsed.Title = or(strings.TrimSpace(f.Title), dc("title"))
	tunes := extension(f.Extensions, "itunes")
	r.parsed.Description = or(strings.TrimSpace(f.Description), dc("description"), tunes("summary"), tunes("subtitle"),
		extension(f.Extensions, "nm")("info"))
	r.parsed.Language = or(languageTag(f.Language), languageTag(dc("language")), m.language)
	r.link, r.base = or(firstLink(f.Links, f.Link), extension(f.Extensions, "nm")("href")), m.base
	r.parsed.TTL = ttl(f.TTL)
	if r.parsed.TTL == 0 {
		sy := extension(f.Extensions, "sy")
		r.parsed.TTL = updatePeriod(sy("updateperiod"), sy("updatefrequency"))
	}
	for _, h := range f.SkipHours {
		if n, err := strconv.Atoi(strings.TrimSpace(h)); err == nil && n >= 0 && n <= 24 {
			r.parsed.SkipHours = append(r.parsed.SkipHours, n%24)
		}
	}
	for _, day := range f.SkipDays {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(strings.TrimSpace(day), d.String()) {
				r.parsed.SkipDays = append(r.parsed.SkipDays, d)
			}
		}
	}
	for _, i := range f.Items {
		if i != nil {
			d := rssDraft(i)
			d.summary, d.content = m.text(d.summary), m.text(d.content)
			r.drafts = append(r.drafts, d)
		}
	}
}

func firstLink(links []string, last string) string {
	for _, l := range links {
		if strings.TrimSpace(l) != "" {
			return l
		}
	}
	return last
}

func rssDraft(i *rss.Item) draft {
	dc, terms, at := extension(i.Extensions, "dc"), extension(i.Extensions, "dcterms"), extension(i.Extensions, "atom")
	nm, media, tunes := extension(i.Extensions, "nm"), extension(i.Extensions, "media"), extension(i.Extensions, "itunes")
	xhtml := extension(i.Extensions, "xhtml")
	d := draft{base: lastOf(i.Extensions, "nm", "base"), language: or(dc("language"), nm("lang"), i.Custom["language"])}
	d.title = or(i.Title, dc("title"), at("title"), media("title"), inGroup(i.Extensions, "title"))
	d.summary = or(i.Description, i.Custom["summary"], dc("description"), at("summary"), tunes("summary"), i.Custom["abstract"], media("description"), inGroup(i.Extensions, "description"), tunes("subtitle"))
	d.content = or(i.Content, i.Custom["encoded"], i.Custom["content"], at("content"), xhtml("body"), i.Custom["body"], xhtml("div"), i.Custom["fullitem"], nm("second"))
	if i.GUID != nil {
		d.guid = i.GUID.Value
		d.guidIsLink = !strings.EqualFold(strings.TrimSpace(i.GUID.IsPermalink), "false")
	}
	if strings.TrimSpace(d.guid) == "" {
		d.guidIsLink = true // what stands in for it may be an address
	}
	d.guid = or(strings.TrimSpace(d.guid), strings.TrimSpace(i.Custom["id"]), strings.TrimSpace(at("id")), nm("about"))
	for _, l := range append(i.Links, i.Link) {
		if l = strings.TrimSpace(l); l != "" {
			d.links = append(d.links, l)
		}
	}
	for _, e := range i.Extensions["atom"]["link"] {
		if rel := strings.ToLower(strings.TrimSpace(e.Attrs["rel"])); rel == "" || rel == "alternate" {
			d.links = append(d.links, e.Attrs["href"])
		}
	}
	if l := nm("href"); l != "" && len(d.links) == 0 {
		d.links = append(d.links, l)
	}
	if len(d.links) == 0 && httpURL(nm("about")) {
		d.links = append(d.links, nm("about"))
	}
	if len(d.links) == 0 && d.guid == "" {
		for _, e := range i.Enclosures {
			if e != nil {
				d.links = append(d.links, e.URL)
			}
		}
	}
	d.authors = append(d.authors, i.Author)
	d.authors = append(d.authors, allOf(i.Extensions, "dc", "creator")...)
	d.authors = append(d.authors, allOf(i.Extensions, "dc", "author")...)
	for _, e := range i.Extensions["atom"]["author"] {
		for _, n := range e.Children["name"] {
			d.authors = append(d.authors, n.Value)
		}
	}
	if len(people(d.authors)) == 0 {
		d.authors = append(d.authors, tunes("author"))
	}
	for tag := range strings.SplitSeq(i.Custom["tags"], ",") {
		d.categories = append(d.categories, tag)
	}
	for _, c := range i.Categories {
		if c != nil {
			d.categories = append(d.categories, c.Value)
		}
	}
	d.categories = append(d.categories, allOf(i.Extensions, "dc", "subject")...)
	d.categories = append(d.categories, allOf(i.Extensions, "media", "category")...)
	for _, e := range i.Extensions["itunes"]["category"] {
		d.categories = append(d.categories, e.Attrs["text"])
		for _, inner := range e.Children["category"] {
			d.categories = append(d.categories, inner.Attrs["text"])
		}
	}
	d.published = []string{i.PubDate, i.Custom["published"], i.Custom["issued"], at("published"), terms("issued"), terms("available"), dc("date"),
		terms("created"), i.Custom["date"], i.Custom["created"], terms("date")}
	d.updated = []string{at("updated"), terms("modified"), i.Custom["updated"], i.Custom["modified"], nm("lastmod")}
	return d
}

// extension reads the first value of a name in one vocabulary.
func extension(all ext.Extensions, prefix string) func(string) string {
	return func(name string) string {
		for _, e := range all[prefix][name] {
			if v := strings.TrimSpace(e.Value); v != "" {
				return v
			}
		}
		return ""
	}
}

func allOf(all ext.Extensions, prefix, name string) []string {
	var out []string
	for _, e := range all[prefix][name] {
		out = append(out, e.Value)
	}
	return out
}

func lastOf(all ext.Extensions, prefix, name string) string {
	if list := all[prefix][name]; len(list) > 0 {
		return list[len(list)-1].Value
	}
	return ""
}

// updatePeriod reads RSS 1.0's syndication module.
func updatePeriod(period, frequency string) time.Duration {
	var d time.Duration
	switch strings.ToLower(strings.TrimSpace(period)) {
	case "hourly":
		d = time.Hour
	case "daily":
		d = 24 * time.Hour
	case "weekly":
		d = 7 * 24 * time.Hour
	case "monthly":
		d = 30 * 24 * time.Hour
	case "yearly":
		d = 365 * 24 * time.Hour
	}
	if n, err := strconv.Atoi(strings.TrimSpace(frequency)); err == nil && n > 1 && n < 100_000 {
		d /= time.Duration(n)
	}
	return d
}

// inGroup reads Media RSS, whose titles and descriptions may stand inside
// media:group or media:content.
func inGroup(all ext.Extensions, name string) string {
	for _, outer := range []string{"group", "content"} {
		for _, g := range all["media"][outer] {
			for _, e := range g.Children[name] {
				if v := strings.TrimSpace(e.Value); v != "" {
					return v
				}
			}
		}
	}
	return ""
}
