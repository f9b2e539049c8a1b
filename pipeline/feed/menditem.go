package feed

import (
	"strings"
)

// root opens the document at the first element that a feed can begin with.
func (m *mender) root(t *token) {
	local := strings.ToLower(localName(t.name))
	switch local {
	case "rss", "rdf", "feed":
	case "channel": // a channel without its rss
		if t.empty {
			return
		}
	default:
		return
	}
	if strings.TrimSpace(m.z.s[:max(0, strings.IndexByte(m.z.s, '<'))]) != "" {
		m.repair("prefix")
	}
	m.inRoot, m.rootName, m.m.atom = true, t.name, local == "feed"
	m.declare(t)
	prefix, _, ok := strings.Cut(t.name, ":")
	if !ok {
		prefix = ""
	}
	m.depth++
	m.native = m.namespace(prefix)
	if p := usualPrefix(m.native); p != "" && p != "atom" && p != "rdf" {
		m.native = "-" // the root stands in a vocabulary of its own
	}
	m.m.language, m.m.base = m.attr(t, "xml:lang"), m.attr(t, "xml:base")
	if m.m.atom {
		m.out = append(m.out, `<feed version="`...)
		m.out = escape(m.out, decodeReferences(m.attr(t, "version")))
	} else {
		m.out = append(m.out, `<rss version="`...)
		m.out = escape(m.out, decodeReferences(m.attr(t, "version")))
	}
	m.out = append(m.out, `">`...)
	if !m.m.atom {
		m.out = append(m.out, `<channel>`...)
		if local == "channel" { // a channel without its rss, or CDF
			m.inChannel = true
			m.own("href", m.attrAnyCase(t, "href"))
		}
	}
	if t.empty {
		m.ended = true
	}
}

// itemName is what the format calls an item.
func (m *mender) itemName() string {
	if m.m.atom {
		return "entry"
	}
	return "item"
}

// isItem tells whether a local name opens or closes an item. Some call theirs
// by the other format's word.
func (m *mender) isItem(local string) bool {
	if m.inItem {
		return local == m.itemWord
	}
	return local == "item" || local == "entry"
}

// openItem begins an item; one that is open was never closed.
func (m *mender) openItem(t *token) {
	m.m.seen++
	if m.inItem { // not closed before this one
		m.repair("markup")
		if m.closeField(); len(m.out) == m.itemAt+len(m.itemName())+2 && m.parent == "" {
			m.inItem = false // a shell around this one
			m.m.seen--
			m.out = m.out[:m.itemAt]
		}
		m.closeItem()
	}
	m.told, m.itemWord = "", strings.ToLower(localName(t.name))
	m.inItem, m.itemAt, m.itemDepth, m.itemTexts = true, len(m.out), m.depth-1, len(m.m.texts)
	m.out = append(append(append(m.out, '<'), m.itemName()...), '>')
	m.own("about", m.attr(t, "rdf:about"))
	if !m.m.atom && len(t.attrs) > 0 { // CDF
		m.own("href", m.attrAnyCase(t, "href"))
		m.own("lastmod", m.attrAnyCase(t, "lastmod"))
	}
	m.linkBases, m.fields = 0, 0
	if len(m.bases) > 0 && m.m.items < maxItems {
		m.own("base", m.baseNow())
	}
	if len(m.langs) > 0 {
		m.own("lang", m.langs[len(m.langs)-1].value)
	}
}

func (m *mender) closeItem() {
	if !m.inItem {
		return
	}
	m.closeField()
	m.closeParent()
	m.inItem = false
	if m.m.items >= maxItems {
		m.repair("items")
		m.out, m.m.texts = m.out[:m.itemAt], m.m.texts[:m.itemTexts]
		return
	}
	m.m.items++
	m.out = append(append(append(m.out, '<', '/'), m.itemName()...), '>')
	m.m.parts = append(m.m.parts, part{m.itemAt, len(m.out), m.itemTexts, len(m.m.texts)})
}

// own writes a field of ours.
func (m *mender) own(name, value string) {
	if value == "" {
		return
	}
	m.out = append(append(append(m.out, "<nm:"...), name...), '>')
	m.out = escape(m.out, value)
	m.out = append(append(append(m.out, "</nm:"...), name...), '>')
}
