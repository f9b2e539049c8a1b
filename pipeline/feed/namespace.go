package feed

import (
	"net/url"
	"strings"
)

// usual prefixes of the namespaces that we read, in small letters: authors
// vary theirs.
var usual = map[string]string{
	"http://www.w3.org/2005/atom":                  "atom",
	"http://purl.org/atom/ns#":                     "atom",
	"http://www.w3.org/1999/02/22-rdf-syntax-ns#":  "rdf",
	"http://purl.org/rss/1.0/":                     "rss",
	"http://channel.netscape.com/rdf/simple/0.9/":  "rss",
	"http://my.netscape.com/rdf/simple/0.9/":       "rss",
	"http://purl.org/rss/1.0/modules/content/":     "content",
	"http://purl.org/dc/elements/1.1/":             "dc",
	"http://purl.org/dc/terms/":                    "dcterms",
	"http://purl.org/rss/1.0/modules/syndication/": "sy",
	"http://www.w3.org/1999/xhtml":                 "xhtml",
	"http://search.yahoo.com/mrss":                 "media",
	"http://search.yahoo.com/mrss/":                "media",
	"http://www.itunes.com/dtds/podcast-1.0.dtd":   "itunes",
	"http://example.com/dtds/podcast-1.0.dtd":      "itunes",
	"http://www.w3.org/xml/1998/namespace":         "xml",
}

// prefixes that mean what they say where nobody declared them.
var prefixes = map[string]bool{"atom": true, "rdf": true, "rss": true, "content": true, "dc": true, "dcterms": true, "sy": true,
	"xhtml": true, "media": true, "itunes": true}

// Limits of what may be in scope at once. Names are looked up in scopes, and
// bases resolved, for every element: without these a document of many scopes
// costs their number times its own size.
const (
	maxScopes    = 256
	maxBases     = 16
	maxLinkBases = 8 // links of one item that bring a base of their own
)

func localName(name string) string {
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// declare opens the scopes of a start tag: xmlns, xml:base and xml:lang.
func (m *mender) declare(t *token) {
	d := m.depth + 1
	for _, a := range t.attrs {
		if len(a.name) < 5 || len(a.value) > maxLink || (a.name[0] != 'x' && a.name[0] != 'X') {
			continue
		}
		switch {
		case a.name == "xmlns":
			m.ns = append(m.ns, scope{d, "", strings.TrimSpace(decodeReferences(a.value))})
		case strings.HasPrefix(a.name, "xmlns:"):
			m.ns = append(m.ns, scope{d, a.name[6:], strings.TrimSpace(decodeReferences(a.value))})
		case a.name == "xml:base":
			m.bases = append(m.bases, scope{d, "", strings.TrimSpace(decodeReferences(a.value))})
		case a.name == "xml:lang":
			m.langs = append(m.langs, scope{d, "", strings.TrimSpace(a.value)})
		}
	}
	m.ns, m.bases, m.langs = m.ns[:min(len(m.ns), maxScopes)], m.bases[:min(len(m.bases), maxBases)], m.langs[:min(len(m.langs), maxBases)]
}

// usualPrefix looks a namespace up as it was written, then in small letters.
func usualPrefix(ns string) string {
	if ns == "" {
		return ""
	}
	if p := usual[ns]; p != "" {
		return p
	}
	return usual[strings.ToLower(ns)]
}

func (m *mender) namespace(prefix string) string {
	for i := len(m.ns) - 1; i >= 0; i-- {
		if m.ns[i].name == prefix {
			return m.ns[i].value
		}
	}
	return ""
}

// canonical names an element with its usual prefix, or none where it belongs
// to the format itself, in small letters. Elements of other vocabularies get a
// name that no field has.
func (m *mender) canonical(raw string) string {
	prefix, local, ok := strings.Cut(raw, ":")
	if !ok {
		prefix, local = "", raw
	}
	local = strings.ToLower(local)
	ns := m.namespace(prefix)
	if ns == m.native && (ns != "" || prefix == "") {
		return local
	}
	p := usualPrefix(ns)
	if p == "" && ns == "" {
		if low := strings.ToLower(prefix); prefixes[low] {
			p = low
		} else if prefix == "" {
			return local
		}
	}
	switch {
	case p == "rss", p == "atom" && m.m.atom, p == "rdf" && (local == "item" || local == "channel"):
		return local
	case p != "":
		return p + ":" + local
	case prefix == "":
		// A namespace nobody knows as the default one (a mistake of many
		// templates): its elements are the format's if they have its names.
		return local
	}
	return "nm:skip"
}

// attr returns the value of an attribute, its references decoded.
func (m *mender) attr(t *token, name string) string {
	for _, a := range t.attrs {
		if a.name == name {
			return strings.TrimSpace(decodeReferences(a.value))
		}
	}
	if _, local, ok := strings.Cut(name, ":"); ok && local == "about" { // some write about= without its prefix
		for _, a := range t.attrs {
			if localName(a.name) == local {
				return strings.TrimSpace(decodeReferences(a.value))
			}
		}
	}
	return ""
}

// attrAnyCase reads an attribute of CDF, whose names are in capitals.
func (m *mender) attrAnyCase(t *token, name string) string {
	for _, a := range t.attrs {
		if strings.EqualFold(a.name, name) {
			return strings.TrimSpace(decodeReferences(a.value))
		}
	}
	return ""
}

// baseNow resolves the xml:base attributes in scope against one another
// (XML Base, 4.2).
func (m *mender) baseNow() string {
	var base *url.URL
	for _, b := range m.bases {
		u, err := url.Parse(b.value)
		if err != nil {
			continue
		}
		if base != nil {
			u = base.ResolveReference(u)
		}
		if len(u.Path) > maxLink {
			continue
		}
		base = u
	}
	if base == nil {
		return ""
	}
	return base.String()
}
