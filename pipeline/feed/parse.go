package feed

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mmcdole/gofeed/atom"
	"github.com/mmcdole/gofeed/rss"
)

// Reasons of a ParseError, the words that metrics and statuses use.
const (
	HTMLPage  = "html_page"  // a page for people: a login, a parked name, an error
	NotAFeed  = "not_a_feed" // something else: a sitemap, an OPML list, an image
	Empty     = "empty"      // no bytes, or nothing but space
	Charset   = "charset"    // the bytes give no text
	BadMarkup = "parse"      // a feed, broken beyond repair
)

// ParseError says why a document is no feed that we can read. Its text holds
// no more of the document than a short excerpt of printable characters.
type ParseError struct {
	Reason  string // one of the above
	Detail  string // ours, in words
	Excerpt string // how the document begins, at most 40 characters, may be ""
}

func (e *ParseError) Error() string {
	if e.Excerpt == "" {
		return e.Detail
	}
	return fmt.Sprintf("%s; it begins with %q", e.Detail, e.Excerpt)
}

// Parse reads a document: RSS 0.9 to 2.0, RDF, Atom 0.3 and 1.0, JSON Feed or
// RSS in JSON, mended where it can be. What had to be mended stands in
// Repairs; an error is a *ParseError. Items that say nothing at all, or again
// what another says word for word, are left out for a feed of the catalogue and
// shown to whoever only reads a document.
func Parse(doc Document) (*Parsed, error) {
	r, err := gather(doc, nil)
	if err != nil {
		return nil, err
	}
	p, _ := r.finish()
	return p, nil
}

// gather reads all that stands in a document, as it stands there.
func gather(doc Document, m *Memory) (*reader, error) {
	if len(bytes.TrimSpace(doc.Body)) == 0 {
		return nil, &ParseError{Reason: Empty, Detail: "the document is empty"}
	}
	d := decode(doc)
	body := bytes.TrimLeft(d.text, " \t\r\n\ufeff\x00")
	if len(body) == 0 {
		return nil, &ParseError{Reason: Empty, Detail: "the document is empty"}
	}
	doc.URL = location(doc)
	r := &reader{doc: doc, repairs: d.repairs}
	r.memory = m
	var err error
	switch body[0] {
	case '{', '[':
		err = r.json(body)
	default:
		err = r.xml(string(body))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reader gathers what a document holds, in the form of its format; finish
// gives it its identity.
type reader struct {
	doc     Document
	parsed  Parsed
	drafts  []draft
	repairs []string
	base    string // what relative links resolve against
	link    string // of the channel

	declared string // language that the document itself names
	authors  string // of an Atom feed, for entries without

	recollection
}

// draft is an item on its way: texts as served.
type draft struct {
	guid       string
	guidIsLink bool
	links      []string // best first, as served
	base       string   // of the item
	title      string
	summary    string
	content    string
	authors    []string
	categories []string
	language   string
	published  []string // dates as served, best first
	updated    []string
	plain      bool // texts are no HTML
}

func (r *reader) repair(what string) {
	if !slices.Contains(r.repairs, what) {
		r.repairs = append(r.repairs, what)
	}
}

func (r *reader) xml(body string) error {
	m, ok := mend(body)
	if !ok {
		return notAFeed(body)
	}
	for _, what := range m.repairs {
		r.repair(what)
	}
	if m.items == 0 && slices.Contains(m.repairs, "truncated") {
		return &ParseError{Reason: BadMarkup, Detail: "the document ends before its first item does"}
	}
	var items int
	xml := r.recall(&m)
	if m.atom {
		f, err := (&atom.Parser{}).Parse(bytes.NewReader(xml))
		if err != nil {
			return &ParseError{Reason: BadMarkup, Detail: "the document cannot be read as Atom"}
		}
		r.atom(f, m)
		items = len(f.Entries)
	} else {
		f, err := (&rss.Parser{}).Parse(bytes.NewReader(xml))
		if err != nil {
			return &ParseError{Reason: BadMarkup, Detail: "the document cannot be read as RSS"}
		}
		r.rss(f, m)
		items = len(f.Items)
	}
	if items+r.recalled != m.items {
		r.repair("items_lost")
	}
	r.join(len(m.parts))
	return nil
}

func (r *reader) json(body []byte) error {
	if len(body) > maxUnpacked {
		return &ParseError{Reason: BadMarkup, Detail: "the JSON document is longer than 32 MiB"}
	}
	f, kind := decodeJSON(body)
	for _, what := range kind.repairs {
		r.repair(what)
	}
	switch {
	case kind.rss != nil:
		r.rss(kind.rss, mended{})
	case f != nil:
		r.jsonFeed(f)
	case kind.broken:
		return &ParseError{Reason: BadMarkup, Detail: "the JSON document is broken", Excerpt: excerpt(start(body))}
	default:
		return &ParseError{Reason: NotAFeed, Detail: "the document is JSON, but no JSON Feed", Excerpt: excerpt(start(body))}
	}
	return nil
}

// notAFeed says what a document without a feed's root is instead.
func notAFeed(body string) error {
	low := strings.ToLower(body[:min(len(body), 4096)])
	e := &ParseError{Reason: NotAFeed, Detail: "the document is no feed", Excerpt: excerpt(body)}
	switch {
	case strings.Contains(low, "<urlset") || strings.Contains(low, "<sitemapindex"):
		e.Detail = "the document is a sitemap, no feed"
	case strings.Contains(low, "<opml"):
		e.Detail = "the document is an OPML list of feeds, no feed: import it"
	case strings.Contains(low, "<!doctype html") || strings.Contains(low, "<html") || strings.Contains(low, "<head") ||
		strings.Contains(low, "<body") || strings.Contains(low, "<script"):
		e.Reason, e.Detail = HTMLPage, "the document is an HTML page, no feed"
	case strings.HasPrefix(body, "%PDF"):
		e.Detail = "the document is a PDF, no feed"
	case strings.ContainsRune(low, 0) || strings.Count(low, "\uFFFD") > len(low)/20:
		e.Reason, e.Detail, e.Excerpt = Charset, "the bytes are no text in any charset that was declared or can be guessed", ""
	}
	return e
}

func start(body []byte) string { return string(body[:min(len(body), 400)]) }

// excerpt is how a document begins, in printable ASCII.
func excerpt(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range s[:min(len(s), 400)] {
		if b.Len() >= 40 {
			break
		}
		if r > ' ' && r <= '~' {
			if gap && b.Len() > 0 && b.Len() < 39 {
				b.WriteByte(' ')
			}
			b.WriteRune(r)
		}
		gap = r <= ' ' || r > '~'
	}
	return b.String()
}

// finish makes items of drafts. It is not ok when entries that are remembered
// mean something else in this document.
func (r *reader) finish() (_ *Parsed, ok bool) {
	p := &r.parsed
	p.Link = r.address(r.link, r.base)
	p.Title, _ = plainLine(p.Title, maxTitle)
	p.Description, _ = plainLine(p.Description, maxTitle)
	r.declared = languageTag(p.Language)
	p.Language = or(languageTag(p.Language), languageTag(r.doc.ContentLanguage))
	p.Items = make([]Item, 0, min(len(r.drafts), maxItems))
	if len(r.drafts) > maxItems {
		r.drafts = r.drafts[:maxItems]
		r.repair("items")
	}
	dates := dater{layout: r.doc.Feed.DateLayout, country: r.doc.Feed.Country}
	dates.learn(r.drafts)
	if !r.fits(&dates) {
		return nil, false
	}
	items, drafts := make([]Item, 0, len(r.drafts)), r.drafts[:0]
	for i := range r.drafts {
		it := r.again(i, &dates)
		r.drafts[i].summary, r.drafts[i].content = "", "" // may be large, and are done with
		if void(it) {
			r.repair("empty_item")
			if it.Feed != "" {
				continue
			}
		}
		items, drafts = append(items, it), append(drafts, r.drafts[i])
	}
	identify(r.doc.Feed, drafts, items)
	seen := make(map[string]bool, len(items))
	for _, it := range items {
		if seen[it.Key] && !void(it) {
			r.repair("duplicate")
			if it.Feed != "" {
				continue
			}
		}
		seen[it.Key] = true
		p.Items = append(p.Items, it)
	}
	p.Repairs = r.repairs
	if p.Repairs == nil {
		p.Repairs = []string{}
	}
	return p, true
}

// address resolves a link against the first base that is an address, or
// becomes one at the document's own.
func (r *reader) address(link string, bases ...string) string {
	for _, base := range bases {
		if base == "" {
			continue
		}
		if base, ok := absolute(base, r.doc.URL); ok {
			if a, ok := absolute(link, base); ok {
				return a
			}
		}
	}
	a, _ := absolute(link, r.doc.URL)
	return a
}

// itemLink is the first of an item's links that is an address, resolved
// against xml:base, the channel's link or the document's own address; else the
// guid, where it is one.
func (r *reader) itemLink(d *draft) string {
	for _, l := range d.links {
		if a := r.address(l, d.base, r.base, r.link); a != "" {
			return a
		}
	}
	if d.guidIsLink {
		a, _ := absolute(d.guid, "")
		return a
	}
	return ""
}

func (r *reader) item(d *draft, dates *dater) Item {
	it := Item{Feed: r.doc.Feed.ID, Parser: ParserVersion, Source: r.doc.Feed.Source(), Cut: []string{},
		Authors: people(d.authors), Categories: words(d.categories)}
	if !r.doc.Fetched.IsZero() {
		it.Fetched = r.doc.Fetched.UTC()
	}
	limit := func(field string, wasCut bool) {
		if wasCut {
			it.Cut = append(it.Cut, field)
		}
	}
	var wasCut bool
	it.GUID, wasCut = identifier(d.guid, maxLink)
	limit("guid", wasCut)
	it.Link = r.itemLink(d)
	for _, l := range append(slices.Clone(d.links), d.guid) {
		limit("link", it.Link == "" && len(l) > maxLink && httpURL(l) && !slices.Contains(it.Cut, "link"))
	}
	line, block := plainLine, plainBlock
	if d.plain {
		line, block = asLine, asBlock
	}
	it.Title, wasCut = line(d.title, maxTitle)
	limit("title", wasCut)
	long := func(s string) bool { return len(s) > longSummary }
	summary, sumCut := line(d.summary, maxContent)
	content, conCut := "", false
	if strings.TrimSpace(d.content) != "" {
		content, conCut = block(d.content, maxContent)
	}
	if long(summary) && runesOver(summary, longSummary) {
		if len(content) < len(summary) {
			content, conCut = block(d.summary, maxContent)
		}
		summary, sumCut = strings.Clone(lead(summary)), false // or the whole would be kept
	}
	it.Summary, it.Content = summary, content
	limit("summary", sumCut)
	limit("content", conCut)
	it.Language = languageTag(d.language)
	for _, l := range []string{r.declared, r.doc.Feed.Language, r.parsed.Language} {
		if it.Language == "" {
			it.Language = languageTag(l)
		}
	}
	it.Published, it.Updated, it.Quality = dates.of(d)
	it.Revision = revision(it)
	return it
}

// void tells whether an item says nothing at all.
func void(it Item) bool {
	return it.Title == "" && it.Link == "" && it.GUID == "" && it.Summary == "" && it.Content == "" &&
		len(it.Authors) == 0 && len(it.Categories) == 0 && it.Published.IsZero() && it.Updated.IsZero()
}

// ttl reads a number of minutes as RSS counts them; nonsense is silence.
func ttl(s string) time.Duration {
	n := 0
	for _, c := range strings.TrimSpace(s) {
		if c < '0' || c > '9' || n > 60*24*366 {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return time.Duration(n) * time.Minute
}
