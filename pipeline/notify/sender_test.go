package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

var update = flag.Bool("update", false, "write the golden files")

const hunter = "hunter2-is-secret" // the secret of the tests, wherever one is needed

// hostile is an alert in which a stranger tries everything.
func hostile() alert.Event {
	e := raised("hostile", "sanctions,denial", rule.Critical)
	d := &e.Data
	e.Time = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d.Item.Published = e.Time.Add(-90 * time.Minute)
	d.Item.Title = "Ministry *bold* _it_ <script>alert(1)</script> <!channel> @everyone [x](http://evil.example) \x1b[31m\u202Eред\u202C\nBcc: x@evil.example"
	d.Item.Link = "https://mfa.example/a?b=1&c=<x>|y)"
	d.Item.Summary = "A summary."
	d.Rules = []rule.Match{{ID: "r", Snippet: "… the *ministry* imposes sanctions <b>on</b> two persons …", Evidence: []rule.Evidence{
		{Field: "content", Text: "imposes sanctions", Before: "the *ministry* ", After: " <b>on</b> two persons and more"},
		{Field: "content", Text: "persons", Before: "other ", After: " elsewhere"}}}}
	d.Voice = &rule.Voice{ID: "v", Title: "A <voice>", Tier: "quasi-authoritative", Country: "CN"}
	d.Story.Also = []alert.Carrier{{Feed: "eeas", Title: "The same & more"}}
	return e
}

func testPosts(d *Destination) map[string]post {
	e := hostile()
	e2 := updated(raised("second", "denial", rule.Medium), rule.High)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	e2.Time, e2.Data.Item.Published = at, at
	p := &pusher{d: d, cfg: Config{Health: func() Health {
		return Health{Feeds: 121, Read: 118, Silent: []string{"mfa", "x"}, Mutes: []Mute{
			{alert.Mute{Scope: alert.Scope{Channel: "norms"}, Until: at.Add(40 * time.Hour), By: "Lee <b>", Reason: "a conference, every hour."}, 12}}}
	}}}
	one := p.collection(collected{events: []alert.Event{e}}, "")
	many := p.collection(collected{events: []alert.Event{e2, e}, more: 12, held: heldCount{Story: 2}}, "")
	p.d.digest = &schedule{at: []minute{450}, zone: d.zone}
	full := p.digestPost(collected{events: []alert.Event{e2, e}}, at)
	empty := p.digestPost(collected{}, at)
	p.d.digest = nil
	out := map[string]post{"one": one, "many": many, "digest": full, "empty": empty}
	for k, v := range out {
		v.at = at
		out[k] = v
	}
	return out
}

// TestMessages holds what people read against golden files: a stranger's words
// stay words in every medium.
func TestMessages(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		service string
		page    string
		write   func(d *Destination, p post) string
	}{
		{"plain", "", func(_ *Destination, p post) string { return plainMarkup.write(p) }},
		{"slack", "https://monitor.example.org", chatBody(slack)},
		{"teams", "https://monitor.example.org", chatBody(teams)},
		{"matrix", "https://monitor.example.org", chatBody(matrix)},
		{"ntfy", "https://monitor.example.org", chatBody(ntfy)},
		{"telegram", "", chatBody(telegram)},
		{"mail", "https://monitor.example.org", func(d *Destination, p post) string {
			page, err := letterBody(d, p)
			if err != nil {
				t.Error(err)
			}
			return "Subject: " + subject(p) + "\n\n" + letterText(d, p) + "\n" + page
		}},
	} {
		d := &Destination{Name: "desk", Service: c.service, page: c.page, zone: zone, severity: rule.Medium, room: "!a:example.org", chat: "-100"}
		for name, p := range testPosts(d) {
			if (name == "digest" || name == "empty") && c.service != "mail" {
				continue
			}
			t.Run(c.service+"-"+name, func(t *testing.T) {
				t.Parallel()
				got := c.write(d, p)
				file := filepath.Join("testdata", c.service+"-"+name+".golden")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(b) {
					t.Errorf("%s is\n%s\nwant (-update writes it)\n%s", file, got, b)
				}
				for _, bad := range []string{"\x1b", "\u202e", "\nBcc:"} {
					if strings.Contains(got, bad) {
						t.Errorf("%q stands in the message", bad)
					}
				}
				markup := got // the part in which < means something
				for _, from := range []string{"<!DOCTYPE html>", `"formatted_body"`} {
					if _, after, ok := strings.Cut(got, from); ok {
						markup, _, _ = strings.Cut(after, "\n  \"")
					}
				}
				if c.service != "plain" && c.service != "teams" && c.service != "ntfy" && (strings.Contains(markup, "<script") || strings.Contains(markup, "<!ch")) {
					t.Errorf("a stranger's markup stands in the message: %s", markup)
				}
			})
		}
	}
}

func chatBody(write func(*Destination, post, string, string) (request, error)) func(*Destination, post) string {
	return func(d *Destination, p post) string {
		r, err := write(d, p, "https://chat.example.org/topic", "1:token")
		if err != nil {
			return err.Error()
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		_ = enc.Encode(r.body)
		return r.method + " " + r.address + "\n" + b.String()
	}
}

func secretFile(t *testing.T, value string) secret {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret{file: path}
}

// TestReceivers: each way in which a receiver misbehaves has its words, and
// no secret is among them, not even when the receiver repeats it.
func TestReceivers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		want    string // "" is delivered
		reason  string
		refused bool
		after   time.Duration
	}{
		{"takes", func(http.ResponseWriter, *http.Request) {}, "", "", false, 0},
		{"says ok", text(200, "ok"), "", "", false, 0},
		{"says nothing odd", text(200, `{"id":"1","message":"queued"}`), "", "", false, 0},
		{"refuses", text(403, "no "+hunter), "it refuses (403 Forbidden): no [secret]", "refused", true, 0},
		{"finds it wrong", text(400, "bad\x1b[31m request\n"), "it refuses (400 Bad Request): bad [31m request", "refused", true, 0},
		{"an HTML page", text(404, "<html>nothing</html>"), "it refuses (404 Not Found)", "refused", true, 0},
		{"redirects", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.example/"+hunter, http.StatusFound)
		}, "it redirects (302) to other.example; redirects are not followed: put the new address into the file", "redirect", true, 0},
		{"slow down", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "it asks us to slow down (429)", "busy", false, 2 * time.Minute},
		{"slow down in the body", text(429, `{"ok":false,"parameters":{"retry_after":7}}`), "it asks us to slow down (429)", "busy", false, 7 * time.Second},
		{"for ever", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "99999")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "it answers 503", "unavailable", false, maxWish},
		{"broken", text(500, "oops"), "it answers 500: oops", "unavailable", false, 0},
		{"error in a 200", text(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"),
			"it answers 200 but says: Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", "answer", true, 0},
		{"error in a JSON 200", text(200, `{"ok":false,"error":"channel_not_found `+hunter+`"}`), "it answers 200 but says: channel_not_found [secret]", "answer", true, 0},
		{"errcode", text(200, `{"errcode":93000,"errmsg":"invalid webhook url"}`), "it answers 200 but says: invalid webhook url", "answer", true, 0},
		{"closes", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "it closed the connection without an answer", "connection", false, 0},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer in time", "timeout", false, 0},
		{"never ends", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "", "", false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				c.answer(w, r)
			}))
			t.Cleanup(srv.Close)
			d := &Destination{Name: "desk", Service: "webhook", url: secretFile(t, srv.URL+"/"+hunter+"?token="+hunter), token: secretFile(t, hunter), zone: time.UTC}
			s := newSender(d, time.Now)
			s.(*webhook).client.Timeout = 500 * time.Millisecond
			if c.reason != "timeout" {
				s.(*webhook).client.Timeout = 10 * time.Second
			}
			e := raised("one", "sanctions", rule.High)
			err := s.send(t.Context(), post{id: e.ID, kind: "alert", event: &e, messages: []message{newMessage(&e, d)}})
			if c.want == "" {
				if err != nil {
					t.Errorf("send: %v, want it delivered", err)
				}
				return
			}
			var f *fault
			if !errors.As(err, &f) || f.text != c.want || f.reason != c.reason || errors.Is(err, ErrRefused) != c.refused || f.after != c.after {
				t.Errorf("send: %+v\nwant %q %q refused %v after %v", err, c.want, c.reason, c.refused, c.after)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v %s", err, d, d, d.url), hunter) {
				t.Errorf("a secret shows: %v", err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(nil)
		srv.Close()
		d := &Destination{Name: "desk", Service: "webhook", url: secret{plain: srv.URL}, zone: time.UTC}
		e := raised("one", "sanctions", rule.High)
		err := newSender(d, time.Now).send(t.Context(), post{id: e.ID, event: &e})
		if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "/") {
			t.Errorf("send: %v", err)
		}
	})
	t.Run("secret gone", func(t *testing.T) {
		t.Parallel()
		d := &Destination{Name: "desk", Service: "slack", url: secret{file: filepath.Join(t.TempDir(), "gone")}, zone: time.UTC}
		err := newSender(d, time.Now).send(t.Context(), post{kind: "alert"})
		if err == nil || !strings.Contains(err.Error(), "no such file or directory") || asFault(err).reason != "secret" {
			t.Errorf("send: %v", err)
		}
	})
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// TestWebhook: the event as it is, with an id that a receiver can drop repeats
// by, and a signature that it can check.
func TestWebhook(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	t.Cleanup(srv.Close)
	d := &Destination{Name: "siem", Service: "webhook", url: secret{plain: srv.URL}, secret: secretFile(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), zone: time.UTC}
	e := raised("one", "sanctions", rule.High)
	if err := newSender(d, time.Now).send(t.Context(), post{id: e.ID, kind: "alert", event: &e}); err != nil {
		t.Fatal(err)
	}
	back, err := alert.Decode(body)
	if err != nil || back.ID != e.ID || got.Header.Get("Content-Type") != alert.ContentType || got.Header.Get("Webhook-Id") != e.ID {
		t.Errorf("got %v %s, %v", got.Header, body, err)
	}
	if want := Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", e.ID, got.Header.Get("Webhook-Timestamp"), body); got.Header.Get("Webhook-Signature") != want {
		t.Errorf("signature %q, want %q", got.Header.Get("Webhook-Signature"), want)
	}
	// The example of the Standard Webhooks specification.
	if got := Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the specification's example gives %q", got)
	}
}

// TestLibrary: what shoutrrr sends arrives, and what it says about failures
// stays without addresses.
func TestLibrary(t *testing.T) {
	t.Parallel()
	status, got := 200, ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"id":1,"errorCode":%d,"error":"%s"}`, status, http.StatusText(status))
	}))
	t.Cleanup(srv.Close)
	address := "gotify://" + strings.TrimPrefix(srv.URL, "http://") + "/AbcdefghijklmnO?disabletls=yes"
	if text := libraryProblem(address); text != "" {
		t.Fatal(text)
	}
	d := &Destination{Name: "phone", Service: "shoutrrr", url: secretFile(t, address), zone: time.UTC}
	s := newSender(d, time.Now)
	e := hostile()
	msg := post{id: e.ID, kind: "alert", event: &e, messages: []message{newMessage(&e, d)}}
	if err := s.send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "CRITICAL") || strings.Contains(got, "@everyone") {
		t.Errorf("sent %s", got)
	}
	for code, want := range map[int]string{500: "it answers 500", 401: "it refuses (401)", 429: "it asks us to slow down (429)"} {
		status = code
		if err := s.send(t.Context(), msg); err == nil || err.Error() != want {
			t.Errorf("status %d: %v, want %q", code, err, want)
		}
	}
	if text := libraryProblem("slack://x"); text != "use service: slack" {
		t.Error(text)
	}
}

// TestTest: the test message goes through the same door and says what it is.
func TestTest(t *testing.T) {
	t.Parallel()
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
	t.Cleanup(srv.Close)
	d := &Destination{Name: "desk", Service: "slack", url: secretFile(t, srv.URL), zone: time.UTC, severity: rule.Medium, page: "https://monitor.example.org"}
	if err := Test(context.Background(), d, slog.New(slog.DiscardHandler)); err != nil || !strings.Contains(string(body), "Test of destination desk") {
		t.Errorf("Test: %v, sent %s", err, body)
	}
}

func BenchmarkMessage(b *testing.B) {
	e := hostile()
	d := &Destination{zone: time.UTC}
	for b.Loop() {
		m := newMessage(&e, d)
		_ = slackMarkup.write(post{kind: "alert", messages: []message{m}})
	}
}

// FuzzMessage: no word of a stranger becomes markup, a second line or a
// control character.
func FuzzMessage(f *testing.F) {
	f.Add("title", "snippet with word in it", "word", "https://x.example/")
	f.Add("<b>*_~`[x](y)", "… a\nb\x1b …", "b", "javascript:alert(1)")
	f.Fuzz(func(t *testing.T, title, snippet, word, link string) {
		e := raised("x", "sanctions", rule.High)
		e.Data.Item.Title, e.Data.Item.Link = title, link
		e.Data.Rules = []rule.Match{{Snippet: snippet, Evidence: []rule.Evidence{{Field: "content", Text: word}}}}
		d := &Destination{Name: "x", zone: time.UTC, severity: rule.Low}
		p := post{kind: "alert", messages: []message{newMessage(&e, d)}}
		if lines := strings.Count(plainMarkup.write(p), "\n"); lines > 6 {
			t.Errorf("%d lines", lines)
		}
		for _, s := range []string{telegramMarkup.write(p), matrixMarkup.write(p), slackMarkup.write(p)} {
			if strings.ContainsAny(s, "\x00\x1b\u202e") {
				t.Errorf("control characters in %q", s)
			}
			for rest := s; ; {
				_, after, ok := strings.Cut(rest, "<")
				if !ok {
					break
				}
				tag := false
				for _, ok := range []string{"b>", "/b>", "a href=\"http", "/a>", "br>", "span data-mx-bg-color", "/span>", "http"} {
					tag = tag || strings.HasPrefix(after, ok)
				}
				if !tag {
					t.Fatalf("an element of a stranger in %q", s)
				}
				rest = after
			}
		}
	})
}
