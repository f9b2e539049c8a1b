package feed

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sample = `# what we watch
defaults: {every: 20m, country: US}
feeds:
  - id: us-doj-nsd
    title: US Department of Justice,  National Security Division
    url: https://justice.example/feeds/nsd.xml
    kind: law-enforcement
    tier: authoritative
    language: en-us
    tags: [cyber, indictments]
    every: 1d
    user_agent: Mozilla/5.0 (compatible)
    charset: windows-1252
    date_layout: "Monday, January 2, 2006 - 15:04"
    identity: link
    headers: {authorization: {env: DOJ_TOKEN}, X-Api-Key: {file: /run/secrets/key}}
  - {id: cn-mfa, url: "rsshub:/gov/mfa/wjdt/fyrbt", country: CN, every: auto}
  - {id: eu-eeas, disabled: the site has no feed since 2025, country: EU, kind: ministry}
  - {id: small, url: "http://small.example:8080/x"}
`

func TestLoadCatalogue(t *testing.T) {
	t.Parallel()
	feeds, l := LoadCatalogue("feeds.yaml", []byte(sample))
	if len(l) > 0 {
		t.Fatal(l)
	}
	want := []Feed{
		{ID: "us-doj-nsd", Title: "US Department of Justice, National Security Division", URL: "https://justice.example/feeds/nsd.xml",
			Kind: "law-enforcement", Tier: "authoritative", Country: "US", Language: "en-US", Tags: []string{"cyber", "indictments"},
			Every: 24 * time.Hour, UserAgent: "Mozilla/5.0 (compatible)", Charset: "windows-1252",
			DateLayout: "Monday, January 2, 2006 - 15:04", Identity: "link",
			Headers: map[string]Secret{"Authorization": {Env: "DOJ_TOKEN"}, "X-Api-Key": {File: "/run/secrets/key"}}},
		{ID: "cn-mfa", Title: "cn-mfa", URL: "rsshub:/gov/mfa/wjdt/fyrbt", Kind: "media", Tier: "non-authoritative", Country: "CN", Every: DefaultEvery, Auto: true, Identity: "auto"},
		{ID: "eu-eeas", Title: "eu-eeas", Kind: "ministry", Tier: "non-authoritative", Country: "EU", Every: 20 * time.Minute, Disabled: "the site has no feed since 2025", Identity: "auto"},
		{ID: "small", Title: "small", URL: "http://small.example:8080/x", Kind: "media", Tier: "non-authoritative", Country: "US", Every: 20 * time.Minute, Identity: "auto"},
	}
	if diff := cmp.Diff(want, feeds); diff != "" {
		t.Errorf("LoadCatalogue mismatch (-want +got):\n%s", diff)
	}
	var b bytes.Buffer
	if err := WriteCatalogue(&b, feeds); err != nil {
		t.Fatal(err)
	}
	again, l := LoadCatalogue("printed.yaml", b.Bytes())
	if len(l) > 0 {
		t.Fatalf("what we print has problems:\n%v\n%s", l, b.String())
	}
	if diff := cmp.Diff(feeds, again); diff != "" {
		t.Errorf("printed and read again (-want +got):\n%s\n%s", diff, b.String())
	}
}

func TestCatalogueProblems(t *testing.T) {
	t.Parallel()
	const ok = "feeds:\n  - id: a\n    url: https://a.example/\n"
	for _, c := range []struct{ in, want string }{
		{"feeds:\n  - id: A b\n    url: https://a.example/\n", `f:2:9: id "A b" is not a slug` + "\n" + `    try "a-b"`},
		{"feeds:\n  - url: https://a.example/\n", `f:2:5: the feed has no id`},
		{"feeds:\n  - {id: canary, url: https://a.example/}\n", `f:2:10: id "canary" belongs to the daemon's self-test`},
		{"feeds:\n  - id: a\n", `f:2:5: feed "a" has no url` + "\n    write url: https://..., or disabled"},
		{ok + "  - id: a\n    url: https://b.example/\n", `f:4:9: id "a" is already that of the feed in line 2`},
		{ok + "  - id: b\n    url: https://A.example:443#x\n", "f:5:10: the feed in line 3 has the same url"},
		{ok + "    kind: ministri\n", `f:4:11: kind "ministri" is not known` + "\n    did you mean \"ministry\"?"},
		{ok + "    tier: high\n", `f:4:11: tier "high" is not known` + "\n    one of authoritative, quasi-authoritative, non-authoritative"},
		{ok + "    country: UK\n", "f:4:14: country \"UK\" is not an ISO 3166-1 code\n    the code is GB"},
		{ok + "    country: us\n", "f:4:14: country \"us\" is not in capitals\n    write \"US\""},
		{ok + "    country: XQ\n", `f:4:14: country "XQ" is not known`},
		{ok + "    language: englisch\n", `f:4:15: language "englisch" is not known`},
		{ok + "    every: 30s\n", "f:4:12: warning: every 30s is too often for a publisher"},
		{ok + "    every: often\n", `f:4:12: every: "often" is not a duration such as 15m, 12h, 90d or 2w`},
		{ok + "    every: 90d\n", "f:4:12: every 90d is too seldom"},
		{ok + "    disabled:\n", "f:4:14: disabled needs a reason"},
		{ok + "    disabled: true\n", "f:4:15: disabled needs a reason"},
		{ok + "    identity: url\n", `f:4:15: identity "url" is not known`},
		{ok + "    charset: klingon\n", `f:4:14: charset "klingon" is not known`},
		{ok + "    date_layout: dd.mm.yyyy\n", `f:4:18: date_layout "dd.mm.yyyy" gives no year, month and day`},
		{ok + "    tags: [Cyber Crime]\n", `f:4:12: tag "Cyber Crime" is not a slug`},
		{ok + "    user_agent: \"a\\nb\"\n", "f:4:17: user_agent cannot be sent"},
		{ok + "    headers: {Host: {env: X}}\n", `f:4:15: header "Host" is set by the fetcher`},
		{ok + "    headers: {Authorization: secret}\n", `f:4:30: header "Authorization" holds its value`},
		{ok + "    headers: {Authorization: {env: A, file: B}}\n", `f:4:30: header "Authorization" has both env and file`},
		{ok + "    headers: {\"A b\": {env: A}}\n", `f:4:15: header "A b" is not a name`},
		{ok + "    titel: x\n", "f:4:5: unknown key \"titel\"\n    did you mean \"title\"?"},
		{"feeds:\n  - {id: a, url: ftp://a.example/}\n", `f:2:18: url "ftp://a.example/" is not an absolute http(s) address`},
		{"feeds:\n  - {id: a, url: \"https://u:p@a.example/\"}\n", "f:2:18: the url holds a user or a password"},
		{"feeds:\n  - {id: a, url: \"rsshub:gov\"}\n", `f:2:18: url "rsshub:gov" is not a route of RSSHub`},
		{"feeds: []\n", "f:1:1: no feeds"},
		{"defaults: {every: 5s}\n" + ok, "f:1:19: warning: every 5s is too often for a publisher"},
	} {
		feeds, l := LoadCatalogue("f", []byte(c.in))
		if len(l) != 1 || !strings.HasPrefix(l[0].String(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.in, l, c.want)
		}
		if usable := len(l.Errors()) == 0; usable != (len(feeds) > 0) {
			t.Errorf("%s: %d feeds, problems %v", c.in, len(feeds), l)
		}
	}
	// All at once, in reading order.
	_, l := LoadCatalogue("f", []byte("feeds:\n  - {id: a, url: x, kind: y, colour: red}\n  - {id: a, country: QQ}\n"))
	if len(l) != 6 {
		t.Errorf("%d problems, want 6:\n%v", len(l), l)
	}
}

func TestMergeAndResolve(t *testing.T) {
	t.Parallel()
	got := Merge([]Feed{{ID: "a", Title: "1"}, {ID: "b"}}, []Feed{{ID: "c"}, {ID: "a", Title: "2"}})
	if diff := cmp.Diff([]Feed{{ID: "a", Title: "2"}, {ID: "b"}, {ID: "c"}}, got); diff != "" {
		t.Errorf("Merge (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		f       Feed
		base    string
		url     string
		watched bool
	}{
		{Feed{URL: "https://a.example/"}, "", "https://a.example/", true},
		{Feed{URL: "rsshub:/x/y"}, "http://hub:1200/", "http://hub:1200/x/y", true},
		{Feed{URL: "rsshub:/x/y"}, "", "rsshub:/x/y", false},
		{Feed{URL: "https://a.example/", Disabled: "gone"}, "", "https://a.example/", false},
	} {
		f, watched, why := Resolve(c.f, c.base)
		if f.URL != c.url || watched != c.watched || watched == (why != "") {
			t.Errorf("Resolve(%+v, %q) = %q, %v, %q", c.f, c.base, f.URL, watched, why)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"15m": 15 * time.Minute, "90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1w2d3h": 9*24*time.Hour + 3*time.Hour,
		"1.5d": 36 * time.Hour, "0": 0, "-1d": -24 * time.Hour, "100ms": 100 * time.Millisecond, " 1h30m ": 90 * time.Minute,
	} {
		got, err := ParseDuration(in)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
		if back, err := ParseDuration(FormatDuration(want)); err != nil || back != want {
			t.Errorf("FormatDuration(%v) = %q", want, FormatDuration(want))
		}
	}
	for _, in := range []string{"", "d", "1", "1x", "1d1", "--1d", "1e9w", "99999999999w", "1..5d", "d1", "1 d"} {
		if d, err := ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", in, d)
		}
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"US Department of Justice": "us-department-of-justice", "Ministère de l'Intérieur": "ministere-de-linterieur",
		"  A--B  ": "a-b", "外交部": "", "Größe": "grosse", strings.Repeat("abcdefghi ", 10): "abcdefghi-abcdefghi-abcdefghi-abcdefghi-abcdefghi-abcdefghi",
	} {
		if got := Slug(in); got != want {
			t.Errorf("Slug(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOPML(t *testing.T) {
	t.Parallel()
	const in = `<?xml version="1.0" encoding="UTF-8"?><opml version="1.1"><head><title>x</title></head><body>
<outline text="Think Tanks"><outline text="Café News &amp; more" type="rss" xmlUrl="https://a.example/feed" htmlUrl="https://a.example/"/>
<outline title="Café News &amp; more" xmlUrl="https://b.example/feed"/></outline>
<outline text="外交部" xmlURL="feed:https://www.mfa.example/rss" language="zh-cn" category="/Asia/East Asia,cyber"/>
<outline text="again" xmlUrl="https://a.example/feed#x"/><outline text="a page" htmlUrl="https://c.example/"/>
<outline text="bad&#27;" xmlUrl="javascript:x"/><outline text="secret" xmlUrl="https://u:pw@d.example/f"/></body></opml>`
	feeds, left, err := ReadOPML(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	base := Feed{Kind: "media", Tier: "non-authoritative", Every: DefaultEvery, Identity: "auto"}
	one, two, three := base, base, base
	one.ID, one.Title, one.URL, one.Tags = "cafe-news-more", "Café News & more", "https://a.example/feed", []string{"think-tanks"}
	two.ID, two.Title, two.URL, two.Tags = "cafe-news-more-2", "Café News & more", "https://b.example/feed", []string{"think-tanks"}
	three.ID, three.Title, three.URL, three.Language = "mfa-example", "外交部", "https://www.mfa.example/rss", "zh-CN"
	three.Tags = []string{"asia", "east-asia", "cyber"}
	if diff := cmp.Diff([]Feed{one, two, three}, feeds); diff != "" {
		t.Errorf("ReadOPML mismatch (-want +got):\n%s", diff)
	}
	if want := []string{`"again": has the address of "Café News & more"`, `"bad": url "javascript:x" is not an absolute http(s) address`,
		`"secret": the url holds a user or a password`}; !slices.Equal(left, want) {
		t.Errorf("left out %q, want %q", left, want)
	}
	var b bytes.Buffer
	if err := WriteOPML(&b, "Ours <&>", append(feeds, Feed{ID: "off", Disabled: "x", URL: "https://off.example/"})); err != nil {
		t.Fatal(err)
	}
	again, left, err := ReadOPML(&b)
	if diff := cmp.Diff(feeds, again); err != nil || len(left) > 0 || diff != "" {
		t.Errorf("written and read again: %v, left %q (-want +got):\n%s", err, left, diff)
	}
	for address, want := range map[string]string{"feed://a.example/x": "http://a.example/x", "FEED:https://a.example/x": "https://a.example/x", "feed:": "", " https://a.example/ ": "https://a.example/"} {
		if got := webAddress(address); got != want {
			t.Errorf("webAddress(%q) = %q, want %q", address, got, want)
		}
	}
	b.Reset()
	if err := WriteCatalogue(&b, feeds); err != nil {
		t.Fatal(err)
	}
	if back, l := LoadCatalogue("import.yaml", b.Bytes()); len(l) > 0 || len(back) != 3 {
		t.Errorf("imported: %v\n%s", l, b.String())
	}
	if _, _, err := ReadOPML(strings.NewReader("<html></html>")); err == nil {
		t.Error("a page is no OPML")
	}
}

func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, b []byte) {
		feeds, l := LoadCatalogue("f", b)
		if len(l.Errors()) > 0 {
			return
		}
		var out bytes.Buffer
		if err := WriteCatalogue(&out, feeds); err != nil {
			t.Fatal(err)
		}
		if _, l := LoadCatalogue("printed", out.Bytes()); len(l.Errors()) > 0 {
			t.Errorf("what we print has problems:\n%v\n%s", l, out.String())
		}
	})
}

func FuzzReadOPML(f *testing.F) {
	f.Add([]byte(`<opml><body><outline text="a" xmlUrl="https://a.example/"/></body></opml>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		feeds, _, err := ReadOPML(bytes.NewReader(b))
		if err != nil || len(feeds) == 0 {
			return
		}
		var out bytes.Buffer
		if err := WriteCatalogue(&out, feeds); err != nil {
			t.Fatal(err)
		}
		if _, l := LoadCatalogue("imported", out.Bytes()); len(l.Errors()) > 0 {
			t.Errorf("what we import has problems:\n%v\n%s", l, out.String())
		}
	})
}
