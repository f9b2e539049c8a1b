package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

func watchedEvent(channel string, severity rule.Severity, typ, item, title, link string) alert.Event {
	return alert.Event{Type: typ, Severity: severity, Time: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Data: alert.Data{
		ID: alert.ID(channel, item), Channel: channel, Channels: []string{"sanctions", "attribution"}, Severity: severity, Was: rule.Low, States: []string{"CN", "US"},
		Item: alert.Item{Feed: "f", Key: item, Revision: "r1", Title: title, Link: link}, Source: feed.Source{ID: "f", Title: "Ministry", Tier: "authoritative", Country: "US"},
		Rules: []rule.Match{{ID: "r", Snippet: title}}}}
}

// An item has one entry, whatever number of channels it raises; a higher
// severity is news.
func TestWatchFoldsAnItemsChannels(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := &view{t: terminal{out: &out}, shown: map[string]shown{}}
	for _, e := range []alert.Event{
		watchedEvent("sanctions", rule.High, alert.Raised, "one", "First", ""), watchedEvent("attribution", rule.Low, alert.Raised, "one", "First", ""),
		watchedEvent("sanctions", rule.Critical, alert.Updated, "one", "First again", ""), watchedEvent("attribution", rule.Low, alert.Raised, "two", "Second", ""),
	} {
		if err := v.show(e); err != nil {
			t.Fatal(err)
		}
	}
	var heads []string
	for l := range strings.Lines(out.String()) {
		if strings.Contains(l, ":00  ") {
			heads = append(heads, strings.TrimSpace(l[8:]))
		}
	}
	want := "high  sanctions + attribution|critical  sanctions + attribution (was low)|low  attribution + sanctions"
	if got := strings.Join(heads, "|"); got != want {
		t.Errorf("watch shows\n%s, want\n%s", got, want)
	}
	if n := strings.Count(out.String(), "22 November 2026"); n != 1 {
		t.Errorf("the day stands %d times", n)
	}
}

func TestWatchForgets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := &view{t: terminal{out: &out}, shown: map[string]shown{}}
	for i := range 3 * maxShown {
		_ = v.show(watchedEvent("sanctions", rule.High, alert.Raised, strings.Repeat("x", i%7)+string(rune('a'+i%26))+time.Duration(i).String(), "T", ""))
	}
	if len(v.shown) > maxShown || len(v.order) > maxShown {
		t.Errorf("%d items are remembered", len(v.shown))
	}
}

// Nothing of a feed may become a control sequence of the terminal.
func TestWatchIsSafeAgainstEscapeCodes(t *testing.T) {
	t.Parallel()
	hostile := "x\x1b]0;owned\x07\x1b[2J\x1b]8;;http://evil.example\x1b\\click\u202Egnp\u2066\x9b31m\r\n"
	for _, link := range []string{"", hostile, "http://ok.example/\x1b\\\x1b[2J", "http://ok.example/\u202e", "javascript:alert(1)", "file:///etc/passwd",
		"http://ok.example/" + strings.Repeat("a", 3000), "https://ok.example/a b"} {
		e := watchedEvent("sanctions", rule.Critical, alert.Raised, "one", hostile, link)
		e.Data.Source.Title, e.Data.Voice = hostile, &rule.Voice{Title: hostile, Tier: hostile}
		e.Data.Rules[0].Snippet, e.Data.Rules[0].ID = hostile, hostile
		e.Data.Rules[0].Evidence = []rule.Evidence{{Field: "content", Text: "click"}}
		e.Data.Story.Also, e.Data.States = []alert.Carrier{{Feed: hostile}}, []string{hostile}
		e.Data.Channels = []string{"sanctions", hostile}
		var out bytes.Buffer
		watched(&out, style{on: true}, e)
		text := out.String()
		for _, ours := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;33m", "\x1b[1;97;41m"} {
			text = strings.ReplaceAll(text, ours, "")
		}
		for _, r := range text {
			if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("link %q: the terminal gets %U in %q", link, r, text)
				break
			}
		}
	}
	for link, want := range map[string]bool{"https://ok.example/a?b=c": true, "http://ok.example/": true, "ftp://ok.example/": false, "https:///": false} {
		if text, got := (style{on: true}).link(link, "title"); got != want || got != strings.Contains(text, "\x1b]8;;"+link+"\x1b\\title") {
			t.Errorf("link %q: %v %q", link, got, text)
		}
	}
	if text, linked := (style{}).link("https://ok.example/", "title"); linked || text != "title" {
		t.Errorf("a link without a terminal: %q", text)
	}
}

func TestResumeAt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for w, want := range map[string]time.Time{"12h": now.Add(-12 * time.Hour), "2d": now.Add(-48 * time.Hour), "2026-11-22T08:00:00Z": now.Add(-time.Hour), "2026-11-22": now.Add(-9 * time.Hour)} {
		if r, err := resumeAt(w, now); err != nil || !r.Since.Equal(want) {
			t.Errorf("--since %s: %v %v", w, r, err)
		}
	}
	if r, err := resumeAt("417", now); err != nil || r.After != 417 {
		t.Errorf("--since 417: %v %v", r, err)
	}
	if r, err := resumeAt("", now); err != nil || r != nil {
		t.Errorf("no --since: %v %v", r, err)
	}
	for _, w := range []string{"yesterday", "-3h", "0h", "12"[:1] + "x"} {
		if _, err := resumeAt(w, now); err == nil {
			t.Errorf("--since %s is taken", w)
		}
	}
}

func TestWatchFilters(t *testing.T) {
	t.Parallel()
	d := watchedEvent("sanctions", rule.High, alert.Raised, "one", "T", "").Data
	for _, tc := range []struct {
		c    watchCmd
		want bool
	}{
		{watchCmd{}, true}, {watchCmd{State: []string{"us", "CN"}}, true}, {watchCmd{State: []string{"US", "RU"}}, false}, {watchCmd{Country: []string{"CN", "US"}}, true},
		{watchCmd{Country: []string{"CN"}}, false}, {watchCmd{Tier: []string{"authoritative"}}, true}, {watchCmd{Tier: []string{"non-authoritative"}}, false}, {watchCmd{Feed: []string{"g"}}, false},
	} {
		if got := tc.c.wants(d); got != tc.want {
			t.Errorf("%+v wants: %v", tc.c, got)
		}
	}
}
