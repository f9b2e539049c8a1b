package web

import (
	"bytes"
	"encoding/json"
	"time"
)

// jsonFeed writes the feed as JSON Feed 1.1; what it has no word for stands
// below _newsmonitor, as the format wants it.
func (f *outFeed) jsonFeed() ([]byte, error) {
	type author struct {
		Name string `json:"name"`
	}
	type extension struct {
		About    string `json:"about"`
		Severity string `json:"severity"`
		Tier     string `json:"tier,omitempty"`
		Country  string `json:"country,omitempty"`
		Alert    string `json:"alert"`
	}
	type item struct {
		ID          string    `json:"id"`
		URL         string    `json:"url"`
		Title       string    `json:"title"`
		ContentHTML string    `json:"content_html"`
		Summary     string    `json:"summary,omitempty"`
		Published   time.Time `json:"date_published"`
		Modified    time.Time `json:"date_modified"`
		Authors     []author  `json:"authors"`
		Tags        []string  `json:"tags"`
		Language    string    `json:"language,omitempty"`
		Extension   extension `json:"_newsmonitor"`
	}
	doc := struct {
		Version string   `json:"version"`
		Title   string   `json:"title"`
		Home    string   `json:"home_page_url"`
		Self    string   `json:"feed_url"`
		Next    string   `json:"next_url,omitempty"`
		Authors []author `json:"authors"`
		Items   []item   `json:"items"`
	}{Version: "https://jsonfeed.org/version/1.1", Title: f.Title, Home: f.Home, Self: f.Self, Next: f.Next,
		Authors: []author{{"newsmonitor"}}, Items: []item{}}
	for _, e := range f.Entries {
		doc.Items = append(doc.Items, item{ID: e.ID, URL: e.Link, Title: e.Title, ContentHTML: e.HTML, Summary: e.Text,
			Published: e.Published, Modified: e.Updated, Authors: []author{{e.Author}}, Tags: append(e.Tags[:len(e.Tags):len(e.Tags)], e.Severity),
			Language: e.Language, Extension: extension{"severity, tier and country of who speaks, and the page that says why", e.Severity, e.Tier, e.Country, e.Page}})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	err := enc.Encode(doc)
	return b.Bytes(), err
}
