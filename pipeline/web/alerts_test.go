package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

func TestListFilters(t *testing.T) {
	t.Parallel()
	canary := made{title: "self-test", channel: "canary", feed: "canary"}.stored()
	canary.Subject = strings.Replace(canary.Subject, "news.alerts.", "news.canary.", 1)
	s := serve(t, Config{Alerts: newMemory(
		made{title: "a", at: noon.Add(-72 * time.Hour), states: []string{"CN", "US"}}.stored(),
		made{title: "b", channel: "indictment", feed: "us-doj", severity: rule.Critical, states: []string{"CN"}, at: noon.Add(-5 * time.Hour)}.stored(),
		made{title: "c", feed: "cn-mfa", country: "CN", language: "zh-Hans", states: []string{"US"}, severity: rule.Low}.stored(),
		canary,
		made{title: "d", feed: "think", country: "GB", tier: "non-authoritative", severity: rule.Medium,
			voice: &rule.Voice{ID: "mfa", Title: "MFA", Tier: "authoritative"}}.stored(),
		made{title: "e", feed: "think", country: "GB", tier: "non-authoritative", fold: alert.FoldStory, states: []string{"CN"}}.stored(),
	)})
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"", []string{"d", "c", "b", "a"}},
		{"folded=false", []string{"d", "c", "b", "a"}},
		{"folded=true", []string{"e", "d", "c", "b", "a"}},
		{"folded=only", []string{"e"}},
		{"channel=indictment", []string{"b"}},
		{"channel=indictment&channel=sanctions", []string{"d", "c", "b", "a"}},
		{"channel=canary&folded=true", nil},
		{"severity=low&severity=critical", []string{"c", "b"}},
		{"severity=low,critical", []string{"c", "b"}},
		{"tier=authoritative", []string{"d", "c", "b", "a"}}, // d by its voice
		{"tier=non-authoritative&folded=true", []string{"e"}},
		{"country=cn", []string{"c"}},
		{"country=CN&country=GB", []string{"d", "c"}},
		{"language=zh", []string{"c"}},
		{"language=zh-Hans", []string{"c"}},
		{"language=z", nil},
		{"feed=us-doj", []string{"b"}},
		{"feed=nobody", nil},
		{"state=CN", []string{"b", "a"}},
		{"state=CN&state=US", []string{"a"}},
		{"state=cn,us", []string{"a"}},
		{"state=FR", nil},
		{"since=2h", []string{"d", "c"}},
		{"since=1d", []string{"d", "c", "b"}},
		{"since=1w", []string{"d", "c", "b", "a"}},
		{"since=2026-11-22T07:00:00Z", []string{"d", "c", "b"}},
		{"before=2026-11-22T07:00:00Z", []string{"a"}},
		{"before=2026-11-22T09:00:00%2B02:00", []string{"a"}}, // 07:00Z
		{"since=24h&before=2h", []string{"b"}},
		{"since=2", []string{"d", "c"}},                                       // a sequence is a cursor too
		{"before=2", []string{"a"}},                                           //
		{"channel=&severity=&q=&since=&limit=", []string{"d", "c", "b", "a"}}, // an untouched form
		{"limit=1", []string{"d"}},
	} {
		t.Run(tc.query, func(t *testing.T) {
			t.Parallel()
			l := getList(t, s, "/api/v1/alerts?"+tc.query)
			if diff := cmp.Diff(append([]string{}, tc.want...), titles(l)); diff != "" {
				t.Errorf("GET ?%s mismatch (-want +got)\n%s", tc.query, diff)
			}
			if !l.Complete {
				t.Errorf("GET ?%s: not complete", tc.query)
			}
		})
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	for query, want := range map[string]string{
		"severity=huge":                     "low, medium, high or critical",
		"limit=0":                           "1 to 1000",
		"limit=1001":                        "1 to 1000",
		"limit=x":                           "1 to 1000",
		"since=yesterday":                   "duration",
		"since=-3h":                         "duration",
		"before=soon":                       "duration",
		"folded=perhaps":                    "folded",
		"chanel=sanctions":                  "unknown parameter",
		"q=sanctions":                       "q is not available yet",
		"before=1.2.3":                      "cursor",
		"since=1dw":                         "duration",
		"feed=" + strings.Repeat("a,", 201): "up to 200",
	} {
		res := get(t, s, "/api/v1/alerts?"+query)
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("GET ?%s: status %d, want 400", clip(query, 40), res.StatusCode)
		}
		if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("GET ?%s: Content-Type %q", clip(query, 40), got)
		}
		var p problemDetails
		if err := json.Unmarshal([]byte(body(t, res)), &p); err != nil {
			t.Errorf("GET ?%s: %v", clip(query, 40), err)
		}
		if p.Status != 400 || p.Title != "Bad Request" || !strings.Contains(p.Detail, want) {
			t.Errorf("GET ?%s: %+v, want %q in the detail", clip(query, 40), p, want)
		}
	}
}

// The keys are contract: somebody's script reads them.
func TestListShape(t *testing.T) {
	t.Parallel()
	st := made{title: "one"}.stored()
	s := serve(t, Config{Alerts: newMemory(st), Acks: func(id string) (alert.Ack, bool) {
		return alert.Ack{By: "lee", At: noon}, id == st.Event.Data.ID
	}})
	res := get(t, s, "/api/v1/alerts")
	var got map[string]any
	if err := json.Unmarshal([]byte(body(t, res)), &got); err != nil {
		t.Fatal(err)
	}
	first := got["alerts"].([]any)[0].(map[string]any)
	for _, key := range []string{"sequence", "state", "acknowledged", "event"} {
		if _, ok := first[key]; !ok {
			t.Errorf("an entry lacks %q: %v", key, first)
		}
	}
	if first["state"] != "raised" || got["next"] != "" || got["complete"] != true {
		t.Errorf("state, next, complete = %v, %v, %v", first["state"], got["next"], got["complete"])
	}
	if ack, _ := first["acknowledged"].(map[string]any); ack["by"] != "lee" {
		t.Errorf("acknowledged = %v", first["acknowledged"])
	}
	empty := serve(t, Config{})
	if got := strings.TrimSpace(body(t, get(t, empty, "/api/v1/alerts"))); got != `{"alerts":[],"next":"","complete":true}` {
		t.Errorf("an empty list is %s", got)
	}
}

func TestPagingIsCompleteWithoutRepeats(t *testing.T) {
	t.Parallel()
	log := newMemory()
	var want []string
	for i := range 57 {
		title := fmt.Sprintf("n%02d", i)
		log.append(made{title: title, at: noon.Add(time.Duration(i-60) * time.Minute)}.stored())
		want = append([]string{title}, want...)
	}
	s := serve(t, Config{Alerts: log})
	for _, limit := range []int{1, 7, 19, 57, 100} {
		var got []string
		next := ""
		for pages := 0; ; pages++ {
			l := getList(t, s, fmt.Sprintf("/api/v1/alerts?limit=%d&before=%s", limit, url.QueryEscape(next)))
			got = append(got, titles(l)...)
			if next = l.Next; next == "" {
				break
			}
			if pages > 60 {
				t.Fatal("paging does not end")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-want +got)\n%s", limit, diff)
		}
	}
}

// An alert that is updated while somebody pages moves to the top, where this
// reader does not look any more: it has to be met where it was.
func TestPagingSurvivesUpdates(t *testing.T) {
	t.Parallel()
	log := newMemory()
	for _, title := range []string{"a", "b", "c", "d"} {
		log.append(made{title: title, severity: rule.Medium}.stored())
	}
	s := serve(t, Config{Alerts: log})
	first := getList(t, s, "/api/v1/alerts?limit=2")

	up := made{title: "a", severity: rule.Critical, kind: alert.Updated}.stored()
	log.append(up)
	log.append(made{title: "e"}.stored())
	for _, st := range log.stored[4:] {
		s.tail.take(st)
	}
	second := getList(t, s, "/api/v1/alerts?limit=2&before="+first.Next)
	if got := slices.Concat(titles(first), titles(second)); !slices.Equal(got, []string{"d", "c", "b", "a"}) {
		t.Errorf("two pages give %v", got)
	}
	if e := second.Alerts[1]; e.State != "updated" || e.Event.Severity != rule.Critical || e.Sequence != 5 {
		t.Errorf("a is %s %s at %d, want the update at 5", e.State, e.Event.Severity, e.Sequence)
	}
	if second.Next != "" {
		t.Errorf("next = %q after the last page", second.Next)
	}
	if got := titles(getList(t, s, "/api/v1/alerts")); !slices.Equal(got, []string{"e", "a", "d", "c", "b"}) {
		t.Errorf("a new list gives %v", got)
	}
}

func TestQueryReadsCandidates(t *testing.T) {
	t.Parallel()
	log := newMemory()
	for i := range 600 {
		log.append(made{title: fmt.Sprintf("n%d", i)}.stored())
	}
	s := serve(t, Config{Alerts: log, Query: func(q string) (func(alert.Event) bool, error) {
		if q == "(" {
			return nil, errors.New("1:1: a parenthesis is not closed")
		}
		return func(e alert.Event) bool { return strings.HasSuffix(e.Data.Item.Title, q) }, nil
	}})
	var got []string
	next := ""
	for {
		l := getList(t, s, "/api/v1/alerts?q=99&limit=2&before="+next)
		got = append(got, titles(l)...)
		if next = l.Next; next == "" {
			break
		}
	}
	if want := []string{"n599", "n499", "n399", "n299", "n199", "n99"}; !slices.Equal(got, want) {
		t.Errorf("q=99 gives %v, want %v", got, want)
	}
	res := get(t, s, "/api/v1/alerts?q=(")
	if text := body(t, res); res.StatusCode != http.StatusBadRequest || !strings.Contains(text, "parenthesis") {
		t.Errorf("q=(: %d %s", res.StatusCode, text)
	}
}

func TestOneAlert(t *testing.T) {
	t.Parallel()
	st := made{title: "one"}.stored()
	log := newMemory(made{title: "gone"}.stored(), st)
	s := serve(t, Config{Alerts: log})
	log.age(2)
	for path, want := range map[string]int{
		st.Event.Data.ID:                           200,
		log.stored[0].Event.Data.Item.Key:          404, // an id, but of no alert
		made{title: "gone"}.stored().Event.Data.ID: 410,
		"../feeds":              404,
		"x":                     404,
		strings.Repeat("g", 32): 404,
	} {
		if res := get(t, s, "/api/v1/alerts/"+path); res.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, res.StatusCode, want)
		}
	}
	var got struct {
		Sequence  uint64
		Event     alert.Event
		Revisions []any
	}
	text := body(t, get(t, s, "/api/v1/alerts/"+st.Event.Data.ID))
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Sequence != 2 || got.Event.ID != st.Event.ID || got.Revisions == nil {
		t.Errorf("one alert is %s (%v)", text, err)
	}
}

func TestStoreFailureIsSaid(t *testing.T) {
	t.Parallel()
	log := newMemory(made{}.stored())
	s := serve(t, Config{Alerts: log})
	log.err = errors.New("nats: timeout at secret place")
	res := get(t, s, "/api/v1/alerts")
	if text := body(t, res); res.StatusCode != http.StatusServiceUnavailable || strings.Contains(text, "secret") {
		t.Errorf("with the store away: %d %s", res.StatusCode, text)
	}
}
