package feed

import (
	"bytes"
	"encoding/base64"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxItems = 10_000 // of one document; the first are kept
	maxDepth = 1_000  // of markup inside one field
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
}

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
	if n, err := strconv.Atoi(number); err == nil && n < len(m.texts) {
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
	rootName                  string
	itemAt                    int    // where the open item begins in out
	itemDepth                 int    // depth around it
	itemWord                  string // what the document calls the open item
	itemTexts                 int    // texts held before it
	told                      string // description or summary, whichever the open item had first
	parent                    string // open field that holds fields, canonical
	parentRaw                 string
	field                     string // open field, canonical; "" when none
	fieldRaw                  string
	fieldAttrs                []attr
	keep                      bool // the field is wanted
	inner                     int  // markup open inside the field
	same                      int  // of them, those with the field's own name
	buf                       []byte
	markup                    bool // nested tags are markup: characters between them are escaped once more
	base64                    bool
	ended                     bool
}

// mend reads s from its first root element on; ok is false when it has none.
func mend(s string) (_ mended, ok bool) {
	m := mender{z: scanner{s: s}}
	m.out = make([]byte, 0, len(s)+len(s)/8)
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
	if m.parent == "" && m.inner == 0 && m.field == "content" && len(bytes.TrimSpace(m.buf)) == 0 && strings.HasSuffix(local, "div") {
		m.markup = true // type="xhtml", said or not
	}
	if m.inner < maxDepth {
		m.buf = append(m.buf, '<')
		m.buf = append(m.buf, local...)
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
		m.inChannel = false
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
	if usual[m.native] != "" && usual[m.native] != "atom" && usual[m.native] != "rdf" {
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
		m.inChannel = local == "channel"
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
	if len(m.bases) > 0 {
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

func (m *mender) openField(name string, t *token) {
	fields := channelFields
	if m.inItem {
		fields = itemFields
		if !m.m.atom && m.parent == "" && (name == "description" || name == "summary") {
			if m.told != "" && m.told != name { // both: the second is the content
				name = "nm:second"
			} else {
				m.told = name
			}
		}
		if m.m.atom && name == "created" { // Atom 0.3; gofeed passes it over
			name = "nm:created"
		}
	}
	if m.parent != "" {
		fields = innerFields
	}
	holds, wanted := fields[name]
	if wanted && holds && m.parent == "" && !t.empty {
		m.parent, m.parentRaw = name, t.name
		m.out = m.tag(m.out, name, t.attrs)
		m.field = ""
		m.buf = m.buf[:0]
		return
	}
	m.field, m.fieldRaw, m.keep, m.inner, m.same = name, t.name, wanted, 0, 0
	m.buf = m.buf[:0]
	m.fieldAttrs = t.attrs
	kind, mode := strings.ToLower(m.attr(t, "type")), strings.ToLower(m.attr(t, "mode"))
	m.markup = wanted && (strings.Contains(kind, "xhtml") || mode == "xml" && strings.Contains(kind, "html") ||
		name == "xhtml:body" || name == "xhtml:div" || name == "body")
	m.base64 = mode == "base64" || m.m.atom && strings.HasPrefix(kind, "application/") && !strings.Contains(kind, "xml") && !strings.Contains(kind, "html")
	if wanted && !m.m.atom && (name == "link" || name == "atom:link") || m.m.atom && name == "link" {
		if m.attr(t, "xml:base") != "" {
			m.own("base", m.baseNow())
		}
	}
	if name == "title" && m.attr(t, "xml:lang") != "" && m.inItem {
		m.own("lang", m.attr(t, "xml:lang"))
	}
	if strings.HasPrefix(kind, "image/") || strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/") {
		m.keep = m.keep && m.field != "content"
	}
}

func (m *mender) closeField() {
	if m.field == "" {
		return
	}
	if m.keep {
		if m.base64 {
			if b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(m.buf)), "")); err == nil && utf8.Valid(b) {
				m.buf = b
			}
		}
		if m.m.atom && m.field == "id" && m.inItem && m.parent == "" {
			m.own("id", strings.TrimSpace(string(m.buf))) // gofeed would change its letters
		}
		m.out = m.tag(m.out, m.field, m.fieldAttrs)
		if m.inItem && m.parent == "" && longTexts[m.field] && (len(m.buf) > heldFrom || bytes.HasPrefix(m.buf, []byte(held))) {
			m.out = append(m.out, held...)
			m.out = strconv.AppendInt(m.out, int64(len(m.m.texts)), 10)
			m.m.texts = append(m.m.texts, string(m.buf))
		} else {
			m.out = escape(m.out, string(m.buf))
		}
		m.out = append(append(append(m.out, '<', '/'), m.field...), '>')
	}
	m.field, m.fieldRaw, m.keep, m.inner, m.same, m.markup, m.base64 = "", "", false, 0, 0, false, false
}

// closeParent closes a field that holds fields; characters that stood there
// outside of them ("<author>name</author>") have gone to out already.
func (m *mender) closeParent() {
	if m.parent == "" {
		return
	}
	m.closeField()
	m.out = append(append(append(m.out, '<', '/'), m.parent...), '>')
	m.parent, m.parentRaw = "", ""
}

func (m *mender) tag(out []byte, name string, attrs []attr) []byte {
	out = append(append(out, '<'), name...)
	if kept := keptAttrs[name]; kept != "" {
		for _, a := range attrs {
			local := localName(a.name)
			if strings.EqualFold(local, "isPermaLink") {
				local = "isPermaLink"
			}
			if strings.Contains(kept, " "+local+" ") && len(a.value) <= 64<<10 {
				out = append(append(append(out, ' '), local...), `="`...)
				out = escape(out, decodeReferences(a.value))
				out = append(out, '"')
			}
		}
	}
	return append(out, '>')
}

func (m *mender) characters(t *token) {
	if m.field == "" {
		if m.parent != "" { // <author>name</author>, <source>title</source>
			m.out = escape(m.out, m.decode(t))
		}
		return
	}
	if !m.keep {
		return
	}
	s := m.decode(t)
	if m.markup {
		s = html.EscapeString(s)
	}
	m.buf = append(m.buf, s...)
}

func (m *mender) decode(t *token) string {
	if t.kind == cdataToken {
		if strings.Contains(t.text, "<![CDATA[") { // a section inside a section
			m.repair("markup")
			return strings.ReplaceAll(t.text, "<![CDATA[", "")
		}
		return t.text
	}
	s := t.text
	if strings.Contains(s, "]]>") {
		s = strings.ReplaceAll(s, "]]>", "")
		m.repair("markup")
	}
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	d, bad := references(s)
	if bad != "" {
		m.repair(bad)
	}
	return d
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
		if m.inChannel || m.m.atom || m.z.cut {
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
