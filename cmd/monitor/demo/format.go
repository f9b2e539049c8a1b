package demo

import (
	"encoding/json"
	"encoding/xml"
	"html"
	"strings"
	"time"
)

// format is one way to write a channel down. Different ones are used on
// purpose: the demonstration goes through the same parsers as the world does.
type format struct {
	ext, contentType string
	render           func(channel) ([]byte, error)
}

var formats = map[string]format{
	"rss":  {".xml", "application/rss+xml; charset=utf-8", renderRSS},
	"atom": {".xml", "application/atom+xml; charset=utf-8", renderAtom},
	"rdf":  {".xml", "application/rdf+xml; charset=utf-8", renderRDF},
	"json": {".json", "application/feed+json", renderJSON},
}

// about is the channel's description.
func (ch channel) about() string {
	return ch.Title + ": a sample feed of newsmonitor's demonstration, not a publication of that office."
}

// markup is the text as feeds carry it: escaped HTML paragraphs.
func (e Event) markup() string {
	var b strings.Builder
	for _, p := range e.paragraphs() {
		b.WriteString("<p>" + html.EscapeString(p) + "</p>\n")
	}
	return b.String()
}

func writeXML(v any) ([]byte, error) {
	b, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

// RSS 2.0 with the content and Dublin Core modules.
type rssFeed struct {
	XMLName   xml.Name  `xml:"rss"`
	Version   string    `xml:"version,attr"`
	ContentNS string    `xml:"xmlns:content,attr"`
	DCNS      string    `xml:"xmlns:dc,attr"`
	Title     string    `xml:"channel>title"`
	Link      string    `xml:"channel>link"`
	About     string    `xml:"channel>description"`
	Language  string    `xml:"channel>language"`
	Built     string    `xml:"channel>lastBuildDate"`
	Items     []rssItem `xml:"channel>item"`
}

type rssItem struct {
	Title     string  `xml:"title"`
	Link      string  `xml:"link"`
	GUID      rssGUID `xml:"guid"`
	Published string  `xml:"pubDate"`
	Author    string  `xml:"dc:creator"`
	Language  string  `xml:"dc:language"`
	Summary   string  `xml:"description"`
	Content   string  `xml:"content:encoded"`
}

type rssGUID struct {
	IsPermaLink bool   `xml:"isPermaLink,attr"`
	ID          string `xml:",chardata"`
}

func renderRSS(ch channel) ([]byte, error) {
	doc := rssFeed{
		Version: "2.0", ContentNS: "http://purl.org/rss/1.0/modules/content/", DCNS: "http://purl.org/dc/elements/1.1/",
		Title: ch.Title, Link: ch.home, About: ch.about(), Language: ch.Language, Built: ch.updated.Format(time.RFC1123Z),
	}
	for _, it := range ch.items {
		doc.Items = append(doc.Items, rssItem{
			Title: it.Title, Link: it.link, GUID: rssGUID{ID: it.id}, Published: it.published.Format(time.RFC1123Z),
			Author: it.Author, Language: it.Lang, Summary: html.EscapeString(it.Summary), Content: it.markup(),
		})
	}
	return writeXML(doc)
}

// Atom 1.0.
type atomFeed struct {
	XMLName  xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Language string      `xml:"xml:lang,attr"`
	ID       string      `xml:"id"`
	Title    string      `xml:"title"`
	Subtitle string      `xml:"subtitle"`
	Links    []atomLink  `xml:"link"`
	Updated  string      `xml:"updated"`
	Author   string      `xml:"author>name"`
	Entries  []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Language  string   `xml:"xml:lang,attr"`
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Link      atomLink `xml:"link"`
	Published string   `xml:"published"`
	Updated   string   `xml:"updated"`
	Author    string   `xml:"author>name"`
	Summary   string   `xml:"summary"`
	Content   atomText `xml:"content"`
}

type atomText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

func renderAtom(ch channel) ([]byte, error) {
	doc := atomFeed{
		Language: ch.Language, ID: "urn:newsmonitor:demo:" + ch.ID, Title: ch.Title, Subtitle: ch.about(),
		Links:   []atomLink{{"self", ch.self}, {"alternate", ch.home}},
		Updated: ch.updated.Format(time.RFC3339), Author: ch.Title,
	}
	for _, it := range ch.items {
		doc.Entries = append(doc.Entries, atomEntry{
			Language: it.Lang, ID: it.id, Title: it.Title, Link: atomLink{"alternate", it.link},
			Published: it.published.Format(time.RFC3339), Updated: it.published.Format(time.RFC3339),
			Author: it.Author, Summary: it.Summary, Content: atomText{"html", it.markup()},
		})
	}
	return writeXML(doc)
}

// RSS 1.0: no guid, the link is the identity.
type rdfFeed struct {
	XMLName   xml.Name  `xml:"rdf:RDF"`
	RDFNS     string    `xml:"xmlns:rdf,attr"`
	NS        string    `xml:"xmlns,attr"`
	ContentNS string    `xml:"xmlns:content,attr"`
	DCNS      string    `xml:"xmlns:dc,attr"`
	Channel   rdfHead   `xml:"channel"`
	Items     []rdfItem `xml:"item"`
}

type rdfHead struct {
	Resource string   `xml:"rdf:about,attr"`
	Title    string   `xml:"title"`
	Link     string   `xml:"link"`
	About    string   `xml:"description"`
	Language string   `xml:"dc:language"`
	Date     string   `xml:"dc:date"`
	Items    []rdfRef `xml:"items>rdf:Seq>rdf:li"`
}

type rdfRef struct {
	Resource string `xml:"rdf:resource,attr"`
}

type rdfItem struct {
	Resource string `xml:"rdf:about,attr"`
	Title    string `xml:"title"`
	Link     string `xml:"link"`
	Summary  string `xml:"description"`
	Content  string `xml:"content:encoded"`
	Author   string `xml:"dc:creator"`
	Date     string `xml:"dc:date"`
	Language string `xml:"dc:language"`
}

func renderRDF(ch channel) ([]byte, error) {
	doc := rdfFeed{
		RDFNS: "http://www.w3.org/1999/02/22-rdf-syntax-ns#", NS: "http://purl.org/rss/1.0/",
		ContentNS: "http://purl.org/rss/1.0/modules/content/", DCNS: "http://purl.org/dc/elements/1.1/",
		Channel: rdfHead{Resource: ch.self, Title: ch.Title, Link: ch.home, About: ch.about(), Language: ch.Language,
			Date: ch.updated.Format(time.RFC3339)},
	}
	for _, it := range ch.items {
		doc.Channel.Items = append(doc.Channel.Items, rdfRef{it.link})
		doc.Items = append(doc.Items, rdfItem{
			Resource: it.link, Title: it.Title, Link: it.link, Summary: html.EscapeString(it.Summary), Content: it.markup(),
			Author: it.Author, Date: it.published.Format(time.RFC3339), Language: it.Lang,
		})
	}
	return writeXML(doc)
}

// JSON Feed 1.1.
type jsonFeed struct {
	Version     string     `json:"version"`
	Title       string     `json:"title"`
	Home        string     `json:"home_page_url"`
	Self        string     `json:"feed_url"`
	Description string     `json:"description"`
	Language    string     `json:"language"`
	Items       []jsonItem `json:"items"`
}

type jsonItem struct {
	ID        string       `json:"id"`
	URL       string       `json:"url"`
	Title     string       `json:"title"`
	Summary   string       `json:"summary"`
	Content   string       `json:"content_html"`
	Published string       `json:"date_published"`
	Authors   []jsonAuthor `json:"authors"`
	Language  string       `json:"language"`
}

type jsonAuthor struct {
	Name string `json:"name"`
}

func renderJSON(ch channel) ([]byte, error) {
	doc := jsonFeed{
		Version: "https://jsonfeed.org/version/1.1", Title: ch.Title, Home: ch.home, Self: ch.self,
		Description: ch.about(), Language: ch.Language, Items: []jsonItem{},
	}
	for _, it := range ch.items {
		doc.Items = append(doc.Items, jsonItem{
			ID: it.id, URL: it.link, Title: it.Title, Summary: it.Summary, Content: it.markup(),
			Published: it.published.Format(time.RFC3339), Authors: []jsonAuthor{{it.Author}}, Language: it.Lang,
		})
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	return append(b, '\n'), err
}
