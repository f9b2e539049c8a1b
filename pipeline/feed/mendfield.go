package feed

import (
	"encoding/base64"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// openField begins a field, and decides whether it is wanted and what its text
// is: plain, escaped HTML, markup in place or base64.
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
	} else if m.m.atom && name == "info" || !m.m.atom && name == "abstract" { // gofeed has no such field
		name = "nm:info"
	}
	if m.parent != "" {
		fields = innerFields
	}
	holds, wanted := fields[name]
	if m.inItem && m.parent == "" {
		if m.fields++; m.fields > maxFields {
			wanted = false
		}
	}
	if wanted && holds && m.parent == "" && !t.empty {
		m.parent, m.parentRaw = name, t.name
		m.out = m.tag(m.out, name, t.attrs)
		m.field = ""
		m.clear()
		return
	}
	m.field, m.fieldRaw, m.keep, m.inner, m.same = name, t.name, wanted, 0, 0
	m.clear()
	m.fieldAttrs = t.attrs
	kind, mode := strings.ToLower(m.attr(t, "type")), strings.ToLower(m.attr(t, "mode"))
	m.markup = wanted && (strings.Contains(kind, "xhtml") || mode == "xml" && strings.Contains(kind, "html") ||
		kind == "" && (name == "xhtml:body" || name == "xhtml:div" || name == "body"))
	m.html = kind == "html" || kind == "text/html"
	m.base64 = mode == "base64" || m.m.atom && strings.HasPrefix(kind, "application/") && !strings.Contains(kind, "xml") && !strings.Contains(kind, "html")
	m.plain = wanted && m.m.atom && (kind == "text" || kind == "text/plain" || mode == "base64" && kind == "")
	if wanted && !m.m.atom && (name == "link" || name == "atom:link") || m.m.atom && name == "link" {
		if m.linkBases++; m.linkBases <= maxLinkBases && m.attr(t, "xml:base") != "" {
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

// closeField writes the open field out, its text as a reference where it is long.
func (m *mender) closeField() {
	if m.field == "" {
		return
	}
	if m.keep {
		s := m.value()
		switch {
		case longTexts[m.field]:
		case len(s) > maxDate && dateFields[m.field]: // gofeed tries a hundred layouts
			s = cut(strings.TrimSpace(s), maxDate)
		case len(s) > maxShort:
			s = cut(s, maxShort)
		}
		if m.base64 {
			if b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), "")); err == nil && utf8.Valid(b) {
				s = string(b)
			}
		}
		if m.plain && (m.base64 || !looksLikeHTML(s)) { // nobody encodes HTML twice by mistake
			s = html.EscapeString(s)
		}
		if m.m.atom && m.field == "link" && !m.has("href") { // the address as the text of the element
			if l := strings.TrimSpace(s); httpURL(l) {
				m.fieldAttrs = append(slices.Clone(m.fieldAttrs), attr{"href", html.EscapeString(l)})
			}
		}
		if m.m.atom && m.field == "id" && m.inItem && m.parent == "" {
			m.own("id", strings.TrimSpace(s)) // gofeed would change its letters
		}
		m.out = m.tag(m.out, m.field, m.fieldAttrs)
		if m.inItem && m.parent == "" && longTexts[m.field] && (len(s) > heldFrom || strings.Contains(s, held)) {
			m.out = append(m.out, held...)
			m.out = strconv.AppendInt(m.out, int64(len(m.m.texts)), 10)
			m.m.texts = append(m.m.texts, s)
		} else {
			if strings.Contains(s, held) { // nobody else writes references to texts
				s = strings.ReplaceAll(s, held[:len(held)-len("nm:")], "")
			}
			m.out = escape(m.out, s)
		}
		m.out = append(append(append(m.out, '<', '/'), m.field...), '>')
	}
	m.field, m.fieldRaw, m.keep, m.inner, m.same, m.markup, m.plain, m.base64 = "", "", false, 0, 0, false, false, false
}

// has tells whether the open field was given an attribute.
func (m *mender) has(name string) bool {
	return slices.ContainsFunc(m.fieldAttrs, func(a attr) bool { return localName(a.name) == name && strings.TrimSpace(a.value) != "" })
}

// looksLikeHTML tells whether text that was declared to be plain holds tags
// all the same: one that closes, one with an attribute, or a reference.
func looksLikeHTML(s string) bool {
	if strings.IndexByte(s, '<') < 0 {
		return true // no tag either way; references are decoded as everywhere
	}
	for _, sign := range []string{"</", "/>", `="`, `='`} {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
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
	m.add(s)
}

// add appends characters to the open field. Most fields are one piece of the
// document, perhaps with white space around it: that one is not copied.
func (m *mender) add(s string) {
	if len(m.buf) == 0 {
		switch {
		case strings.TrimSpace(m.one) == "":
			m.one, m.tail = s, ""
			return
		case m.tail == "" && strings.TrimSpace(s) == "":
			m.tail = s
			return
		}
	}
	m.spill()
	m.buf = append(m.buf, s...)
}

// spill moves a single piece to the buffer, where more can follow it.
func (m *mender) spill() {
	m.buf = append(append(m.buf, m.one...), m.tail...)
	m.one, m.tail = "", ""
}

// value is the text of the open field.
func (m *mender) value() string {
	if len(m.buf) == 0 {
		return m.one
	}
	m.spill()
	return string(m.buf)
}

func (m *mender) clear() { m.buf, m.one, m.tail = m.buf[:0], "", "" }

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
