package feed

import (
	"strconv"
	"strings"
)

const (
	maxItems = 10_000 // of one document; the first are kept
	maxDepth = 1_000  // of markup inside one field

	maxFields = 1_000    // of one item
	maxShort  = 64 << 10 // bytes of a field that is no long text; far less of it is kept
	maxDate   = 256      // bytes of a date
)

// mended is a document as plain XML that every parser reads in the same way:
// one root, its channel, items, and fields that hold nothing but text. Markup
// inside a field is text, too: HTML with its tags escaped. Names carry their
// usual prefix whatever the document calls them, and what gofeed would lose
// stands in fields of our own, with the prefix nm.
type mended struct {
	atom     bool // the root is feed, else rss
	xml      []byte
	language string   // xml:lang of the root
	base     string   // xml:base of the root
	seen     int      // tags of items
	items    int      // items that stand in xml
	repairs  []string // what had to be done
	texts    []string // long texts; xml holds references to them
	parts    []part   // the items
}

// part is where an item stands in mended.xml, and its texts in mended.texts.
type part struct{ from, to, textFrom, textTo int }

// held begins a reference to a long text. gofeed copies every text several
// times; so it sees only the structure, and long texts go past it.
const (
	held     = "\uE0FFnm:"
	heldFrom = 200 // bytes
)

// text returns what a reference stands for.
func (m *mended) text(s string) string {
	number, ok := strings.CutPrefix(s, held)
	if !ok {
		return s
	}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < len(m.texts) {
		return m.texts[n]
	}
	return s
}

type scope struct {
	depth int // of elements open when it was declared
	name  string
	value string
}

type mender struct {
	z      scanner
	out    []byte
	m      mended
	depth  int // elements open in the document, as far as they matter
	ns     []scope
	bases  []scope
	langs  []scope
	native string // namespace of the root

	inRoot, inChannel, inItem bool
	channelEnded              bool
	rootName                  string
	itemAt                    int    // where the open item begins in out
	itemDepth                 int    // depth around it
	itemWord                  string // what the document calls the open item
	itemTexts                 int    // texts held before it
	linkBases, fields         int    // links and fields of the open item so far
	told                      string // description or summary, whichever the open item had first
	parent                    string // open field that holds fields, canonical
	parentRaw                 string
	field                     string // open field, canonical; "" when none
	fieldRaw                  string
	fieldAttrs                []attr
	keep                      bool   // the field is wanted
	inner                     int    // markup open inside the field
	same                      int    // of them, those with the field's own name
	buf                       []byte // its text,
	one, tail                 string // or, while it is a single piece of the document, that piece and white space after it
	markup                    bool   // nested tags are markup: characters between them are escaped once more
	html                      bool   // declared to be escaped HTML
	plain                     bool   // declared to be no HTML
	base64                    bool
	ended                     bool
}

// mend reads s from its first root element on; ok is false when it has none.
func mend(s string) (_ mended, ok bool) {
	m := mender{z: scanner{s: s}}
	m.out = make([]byte, 0, min(len(s)/4+1<<10, 1<<20)) // long texts do not go there
	for m.z.next() && !m.ended {
		switch t := &m.z.tok; t.kind {
		case startToken:
			m.start(t)
		case endToken:
			m.end(t.name)
		case textToken, cdataToken:
			if m.inRoot {
				m.characters(t)
			}
		}
	}
	if !m.inRoot && !m.ended {
		return mended{}, false
	}
	m.finish()
	return m.m, true
}

func (m *mender) repair(what string) {
	for _, r := range m.m.repairs {
		if r == what {
			return
		}
	}
	m.m.repairs = append(m.m.repairs, what)
}

// start opens an element.
func (m *mender) start(t *token) {
	if !m.inRoot {
		m.root(t)
		return
	}
	if m.field != "" && (m.keep || m.inner > 0) && m.nested(t) {
		return
	}
	if m.inItem && m.isItem(strings.ToLower(localName(t.name))) && m.field == "" {
		if t.empty { // nothing, in the wrong place
			m.repair("markup")
			return
		}
		m.depth = m.itemDepth + 1 // the one before was never closed
		m.leave()
	}
	m.declare(t)
	name := m.canonical(t.name)
	if m.field != "" { // a field that is not wanted, or one that was never closed
		if !m.isItem(name) && (!breakers[name] || m.field == name || !m.keep) {
			if !t.empty {
				m.depth++
				m.inner++
				if t.name == m.fieldRaw {
					m.same++
				}
			} else {
				m.leave()
			}
			return
		}
		m.repair("markup")
		m.closeField()
	}
	m.depth++
	switch {
	case m.isItem(name):
		m.openItem(t)
	case name == "channel" && !m.m.atom && !m.inItem:
		if !m.inChannel {
			m.inChannel = true
			if l := m.attr(t, "xml:lang"); l != "" {
				m.m.language = l
			}
		}
	case m.inItem || m.inChannel || m.m.atom:
		m.openField(name, t)
	default:
		m.openField("nm:skip", t)
	}
	if t.empty {
		m.end(t.name)
	}
}

// nested takes a tag inside a wanted field as text. False means that it is a
// field or an item of its own: this one was never closed.
func (m *mender) nested(t *token) bool {
	local := strings.ToLower(localName(t.name))
	if m.isItem(local) && m.inItem || !m.markup && m.breaks(t) {
		return false
	}
	if !m.keep {
		return false
	}
	if m.parent == "" && m.inner == 0 && m.field == "content" && !m.html && len(m.buf) == 0 && strings.TrimSpace(m.one) == "" && strings.HasSuffix(local, "div") {
		m.markup = true // type="xhtml", said or not
	}
	if m.inner < maxDepth {
		m.spill()
		m.buf = append(append(m.buf, '<'), local...)
		if t.empty {
			m.buf = append(m.buf, '/')
		}
		m.buf = append(m.buf, '>')
	} else {
		m.repair("depth")
	}
	if !t.empty {
		m.inner++
		if t.name == m.fieldRaw {
			m.same++
		}
	}
	return true
}

// breaks tells whether a tag can only be the next field. HTML has a title and
// a link as well, so that those count only where markup is not expected.
func (m *mender) breaks(t *token) bool {
	name := strings.ToLower(t.name)
	if !breakers[name] || name == m.field {
		return false
	}
	if name != "title" && name != "link" {
		return true
	}
	return m.inner == 0 && (!longTexts[m.field] || len(t.attrs) == 0)
}

// end closes an element, and what was left open inside it.
func (m *mender) end(raw string) {
	if !m.inRoot {
		return
	}
	if m.field != "" {
		if raw == m.fieldRaw && m.same == 0 {
			m.closeField()
			m.leave()
			return
		}
		local := strings.ToLower(localName(raw))
		outer := m.inItem && m.isItem(local) || raw == m.rootName || local == "channel" && !m.m.atom || m.parent != "" && raw == m.parentRaw
		if !outer {
			if raw == m.fieldRaw {
				m.same--
			}
			if m.inner > 0 {
				m.inner--
			} else {
				m.repair("markup") // closes nothing
			}
			if m.keep && m.inner < maxDepth {
				m.spill()
				m.buf = append(append(append(m.buf, '<', '/'), local...), '>')
			}
			if !m.keep {
				m.leave()
			}
			return
		}
		m.repair("markup")
		m.closeField()
	}
	if m.parent != "" && raw == m.parentRaw {
		m.closeParent()
		m.leave()
		return
	}
	local := strings.ToLower(localName(raw))
	switch {
	case m.inItem && m.isItem(local):
		m.closeItem()
		m.leave()
	case local == "channel" && m.inChannel && !m.m.atom:
		m.closeItem()
		m.inChannel, m.channelEnded = false, true
		m.leave()
	case raw == m.rootName:
		m.closeItem()
		m.ended = true
	default:
		m.repair("markup")
	}
}

// leave drops what the element that just ended had declared.
func (m *mender) leave() {
	m.depth--
	drop := func(s []scope) []scope {
		for len(s) > 0 && s[len(s)-1].depth > m.depth {
			s = s[:len(s)-1]
		}
		return s
	}
	m.ns, m.bases, m.langs = drop(m.ns), drop(m.bases), drop(m.langs)
}

// finish ends the document. An item that was open when the bytes ended is not
// whole and is left out.
func (m *mender) finish() {
	if m.z.bare {
		m.repair("markup")
	}
	if !m.ended && m.inItem {
		m.repair("truncated")
		m.field = ""
		m.out, m.inItem, m.parent = m.out[:m.itemAt], false, ""
	} else if !m.ended {
		root := strings.ToLower(localName(m.rootName))
		if !m.channelEnded || root != "rss" && root != "channel" || m.z.cut { // else all but "</rss>" is there
			m.repair("truncated")
		}
		m.closeField()
		m.closeParent()
	}
	if m.m.atom {
		m.out = append(m.out, "</feed>"...)
	} else {
		m.out = append(m.out, "</channel></rss>"...)
	}
	m.m.xml = m.out
}
