package feed

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

const (
	maxOPML      = 8 << 20
	maxOPMLFeeds = 10_000
)

// ReadOPML takes the feeds out of an OPML list, whatever its folders: a folder
// becomes a tag. Ids are made of the titles and are unique within the list.
// Feeds of the same address come once.
func ReadOPML(r io.Reader) ([]Feed, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxOPML+1))
	if err != nil {
		return nil, fmt.Errorf("read OPML: %w", err)
	}
	if len(b) > maxOPML {
		return nil, errors.New("read OPML: longer than 8 MiB")
	}
	d := decode(Document{Body: b})
	z := scanner{s: string(d.text)}
	var feeds []Feed
	var folders []string
	found, ids, urls := false, map[string]bool{}, map[string]bool{}
	for z.next() && len(feeds) < maxOPMLFeeds {
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
			address := strings.TrimSpace(get("xmlUrl"))
			if !t.empty {
				folder := ""
				if address == "" {
					folder = Slug(title)
				}
				folders = append(folders, folder)
			}
			same, why, _ := checkURL(address)
			if why != "" || urls[same] {
				continue
			}
			urls[same] = true
			f := Feed{ID: uniqueID(or(title, host(address)), address, ids), Title: or(title, host(address)), URL: address,
				Kind: "media", Tier: "non-authoritative", Language: languageTag(get("language")), Every: DefaultEvery, Identity: "auto"}
			for _, tag := range folders {
				if tag != "" && !contains(f.Tags, tag) {
					f.Tags = append(f.Tags, tag)
				}
			}
			feeds = append(feeds, f)
		}
	}
	if !found {
		return nil, errors.New("read OPML: no opml element")
	}
	return feeds, nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
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
	if base == "" || contains(reserved, base) {
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
