package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"newsmonitor/pipeline/alert"
)

// board is a Desk in memory.
type board struct {
	mu    sync.Mutex
	mutes []Muted
	acks  map[string]alert.Ack
}

func (d *board) Mutes(context.Context) ([]Muted, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Muted(nil), d.mutes...), nil
}

func (d *board) Mute(_ context.Context, m alert.Mute) (alert.Mute, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m.ID = fmt.Sprint("m", len(d.mutes)+1)
	d.mutes = append(d.mutes, Muted{Mute: m})
	return m, nil
}

func (d *board) Unmute(_ context.Context, id, _ string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, m := range d.mutes {
		if m.ID == id {
			d.mutes = append(d.mutes[:i], d.mutes[i+1:]...)
			return nil
		}
	}
	return alert.ErrNoMute
}

func (d *board) Ack(_ context.Context, id string, a alert.Ack) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.acks == nil {
		d.acks = map[string]alert.Ack{}
	}
	d.acks[id] = a
	return nil
}

func (d *board) acked(id string) (alert.Ack, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.acks[id]
	return a, ok
}

// withDesk is a server with one alert, a desk and something to mute.
func withDesk(t *testing.T, more func(*Config)) (*Server, *board, string) {
	t.Helper()
	d := &board{}
	st := made{title: "Treasury sanctions two hackers"}.stored()
	cfg := Config{Alerts: newMemory(st), Desk: d, Acks: d.acked,
		Rules: func() []RuleInfo { return []RuleInfo{{ID: "r", Channel: "sanctions"}} },
		Feeds: func() []FeedStatus { return []FeedStatus{{ID: "us-treasury", State: "ok"}} }}
	if more != nil {
		more(&cfg)
	}
	return serve(t, cfg), d, st.Event.Data.ID
}

func send(s *Server, method, target, body string, header ...string) reply {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return do(s, r)
}

const form1 = "application/x-www-form-urlencoded"

func TestMuteAndUnmute(t *testing.T) {
	t.Parallel()
	s, d, _ := withDesk(t, nil)
	res := send(s, "POST", "/api/v1/mutes", `{"scope":{"rule":"r"},"for":"36h","by":"Dana","reason":"too many"}`)
	if res.StatusCode != http.StatusCreated || res.Header.Get("Location") != "/api/v1/mutes/m1" {
		t.Fatalf("mute: %d %s", res.StatusCode, res.text)
	}
	m := d.mutes[0]
	if m.Scope.Rule != "r" || m.By != "Dana" || m.Reason != "too many" || !m.Until.Equal(noon.Add(36*time.Hour)) || m.Critical {
		t.Errorf("the desk has %+v", m)
	}
	page := get(t, s, "/").text
	for _, want := range []string{"<b>Muted</b> rule", "too many", "Dana", "/desk/unmute"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if res := send(s, "DELETE", "/api/v1/mutes/m1?by=Lee", ""); res.StatusCode != http.StatusNoContent || len(d.mutes) != 0 {
		t.Errorf("unmute: %d %s", res.StatusCode, res.text)
	}
	if res := send(s, "DELETE", "/api/v1/mutes/m1?by=Lee", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("unmute again: %d", res.StatusCode)
	}
}

func TestMuteIsChecked(t *testing.T) {
	t.Parallel()
	s, d, _ := withDesk(t, nil)
	for body, want := range map[string]string{
		`{"scope":{},"for":"1h","by":"D","reason":"r"}`:                                          "one rule",
		`{"scope":{"rule":"r","feed":"us-treasury"},"for":"1h","by":"D","reason":"r"}`:           "one rule",
		`{"scope":{"rule":"absent"},"for":"1h","by":"D","reason":"r"}`:                           "there is no rule",
		`{"scope":{"feed":"absent"},"for":"1h","by":"D","reason":"r"}`:                           "there is no feed",
		`{"scope":{"channel":"absent"},"for":"1h","by":"D","reason":"r"}`:                        "there is no channel",
		`{"scope":{"story":"absent"},"for":"1h","by":"D","reason":"r"}`:                          "there is no story",
		`{"scope":{"rule":"r"},"by":"D","reason":"r"}`:                                           "how long",
		`{"scope":{"rule":"r"},"for":"31d","by":"D","reason":"r"}`:                               "30 days",
		`{"scope":{"rule":"r"},"for":"-1h","by":"D","reason":"r"}`:                               "duration",
		`{"scope":{"rule":"r"},"until":"2026-11-22T11:00:00Z","by":"D","reason":"r"}`:            "over already",
		`{"scope":{"rule":"r"},"until":"2027-01-01T00:00:00Z","by":"D","reason":"r"}`:            "30 days",
		`{"scope":{"rule":"r"},"for":"1h","reason":"r"}`:                                         "who you are",
		`{"scope":{"rule":"r"},"for":"1h","by":"D","reason":"  "}`:                               "why",
		`{"scope":{"rule":"r"},"for":"1h","by":"` + strings.Repeat("x", 81) + `","reason":"r"}`:  "up to 80",
		`{"scope":{"rule":"r"},"for":"1h","by":"D","reason":"` + strings.Repeat("x", 301) + `"}`: "up to 300",
		`{"scope":{"rule":"r"},"for":"1h","by":"D","reason":"r","forever":true}`:                 "unknown field",
		`{"scope":{"rule":"r"}`: "not the JSON",
	} {
		res := send(s, "POST", "/api/v1/mutes", body)
		if res.StatusCode < 400 || res.StatusCode >= 500 || !strings.Contains(res.text, want) {
			t.Errorf("%s: %d %s, want %q", body, res.StatusCode, res.text, want)
		}
	}
	if len(d.mutes) != 0 {
		t.Errorf("the desk took %+v", d.mutes)
	}
}

func TestFormsWorkWithoutScript(t *testing.T) {
	t.Parallel()
	s, d, id := withDesk(t, nil)
	page := get(t, s, "/desk/mute?alert="+id+"&back=/%3Fchannel%3Dsanctions").text
	for _, want := range []string{`value="channel:sanctions"`, `value="feed:us-treasury"`, `value="story:` + id, "every NATS consumer", `value="/?channel=sanctions"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	v := url.Values{"alert": {id}, "scope": {"channel:sanctions"}, "for": {"date"}, "until": {"2026-11-25"}, "by": {"Dana"}, "back": {"/?channel=sanctions"}}
	res := send(s, "POST", "/desk/mute", v.Encode(), "Content-Type", form1, "Accept", "text/html")
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.text, "reason") || !strings.Contains(res.text, `value="Dana"`) {
		t.Errorf("a form without a reason: %d", res.StatusCode)
	}
	v.Set("reason", "rehearsal")
	res = send(s, "POST", "/desk/mute", v.Encode(), "Content-Type", form1)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/?channel=sanctions" || len(d.mutes) != 1 {
		t.Fatalf("mute by form: %d %v", res.StatusCode, d.mutes)
	}
	if want := time.Date(2026, 11, 25, 23, 59, 59, 0, time.UTC); !d.mutes[0].Until.Equal(want) {
		t.Errorf("muted until %v, want the end of the day", d.mutes[0].Until)
	}
	if c := res.Header.Get("Set-Cookie"); !strings.Contains(c, "newsmonitor_by=Dana") || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") {
		t.Errorf("cookie %q", c)
	}
	res = send(s, "POST", "/desk/unmute", "id=m1&back=//evil.example", "Content-Type", form1, "Cookie", "newsmonitor_by=Dana")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/" || len(d.mutes) != 0 {
		t.Errorf("unmute by form: %d %s", res.StatusCode, res.Header.Get("Location"))
	}
	res = send(s, "POST", "/desk/ack", url.Values{"alert": {id}, "by": {"Dana"}, "verdict": {"not-relevant"}}.Encode(), "Content-Type", form1)
	if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/desk/test?alert="+id) {
		t.Errorf("not relevant: %d %s", res.StatusCode, to)
	}
	if a := d.acks[id]; a.By != "Dana" || a.Verdict != alert.VerdictNotRelevant {
		t.Errorf("the desk has %+v", a)
	}
	if page := get(t, s, "/").text; !strings.Contains(page, "not relevant, says") {
		t.Error("the list does not show the verdict")
	}
}

func TestWhoMayChange(t *testing.T) {
	t.Parallel()
	const mute = `{"scope":{"rule":"r"},"for":"1h","by":"Dana","reason":"r"}`
	s, d, id := withDesk(t, nil)
	for name, header := range map[string][]string{
		"another site's script":  {"Sec-Fetch-Site", "cross-site"},
		"another site's page":    {"Origin", "https://evil.example"},
		"a form of another kind": {"Content-Type", "text/plain"},
	} {
		if res := send(s, "POST", "/api/v1/mutes", mute, header...); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s may mute: %d", name, res.StatusCode)
		}
		if res := send(s, "POST", "/desk/ack", "alert="+id+"&by=x", append([]string{"Content-Type", form1}, header...)...); name != "a form of another kind" && res.StatusCode != http.StatusForbidden {
			t.Errorf("%s may acknowledge: %d", name, res.StatusCode)
		}
	}
	for _, m := range []string{"PUT", "PATCH", "DELETE"} {
		if res := send(s, m, "/api/v1/mutes", mute); res.StatusCode < 400 {
			t.Errorf("%s /api/v1/mutes: %d", m, res.StatusCode)
		}
	}
	if len(d.mutes)+len(d.acks) != 0 {
		t.Errorf("the desk was changed: %+v %+v", d.mutes, d.acks)
	}

	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("read looking-looking-looking\nchanging-changing-changing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, d, _ = withDesk(t, func(c *Config) { c.TokenFile = file })
	for token, want := range map[string]int{"": 401, "wrong-wrong-wrong-wrong": 401, "looking-looking-looking": 403, "changing-changing-changing": 201} {
		if res := send(s, "POST", "/api/v1/mutes", mute, "Authorization", "Bearer "+token); res.StatusCode != want {
			t.Errorf("token %q: %d, want %d: %s", token, res.StatusCode, want, res.text)
		}
	}
	if res := get(t, s, "/api/v1/mutes", "Authorization", "Bearer looking-looking-looking"); res.StatusCode != http.StatusOK {
		t.Errorf("a token that reads may not read: %d", res.StatusCode)
	}
	if len(d.mutes) != 1 {
		t.Errorf("%d mutes", len(d.mutes))
	}

	// The proxy says who it is; nobody signs as another.
	s, d, _ = withDesk(t, func(c *Config) { c.UserHeader = "X-User" })
	if res := send(s, "POST", "/api/v1/mutes", mute, "X-User", "Robin"); res.StatusCode != http.StatusCreated || d.mutes[0].By != "Robin" {
		t.Errorf("signed as %+v: %d", d.mutes, res.StatusCode)
	}
}

func TestChangesAreLimited(t *testing.T) {
	t.Parallel()
	s, _, id := withDesk(t, nil)
	codes := map[int]int{}
	for range changesAMinute + 10 {
		codes[send(s, "POST", "/api/v1/alerts/"+id+"/ack", `{"by":"Dana"}`).StatusCode]++
	}
	if codes[http.StatusOK] != changesAMinute || codes[http.StatusTooManyRequests] != 10 {
		t.Errorf("answers: %v", codes)
	}
	s, _, _ = withDesk(t, nil)
	if res := send(s, "POST", "/api/v1/alerts/"+id+"/ack", `{"by":"Dana","note":"`+strings.Repeat("x", maxChange)+`"}`); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a large body: %d", res.StatusCode)
	}
	if res := send(s, "POST", "/api/v1/alerts/"+strings.Repeat("0", 32)+"/ack", `{"by":"Dana"}`); res.StatusCode != http.StatusNotFound {
		t.Errorf("an alert that is not there: %d", res.StatusCode)
	}
}

// What people type moves nothing on the screens of others.
func TestNamesAndReasonsAreCleaned(t *testing.T) {
	t.Parallel()
	s, d, _ := withDesk(t, nil)
	res := send(s, "POST", "/api/v1/mutes", `{"scope":{"rule":"r"},"for":"1h","by":"\u202eDana\u0007\n","reason":"<script>\u001b[2J\u2066"}`)
	if res.StatusCode != http.StatusCreated || d.mutes[0].By != "Dana" || strings.ContainsAny(d.mutes[0].Reason, "\x1b\u2066") {
		t.Errorf("%d %+v", res.StatusCode, d.mutes)
	}
	if page := get(t, s, "/").text; strings.Contains(page, "<script>\u0020") || strings.Contains(page, "<script>[") {
		t.Error("the reason became markup")
	}
}

func TestNoDesk(t *testing.T) {
	t.Parallel()
	st := made{}.stored()
	s := serve(t, Config{Alerts: newMemory(st)})
	if res := send(s, "POST", "/api/v1/mutes", `{"scope":{"rule":"r"},"for":"1h","by":"D","reason":"r"}`); res.StatusCode != http.StatusNotFound {
		t.Errorf("mute without a desk: %d", res.StatusCode)
	}
	if page := get(t, s, "/desk/mute?alert="+st.Event.Data.ID).text; strings.Contains(page, "Mute for the desk") || !strings.Contains(page, "hide-me") {
		t.Error("the form offers what is not possible, or not what is")
	}
	if res := get(t, s, "/api/v1/mutes"); strings.TrimSpace(res.text) != `{"mutes":[]}` {
		t.Errorf("mutes: %s", res.text)
	}
}
