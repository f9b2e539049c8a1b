package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/web"
)

// change asks the daemon to change something and decodes the answer.
func (d *daemon) change(t *testing.T, method, path string, body, into any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, d.place.HTTP+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ = io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s", method, path, resp.Status, b)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
	}
}

func (d *daemon) ask(t *testing.T, path string, v url.Values, into any) {
	t.Helper()
	if b := d.get(t, path+"?"+v.Encode()); json.Unmarshal([]byte(b), into) != nil {
		t.Fatal(b)
	}
}

func why(t *testing.T, d *daemon, q string) web.Reason {
	t.Helper()
	var r web.Reason
	d.ask(t, "/api/v1/why", url.Values{"q": {q}}, &r)
	return r
}

// TestDesk: a mute holds back what it is about, from the next alert on, and
// until it is ended; whoever asks is told.
func TestDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every(t, "100ms")
	d := start(t, w.settings())
	raised, folded := d.listen(t, "news.alerts.>"), d.listen(t, "news.folded.>")
	<-w.pub.poked
	w.pub.publish("1", "Sanctions on North Korea over the Lazarus exchange heist")
	first := next(t, raised)

	var m alert.Mute
	d.change(t, "POST", "/api/v1/mutes", map[string]any{"scope": map[string]string{"feed": "ministry"}, "for": "1h", "by": "A. Nalyst", "reason": "known"}, &m)
	w.pub.publish("2", "More sanctions on North Korea: coal ships of Nampo named")
	e := next(t, folded)
	if f := e.Data.Folded; f == nil || f.Reason != alert.FoldMute || f.By != "A. Nalyst" || f.Mute == "" || f.Until.IsZero() {
		t.Errorf("folded as %+v", e.Data.Folded)
	}
	var mutes struct{ Mutes []web.Muted }
	until(t, "the mute counts what it held", func() bool {
		d.ask(t, "/api/v1/mutes", nil, &mutes)
		return len(mutes.Mutes) == 1 && mutes.Mutes[0].Held == 1
	})
	var st web.Status
	until(t, "the status tells of the mute and of what it held", func() bool {
		d.ask(t, "/api/v1/status", nil, &st)
		return len(st.Mutes) == 1 && st.Mutes[0].ID == mutes.Mutes[0].ID && st.Folded[alert.FoldMute] == 1
	})
	if r := why(t, d, "https://example.org/2?utm_source=x"); r.Verdict != "muted" || !strings.Contains(r.Text, "A. Nalyst") {
		t.Errorf("why: %+v", r)
	}
	d.change(t, "POST", "/api/v1/alerts/"+first.Data.ID+"/ack", map[string]string{"by": "B", "verdict": alert.VerdictSeen}, nil)
	if b := d.get(t, "/api/v1/alerts"); !strings.Contains(b, `"acknowledged":{"by":"B"`) {
		t.Errorf("the acknowledgement does not show: %s", b)
	}
	d.change(t, "DELETE", "/api/v1/mutes/"+mutes.Mutes[0].ID+"?by=B", nil, nil)
	w.pub.publish("3", "Sanctions on North Korea lifted for a Swiss vaccine shipment")
	if e := next(t, raised); e.Data.Item.Link != "https://example.org/3" {
		t.Errorf("after the mute: %s", e.Data.Item.Link)
	}

	d.stop()
	again := start(t, w.settings())
	if b := again.get(t, "/api/v1/alerts"); !strings.Contains(b, "Lazarus") {
		until(t, "the alerts are read", func() bool { return strings.Contains(again.get(t, "/api/v1/alerts"), "Lazarus") })
	}
	until(t, "the acknowledgement is kept", func() bool {
		return strings.Contains(again.get(t, "/api/v1/alerts"), `"acknowledged":{"by":"B"`)
	})
}

// TestWhy: every silence has its reason.
func TestWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every(t, "100ms")
	w.pub.publish("0", "Sanctions on North Korea, the oldest news")
	old := time.Now().Add(-200 * time.Hour).UTC().Format(time.RFC1123Z)
	w.pub.mu.Lock()
	w.pub.items[0] = fmt.Sprintf(`<item><guid>0</guid><title>Sanctions on North Korea, the oldest news</title><link>https://example.org/0</link><pubDate>%s</pubDate></item>`, old)
	w.pub.mu.Unlock()
	s := w.settings()
	s.Poll.Backlog = 72 * time.Hour
	d := start(t, s)
	raised := d.listen(t, "news.alerts.>")
	<-w.pub.poked
	w.pub.publish("1", "Sanctions on North Korea over the Lazarus exchange heist of Yanbian")
	next(t, raised)
	w.pub.publish("2", "Sanctions on North Korea over the Lazarus exchange heist of Yanbian again")
	w.pub.publish("3", "A sanctioned marathon")
	until(t, "the items are judged", func() bool {
		return strings.Contains(d.get(t, "/api/v1/why?q=sanctioned+marathon"), "fails at")
	})
	for _, tc := range []struct{ ask, verdict, text string }{
		{"https://example.org/1", "raised", "Raised"},
		{"HTTPS://example.org/1#top", "raised", "no destination takes it"},
		{"https://example.org/0", "held", "when the feed was first read"},
		{"https://example.org/3", "no-match", "listing"},
		{"the oldest  NEWS", "held", ""},
		{"no such words", "not-seen", "items are stored since"},
		{"https://nowhere.example/1", "not-watched", "No feed of the catalogue comes from nowhere.example"},
		{w.pub.URL + "/another", "not-seen", "ministry (last read"},
	} {
		r := why(t, d, tc.ask)
		if r.Verdict != tc.verdict || !strings.Contains(r.Text, tc.text) {
			t.Errorf("%s: %s, %q; want %s, %q", tc.ask, r.Verdict, r.Text, tc.verdict, tc.text)
		}
	}
	if r := why(t, d, "https://example.org/3"); len(r.Items) != 1 || len(r.Items[0].Nearest) != 1 || r.Items[0].Nearest[0].Rule != "listing" || r.Items[0].Nearest[0].Failed == "" {
		t.Errorf("the nearest rule: %+v", r.Items)
	}
	d.stop()

	// The same without a daemon.
	files := pipeline.Files{Feeds: []string{filepath.Join(w.dir, "feeds.yaml")}, Rules: []string{filepath.Join(w.dir, "rules")}}
	transport, done, err := pipeline.Offline(t.Context(), s.Data, &files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	resp, err := (&http.Client{Transport: transport}).Get("http://127.0.0.1/api/v1/why?q=https://example.org/3")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `"no-match"`) {
		t.Errorf("without a daemon: %s", b)
	}
}

// TestAsk: a query finds what is stored, the newest first, and says which were
// raised.
func TestAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every(t, "100ms")
	d := start(t, w.settings())
	raised := d.listen(t, "news.alerts.>")
	<-w.pub.poked
	for i := range 300 {
		w.pub.publish(fmt.Sprint(i), fmt.Sprintf("Bulletin %d on fisheries", i))
	}
	w.pub.publish("a", "Sanctions on North Korea")
	w.pub.publish("b", "Fisheries talks with North Korea")
	next(t, raised)
	var a web.Answer
	until(t, "all items are stored", func() bool {
		d.ask(t, "/api/v1/ask", url.Values{"q": {`"North Korea" OR fisher*`}, "since": {"1h"}, "limit": {"3"}}, &a)
		return a.Read == 302
	})
	if a.Matched != 302 || len(a.Found) != 3 || !a.Complete || a.Price == "" || len(a.Days) == 0 || len(a.Days) > 2 || a.Days[len(a.Days)-1].Count+a.Days[0].Count < 302 {
		t.Errorf("%d matched of %d, %d shown, complete %t, price %q, days %v", a.Matched, a.Read, len(a.Found), a.Complete, a.Price, a.Days)
	}
	for i := 1; i < len(a.Found); i++ {
		if a.Found[i].Item.Fetched.After(a.Found[i-1].Item.Fetched) {
			t.Errorf("found %d is newer than the one before", i)
		}
	}
	d.ask(t, "/api/v1/ask", url.Values{"q": {`sanction*`}, "since": {"1h"}}, &a)
	if len(a.Found) != 1 || len(a.Found[0].Raised) != 1 || a.Found[0].Raised[0].Channel != "sanctions" || len(a.Found[0].Evidence) == 0 {
		t.Errorf("%+v", a.Found)
	}
	d.ask(t, "/api/v1/ask", url.Values{"q": {`sanction* AND (`}, "since": {"1h"}}, &a)
	if len(a.Problems) == 0 || a.Problems[0].Column == 0 {
		t.Errorf("a wrong query: %+v", a.Problems)
	}
}
