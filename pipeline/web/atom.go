package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
)

const (
	defaultEntries = 50 // of a feed that we serve
	allChannels    = "all"
)

// outFeed is a feed that we serve: a channel's alerts, or all, by the filters
// of the list. Atom and JSON Feed are two ways to write it.
type outFeed struct {
	ID, Title, Self, Home, Next string
	Updated                     time.Time
	Entries                     []outEntry
}

// outEntry is one alert, once; an update comes with a new Updated.
type outEntry struct {
	ID, Title, Link, Page, Author, Language, HTML, Text, Severity, Tier, Country string
	Published, Updated                                                           time.Time
	Tags                                                                         []string
}

// channelFeed serves /channels/NAME.atom and .json.
func (s *Server) channelFeed(w http.ResponseWriter, r *http.Request) error {
	name, atom := strings.CutSuffix(r.PathValue("file"), ".atom")
	write, mime := (*outFeed).atom, "application/atom+xml; charset=utf-8"
	if !atom {
		var ok bool
		if name, ok = strings.CutSuffix(name, ".json"); !ok {
			return refuse(http.StatusNotFound, "feeds are /channels/CHANNEL.atom and /channels/CHANNEL.json; the channel all is all of them")
		}
		write, mime = (*outFeed).jsonFeed, "application/feed+json"
	}
	v := r.URL.Query()
	f, err := s.parseFilter(v)
	if err != nil {
		return err
	}
	if name != allChannels {
		if known := s.channelNames(); !slices.Contains(known, name) {
			return refuse(http.StatusNotFound, "there is no channel %q: there are %s and all", clip(name, 60), strings.Join(known, ", "))
		}
		if len(f.channels) > 0 {
			return refuse(http.StatusBadRequest, "this feed is of channel %s; /channels/all takes channel=", name)
		}
		f.channels = []string{name}
	}
	if f.limit == 0 {
		f.limit = defaultEntries
	}
	l, err := s.read(r.Context(), f, f.limit)
	if err != nil {
		return err
	}
	if !l.Complete && f.query == nil { // a reader would take what is missing for gone
		w.Header().Set("Retry-After", "5")
		return refuse(http.StatusServiceUnavailable, "the alerts are not read yet; try again soon")
	}
	b, err := write(s.newOutFeed(r, name, v, l))
	if err != nil {
		return fmt.Errorf("write feed %s: %w", name, err)
	}
	sum := sha256.Sum256(b)
	h := w.Header()
	h.Set("Content-Type", mime)
	h.Set("Cache-Control", "private, max-age=60")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b)) // answers If-None-Match
	return nil
}

// channelNames are those of the rules, and those of stored alerts.
func (s *Server) channelNames() []string {
	var out []string
	for _, r := range s.rules() {
		out = append(out, r.Channel)
	}
	s.index.mu.RLock()
	for _, w := range s.index.channels.words {
		if w != "" {
			out = append(out, w)
		}
	}
	s.index.mu.RUnlock()
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *Server) newOutFeed(r *http.Request, name string, v url.Values, l answerList) *outFeed {
	base := "http://" + r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" { // it only tells the asker's own address
		base = "https://" + r.Host
	}
	f := &outFeed{Title: "newsmonitor: " + name, Self: base + r.URL.RequestURI(), Home: base + "/"}
	page := url.Values{}
	for k, ws := range v {
		if k != "limit" && k != "before" {
			page[k] = ws
		}
	}
	if q := page.Encode(); q != "" {
		f.Title += " (" + clip(plainQuery(page), 120) + ")"
	}
	sum := sha256.Sum256([]byte(name + "?" + page.Encode()))
	f.ID = "urn:newsmonitor:feed:" + name + ":" + hex.EncodeToString(sum[:8])
	if name != allChannels {
		page.Set("channel", name)
	}
	if q := page.Encode(); q != "" {
		f.Home += "?" + q
	}
	if l.Next != "" {
		next := r.URL.Query()
		next.Set("before", l.Next)
		f.Next = base + r.URL.Path + "?" + next.Encode()
	}
	now := s.now().UTC()
	if name == allChannels {
		l.Alerts = onceEach(l.Alerts)
	}
	for _, e := range l.Alerts {
		o := newOutEntry(e, base, now)
		if o.Updated.After(f.Updated) {
			f.Updated = o.Updated
		}
		f.Entries = append(f.Entries, o)
	}
	if f.Updated.IsZero() {
		f.Updated = now.Truncate(24 * time.Hour)
	}
	return f
}

// onceEach leaves of an item's alerts the strongest, which names the other
// channels: who reads all of them wants to read an item once.
func onceEach(all []entry) []entry {
	weight := func(e entry) int { // severity first, then the place among the item's channels
		d := e.Event.Data
		return e.Event.Severity.Rank()*1000 - max(0, slices.Index(d.Channels, d.Channel))
	}
	best := map[string]int{}
	for _, e := range all {
		k := e.Event.Data.Item.Key
		if w, ok := best[k]; !ok || weight(e) > w {
			best[k] = weight(e)
		}
	}
	var out []entry
	for _, e := range all {
		if k := e.Event.Data.Item.Key; best[k] == weight(e) {
			out = append(out, e)
			best[k] = math.MaxInt // once
		}
	}
	return out
}

// plainQuery is "severity high, country CN".
func plainQuery(v url.Values) string {
	var parts []string
	for k, ws := range v {
		parts = append(parts, k+" "+strings.Join(ws, " or "))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func newOutEntry(e entry, base string, now time.Time) outEntry {
	d := e.Event.Data
	it := rowOf([]entry{e}, now, 10)
	o := outEntry{
		ID: "urn:newsmonitor:alert:" + d.ID, Page: base + "/alerts/" + url.PathEscape(d.ID), Link: it.Link, Author: it.Source.Title,
		Language: it.Lang, Severity: it.Severity, Tier: it.Tier, Country: it.Country,
		Published: d.Item.Published.UTC(), Updated: e.Event.Time.UTC()}
	for _, c := range it.Chips {
		o.Tags = append(o.Tags, c.Channel)
	}
	for _, c := range d.Story.Also {
		it.Also = append(it.Also, teller{Feed: c.Feed, Title: c.Title})
	}
	if o.Published.IsZero() {
		o.Published = o.Updated
	}
	head := "[" + it.Severity
	if it.Was != "" {
		head += ", was " + it.Was
	}
	title := d.Item.Title
	if title == "" {
		title = "(without a title)"
	}
	o.Title = head + "] " + title
	if o.Link == "" {
		o.Link = o.Page
	}
	if d.Voice != nil && d.Voice.Title != "" {
		o.Author = d.Voice.Title + ", " + o.Author
	}
	var b bytes.Buffer
	if err := entryBody.Execute(&b, struct {
		row
		Page   string
		Region string
	}{it, o.Page, feed.CountryName(it.Country)}); err == nil {
		o.HTML = b.String()
	}
	var text strings.Builder
	for _, p := range it.Passage {
		text.WriteString(p.Text)
	}
	o.Text = text.String()
	if o.Text == "" {
		o.Text = d.Item.Summary
	}
	return o
}

// entryBody is an alert with its evidence, for readers that show HTML: no
// style, no script, nothing to fetch.
var entryBody = template.Must(template.New("entry").Parse(`<p><b>{{.Severity}}</b>{{if .Was}} (was {{.Was}}){{end}} · {{range $i, $c := .Chips}}{{if $i}}, {{end}}{{$c.Channel}}{{end}}</p>
<p>{{with .Voice}}{{.Title}}{{if .Reported}}, reported by {{else}}, in {{end}}{{end}}{{.Source.Title}}{{if .Tier}} · {{.Tier}}{{end}}{{if .Region}} · {{.Region}}{{end}}</p>
{{if .Passage}}<blockquote dir="auto">{{range .Passage}}{{if .Mark}}<mark>{{.Text}}</mark>{{else}}{{.Text}}{{end}}{{end}}</blockquote>
{{end}}{{range .Rules}}<p>Rule {{.Title}} ({{.ID}}, version {{.Version}}):</p>
<ul>{{range .Lines}}<li>{{.Field}}: {{.Before}}<b>{{.Text}}</b>{{.After}}</li>{{end}}{{if .More}}<li>and {{.More}} more</li>{{end}}</ul>
{{end}}{{range .Also}}<p>also: {{.Title}} ({{.Feed}})</p>
{{end}}{{if .Fold}}<p>{{.Fold}}</p>
{{end}}<p><a href="{{.Page}}">why, and mute</a></p>`))

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

type atomPerson struct {
	Name string `xml:"name"`
}

type atomCategory struct {
	Term   string `xml:"term,attr"`
	Scheme string `xml:"scheme,attr,omitempty"`
}

type atomEntry struct {
	Lang       string         `xml:"xml:lang,attr,omitempty"`
	ID         string         `xml:"id"`
	Title      atomText       `xml:"title"`
	Published  string         `xml:"published"`
	Updated    string         `xml:"updated"`
	Author     atomPerson     `xml:"author"`
	Links      []atomLink     `xml:"link"`
	Categories []atomCategory `xml:"category"`
	Summary    *atomText      `xml:"summary"`
	Content    atomText       `xml:"content"`
}

// atom writes the feed as RFC 4287, its pages linked as RFC 5005 has it.
func (f *outFeed) atom() ([]byte, error) {
	doc := struct {
		XMLName   xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		ID        string      `xml:"id"`
		Title     atomText    `xml:"title"`
		Updated   string      `xml:"updated"`
		Author    atomPerson  `xml:"author"`
		Generator string      `xml:"generator"`
		Links     []atomLink  `xml:"link"`
		Entries   []atomEntry `xml:"entry"`
	}{ID: f.ID, Title: atomText{"text", f.Title}, Updated: f.Updated.Format(time.RFC3339), Author: atomPerson{"newsmonitor"}, Generator: "newsmonitor",
		Links: []atomLink{{"self", "application/atom+xml", f.Self}, {"alternate", "text/html", f.Home}}}
	if f.Next != "" {
		doc.Links = append(doc.Links, atomLink{"next", "application/atom+xml", f.Next})
	}
	for _, e := range f.Entries {
		a := atomEntry{Lang: e.Language, ID: e.ID, Title: atomText{"text", e.Title}, Published: e.Published.Format(time.RFC3339), Updated: e.Updated.Format(time.RFC3339),
			Author: atomPerson{e.Author}, Links: []atomLink{{"alternate", "text/html", e.Link}}, Content: atomText{"html", e.HTML}}
		if e.Page != e.Link {
			a.Links = append(a.Links, atomLink{"related", "text/html", e.Page})
		}
		if e.Text != "" {
			a.Summary = &atomText{"text", e.Text}
		}
		for _, t := range e.Tags {
			a.Categories = append(a.Categories, atomCategory{t, "urn:newsmonitor:channel"})
		}
		a.Categories = append(a.Categories, atomCategory{e.Severity, "urn:newsmonitor:severity"})
		if e.Country != "" {
			a.Categories = append(a.Categories, atomCategory{e.Country, "urn:newsmonitor:country"})
		}
		if e.Tier != "" {
			a.Categories = append(a.Categories, atomCategory{e.Tier, "urn:newsmonitor:tier"})
		}
		doc.Entries = append(doc.Entries, a)
	}
	b, err := xml.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}
