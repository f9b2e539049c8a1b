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

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
	"newsmonitor/pipeline/rule"
)

// oracle answers every question from one item.
func oracle(_ context.Context, q Question) (Answer, error) {
	if strings.Contains(q.Query, "((") {
		return Answer{Problems: problem.List{{File: "query", Line: 1, Column: 3, Severity: problem.Error, Message: "a parenthesis is not closed", Hint: "add )"}}}, nil
	}
	const title = "Treasury =sanctions two hackers"
	return Answer{Matched: 1, Read: 40, Complete: true, Price: "0.1 steps an item", Days: []Day{{"2026-11-21", 0}, {"2026-11-22", 1}},
		Found: []Found{{Item: feed.Item{Feed: "us-treasury", Key: strings.Repeat("a", 32), Title: title, Summary: "Two persons are listed.", Link: "https://t.example/1", Fetched: noon,
			Language: "en", Source: feed.Source{ID: "us-treasury", Title: "Treasury", Kind: "treasury", Tier: "authoritative", Country: "US"}},
			Evidence: []rule.Evidence{mark("title", title, "sanctions")}, Raised: []RaisedAs{{ID: strings.Repeat("b", 32), Channel: "sanctions", Severity: rule.High}}}}}, nil
}

func TestAskPage(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Ask: oracle, Alerts: newMemory(made{title: "Ministers open a bridge"}.stored()),
		Query: func(q string) (func(alert.Event) bool, error) {
			return func(e alert.Event) bool { return strings.Contains(e.Data.Item.Title, q) }, nil
		}})
	page := get(t, s, "/ask?q=sanctions").text
	for _, want := range []string{"1 item of 40 read", "<mark>sanctions</mark>", "0.1 steps an item", "must find", `/alerts/` + strings.Repeat("b", 32), "most 1"} {
		if !strings.Contains(page, want) {
			t.Errorf("the answer lacks %q", want)
		}
	}
	res := get(t, s, "/ask?q=a((b")
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.text, `a(<mark class="bad">(</mark>b`) || !strings.Contains(res.text, "add )") {
		t.Errorf("an error in a query: %d %s", res.StatusCode, res.text)
	}
	page = get(t, s, "/ask?q=sanctions&rule=yes").text
	for _, want := range []string{"channel: asked", "- id: asked-sanctions", "{fires: true, title: &#34;Treasury =sanctions two hackers&#34;", "{fires: false, title: &#34;Ministers open a bridge&#34;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the rule lacks %q", want)
		}
	}
	page = get(t, s, "/ask?q=sanctions&rule=yes&miss=us-treasury/"+strings.Repeat("a", 32)).text
	if !strings.Contains(page, "still finds 1 item that you do not want") {
		t.Error("an item that is not wanted and found is not said")
	}
	if res := get(t, s, "/api/v1/ask?q=a((b"); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.text, `"column":3`) {
		t.Errorf("API: %d %s", res.StatusCode, res.text)
	}
	if csv := get(t, s, "/api/v1/ask.csv?q=sanctions").text; !strings.Contains(csv, "Treasury =sanctions two hackers") || !strings.Contains(csv, "sanctions high") {
		t.Errorf("CSV: %s", csv)
	}
	for target, want := range map[string]int{"/api/v1/ask": 400, "/api/v1/ask?q=x&since=900d": 400, "/api/v1/ask?q=x&limit=0": 400, "/api/v1/ask?q=" + strings.Repeat("x", 5000): 400, "/api/v1/why?q=x": 404} {
		if res := get(t, s, target); res.StatusCode != want {
			t.Errorf("GET %.40s: %d, want %d", target, res.StatusCode, want)
		}
	}
}

// One question at a time: the second of the same client is told to wait.
func TestOneQuestionAtATime(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	s := serve(t, Config{Ask: func(ctx context.Context, _ Question) (Answer, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			return Answer{}, errors.New("a question without an end")
		}
		close(asked)
		<-release
		return Answer{}, nil
	}})
	first := make(chan reply)
	go func() { first <- get(t, s, "/api/v1/ask?q=x") }()
	<-asked
	if res := get(t, s, "/api/v1/ask?q=y"); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a second question: %d", res.StatusCode)
	}
	close(release)
	if res := <-first; res.StatusCode != http.StatusOK {
		t.Errorf("the first question: %d %s", res.StatusCode, res.text)
	}
}

func TestWhyPage(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Why: func(_ context.Context, q string) (Reason, error) {
		return Reason{Query: q, Verdict: "no-match", Text: "It was read, and no rule matched.", Items: []ReasonItem{{Feed: "f", Title: "<b>x</b>", Link: "javascript:alert(1)",
			Fetched: noon, Text: "Read at noon.", Nearest: []NearestRule{{Channel: "sanctions", Rule: "r", Failed: "@states is not there"}}}}}, nil
	}})
	page := get(t, s, "/ask?why="+url.QueryEscape("https://x.example/<script>")).text
	for _, want := range []string{"It was read, and no rule matched.", "Read at noon.", "@states is not there", "&lt;b&gt;x"} {
		if !strings.Contains(page, want) {
			t.Errorf("the reason lacks %q", want)
		}
	}
	if strings.Contains(page, "javascript:") || strings.Contains(page, "<script>") {
		t.Error("what was pasted became markup")
	}
	if res := get(t, s, "/api/v1/why?q=x"); res.StatusCode != http.StatusOK || strings.Contains(res.text, "null") {
		t.Errorf("API: %d %s", res.StatusCode, res.text)
	}
}

func TestRulesPage(t *testing.T) {
	t.Parallel()
	st := made{rules: []rule.Match{{ID: "r", Title: "R", Severity: rule.High}}}.stored()
	s := serve(t, Config{Alerts: newMemory(st), Rules: func() []RuleInfo {
		return []RuleInfo{{ID: "r", Title: "Persons are listed", Channel: "sanctions", Severity: "low", Match: "sanction* <x>", Unless: "sport", Budget: 1, OverBudget: true, Cost: 0.5, Anchor: "sanction*",
			Tests: []rule.Case{{Fires: true, Title: "it fires"}, {Title: "it does not"}}, References: []string{"javascript:alert(1)"}},
			{ID: "off", Channel: "sanctions", Disabled: "too wide"}}
	}})
	page := get(t, s, "/rules").text
	for _, want := range []string{"sanction* &lt;x&gt;", "sport", "it fires", "it does not", "<b>1</b> in 30 days", "Over budget today", "budget 1", "too wide", "sanction*"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, `href="javascript:`) {
		t.Error("a reference became a script")
	}
	if l := getList(t, s, "/api/v1/alerts?rule=r"); len(l.Alerts) != 1 {
		t.Errorf("rule=r gives %d alerts", len(l.Alerts))
	}
	if l := getList(t, s, "/api/v1/alerts?rule=off"); len(l.Alerts) != 0 {
		t.Errorf("rule=off gives %d alerts", len(l.Alerts))
	}
	for _, target := range []string{"/api/v1/rules.csv", "/api/v1/feeds.csv"} {
		if res := get(t, s, target); res.StatusCode != http.StatusOK || !strings.HasPrefix(res.text, "\uFEFF") {
			t.Errorf("GET %s: %d", target, res.StatusCode)
		}
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	log := newMemory()
	for i, c := range []string{"indictment", "dialogue-suspension", "incident", "attribution", "sanctions", "dialogue-resumption"} {
		log.append(made{channel: c, title: "step " + c, at: noon.AddDate(0, 0, -40+i*7), states: []string{"CN", "US"}}.stored())
	}
	log.append(made{channel: "norms", title: "elsewhere", states: []string{"RU"}}.stored())
	log.append(made{channel: "norms", title: "retold", fold: alert.FoldStory, states: []string{"US", "CN"}}.stored())
	s := serve(t, Config{Alerts: log})
	page := get(t, s, "/timeline?state=US&state=CN").text
	at := -1
	for _, c := range []string{"indictment", "dialogue-suspension", "incident", "attribution", "sanctions", "dialogue-resumption"} {
		i := strings.Index(page, `data-channel="`+c+`"`)
		if i <= at {
			t.Errorf("lane %s stands at %d, the one before at %d", c, i, at)
		}
		at = i
		if !strings.Contains(page, "step "+c) {
			t.Errorf("the table lacks %s", c)
		}
	}
	if strings.Contains(page, `data-channel="norms"`) || strings.Contains(page, "retold") {
		t.Error("what the filter leaves out is drawn")
	}
	if page := get(t, s, "/timeline?state=AQ").text; !strings.Contains(page, "Nothing to draw") {
		t.Error("an empty timeline does not say so")
	}
	if page := get(t, s, "/timeline").text; !strings.Contains(page, "most 1 on 22 Nov") {
		t.Error("no alerts a day")
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	t.Parallel()
	for _, span := range []time.Duration{3 * time.Second, time.Minute, 50 * time.Minute, 11 * time.Hour, 3 * 24 * time.Hour, 40 * 24 * time.Hour, 400 * 24 * time.Hour, 12 * 365 * 24 * time.Hour, 90 * 365 * 24 * time.Hour} {
		ticks := ticksBetween(noon.Add(-span), noon)
		if len(ticks) < 1 || len(ticks) > 10 {
			t.Errorf("%v: %d ticks", span, len(ticks))
		}
		seen := map[string]bool{}
		for _, x := range ticks {
			if seen[x.label] || x.at.Before(noon.Add(-span)) || !x.at.Before(noon) {
				t.Errorf("%v: tick %s at %v", span, x.label, x.at)
			}
			seen[x.label] = true
		}
	}
}

// One row an item; a story's other carriers are counted, not repeated.
func TestRowsAndStories(t *testing.T) {
	t.Parallel()
	first := made{title: "EEAS is first", item: "one", channel: "sanctions", feed: "eu-eeas", at: noon.Add(-3 * time.Hour)}.stored()
	story := first.Event.Data.Story
	second := made{title: "The ministry follows", item: "two", channel: "sanctions", feed: "us-treasury", severity: rule.Critical, at: noon.Add(-2 * time.Hour)}.stored()
	second.Event.Data.Story, second.Event.Data.Channels = alert.Story{ID: story.ID, Lead: true}, []string{"sanctions", "attribution"}
	other := made{title: "The ministry follows", item: "two", channel: "attribution", feed: "us-treasury", severity: rule.Low, at: noon.Add(-2 * time.Hour)}.stored()
	other.Event.Data.Channels = []string{"sanctions", "attribution"}
	third := made{title: "A wire repeats it", item: "three", channel: "sanctions", feed: "gb-wire", fold: alert.FoldStory}.stored()
	third.Event.Data.Story = alert.Story{ID: story.ID}
	s := serve(t, Config{Alerts: newMemory(first, second, other, third), Feeds: func() []FeedStatus {
		return []FeedStatus{{ID: "eu-eeas", Title: "EEAS"}, {ID: "gb-wire", Title: "The Wire"}}
	}})
	page := get(t, s, "/").text
	if n := strings.Count(page, "<article class=\"alert"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	i, j := strings.Index(page, `href="/?channel=sanctions" title="critical in sanctions"`), strings.Index(page, `href="/?channel=attribution" title="low in attribution"`)
	if i < 0 || j < i {
		t.Errorf("chips at %d and %d: the strongest stands first", i, j)
	}
	for _, want := range []string{"also: 2 sources, first <bdi>EEAS</bdi> 09:00", "The Wire", "also: 2 sources</summary>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := get(t, s, "/alerts/"+second.Event.Data.ID).text; !strings.Contains(page, "A wire repeats it") || !strings.Contains(page, "EEAS is first") {
		t.Error("the alert's page does not name the carriers' titles")
	}
}

func TestBeforeThis(t *testing.T) {
	t.Parallel()
	const headline = "Treasury sanctions officers of Unit 61398"
	evidence := func(title string) []rule.Match {
		e := mark("title", title, "Unit 61398")
		e.List = "units"
		return []rule.Match{{ID: "r", Evidence: []rule.Evidence{e}}}
	}
	charged := made{title: "Officers of Unit 61398 charged", channel: "indictment", states: []string{"CN", "US"}, rules: evidence("Officers of Unit 61398 charged"), at: noon.Add(-48 * time.Hour)}.stored()
	elsewhere := made{title: "Unit 61398 in a study", channel: "indictment", states: []string{"CN"}, rules: evidence("Unit 61398 in a study"), at: noon.Add(-47 * time.Hour)}.stored()
	same := made{title: "Unit 61398 again", channel: "sanctions", states: []string{"CN", "US"}, rules: evidence("Unit 61398 again"), at: noon.Add(-46 * time.Hour)}.stored()
	unrelated := made{title: "Others charged", channel: "indictment", states: []string{"CN", "US"}, at: noon.Add(-45 * time.Hour)}.stored()
	st := made{title: headline, channel: "sanctions", states: []string{"CN", "US"}, rules: evidence(headline)}.stored()
	s := serve(t, Config{Alerts: newMemory(charged, elsewhere, same, unrelated, st)})
	page := get(t, s, "/alerts/"+st.Event.Data.ID).text
	_, before, ok := strings.Cut(page, "Before this")
	if !ok || !strings.Contains(before, "Officers of Unit 61398 charged") || !strings.Contains(before, "unit 61398") {
		t.Errorf("before this: %v", ok)
	}
	for _, no := range []string{"in a study", "Unit 61398 again", "Others charged"} {
		if strings.Contains(before, no) {
			t.Errorf("before this names %q", no)
		}
	}
}

func TestFacetsCountWhatWouldBeLeft(t *testing.T) {
	t.Parallel()
	log := newMemory()
	for i := range 12 {
		log.append(made{item: fmt.Sprint(i), channel: []string{"a", "b"}[i%2], country: []string{"US", "CN", "GB"}[i%3], states: [][]string{{"CN", "US"}, {"US"}}[i%2], severity: rule.Severities[i%4]}.stored())
	}
	s := serve(t, Config{Alerts: log})
	count := func(f *filter, name, value string) int {
		for _, fc := range s.index.facets(f)[name] {
			if fc.Value == value {
				return fc.Count
			}
		}
		return 0
	}
	for _, tc := range []struct {
		f           *filter
		name, value string
		want        int
	}{
		{&filter{}, "channel", "a", 6},
		{&filter{channels: []string{"a"}}, "channel", "b", 6}, // another choice of the same menu
		{&filter{channels: []string{"a"}}, "country", "US", 2},
		{&filter{channels: []string{"a"}, countries: []string{"US"}}, "channel", "b", 2},
		{&filter{states: []string{"CN"}}, "state", "US", 6},
		{&filter{states: []string{"CN"}}, "channel", "b", 0},
		{&filter{severities: []string{"low"}}, "severity", "high", 3},
	} {
		if got := count(tc.f, tc.name, tc.value); got != tc.want {
			t.Errorf("%+v: %s %s counts %d, want %d", *tc.f, tc.name, tc.value, got, tc.want)
		}
		// The promise: what a menu counts is what the list then has.
		g := *tc.f
		switch tc.name {
		case "channel":
			g.channels = []string{tc.value}
		case "country":
			g.countries = []string{tc.value}
		case "state":
			g.states = append([]string{tc.value}, g.states...)
		case "severity":
			g.severities = []string{tc.value}
		}
		if hits, _ := s.index.list(&g, cursor{snapshot: 1 << 60}, 100); len(hits) != tc.want {
			t.Errorf("%+v: the list has %d, the menu says %d", g, len(hits), tc.want)
		}
	}
}
