package feed

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"newsmonitor/pipeline/problem"
)

const (
	maxOPML      = 8 << 20
	maxOPMLFeeds = 10_000
)

// ReadOPML takes the feeds out of an OPML list, whatever its folders: folders
// and categories become tags. Ids are made of the titles and are unique within
// the list. Feeds of the same address come once. left says of each feed that
// was left out which and why, in one line.
func ReadOPML(r io.Reader) (feeds []Feed, left []string, err error) {
	b, err := io.ReadAll(io.LimitReader(r, maxOPML+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read OPML: %w", err)
	}
	if len(b) > maxOPML {
		return nil, nil, errors.New("longer than 8 MiB")
	}
	d := decode(Document{Body: b})
	z := scanner{s: string(d.text)}
	var folders []string
	found, ids, urls := false, map[string]bool{}, map[string]string{}
	for z.next() {
		if len(feeds) >= maxOPMLFeeds {
			left = append(left, fmt.Sprintf("whatever comes after the first %d feeds: split the list", maxOPMLFeeds))
			break
		}
		t := &z.tok
		switch strings.ToLower(localName(t.name)) {
		case "opml":
			found = true
		case "outline":
			if t.kind == endToken {
				if len(folders) > 0 {
					folders = folders[:len(folders)-1]
				}
				continue
			}
			get := func(name string) string {
				for _, a := range t.attrs {
					if strings.EqualFold(a.name, name) {
						return oneLine(decodeReferences(a.value))
					}
				}
				return ""
			}
			title := or(get("title"), get("text"))
			address := webAddress(get("xmlUrl"))
			if !t.empty {
				folder := ""
				if address == "" {
					folder = Slug(title)
				}
				folders = append(folders, folder)
			}
			if address == "" {
				continue
			}
			same, why, _ := checkURL(address)
			if first, twice := urls[same]; why == "" && twice {
				why = "has the address of " + problem.Quote(first)
			}
			if why != "" {
				left = append(left, problem.Quote(title)+": "+why)
				continue
			}
			urls[same] = title
			f := Feed{ID: uniqueID(or(title, host(address)), address, ids), Title: or(title, host(address)), URL: address,
				Kind: "media", Tier: "non-authoritative", Language: languageTag(get("language")), Every: DefaultEvery, Identity: "auto"}
			for _, tag := range slices.Concat(folders, categories(get("category"))) {
				if tag != "" && !slices.Contains(f.Tags, tag) {
					f.Tags = append(f.Tags, tag)
				}
			}
			feeds = append(feeds, f)
		}
	}
	if !found {
		return nil, nil, errors.New("no OPML: it has no element of that name")
	}
	return feeds, left, nil
}

// webAddress undoes the scheme that asks a browser to hand a feed to a reader:
// feed://host/path, feed:https://host/path.
func webAddress(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 5 || !strings.EqualFold(s[:5], "feed:") {
		return s
	}
	if rest := s[5:]; !strings.HasPrefix(rest, "//") {
		return rest
	}
	return "http:" + s[5:]
}

// categories are the parts of OPML's list of slash-delimited paths, as tags.
func categories(s string) (tags []string) {
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '/' }) {
		tags = append(tags, Slug(part))
	}
	return tags
}

func host(address string) string {
	if u, err := url.Parse(address); err == nil {
		return strings.TrimPrefix(u.Hostname(), "www.")
	}
	return ""
}

// uniqueID makes a slug of a title, or of the host where the title has no
// Latin letters, and numbers it when it is taken.
func uniqueID(title, address string, taken map[string]bool) string {
	base := Slug(title)
	if base == "" || slices.Contains(reserved, base) {
		base = or(Slug(host(address)), "feed")
	}
	id := base
	for n := 2; taken[id]; n++ {
		suffix := fmt.Sprintf("-%d", n)
		id = strings.TrimRight(cut(base, 60-len(suffix)), "-") + suffix
	}
	taken[id] = true
	return id
}

// WriteOPML writes the feeds that have an address as OPML 2.0.
func WriteOPML(w io.Writer, title string, feeds []Feed) error {
	type outline struct {
		Type     string `xml:"type,attr"`
		Text     string `xml:"text,attr"`
		Title    string `xml:"title,attr"`
		XMLURL   string `xml:"xmlUrl,attr"`
		Language string `xml:"language,attr,omitempty"`
		Category string `xml:"category,attr,omitempty"`
	}
	list := struct {
		XMLName  xml.Name  `xml:"opml"`
		Version  string    `xml:"version,attr"`
		Title    string    `xml:"head>title"`
		Outlines []outline `xml:"body>outline"`
	}{Version: "2.0", Title: title}
	for _, f := range feeds {
		if f.URL == "" || f.Disabled != "" {
			continue
		}
		list.Outlines = append(list.Outlines, outline{"rss", f.Title, f.Title, f.URL, f.Language, strings.Join(f.Tags, ",")})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write OPML: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(list); err != nil {
		return fmt.Errorf("write OPML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	if err != nil {
		return fmt.Errorf("write OPML: %w", err)
	}
	return nil
}
