package notify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var known = Known{Channels: []string{"sanctions", "attribution"}, Feeds: []string{"us-treasury"}}

// TestLoad: every mistake is told with its place and a hint, and no secret.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("NOTIFY_TEST_URL", "https://hooks.example.org/T0/hunter2")
	t.Setenv("NOTIFY_TEST_BAD", "hunter2 is no address")
	t.Setenv("NOTIFY_TEST_DISCORD", "discord://hunter2@123456")
	t.Setenv("NOTIFY_TEST_NOSUCH", "nosuch://hunter2@123456")
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	one := func(s string) string { return "destinations:\n  - " + s + "\n" }
	for _, c := range []struct{ name, in, want string }{
		{"webhook", one("{name: a, service: webhook, url: 'http://127.0.0.1:1/x', secret: {file: token}, channels: [sanctions], limit: {messages: 5, per: 1m}}"), ""},
		{"slack", one("{name: a, service: slack, url: {env: NOTIFY_TEST_URL}, severity: high, quiet: {from: '22:00', to: '07:00', zone: Europe/Berlin, days: [mon]}}"), ""},
		{"digest", one("{name: a, service: mail, server: 'localhost:25', from: 'Monitor <m@example.org>', to: [d@example.org], digest: {at: ['07:30', '16:00'], zone: America/New_York}}"), ""},
		{"library", one("{name: a, service: shoutrrr, url: {env: NOTIFY_TEST_DISCORD}}"), ""},
		{"telegram", one("{name: a, service: telegram, chat: \"-100123\", token: {file: token}}"), ""},
		{"matrix", one("{name: a, service: matrix, url: 'https://m.example.org', token: {file: token}, room: '!a:example.org'}"), ""},

		{"nothing", "page: https://monitor.example.org\n", "f.yaml:1:1: the file names no destination"},
		{"unknown key", one("{name: a, service: webhook, url: 'http://x.example', chanels: [sanctions]}"), `2:58: unknown key "chanels"` + "\n    did you mean \"channels\"?"},
		{"unknown service", one("{name: a, service: slak, url: x}"), `2:24: unknown service "slak"` + "\n    did you mean \"slack\"?"},
		{"far service", one("{name: a, service: pigeon}"), `unknown service "pigeon"` + "\n    services: webhook, mail, slack"},
		{"channel", one("{name: a, service: webhook, url: 'http://x.example', channels: [sanction]}"), `2:69: "sanction" names no channel of the rules` + "\n    did you mean \"sanctions\"?"},
		{"feed", one("{name: a, service: webhook, url: 'http://x.example', feeds: [zzz]}"), `"zzz" names no feed of the catalogue` + "\n    there are: us-treasury"},
		{"country", one("{name: a, service: webhook, url: 'http://x.example', countries: [usa]}"), `"usa" names no country`},
		{"tier", one("{name: a, service: webhook, url: 'http://x.example', tiers: [top]}"), `"top" names no tier`},
		{"severity", one("{name: a, service: webhook, url: 'http://x.example', severity: urgent}"), `severity "urgent" is none`},
		{"empty filter", one("{name: a, service: webhook, url: 'http://x.example', channels: []}"), "an empty list lets nothing through"},
		{"missing env", one("{name: a, service: slack, url: {env: NOTIFY_TEST_NOT_SET}}"), "url: environment variable NOTIFY_TEST_NOT_SET is not set"},
		{"missing file", one("{name: a, service: webhook, url: 'http://x.example', secret: {file: nowhere}}"), "secret: file nowhere: no such file or directory"},
		{"empty file", one("{name: a, service: webhook, url: 'http://x.example', secret: {file: empty}}"), "secret: file empty is empty"},
		{"folder", one("{name: a, service: webhook, url: 'http://x.example', secret: {file: .}}"), "want a small file"},
		{"open secret", one("{name: a, service: slack, url: 'https://hooks.example.org/T0/hunter2'}"), "url holds its value; secrets stay out of files that people share\n    write url: {env: NAME}"},
		{"open token", one("{name: a, service: ntfy, url: 'https://n.example/t', token: hunter2}"), "token holds its value"},
		{"password in url", one("{name: a, service: webhook, url: 'https://u:hunter2@x.example'}"), "url holds a password"},
		{"both", one("{name: a, service: slack, url: {env: A, file: b}}"), "url has both env and file"},
		{"no address", one("{name: a, service: slack, url: {env: NOTIFY_TEST_BAD}}"), "url: the address in environment variable NOTIFY_TEST_BAD is not an http(s) address"},
		{"ntfy topic", one("{name: a, service: ntfy, url: 'https://ntfy.example.org/'}"), "names no topic"},
		{"library service", one("{name: a, service: shoutrrr, url: {env: NOTIFY_TEST_NOSUCH}}"), "url: the library knows no service nosuch"},
		{"needs", one("{name: a, service: matrix, url: 'https://m.example.org'}"), `destination "a": service matrix needs token`},
		{"has no", one("{name: a, service: webhook, url: 'http://x.example', room: '!a:b'}"), "2:58: service webhook has no room\n    it has url, secret, token"},
		{"room", one("{name: a, service: matrix, url: 'https://m.example.org', token: {file: token}, room: '#a:b'}"), "is no room id"},
		{"name", one("{name: A b, service: webhook, url: 'http://x.example'}"), `name "A b" is no slug`},
		{"twice", one("{name: a, service: webhook, url: 'http://x.example'}") + "  - {name: a, service: webhook, url: 'http://y.example'}\n", `3:12: name "a" is used twice; the first is in line 2`},
		{"hours", one("{name: a, service: webhook, url: 'http://x.example', quiet: {from: '22', to: '07:00'}}"), `"22" is not a time of the day`},
		{"endless", one("{name: a, service: webhook, url: 'http://x.example', quiet: {from: '22:00', to: '22:00'}}"), "quiet hours that never end"},
		{"zone", one("{name: a, service: webhook, url: 'http://x.example', quiet: {from: '22:00', to: '07:00', zone: Berlin}}"), `"Berlin" is no time zone`},
		{"day", one("{name: a, service: webhook, url: 'http://x.example', quiet: {from: '22:00', to: '07:00', days: [someday]}}"), `"someday" is no day of the week`},
		{"limit", one("{name: a, service: webhook, url: 'http://x.example', limit: {messages: 0, per: 1m}}"), "0 messages is not a limit"},
		{"per", one("{name: a, service: webhook, url: 'http://x.example', limit: {messages: 1, per: often}}"), `per "often" is not a span of time`},
		{"digest of chat", one("{name: a, service: slack, url: {env: NOTIFY_TEST_URL}, digest: {at: ['07:30']}}"), "service slack has no digest"},
		{"digest never", one("{name: a, service: mail, server: 'h:25', from: a@b.example, to: [a@b.example], digest: {at: []}}"), "digest says no hour"},
		{"mail", one("{name: a, service: mail, server: h, from: nobody, to: [], tls: some}"), "server \"h\" is not host:port"},
		{"mail to", one("{name: a, service: mail, server: 'h:25', from: a@b.example, to: ['x y']}"), `"x y" is not a mail address`},
		{"clear password", one("{name: a, service: mail, server: 'h.example:25', from: a@b.example, to: [a@b.example], tls: none, user: u, password: {file: token}}"), "a password would go over the network in the clear"},
		{"user alone", one("{name: a, service: mail, server: 'h:25', from: a@b.example, to: [a@b.example], user: u}"), "user and password go together"},
		{"unsubscribe", one("{name: a, service: mail, server: 'h:25', from: a@b.example, to: [a@b.example], unsubscribe: 'http://x.example'}"), "neither mailto: nor https:"},
		{"reason", one("{name: a, service: webhook, url: 'http://x.example', disabled: ''}"), "disabled needs a reason"},
		{"page", "page: monitor.example.org\n" + one("{name: a, service: webhook, url: 'http://x.example'}"), "is not an http(s) address"},
		{"not yaml", "destinations: [", "f.yaml:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ds, l := load(filepath.Join(dir, "f.yaml"), []byte(c.in), known)
			got := l.Error()
			if c.want == "" && (got != "" || len(ds) != 1) {
				t.Errorf("load(%q) = %v, %q; want one destination", c.in, ds, got)
			}
			if c.want != "" && (!strings.Contains(got, c.want) || ds != nil) {
				t.Errorf("load(%q)\n got %s\nwant %s", c.in, got, c.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret shows: %s", got)
			}
		})
	}
	if _, l := Load(filepath.Join(dir, "nowhere.yaml"), known); !strings.Contains(l.Error(), "nowhere.yaml: no such file or directory") {
		t.Errorf("a file that is not there: %v", l)
	}
}

// TestExample: the file that we ship is taken, once its secrets are there.
func TestExample(t *testing.T) {
	b, err := os.ReadFile("../../deploy/notify.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLACK_URL", "https://hooks.slack.com/services/x")
	t.Setenv("TELEGRAM_TOKEN", "1:x")
	t.Setenv("DISCORD_URL", "discord://token@123456")
	dir := t.TempDir()
	for _, f := range []string{"webhook-secret", "smtp-password", "ntfy-token", "matrix-token", "teams-url"} {
		v := "x"
		if f == "teams-url" {
			v = "https://example.webhook.office.com/x"
		}
		if err := os.WriteFile(filepath.Join(dir, f), []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := Known{Channels: []string{"indictment", "attribution", "sanctions", "dialogue-resumption", "dialogue-suspension", "denial", "norms",
		"retaliation", "militarization", "incident", "statistics"}}
	ds, l := load(filepath.Join(dir, "notify.yaml"), []byte(strings.ReplaceAll(string(b), "/run/secrets/", "")), k)
	if len(l) > 0 || len(ds) != len(Services)+1 {
		t.Errorf("%d destinations, %v", len(ds), l)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("destinations:\n  - {name: a, service: mail, server: 'h:25', from: a@b, to: [x], digest: {at: ['07:30']}}\n"))
	f.Add([]byte("destinations: [{name: a, service: slack, url: {env: X, file: y}, quiet: {from: '1:00'}}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ds, l := load("f.yaml", b, known); len(l.Errors()) > 0 && ds != nil {
			t.Error("destinations of a file that is refused")
		}
	})
}
