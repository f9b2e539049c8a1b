package feed

import (
	"strings"

	"github.com/mmcdole/gofeed/atom"
)

// atom reads Atom 1.0 and 0.3.
func (r *reader) atom(f *atom.Feed, m mended) {
	r.parsed.Title, r.parsed.Description = f.Title, or(f.Subtitle, extension(f.Extensions, "nm")("info"))
	r.parsed.Language = or(languageTag(m.language), languageTag(extension(f.Extensions, "dc")("language")))
	r.base = m.base
	r.link = alternate(f.Links)
	sy := extension(f.Extensions, "sy")
	r.parsed.TTL = updatePeriod(sy("updateperiod"), sy("updatefrequency"))
	var own []string
	for _, a := range f.Authors {
		if a != nil {
			own = append(own, or(a.Name, a.Email))
		}
	}
	r.authors = strings.Join(own, "\x00")
	for _, e := range f.Entries {
		if e == nil {
			continue
		}
		d := atomDraft(e)
		d.summary, d.content = m.text(d.summary), m.text(d.content)
		if len(people(d.authors)) == 0 {
			d.authors = own
		}
		r.drafts = append(r.drafts, d)
	}
}

func atomDraft(e *atom.Entry) draft {
	dc, terms := extension(e.Extensions, "dc"), extension(e.Extensions, "dcterms")
	media := extension(e.Extensions, "media")
	d := draft{guid: or(extension(e.Extensions, "nm")("id"), e.ID), base: lastOf(e.Extensions, "nm", "base"), language: or(dc("language"), lastOf(e.Extensions, "nm", "lang"))}
	d.title = or(e.Title, dc("title"), media("title"), inGroup(e.Extensions, "title"))
	d.summary = or(e.Summary, dc("description"), media("description"), inGroup(e.Extensions, "description"))
	if e.Content != nil {
		d.content = e.Content.Value
	}
	d.content = or(d.content, extension(e.Extensions, "content")("encoded"), extension(e.Extensions, "xhtml")("body"), extension(e.Extensions, "xhtml")("div"))
	if l := alternate(e.Links); l != "" {
		d.links = append(d.links, l)
	}
	if len(d.links) == 0 && e.Content != nil && e.Content.Src != "" {
		d.links = append(d.links, e.Content.Src)
	}
	if len(d.links) == 0 && httpURL(e.ID) {
		d.links = append(d.links, e.ID)
	}
	if len(d.links) == 0 {
		for _, l := range e.Links {
			if l != nil && (l.Rel == "related" || l.Rel == "via") {
				d.links = append(d.links, l.Href)
			}
		}
	}
	for _, a := range e.Authors {
		if a != nil {
			d.authors = append(d.authors, or(strings.TrimSpace(a.Name), a.Email))
		}
	}
	if len(d.authors) == 0 {
		d.authors = append(d.authors, allOf(e.Extensions, "dc", "creator")...)
	}
	if len(d.authors) == 0 && e.Source != nil {
		for _, a := range e.Source.Authors {
			if a != nil {
				d.authors = append(d.authors, or(a.Name, a.Email))
			}
		}
	}
	for _, c := range e.Categories {
		if c != nil {
			d.categories = append(d.categories, or(c.Term, c.Label))
		}
	}
	d.categories = append(d.categories, allOf(e.Extensions, "dc", "subject")...)
	d.published = []string{e.Published, dc("date"), terms("issued"), terms("created"), lastOf(e.Extensions, "nm", "created")}
	d.updated = []string{e.Updated, terms("modified")}
	return d
}

// alternate is the page that an entry is about: the alternate link, HTML
// before others.
func alternate(links []*atom.Link) string {
	other := ""
	for _, l := range links {
		if l == nil || strings.TrimSpace(l.Href) == "" {
			continue
		}
		rel := strings.ToLower(strings.TrimSpace(l.Rel))
		if rel != "" && rel != "alternate" && !strings.HasSuffix(rel, "/alternate") {
			continue
		}
		if kind := strings.ToLower(l.Type); kind == "" || strings.Contains(kind, "html") {
			return l.Href
		}
		if other == "" {
			other = l.Href
		}
	}
	return other
}
