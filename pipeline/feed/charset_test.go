package feed

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Texts of the kind that ministries write, in the scripts of the beat.
var scripts = map[string]struct{ title, text string }{
	"zh-CN": {"外交部发言人就网络安全问题答记者问", "发言人表示，中方一贯反对任何形式的网络攻击，将依法打击有关犯罪活动，并愿同各国开展对话与合作。"},
	"zh-TW": {"外交部說明兩國網路安全對話進展", "發言人表示，雙方將在下個月舉行會議，討論攻擊事件的調查結果，並且公布新的制裁名單與相關措施。"},
	"ja":    {"外務省報道官談話：サイバー攻撃について", "政府は、この攻撃を強く非難する。関係国と連携し、再発の防止に向けた取組を進めていく方針です。"},
	"ko":    {"외교부 대변인 논평: 사이버 공격에 대하여", "정부는 이번 공격을 강력히 규탄하며, 관련 국가들과 협력하여 추가 제재를 검토하고 있다고 밝혔습니다."},
	"ru":    {"Заявление МИД о кибератаках на органы власти", "Официальный представитель заявил, что обвинения не подкреплены доказательствами, и предложил возобновить консультации."},
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	utf16LE := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	utf16BE := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	for _, c := range []struct {
		lang     string
		name     string // as declared
		encoding encoding.Encoding
		mark     string // byte order mark
		guessed  bool   // without a declaration, and against a wrong one
	}{
		{"zh-CN", "gb2312", simplifiedchinese.GBK, "", true},
		{"zh-CN", "GBK", simplifiedchinese.GBK, "", true},
		{"zh-CN", "gb18030", simplifiedchinese.GB18030, "", true},
		{"zh-CN", "x-gbk", simplifiedchinese.GBK, "", true},
		{"zh-CN", "cp936", simplifiedchinese.GBK, "", true},
		{"zh-CN", "hz-gb-2312", simplifiedchinese.HZGB2312, "", false},
		{"zh-TW", "big5", traditionalchinese.Big5, "", true},
		{"zh-TW", "Big5-HKSCS", traditionalchinese.Big5, "", true},
		{"zh-TW", "cp950", traditionalchinese.Big5, "", true},
		{"ja", "Shift_JIS", japanese.ShiftJIS, "", true},
		{"ja", "windows-31j", japanese.ShiftJIS, "", true},
		{"ja", "x-sjis", japanese.ShiftJIS, "", true},
		{"ja", "EUC-JP", japanese.EUCJP, "", true},
		{"ja", "iso-2022-jp", japanese.ISO2022JP, "", true},
		{"ko", "euc-kr", korean.EUCKR, "", true},
		{"ko", "ks_c_5601-1987", korean.EUCKR, "", true},
		{"ko", "cp949", korean.EUCKR, "", true},
		{"ru", "windows-1251", charmap.Windows1251, "", true},
		{"ru", "cp1251", charmap.Windows1251, "", true},
		{"ru", "KOI8-R", charmap.KOI8R, "", true},
		{"ru", "koi8-u", charmap.KOI8U, "", true},
		{"ru", "iso-8859-5", charmap.ISO8859_5, "", false},
		{"ru", "ibm866", charmap.CodePage866, "", false},
		{"zh-CN", "utf-16", utf16LE, "\xFF\xFE", true},
		{"ja", "utf-16", utf16BE, "\xFE\xFF", true},
		{"ru", "utf-16le", utf16LE, "", true},
		{"ko", "utf-16be", utf16BE, "", true},
		{"ru", "utf-32", wide{binary.LittleEndian}, "\xFF\xFE\x00\x00", true},
		{"ja", "utf-32", wide{binary.BigEndian}, "\x00\x00\xFE\xFF", true},
		{"zh-TW", "utf-32be", wide{binary.BigEndian}, "", true},
		{"zh-TW", "utf-8", encoding.Nop, "\xEF\xBB\xBF", true},
		{"ko", "utf-8", encoding.Nop, "", true},
	} {
		want := scripts[c.lang]
		body := func(declaration string) []byte {
			s := declaration + "<rss version=\"2.0\"><channel><title>News</title><item><title>" + want.title + "</title><description>" +
				want.text + "</description><link>https://example.org/1</link></item></channel></rss>"
			b, err := c.encoding.NewEncoder().Bytes([]byte(s))
			if err != nil {
				t.Fatalf("%s in %s: %v", c.lang, c.name, err)
			}
			return append([]byte(c.mark), b...)
		}
		declared := `<?xml version="1.0" encoding="` + c.name + `"?>`
		wrong := `<?xml version="1.0" encoding="utf-8"?>`
		if c.name == "utf-8" {
			wrong = `<?xml version="1.0" encoding="iso-8859-1"?>`
		}
		for _, way := range []struct {
			name  string
			doc   Document
			needs bool // a guess
		}{
			{"declared", Document{Body: body(declared)}, false},
			{"declared by HTTP alone", Document{Body: body(""), ContentType: "text/xml; charset=" + c.name}, false},
			{"HTTP contradicts the document", Document{Body: body(wrong), ContentType: "text/xml; charset=" + c.name}, false},
			{"feeds.yaml contradicts both", Document{Body: body(wrong), ContentType: "text/xml; charset=iso-8859-1", Feed: Feed{Charset: c.name}}, false},
			{"undeclared", Document{Body: body("")}, true},
			{"undeclared, language known", Document{Body: body(""), Feed: Feed{Language: c.lang}}, true},
			{"contradicted", Document{Body: body(wrong)}, true},
		} {
			if way.needs && !c.guessed {
				continue
			}
			t.Run(c.lang+" "+c.name+" "+c.mark+" "+way.name, func(t *testing.T) {
				t.Parallel()
				p, err := Parse(way.doc)
				if err != nil || len(p.Items) != 1 {
					t.Fatalf("%v, %+v", err, p)
				}
				if it := p.Items[0]; it.Title != want.title || it.Summary != want.text {
					t.Errorf("title %q\nsummary %q\nwant %q\n%q", it.Title, it.Summary, want.title, want.text)
				}
				if way.needs && c.mark == "" && c.name != "utf-8" && !slices.Contains(p.Repairs, "charset") {
					t.Errorf("repairs %v do not tell that the charset was guessed", p.Repairs)
				}
			})
		}
	}
}

// Characters that only Hong Kong's supplement to Big5 has, and the four bytes
// of GB 18030.
func TestCharsetSupplements(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, bytes, want string }{
		{"big5-hkscs", "\x9D\xF5\xA6\x6E", "嗰好"},
		{"gb18030", "\x95\x32\x82\x36\xBA\xC3", "𠀀好"},
	} {
		b := []byte(`<?xml version="1.0" encoding="` + c.name + `"?><rss><channel><item><title>` + c.bytes + `</title></item></channel></rss>`)
		p, err := Parse(Document{Body: b})
		if err != nil || len(p.Items) != 1 || p.Items[0].Title != c.want {
			t.Errorf("%s: %v, %+v, want %q", c.name, err, p, c.want)
		}
	}
}

// A name that nobody knows costs the name, never the document.
func TestCharsetUnknown(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x-klingon", "utf-7", "none", "iso-10646-ucs-2", "\"", strings.Repeat("x", 5000)} {
		b := []byte(`<?xml version="1.0" encoding="` + name + `"?><rss><channel><item><title>Sanctions — Санкции</title></item></channel></rss>`)
		p, err := Parse(Document{Body: b, ContentType: "text/xml; charset=" + name})
		if err != nil || len(p.Items) != 1 || p.Items[0].Title != "Sanctions — Санкции" {
			t.Errorf("%.20q: %v, %+v", name, err, p)
		}
	}
}

// wide encodes UTF-32, which the libraries leave out.
type wide struct{ order binary.AppendByteOrder }

func (w wide) NewEncoder() *encoding.Encoder {
	return &encoding.Encoder{Transformer: wideEncoder(w)}
}
func (w wide) NewDecoder() *encoding.Decoder { return nil }

type wideEncoder struct{ order binary.AppendByteOrder }

func (wideEncoder) Reset() {}

func (w wideEncoder) Transform(dst, src []byte, _ bool) (int, int, error) {
	var b []byte
	for _, r := range string(src) {
		b = w.order.AppendUint32(b, uint32(r))
	}
	if len(b) > len(dst) {
		return 0, 0, transform.ErrShortDst
	}
	return copy(dst, b), len(src), nil
}

// TestPartial holds that a document cut anywhere gives its whole items, no
// half of one, and says so; and that one cut before the first item is refused.
func TestPartial(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"rss20.xml", "atom10.xml", "rss10.xml", "jsonfeed.json"} {
		whole := readFixture(t, file)
		full, err := Parse(Document{Body: whole, URL: "https://origin.example/feed"})
		if err != nil || len(full.Items) < 2 {
			t.Fatalf("%s: %v, %d items", file, err, len(full.Items))
		}
		most := 0
		for n := range len(whole) {
			p, err := Parse(Document{Body: whole[:n], URL: "https://origin.example/feed"})
			if err != nil {
				continue
			}
			if len(p.Items) < most || len(p.Items) > len(full.Items) {
				t.Fatalf("%s cut at %d: %d items, %d at a shorter cut", file, n, len(p.Items), most)
			}
			most = len(p.Items)
			for i, it := range p.Items {
				if it.Title != full.Items[i].Title || it.Content != full.Items[i].Content || it.Summary != full.Items[i].Summary || it.Link != full.Items[i].Link {
					t.Fatalf("%s cut at %d: item %d is %q, whole %q", file, n, i, it.Title, full.Items[i].Title)
				}
			}
			// The last bytes close what needs no closing.
			if len(p.Items) < len(full.Items) && !slices.Contains(p.Repairs, "truncated") {
				t.Fatalf("%s cut at %d: %d of %d items, repairs %v", file, n, len(p.Items), len(full.Items), p.Repairs)
			}
			if bytes.Contains(whole[:n], []byte("</item>")) && len(p.Items) == 0 {
				t.Fatalf("%s cut at %d: no item", file, n)
			}
		}
		if most != len(full.Items) {
			t.Errorf("%s: %d items when all but the last byte is there, want %d", file, most, len(full.Items))
		}
	}
}
