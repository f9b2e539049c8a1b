package feed

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// maxUnpacked bounds a gzip body inside the body: the fetcher's own limit has
// counted packed bytes only.
const maxUnpacked = 32 << 20

// decoded is a body as clean UTF-8, and how it became that.
type decoded struct {
	text    []byte // may be a part of the body
	charset string // WHATWG name that was used
	repairs []string
}

// decode makes UTF-8 of a body. Whoever knows best wins: the byte order mark,
// feeds.yaml, what HTTP and the document declare, the bytes themselves.
func decode(doc Document) decoded {
	b, d := doc.Body, decoded{}
	for range 2 {
		if len(b) < 3 || b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 {
			break
		}
		b = gunzip(b)
		d.repair("gzip")
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return d.utf8(b[3:])
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE, 0, 0}):
		return d.utf32(b[4:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0, 0, 0xFE, 0xFF}):
		return d.utf32(b[4:], binary.BigEndian)
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return d.utf16(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return d.utf16(b[2:], binary.BigEndian)
	}
	if doc.Feed.Charset != "" {
		if e, name := lookup(doc.Feed.Charset); e != nil {
			return d.use(b, e, name)
		}
	}
	head := b[:min(len(b), 4)]
	switch { // XML 1.0, appendix F: "<?" or "<" and a letter without a mark
	case len(head) == 4 && head[0] == '<' && head[1] == 0 && head[2] == 0 && head[3] == 0:
		d.repair("charset")
		return d.utf32(b, binary.LittleEndian)
	case len(head) == 4 && head[0] == 0 && head[1] == 0 && head[2] == 0 && head[3] == '<':
		d.repair("charset")
		return d.utf32(b, binary.BigEndian)
	case len(head) == 4 && head[0] == '<' && head[1] == 0 && head[3] == 0:
		d.repair("charset")
		return d.utf16(b, binary.LittleEndian)
	case len(head) == 4 && head[0] == 0 && head[1] == '<' && head[2] == 0:
		d.repair("charset")
		return d.utf16(b, binary.BigEndian)
	case bytes.Equal(head, []byte{0x4C, 0x6F, 0xA7, 0x94}):
		return d.use(b, charmap.CodePage037, "ibm037")
	}

	if escapesJapanese(b) {
		// Seven bits that look like sound ASCII; only its escapes tell. WHATWG no
		// longer guesses it because of scripts; we run none.
		if e, name := lookup(declaredCharset(b)); name != "iso-2022-jp" || e == nil {
			if _, name := lookup(httpCharset(doc.ContentType)); name != "iso-2022-jp" {
				d.repair("charset")
			}
		}
		return d.use(b, japanese.ISO2022JP, "iso-2022-jp")
	}
	labels := []string{httpCharset(doc.ContentType), declaredCharset(b)}
	valid := utf8.Valid(b)
	for _, label := range labels {
		if label == "" {
			continue
		}
		e, name := lookup(label)
		if e == nil {
			d.repair("charset") // nobody knows this name
			continue
		}
		if name == "utf-8" || strings.HasPrefix(name, "utf-16") {
			// UTF-16 that shows no sign of being two bytes wide is none.
			if valid {
				return d.utf8(b)
			}
			if mostlyUTF8(b) {
				d.repair("charset")
				return d.utf8(b)
			}
			d.repair("charset")
			continue
		}
		if valid && !ascii(b) && singleByte(e) {
			// Text in a one-byte charset is hardly ever valid UTF-8 by chance.
			d.repair("charset")
			return d.utf8(b)
		}
		return d.use(b, e, name)
	}
	if valid {
		return d.utf8(b)
	}
	d.repair("charset")
	if mostlyUTF8(b) {
		return d.utf8(b)
	}
	name := guess(b, hints(doc, b))
	e, _ := htmlindex.Get(name)
	return d.use(b, e, name)
}

func (d *decoded) repair(what string) {
	if !slices.Contains(d.repairs, what) {
		d.repairs = append(d.repairs, what)
	}
}

// utf8 keeps b; single bytes that are not UTF-8 are read as windows-1252,
// which is what nearly all of them are.
func (d decoded) utf8(b []byte) decoded {
	d.charset = "utf-8"
	if utf8.Valid(b) {
		d.text = b
		return d
	}
	d.repair("charset")
	d.text = make([]byte, 0, len(b)+len(b)/64)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			r, n = charmap.Windows1252.DecodeByte(b[0]), 1
		}
		d.text = utf8.AppendRune(d.text, r)
		b = b[n:]
	}
	return d
}

func (d decoded) use(b []byte, e encoding.Encoding, name string) decoded {
	t, out := e.NewDecoder(), make([]byte, 0, len(b)+len(b)/4+64)
	for rest := b; ; {
		w, n, err := t.Transform(out[len(out):cap(out)], rest, true)
		out, rest = out[:len(out)+w], rest[n:]
		if errors.Is(err, transform.ErrShortDst) {
			out = slices.Grow(out, len(out)/4+64)
			continue
		}
		if err != nil {
			d.repair("charset")
			return d.utf8(b)
		}
		break
	}
	d.text, d.charset = bytes.ToValidUTF8(out, []byte("\uFFFD")), name
	if bytes.Contains(d.text, []byte("\uFFFD")) {
		d.repair("charset")
	}
	return d
}

func (d decoded) utf16(b []byte, order binary.ByteOrder) decoded {
	if len(b)%2 == 1 {
		d.repair("charset")
		b = b[:len(b)-1]
	}
	d.text, d.charset = make([]byte, 0, len(b)*3/4+64), "utf-16"
	for len(b) >= 2 {
		r := rune(order.Uint16(b))
		b = b[2:]
		if utf16.IsSurrogate(r) {
			r2 := rune(0)
			if len(b) >= 2 {
				r2 = rune(order.Uint16(b))
			}
			if r = utf16.DecodeRune(r, r2); r != utf8.RuneError {
				b = b[2:]
			}
		}
		d.text = utf8.AppendRune(d.text, r)
	}
	return d
}

func (d decoded) utf32(b []byte, order binary.ByteOrder) decoded {
	d.text, d.charset = make([]byte, 0, len(b)/2+64), "utf-32"
	for len(b) >= 4 {
		d.text = utf8.AppendRune(d.text, rune(order.Uint32(b)&0x7fffffff)) // what is no character is replaced
		b = b[4:]
	}
	if len(b) > 0 {
		d.repair("charset")
	}
	return d
}

// gunzip gives what can be unpacked, also of a file cut short.
func gunzip(b []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(r, maxUnpacked)) // a cut archive: what came is tried
	return out
}

func httpCharset(contentType string) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		return params["charset"]
	}
	return ""
}

var declaration = regexp.MustCompile(`^\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']\s*([A-Za-z0-9._:-]{1,40})\s*["']`)

func declaredCharset(b []byte) string {
	head := b[:min(len(b), 1024)]
	if i := bytes.Index(head, []byte("<?xml")); i > 0 {
		head = head[i:] // something stands before the declaration
	}
	if m := declaration.FindSubmatch(head); m != nil {
		return string(m[1])
	}
	return ""
}

// escapesJapanese tells whether b is ISO-2022-JP: no byte above ASCII, and
// escapes into JIS X 0208 and back.
func escapesJapanese(b []byte) bool {
	if bytes.IndexByte(b, 0x1b) < 0 || !bytes.Contains(b, []byte("\x1b$B")) && !bytes.Contains(b, []byte("\x1b$@")) {
		return false
	}
	return (bytes.Contains(b, []byte("\x1b(B")) || bytes.Contains(b, []byte("\x1b(J"))) && ascii(b)
}

// lookup knows the names of the WHATWG standard, and a few that feeds use.
func lookup(label string) (encoding.Encoding, string) {
	label = strings.ToLower(strings.TrimSpace(label))
	switch label {
	case "gb-2312", "gb2312-80", "cp936":
		label = "gb18030"
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312, "hz-gb-2312" // browsers refuse it for what scripts could do; we run none
	case "windows-31j", "cp932", "ms932", "sjis-win":
		label = "shift_jis"
	case "cp949", "ks_c_5601", "uhc":
		label = "euc-kr"
	case "cp950", "big5-hkscs":
		label = "big5"
	case "cp-1251", "win-1251", "win1251":
		label = "windows-1251"
	case "cp-1252", "win-1252", "latin-1", "iso8859_1":
		label = "windows-1252"
	}
	switch label {
	case "cp037", "ibm037", "ebcdic-cp-us", "ebcdic-cp-be", "ebcdic-cp-ca":
		return charmap.CodePage037, "ibm037"
	case "cp437", "ibm437":
		return charmap.CodePage437, "ibm437"
	case "cp850", "ibm850":
		return charmap.CodePage850, "ibm850"
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, ""
	}
	name, err := htmlindex.Name(e)
	if err != nil || name == "replacement" {
		return nil, ""
	}
	return e, name
}

func singleByte(e encoding.Encoding) bool {
	_, ok := e.(*charmap.Charmap)
	return ok
}

func ascii(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 })
}

// mostlyUTF8 tells whether b is UTF-8 with a few bytes gone wrong.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0 // bytes
	for len(b) > 0 {
		if b[0] < 0x80 {
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			bad++
		} else {
			good += n
		}
		b = b[n:]
	}
	return good > 4*bad
}
