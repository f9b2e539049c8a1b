package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
)

// TestLogIsSafe: whatever a feed, a destination, a reader of NATS or a browser
// sends, a log line stays one line of ours, short and without control codes,
// and alerts are logged by ids.
func TestLogIsSafe(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs signals, which Windows has not")
	}
	const evil = "SANCTIONS\nlevel=ERROR msg=forged\r{\"level\":\"ERROR\",\"msg\":\"forged\"}\x1b[31m\u009b2J\u202e\u2028"
	long := evil + strings.Repeat(" sanctions imposed", 600) // 10 KB
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var polls atomic.Int64
			site := http.NewServeMux()
			site.HandleFunc("/news", func(w http.ResponseWriter, _ *http.Request) {
				items := []map[string]any{{"id": "old", "url": "http://127.0.0.1/old", "title": "Old news"}}
				if polls.Add(1) > 1 {
					items = append(items, map[string]any{"id": evil, "url": "http://127.0.0.1/" + evil, "title": long, "summary": long, "authors": []any{map[string]any{"name": evil}}})
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"version": "https://jsonfeed.org/version/1.1", "title": long, "items": items})
			})
			site.HandleFunc("/wrong", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/forged")
				fmt.Fprint(w, long)
			})
			site.HandleFunc("/moved", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/forged%0a%1b"+strings.Repeat("forged", 2000))
				w.WriteHeader(http.StatusMovedPermanently)
			})
			site.HandleFunc("/hook", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadGateway)
				fmt.Fprint(w, long)
			})
			s := httptest.NewServer(site)
			t.Cleanup(s.Close)

			dir := t.TempDir()
			feeds := "feeds:\n"
			for _, f := range []string{"news", "wrong", "moved"} {
				feeds += fmt.Sprintf("  - {id: %s, title: A feed, url: %s/%s, kind: ministry, tier: authoritative, country: US, language: en, every: 1s}\n", f, s.URL, f)
			}
			write(t, filepath.Join(dir, "feeds.yaml"), feeds)
			if err := os.Mkdir(filepath.Join(dir, "rules"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "rules/talk.yaml"), `channel: talk
title: Talk
rules:
  - {id: talk, title: Talk, severity: high, match: sanctions, tests: [{fires: true, title: sanctions}, {fires: false, title: other}]}
`)
			write(t, filepath.Join(dir, "notify.yaml"), "destinations:\n  - {name: hook, service: webhook, url: "+s.URL+"/hook}\n")
			p := startProcess(t, dir, "--nats-listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--rules", "rules", "--notify", "notify.yaml",
				"--allow-net", "127.0.0.0/8", "--min-interval", "100ms", "--host-gap", "0s", "--per-host", "64", "--log-format", format, "--log-level", "debug")
			var all []string
			says := func(what string) string {
				t.Helper()
				return p.saysAfter(t, what, &all)
			}
			where := regexp.MustCompile(`page"?[=:]"?(http://[^" ]+).*nats"?[=:]"?nats://([^" ]+)`).FindStringSubmatch(says("newsmonitor runs"))
			if where == nil {
				t.Fatal("the log does not say where the page and NATS are")
			}
			for address, said := range map[string]string{
				where[2]:                                `CONNECT {"verbose":true,"name":"` + "forged\\u001b[31m\\n" + `","user":"forged\nmsg=forged","pass":"x"}` + "\r\nPUB news.alerts.x 6\r\nforged\r\nSUB forged\x1b[31m 1\r\n\x1b[31mforged\r\n",
				strings.TrimPrefix(where[1], "http://"): "GET /forged\x1b[31m HTTP/1.1\r\nHost: forged\x1b[31m\r\n\r\n",
			} {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprint(c, said)
				_, _ = c.Read(make([]byte, 1))
				_ = c.Close()
			}
			alert := says(map[string]string{"text": " alert=", "json": `"alert":"`}[format])
			if !regexp.MustCompile(`feed"?[=:]"?news`).MatchString(alert) || !regexp.MustCompile(`alert"?[=:]"?[0-9a-f]{32}`).MatchString(alert) {
				t.Errorf("the line of an alert lacks its ids: %s", alert)
			}
			says("a destination does not take its alerts")
			if err := p.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			says("newsmonitor stops")
			record := regexp.MustCompile(`^time=\S+ level=[A-Z]+ msg=("([^"\\]|\\.)*"|\S+)( [a-z_]+=("([^"\\]|\\.)*"|[^" ]*))*$`)
			for _, line := range all {
				var v map[string]any
				if format == "json" && json.Unmarshal([]byte(line), &v) != nil || format == "text" && !record.MatchString(line) {
					t.Errorf("no log line: %q", line)
				}
				if len(line) > 4<<10 {
					t.Errorf("a log line of %d bytes: %.200q", len(line), line)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("control codes in %q", line)
				}
			}
		})
	}
}

// TestLogged: what an error's text brings along is cut, and shown as nothing
// that a terminal obeys; a stack stays whole.
func TestLogged(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := newLog(&out, format, "info")
		log.Error("a\u009b2Jb", "error", errors.New("x\u202ey\x1b[31m"+strings.Repeat("z", 100_000)), "stack", strings.Repeat("s\n", 5000))
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Count(line, "z") > maxLogged || strings.Count(line, `s\n`) != 5000 {
			t.Errorf("%s: %.300q", format, line)
		}
	}
}
