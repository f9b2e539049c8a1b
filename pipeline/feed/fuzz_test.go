package feed

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzMend holds what every later step relies on: mended markup is well-formed
// and shallow, has the items that were counted, and is of the order of what
// came in.
func FuzzMend(f *testing.F) {
	f.Add(`<rss><channel><title>t</title><item><title>a &amp; b</title><link>/x</link><description><![CDATA[<p>x</p>]]></description></item></channel></rss>`)
	f.Add(`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="x"><entry><id>1</id><content type="xhtml"><div>x<br/></div></content></entry></feed>`)
	f.Add(`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><channel rdf:about="x"/><item rdf:about="y"><title>x</title></item></rdf:RDF>`)
	f.Add(`<rss><channel><item><title>a<item><author><name>n</author></name><media:group><media:title>t</item><item`)
	f.Add(`<a:feed xmlns:a="urn:x"><a:entry><a:title mode="base64">eA==</a:title><a:content mode="xml"><b>&lt;</b></a:content>`)
	f.Add("<rss>\uE0FFnm:1<item><description>\uE0FFnm:0</description></item></rss>")
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := mend(strings.ToValidUTF8(s, "\uFFFD")) // as decode gives it
		if !ok {
			return
		}
		size := len(m.xml)
		for _, text := range m.texts {
			size += len(text)
		}
		if size > 10*len(s)+4096 {
			t.Errorf("%d bytes made of %d", size, len(s))
		}
		if m.items > m.seen && m.items > maxItems {
			t.Errorf("%d items of %d tags", m.items, m.seen)
		}
		name := "item"
		if m.atom {
			name = "entry"
		}
		d := xml.NewDecoder(strings.NewReader(string(m.xml)))
		depth, items := 0, 0
		for {
			tok, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("not well-formed: %v\n%s", err, m.xml)
			}
			switch tok := tok.(type) {
			case xml.StartElement:
				if depth++; depth > 6 {
					t.Fatalf("%d deep\n%s", depth, m.xml)
				}
				if tok.Name.Local == name && tok.Name.Space == "" {
					items++
				}
			case xml.EndElement:
				depth--
			case xml.CharData:
				if !utf8.Valid(tok) {
					t.Errorf("not UTF-8: %q", tok)
				}
			}
		}
		if depth != 0 || items != m.items {
			t.Errorf("depth %d at the end, %d items, counted %d\n%s", depth, items, m.items, m.xml)
		}
		if slices.Contains(m.repairs, "") {
			t.Errorf("a repair without a name: %q", m.repairs)
		}
	})
}
