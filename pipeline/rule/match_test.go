package rule

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
)

// files makes a directory of name, text pairs.
func files(pairs ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func dir(pairs ...string) Dir { return Dir{Name: "rules", FS: files(pairs...)} }

// one is a rules file with one rule of the given keys, written at six spaces.
func one(id, keys string) string {
	return "channel: " + id + "\ntitle: T\nrules:\n  - id: " + id + "\n    title: T\n    severity: medium\n" + keys +
		"    tests:\n      - {fires: true, title: x}\n      - {fires: false, title: x}\n"
}

const someStates = `
states:
  - code: CN
    names: [China, Chinese, PRC, 中国, People's Republic of China]
    capital: [Beijing, 北京]
    organs: [Zhongnanhai]
    bare: [国务院]
    except: [发展中国家, '"China Town"']
  - {code: US, names: ["United States", CASE(US), 美国], capital: ["Washington EXCEPT \"Washington Post\"", 华盛顿]}
  - {code: JP, names: [Japan, Japanese, 日本], capital: [Tokyo, 东京]}
  - {code: KP, names: ["North Korea", DPRK, 朝鲜, 北韓], capital: [Pyongyang]}
bare: [外交部, '"the Foreign Ministry"', Foreign Ministry]
`

// matches loads one rule and tells whether it fires.
func loadOne(t testing.TB, query string, more ...string) *Set {
	t.Helper()
	s, problems := Load(dir(append([]string{"x.yaml", one("x", "    match: |\n      "+strings.ReplaceAll(query, "\n", "\n      ")+"\n    allow_unanchored: true\n    slow_ok: true\n")}, more...)...))
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatalf("Load(%s):\n%v", query, errs)
	}
	return s
}

func TestQueryLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query string
		yes   []string // titles, or title|summary|content
		no    []string
	}{
		{"sanctions", []string{"New SANCTIONS today", "|x sanctions", "||a\nsanctions."}, []string{"sanction", "unsanctioned"}},
		{"sanction*", []string{"sanctions", "sanctioned"}, []string{"asanction"}},
		{"organi?ation", []string{"organization", "organisation"}, []string{"organiation", "organizzation"}},
		{"a1b AND c", []string{"c a1b"}, []string{"a1b", "c"}},
		{"x NOT y", []string{"x"}, []string{"x y", "y"}},
		{"x AND NOT (y OR z)", []string{"x"}, []string{"x y", "x z"}},
		{`"export control"`, []string{"Export control list", "export-control"}, []string{"control export", "export of control", "export|control", "||export\ncontrol"}},
		{`"ministry of * affairs"`, []string{"Ministry of Foreign Affairs"}, []string{"ministry of affairs", "ministry of a b affairs"}},
		{"a NEAR/2 b", []string{"a b", "b a", "a x y b", "b x y a"}, []string{"a x y z b", "a|b"}},
		{"a ONEAR/2 b", []string{"a b", "a x y b"}, []string{"b a", "a x y z b"}},
		{"a NEAR/0 b", []string{"a b", "b, a"}, []string{"a x b"}},
		{"制 NEAR/1 裁", []string{"制裁", "制中裁", "裁中中制"}, []string{"制中中中裁"}},
		{"a NEAR/5 b NEAR/3 c", []string{"a 1 2 3 b 4 5 c", "c a b"}, []string{"a b 1 2 3 4 c"}},
		{"(a NEAR/5 b) NEAR/3 c", []string{"a b 1 2 3 4 b c"}, nil},
		{"sanction* NEAR/5 sanctions", []string{"sanctions and sanctions"}, []string{"sanctions"}},
		{"a SENT b", []string{"A x. ||Some a and b here.", "b a"}, []string{"||One a here. Then b."}},
		{"a SENT b", []string{"||The U.S. Treasury a and Mr. Smith b."}, nil},
		{"a PARA b", []string{"||One a here. Then b."}, []string{"||One a here.\nThen b.", "a|b"}},
		{"中国 EXCEPT 发展中国家", []string{"中国", "发展中国家和中国"}, []string{"发展中国家", "發展中國家"}},
		{"apple EXCEPT \"apple juice\"", []string{"Apple sues", "apple juice by Apple"}, []string{"apple juice"}},
		{"ATLEAST/2(iran)", []string{"Iran iran", "Iran||Iran"}, []string{"Iran"}},
		{"ATLEAST/2(iran)", nil, []string{"|Iran talks|Iran talks. More."}},
		{"ATLEAST/3(iran, tehran)", []string{"Iran Tehran Iran"}, []string{"iran tehran"}},
		{"SOME/2(a, b AND c, d)", []string{"a d", "a b c"}, []string{"a b", "a"}},
		{"SOME/2(a OR b OR c)", []string{"a c"}, []string{"a a"}},
		{"SOME/2(@states)", []string{"China and Japan"}, []string{"China, Chinese, Beijing"}},
		{"FIRST/2(a)", []string{"a", "x a", "1 2 3||x a"}, []string{"x y a"}},
		{"FIRST/1(裁)", []string{"制裁"}, []string{"制制裁"}},
		{"CASE(US)", []string{"the US said", "the U.S. said"}, []string{"tell us", "Us"}},
		{"CASE(WHO*)", []string{"WHOse"}, []string{"whose"}},
		{"EXACT(裏)", []string{"裏"}, []string{"里", "裡"}},
		{"裏", []string{"裏", "里", "裡"}, nil},
		{"STEM(sanction)", []string{"sanctions", "sanctioned", "sanctioning"}, []string{"sanctuary"}},
		{`STEM("export control")`, []string{"exporting controls"}, []string{"export of controls"}},
		{"STEM:de(Wahl)", []string{"Wahlen", "die Wahl"}, []string{"Walen"}},
		{"STEM(санкция)", []string{"санкции", "санкций", "санкциями"}, []string{"санитар"}},
		{"title:a AND b", []string{"a b", "a||b"}, []string{"b|a|"}},
		{"summary:a OR content:b", []string{"|a|", "||b"}, []string{"a b", "|b|a"}},
		{"url:example OR title:b", []string{"b"}, []string{"a|b", "x"}},
		{"title:(a AND (b OR c))", []string{"a c"}, []string{"a|c"}},
		{"title:ATLEAST/2(a)", []string{"a a"}, []string{"a|a"}},
		{"title:SOME/2(a, b)", []string{"a b"}, []string{"a|b"}},
		{"title:a OR (b AND c)", []string{"a", "b c"}, []string{"b", "|a"}},
		{"title:(a NEAR/3 b)", []string{"a b"}, []string{"|a b|"}},
		{"@states AND talks", []string{"China talks", "中國 talks"}, []string{"Chinatown talks", "China Town talks"}},
		{"@state-us", []string{"the US", "Washington"}, []string{"Washington Post", "us"}},
		// Languages
		{"印度", []string{"印度"}, []string{"印尼"}},
		{"インド", []string{"インドと", "ｲﾝﾄﾞ", "イント\u3099"}, []string{"インドネシア"}},
		{"インド*", []string{"インドネシア"}, nil},
		{"한국", []string{"한국은", "한국의 발표", "\u1112\u1161\u11ab\u1100\u116e\u11a8"}, []string{"대한국"}},
		{`"대북 제재"`, []string{"대북 제재", "대북제재를"}, nil},
		{"Europe", []string{"l'Europe", "l’Europe"}, nil},
		{"us", []string{"U.S.", "us", "US"}, []string{"USA"}},
		{"Straße", []string{"STRASSE", "strasse"}, nil},
		{"елка", []string{"ёлка", "ЁЛКА"}, nil},
		{"йод", []string{"Йод", "и\u0306од"}, []string{"иод"}},
		{"制裁措施", []string{"制裁措施"}, []string{"制裁"}},
		{"网络安全", []string{"網絡安全"}, []string{"網路安全"}},
		{"café", []string{"cafe", "cafe\u0301", "CAFÉ"}, nil},
		{"COVID-19", []string{"Covid 19", "covid-19"}, []string{"covid 20"}},
		{`"1,000"`, []string{"1000", "1,000"}, []string{"1.000"}},
		{"ＳＷＩＦＴ", []string{"SWIFT"}, nil},
	} {
		s := loadOne(t, c.query, "lists/states.yaml", someStates)
		for i, items := range [][]string{c.yes, c.no} {
			for _, in := range items {
				f := strings.SplitN(in+"||", "|", 3)
				it := feed.Item{Title: f[0], Summary: f[1], Content: strings.TrimRight(f[2], "|")}
				if got := len(s.Match(it).Channels) == 1; got != (i == 0) {
					t.Errorf("%s on %q: fires %v, want %v (%s)", c.query, in, got, i == 0, s.WhyNot("x", it))
				}
			}
		}
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	s := loadOne(t, "(sanction*^2 NEAR/5 @states) AND NOT sport", "lists/states.yaml", someStates)
	it := feed.Item{Title: "制裁: U.S. sanctions on 中國", Content: "First words.\nBeijing called the Sanctions «unjust». Sanctions end.", Summary: "Nothing here"}
	r := s.Match(it)
	if len(r.Channels) != 1 {
		t.Fatal(s.WhyNot("x", it))
	}
	m := r.Channels[0].Rules[0]
	var got []string
	for _, e := range m.Evidence {
		text := map[string]string{"title": it.Title, "summary": it.Summary, "content": it.Content}[e.Field]
		if text[e.Start:e.End] != e.Text {
			t.Errorf("%s[%d:%d] = %q, want %q", e.Field, e.Start, e.End, text[e.Start:e.End], e.Text)
		}
		got = append(got, e.Field+":"+e.Text+":"+e.List)
	}
	want := "title:U.S.:state-us title:sanctions: title:中國:state-cn content:Beijing:state-cn content:Sanctions: content:Sanctions:"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("evidence %s, want %s", s, want)
	}
	if m.Evidence[1].Before != "制裁: U.S. " || m.Evidence[1].After != " on 中國" {
		t.Errorf("context %q and %q", m.Evidence[1].Before, m.Evidence[1].After)
	}
	if m.Snippet != "Beijing called the Sanctions «unjust». Sanctions end." {
		t.Errorf("snippet %q", m.Snippet)
	}
	if fmt.Sprint(r.States) != "[CN US]" {
		t.Errorf("states %v", r.States)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := loadOne(t, "x", "lists/states.yaml", someStates)
	for _, c := range []struct {
		it   feed.Item
		want string
	}{
		{feed.Item{Title: "Beijing and Tokyo"}, "[CN JP]"},
		{feed.Item{Content: "China once"}, "[]"},
		{feed.Item{Content: "China once, China twice"}, "[CN]"},
		{feed.Item{Title: "发展中国家"}, "[]"},
		{feed.Item{Title: "外交部发言人"}, "[]"},
		{feed.Item{Title: "外交部发言人", Source: feed.Source{Country: "CN"}}, "[CN]"},
		{feed.Item{Title: "外交部发言人", Source: feed.Source{Country: "TW"}}, "[TW]"},
		{feed.Item{Title: "日本外交部发言人", Source: feed.Source{Country: "CN"}}, "[JP]"},
		{feed.Item{Title: "The Foreign Ministry of Japan", Source: feed.Source{Country: "CN"}}, "[JP]"},
		{feed.Item{Title: "Japan's Foreign Ministry", Source: feed.Source{Country: "CN"}}, "[JP]"},
		{feed.Item{Title: "国务院", Source: feed.Source{Country: "CN"}}, "[CN]"},
		{feed.Item{Title: "国务院", Source: feed.Source{Country: "TW"}}, "[]"},
		{feed.Item{Title: "tell us"}, "[]"},
		{feed.Item{Title: "Washington Post"}, "[]"},
	} {
		if got := fmt.Sprint(s.Match(c.it).States); got != c.want {
			t.Errorf("states of %q %q (%s) = %s, want %s", c.it.Title, c.it.Content, c.it.Source.Country, got, c.want)
		}
	}
}

const someVoices = `
- voice: mfa-spokesperson
  title: MFA spokesperson
  tier: authoritative
  side: civilian
  country: CN
  match: '外交部发言人 OR "Foreign Ministry spokesperson"'
- {voice: zhong-sheng, title: Zhong Sheng, tier: quasi-authoritative, side: party, country: CN, match: 'author:(钟声 OR "Zhong Sheng")', where: {feed: [people]}}
`

func TestSeverityAndVoices(t *testing.T) {
	t.Parallel()
	file := func(slug, keys string) string { return one(slug, keys) }
	s, problems := Load(dir(
		"a.yaml", file("a", "    match: talks\n    raise:\n      - {to: critical, when: 'tier:authoritative AND title:talks'}\n      - {to: high, when: 'channel:b'}\n"),
		"b.yaml", file("b", "    match: hack\n    unless: drill\n    where: {language: [zh, en]}\n"),
		"voices.yaml", someVoices))
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	src := func(kind, tier, country string) feed.Source {
		return feed.Source{ID: "f", Kind: kind, Tier: tier, Country: country}
	}
	for _, c := range []struct {
		it   feed.Item
		want string
	}{
		{feed.Item{Title: "talks"}, "a=medium"},
		{feed.Item{Title: "talks", Source: src("ministry", "authoritative", "US")}, "a=critical"},
		{feed.Item{Title: "talks", Source: src("think-tank", "authoritative", "US")}, "a=medium"},
		{feed.Item{Title: "talks 外交部发言人", Source: src("media", "non-authoritative", "US")}, "a=critical voice=mfa-spokesperson reported"},
		{feed.Item{Title: "talks 外交部发言人", Source: src("ministry", "authoritative", "CN")}, "a=critical voice=mfa-spokesperson"},
		{feed.Item{Title: "Opinion: talks", Source: src("media", "authoritative", "US")}, "a=medium"},
		{feed.Item{Title: "the talks after the hack", Content: "The hack of the office was made in the night."}, "a=high b=medium"},
		{feed.Item{Title: "the hack drill of the day and the night"}, ""},
		{feed.Item{Title: "der hack und die Folgen für das Land"}, ""},
		{feed.Item{Title: "hack", Language: "zh-TW", Content: "駭客入侵政府網站的事件引發關注"}, "b=medium"},
		{feed.Item{Title: "x", Authors: []string{"钟声"}, Feed: "people"}, " voice=zhong-sheng"},
		{feed.Item{Title: "x", Authors: []string{"钟声"}, Feed: "other"}, ""},
	} {
		r := s.Match(c.it)
		var got []string
		for _, h := range r.Channels {
			got = append(got, h.Channel+"="+string(h.Severity))
		}
		out := strings.Join(got, " ")
		if r.Voice.ID != "" {
			out += " voice=" + r.Voice.ID
		}
		if r.Voice.Reported {
			out += " reported"
		}
		if out != c.want {
			t.Errorf("%q from %+v: %q, want %q (a: %s; b: %s)", c.it.Title, c.it.Source, out, c.want, s.WhyNot("a", c.it), s.WhyNot("b", c.it))
		}
	}
}

var _ problem.List
