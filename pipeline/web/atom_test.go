package web

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

func fetchFeed(t *testing.T, address, etag string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b
}

func hostileStored() made {
	text := "The ministry imposes sanctions <b>on</b> two & more persons."
	return made{title: "Bad <script>alert(1)</script> \x0b\x1b & title", summary: text, severity: rule.Critical, country: "CN",
		link: "https://ministry.example/a?b=1&c=2", voice: &rule.Voice{ID: "v", Title: "Spokesperson <x>", Tier: "authoritative"},
		rules: []rule.Match{{ID: "r", Title: "A rule", Version: "v1", Snippet: text, Evidence: []rule.Evidence{mark("summary", text, "sanctions")}}}}
}

// TestChannelFeeds: our own reader, a second parser and the formats' own rules
// take what we serve, with the evidence in the body.
func TestChannelFeeds(t *testing.T) {
	t.Parallel()
	log := newMemory(hostileStored().stored(), made{title: "denied", channel: "denial", severity: rule.Low, country: "US", at: noon.Add(-2 * time.Hour)}.stored(),
		made{title: "folded", fold: "story"}.stored(), made{title: "no link", link: "javascript:alert(1)", country: "US"}.stored())
	second := hostileStored() // the same item in a second channel: in all.atom it stands once
	second.channel, second.severity = "attribution", rule.High
	log.append(second.stored())
	_, base := start(t, Config{Alerts: log})
	for _, c := range []struct {
		path string
		want int
	}{
		{"/channels/sanctions.atom", 2}, {"/channels/sanctions.json", 2}, {"/channels/all.atom", 3}, {"/channels/all.json", 3},
		{"/channels/all.atom?severity=critical&country=CN", 1}, {"/channels/all.json?severity=low", 1}, {"/channels/denial.atom?country=CN", 0},
		{"/channels/all.json?state=XX", 0}, {"/channels/all.atom?folded=true&channel=sanctions", 3}, {"/channels/all.atom?limit=1", 1}, {"/channels/attribution.atom", 1},
	} {
		status, h, b := fetchFeed(t, base+c.path, "")
		if status != 200 {
			t.Errorf("%s: %d %s", c.path, status, b)
			continue
		}
		if strings.Contains(c.path, ".json") {
			checkJSONFeed(t, c.path, h, b)
		} else {
			checkAtom(t, c.path, h, b)
		}
		doc, err := feed.Parse(feed.Document{URL: base + c.path, ContentType: h.Get("Content-Type"), Body: b, Fetched: noon})
		if err != nil || len(doc.Items) != c.want || len(doc.Repairs) > 0 {
			t.Errorf("%s: our own reader finds %d items, repairs %v, %v; want %d", c.path, len(doc.Items), doc.Repairs, err, c.want)
		}
		other, err := gofeed.NewParser().ParseString(string(b))
		if err != nil || len(other.Items) != c.want {
			t.Errorf("%s: gofeed: %v, want %d items", c.path, err, c.want)
		}
		for i, it := range doc.Items {
			if it.GUID == "" || it.Title == "" || it.Link == "" || it.Published.IsZero() {
				t.Errorf("%s: item %d is not whole: %+v", c.path, i, it)
			}
			if strings.Contains(it.Title, "Bad") && (!strings.Contains(it.Content, "imposes sanctions") || it.Link != "https://ministry.example/a?b=1&c=2") {
				t.Errorf("%s: the evidence is not in %q, link %q", c.path, it.Content, it.Link)
			}
		}
		if strings.Contains(string(b), "<script>") || strings.Contains(string(b), "javascript:") {
			t.Errorf("%s: a stranger's markup", c.path)
		}
		if again, _, _ := fetchFeed(t, base+c.path, h.Get("ETag")); again != http.StatusNotModified {
			t.Errorf("%s asked again: %d, want 304", c.path, again)
		}
	}
}

func checkAtom(t *testing.T, path string, h http.Header, b []byte) {
	t.Helper()
	var doc struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string   `xml:"http://www.w3.org/2005/Atom id"`
		Title   string   `xml:"http://www.w3.org/2005/Atom title"`
		Updated string   `xml:"http://www.w3.org/2005/Atom updated"`
		Author  []string `xml:"http://www.w3.org/2005/Atom author>name"`
		Links   []struct {
			Rel  string `xml:"rel,attr"`
			Href string `xml:"href,attr"`
		} `xml:"http://www.w3.org/2005/Atom link"`
		Entries []struct {
			ID      string `xml:"http://www.w3.org/2005/Atom id"`
			Updated string `xml:"http://www.w3.org/2005/Atom updated"`
			Title   string `xml:"http://www.w3.org/2005/Atom title"`
			Content struct {
				Type string `xml:"type,attr"`
			} `xml:"http://www.w3.org/2005/Atom content"`
		} `xml:"http://www.w3.org/2005/Atom entry"`
	}
	if err := xml.Unmarshal(b, &doc); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	if h.Get("Content-Type") != "application/atom+xml; charset=utf-8" || doc.ID == "" || doc.Title == "" || len(doc.Author) != 1 {
		t.Errorf("%s: not whole: %+v", path, doc)
	}
	rels := map[string]string{}
	for _, l := range doc.Links {
		if _, twice := rels[l.Rel]; twice {
			t.Errorf("%s: two links %s", path, l.Rel)
		}
		rels[l.Rel] = l.Href
		if u, err := url.Parse(l.Href); err != nil || !u.IsAbs() {
			t.Errorf("%s: link %q is not absolute", path, l.Href)
		}
	}
	if !strings.HasSuffix(rels["self"], path) || strings.Contains(path, "limit=1") != (rels["next"] != "") {
		t.Errorf("%s: links %v", path, rels)
	}
	ids := map[string]bool{}
	for _, e := range doc.Entries {
		if _, err := time.Parse(time.RFC3339, e.Updated); err != nil || ids[e.ID] || !strings.HasPrefix(e.ID, "urn:newsmonitor:alert:") || e.Content.Type != "html" {
			t.Errorf("%s: entry %+v, %v", path, e, err)
		}
		ids[e.ID] = true
	}
	if _, err := time.Parse(time.RFC3339, doc.Updated); err != nil {
		t.Error(err)
	}
}

func checkJSONFeed(t *testing.T, path string, h http.Header, b []byte) {
	t.Helper()
	var doc struct {
		Version string           `json:"version"`
		Title   string           `json:"title"`
		Self    string           `json:"feed_url"`
		Items   []map[string]any `json:"items"`
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.Version != "https://jsonfeed.org/version/1.1" || doc.Title == "" || !strings.HasSuffix(doc.Self, path) ||
		h.Get("Content-Type") != "application/feed+json" || doc.Items == nil {
		t.Errorf("%s: %v, %+v", path, err, doc)
	}
	for _, it := range doc.Items {
		if id, ok := it["id"].(string); !ok || id == "" || it["content_html"] == "" {
			t.Errorf("%s: item %v", path, it)
		}
	}
}

// TestChannelFeedMistakes: what is asked wrongly is said, not answered with
// an empty feed.
func TestChannelFeedMistakes(t *testing.T) {
	t.Parallel()
	_, base := start(t, Config{Alerts: newMemory(made{}.stored()), Rules: func() []RuleInfo { return []RuleInfo{{ID: "a", Channel: "denial"}} }})
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/channels/sanction.atom":                   {404, "there are denial, sanctions and all"},
		"/channels/sanctions":                       {404, "/channels/CHANNEL.atom"},
		"/channels/sanctions.rss":                   {404, "/channels/CHANNEL.atom"},
		"/channels/all.atom?severity=urgent":        {400, "low, medium, high or critical"},
		"/channels/all.atom?sevirity=high":          {400, "unknown parameter"},
		"/channels/sanctions.atom?channel=denial":   {400, "/channels/all takes channel="},
		"/channels/denial.atom":                     {200, "newsmonitor: denial"},
		"/channels/all.json?severity=high&limit=10": {200, "severity high"},
	} {
		if status, _, b := fetchFeed(t, base+path, ""); status != want.status || !strings.Contains(string(b), want.text) {
			t.Errorf("%s: %d %s; want %d %q", path, status, b, want.status, want.text)
		}
	}
}
