package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// hostile is what a feed may write; none of it may become more than text.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`'><svg/onload=alert(1)>`,
	`</h3></article><iframe src="https://evil.example"></iframe>`,
	`{{.Title}}<style>body{display:none}</style>`,
	`</title><base href="https://evil.example/">`,
	`<a href="javascript:alert(1)">x</a>`,
	"\u202Egnitirw thgir\u2066",
	`<!--`,
	`]]><meta http-equiv="refresh" content="0;url=https://evil.example">`,
}

// nodes calls fn for each element of a page.
func nodes(t *testing.T, page string, fn func(*html.Node)) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			fn(n)
		}
	}
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	for _, bad := range hostile {
		st := made{title: bad, summary: bad + " " + bad, language: `en" onfocus="alert(1)`, link: "javascript:alert(1)//" + bad,
			voice: &rule.Voice{ID: "v", Title: bad}, states: []string{"CN"}}.stored()
		d := &st.Event.Data
		d.Source.Title = bad
		d.Item.Authors = []string{bad}
		d.Story.Also = []alert.Carrier{{Feed: "x", Title: bad, Link: "data:text/html," + bad}}
		ev := rule.Evidence{Field: "title", Text: bad, Before: bad, After: bad, Start: 0, End: len(bad), List: bad}
		d.Rules = []rule.Match{{ID: "r", Title: bad, Snippet: bad, Severity: rule.High, Evidence: []rule.Evidence{ev}}}
		s := serve(t, Config{Alerts: newMemory(st), Feeds: func() []FeedStatus {
			return []FeedStatus{{ID: "us-treasury", Title: bad, URL: "javascript:alert(1)", NewURL: "javascript:alert(2)", State: "failing", Text: bad},
				{ID: "b", Title: bad, State: "disabled", Disabled: bad}}
		}, Desk: &board{mutes: []Muted{{Mute: alert.Mute{ID: "m", Scope: alert.Scope{Story: d.ID}, By: bad, Reason: bad, Until: noon.Add(time.Hour)}}}},
			Acks: func(string) (alert.Ack, bool) {
				return alert.Ack{By: bad, Verdict: alert.VerdictSeen, Note: bad}, true
			},
			Ask: func(context.Context, Question) (Answer, error) {
				return Answer{Matched: 1, Price: bad, Days: []Day{{bad, 1}}, Found: []Found{{Snippet: bad, Evidence: []rule.Evidence{ev}, Raised: []RaisedAs{{ID: d.ID, Channel: bad, Folded: bad}},
					Item: feed.Item{Feed: "us-treasury", Key: d.Item.Key, Title: bad, Summary: bad, Link: "javascript:alert(3)", Language: bad, Source: feed.Source{Title: bad, Tier: bad, Country: bad}}}}}, nil
			},
			Why: func(context.Context, string) (Reason, error) {
				return Reason{Text: bad, Items: []ReasonItem{{Feed: bad, Title: bad, Link: "data:text/html,x", Text: bad, Sent: []string{bad}, Raised: []RaisedAs{{ID: d.ID, Channel: bad}}, Nearest: []NearestRule{{bad, bad, bad}}}}}, nil
			}})
		for _, path := range []string{"/", "/alerts/" + d.ID, "/sources", "/timeline", "/rules", "/ask?q=x&rule=yes", "/ask?why=x", "/ask?q=" + url.QueryEscape(bad), "/ask?why=" + url.QueryEscape(bad),
			"/desk/mute?alert=" + d.ID, "/desk/ack?alert=" + d.ID, "/desk/test?alert=" + d.ID, "/?channel=" + "%3Cscript%3Ealert(1)%3C/script%3E"} {
			res := get(t, s, path)
			page := body(t, res)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("GET %s: %d %s", path, res.StatusCode, page)
			}
			heading := false
			nodes(t, page, func(n *html.Node) {
				switch n.Data {
				case "svg":
					if drawn := strings.HasPrefix(path, "/timeline") || strings.HasPrefix(path, "/ask"); !drawn || attr(n, "viewbox")+attr(n, "viewBox") == "" {
						t.Errorf("%s: %q became <svg>", path, bad)
					}
				case "iframe", "style", "base", "object", "embed":
					t.Errorf("%s: %q became <%s>", path, bad, n.Data)
				case "script":
					if attr(n, "src") == "" || n.FirstChild != nil {
						t.Errorf("%s: %q became a script", path, bad)
					}
				case "meta":
					if attr(n, "http-equiv") != "" {
						t.Errorf("%s: %q became a <meta>", path, bad)
					}
				case "h1", "h3":
					heading = heading || strings.Contains(text(n), bad)
				}
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") {
						t.Errorf("%s: %q became %s=%q", path, bad, a.Key, a.Val)
					}
					if a.Key == "href" || a.Key == "src" || a.Key == "action" {
						if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
							t.Errorf("%s: link to %q", path, a.Val)
						}
					}
					if a.Key == "lang" && a.Val != "en" {
						t.Errorf("%s: lang=%q", path, a.Val)
					}
				}
			})
			if (path == "/" || strings.HasPrefix(path, "/alerts/")) && !heading {
				t.Errorf("%s: %q is not shown as it is", path, bad)
			}
		}
	}
}

func TestPageShowsWhy(t *testing.T) {
	t.Parallel()
	const headline, summary = "Treasury sanctions two hackers", "Assets of both are frozen, the Treasury said."
	st := made{title: headline, summary: summary, language: "en", states: []string{"CN"}, voice: &rule.Voice{ID: "t", Title: "Treasury", Tier: "authoritative"},
		rules: []rule.Match{{ID: "sanctions-designation", Title: "Persons are designated", Version: "abc", Severity: rule.High,
			Evidence: []rule.Evidence{mark("title", headline, "sanctions"), mark("summary", summary, "frozen")}}}}.stored()
	s := serve(t, Config{Alerts: newMemory(st, made{title: "repeats", fold: alert.FoldStory}.stored(),
		made{title: "yesterday's", at: noon.Add(-20 * time.Hour)}.stored())})
	page := body(t, get(t, s, "/"))
	var marks, days []string
	nodes(t, page, func(n *html.Node) {
		switch {
		case n.Data == "mark":
			marks = append(marks, text(n))
		case n.Data == "h2" && strings.HasPrefix(attr(n, "id"), "d2"):
			days = append(days, text(n))
		case n.Data == "a" && attr(n, "class") == "out" && text(n) == headline:
			if attr(n, "href") != "https://ministry.example/1" || attr(n, "rel") != "noopener noreferrer" || attr(n, "target") != "_blank" {
				t.Errorf("the title's link is %v", n.Attr)
			}
		}
	})
	if got := strings.Join(marks, "|"); got != "sanctions|frozen|sanctions|frozen" { // title, passage, concordance
		t.Errorf("marked: %s", got)
	}
	if got := strings.Join(days, "|"); got != "Yesterday, Saturday 21 November|Today, Sunday 22 November" {
		t.Errorf("days: %s", got)
	}
	for _, want := range []string{"Persons are designated", "sanctions-designation@abc", "Sun 22 Nov 2026 11:00:00 UTC", "60 min ago",
		"Source us-treasury", "authoritative", ">Treasury<", "China"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "repeats a story") {
		t.Error("a folded alert is shown without being asked for")
	}
	if page := body(t, get(t, s, "/?folded=true")); !strings.Contains(page, "repeats a story") {
		t.Error("folded=true does not show the folded alert")
	}
	if page := body(t, get(t, s, "/?limit=1&channel=sanctions")); !strings.Contains(page, "/?before=") || !strings.Contains(page, "channel=sanctions") {
		t.Error("no link to older alerts that keeps the filter")
	}
	if page := body(t, get(t, s, "/?channel=nothing")); !strings.Contains(page, "No alert matches these filters") {
		t.Error("an empty result does not say so")
	}
}

func TestEmptyPageSaysWhatIsWatched(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{
		Feeds: func() []FeedStatus {
			return []FeedStatus{{ID: "a", State: "ok"}, {ID: "b", State: "disabled"}, {ID: "c", State: "gone"}}
		},
		Rules: func() []RuleInfo {
			return []RuleInfo{{ID: "r", Channel: "norms"}, {ID: "s", Channel: "norms", Disabled: "too wide"}}
		},
	})
	page := body(t, get(t, s, "/"))
	for _, want := range []string{"Watching 2 feeds with 1 rule in 1 channel", "monitor demo", "1 needs attention"} {
		if !strings.Contains(strings.Join(strings.Fields(page), " "), want) {
			t.Errorf("the empty page lacks %q", want)
		}
	}
}

func TestSourcesPage(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Feeds: func() []FeedStatus {
		return []FeedStatus{
			{ID: "fine", Title: "Fine", State: "ok", URL: "https://fine.example/feed", LastSuccess: noon.Add(-5 * time.Minute), NextDue: noon.Add(10 * time.Minute), IntervalSeconds: 900},
			{ID: "broken", Title: "Broken", State: "failing", Text: "It answers with a web page.", Failures: 3, Since: noon.Add(-2 * time.Hour)},
			{ID: "off", Title: "Off", State: "disabled", Disabled: "no feed since 2024"},
		}
	}})
	page := body(t, get(t, s, "/sources"))
	for _, want := range []string{"2 feeds watched", "5 min ago", "in 10 min", "every 15 min", "It answers with a web page.", "3 in a row", "Not watched", "no feed since 2024"} {
		if !strings.Contains(page, want) {
			t.Errorf("the sources page lacks %q", want)
		}
	}
	if strings.Index(page, "Broken") > strings.Index(page, ">Fine<") {
		t.Error("what works stands before what needs attention")
	}
}

// TestSourcesOfAHugeCatalogue: the page stays small, counts all and says where
// the rest is; what needs attention is there.
func TestSourcesOfAHugeCatalogue(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Feeds: func() []FeedStatus {
		feeds := []FeedStatus{{ID: "broken", Title: "Broken", State: "failing", Text: "It answers with a web page.", Why: "failed 3 times", Notes: []string{"a note of ours"}}}
		for i := range 3 * maxSources {
			feeds = append(feeds, FeedStatus{ID: fmt.Sprintf("f%d", i), Title: fmt.Sprintf("Feed %d", i), State: "ok"})
		}
		return feeds
	}})
	page := body(t, get(t, s, "/sources"))
	for _, want := range []string{"3,001 feeds watched", "Broken", "failed 3 times", "a note of ours", "The first 1000 are listed here"} {
		if !strings.Contains(page, want) {
			t.Errorf("the sources page lacks %q", want)
		}
	}
	if n := strings.Count(page, "<tr id="); n != maxSources+1 {
		t.Errorf("%d rows, want %d", n, maxSources+1)
	}
}

func TestHealthSaysWhy(t *testing.T) {
	t.Parallel()
	var why error
	s := serve(t, Config{Ready: func(context.Context) error { return why }, Status: func() Status { return Status{Version: "v1"} }})
	if res := get(t, s, "/readyz"); res.StatusCode != http.StatusOK {
		t.Errorf("ready: %d %s", res.StatusCode, body(t, res))
	}
	why = errors.New("stream ITEMS: no quorum")
	if res := get(t, s, "/readyz"); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body(t, res), "stream ITEMS: no quorum") {
		t.Errorf("not ready: %d", res.StatusCode)
	}
	if res := get(t, s, "/livez"); res.StatusCode != http.StatusOK {
		t.Errorf("livez while not ready: %d", res.StatusCode)
	}
	if text := body(t, get(t, s, "/api/v1/status")); !strings.Contains(text, `"ready":"stream ITEMS: no quorum"`) || strings.Contains(text, "null") {
		t.Errorf("status: %s", text)
	}
	for path, want := range map[string]string{"/api/v1/feeds": `{"feeds":[]}`, "/api/v1/rules": `{"rules":[]}`} {
		if got := strings.TrimSpace(body(t, get(t, s, path))); got != want {
			t.Errorf("GET %s: %s, want %s", path, got, want)
		}
	}
	res := get(t, s, "/nowhere", "Accept", "text/html")
	if page := body(t, res); res.StatusCode != http.StatusNotFound || !strings.Contains(page, "<h1>Not Found</h1>") {
		t.Errorf("a browser gets %d %s", res.StatusCode, page)
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "now", 44 * time.Second: "now", time.Minute: "1 min ago", 89 * time.Minute: "89 min ago",
		2 * time.Hour: "2 h ago", 35 * time.Hour: "35 h ago", 36 * time.Hour: "2 d ago", 30 * 24 * time.Hour: "30 d ago",
		400 * 24 * time.Hour: "18 Oct 2025", -10 * time.Minute: "in 10 min"} {
		if got := relative(noon.Add(-d), noon); got != want {
			t.Errorf("relative(%v ago) = %q, want %q", d, got, want)
		}
	}
}
