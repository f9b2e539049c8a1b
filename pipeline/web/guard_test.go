package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testToken = "correct-horse-battery"

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Who may ask what: each row is a way in that must be open or shut.
func TestGuard(t *testing.T) {
	t.Parallel()
	loop, wide := "127.0.0.1:8080", "192.0.2.7:8080"
	token := tokenFile(t, "# desk\n"+testToken+"\nsecond-token-of-the-desk\n")
	proxy := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest asks from 192.0.2.1
	for _, tc := range []struct {
		name   string
		cfg    Config
		path   string
		header []string
		want   int
		says   string
	}{
		{"loopback is open", Config{Addr: loop}, "/api/v1/alerts", nil, 200, ""},
		{"localhost is a loopback name", Config{Addr: loop}, "/", []string{"Host", "localhost:8080"}, 200, ""},
		{"so is the IPv6 address", Config{Addr: loop}, "/", []string{"Host", "[::1]:8080"}, 200, ""},
		{"rebinding", Config{Addr: loop}, "/api/v1/alerts", []string{"Host", "evil.example"}, 421, "--http-host"},
		{"rebinding with our name in front", Config{Addr: loop}, "/", []string{"Host", "localhost.evil.example"}, 421, ""},
		{"another address", Config{Addr: loop}, "/", []string{"Host", "203.0.113.9"}, 421, ""},
		{"a named host", Config{Addr: loop, Hosts: []string{"monitor.desk.example"}}, "/", []string{"Host", "Monitor.Desk.example:80"}, 200, ""},
		{"health needs no Host", Config{Addr: loop}, "/livez", []string{"Host", "evil.example"}, 200, "ok"},
		{"metrics need no Host", Config{Addr: loop}, "/metrics", []string{"Host", "evil.example"}, 200, "monitor_http_requests_total"},
		{"dots", Config{Addr: loop}, "/../", nil, 404, ""},
		{"inner dots", Config{Addr: loop}, "/static/../sources", nil, 404, ""},
		{"no such page", Config{Addr: loop}, "/debug/pprof/", nil, 404, ""},

		{"beyond loopback is shut", Config{Addr: wide}, "/", []string{"Host", "192.0.2.7:8080"}, 403, "--http-token-file"},
		{"to the API as well", Config{Addr: wide}, "/api/v1/feeds", []string{"Host", "192.0.2.7:8080"}, 403, "--http-token-file"},
		{"from loopback as well", Config{Addr: "0.0.0.0:8080"}, "/", nil, 403, "--http-token-file"},
		{"all interfaces by their IPv6 name", Config{Addr: "[::]:8080"}, "/", nil, 403, "--http-token-file"},
		{"but health", Config{Addr: wide}, "/readyz", []string{"Host", "x"}, 200, ""},
		{"but metrics", Config{Addr: wide}, "/metrics", []string{"Host", "x"}, 200, ""},
		{"a machine's name is not ours", Config{Addr: wide, TokenFile: token}, "/", []string{"Host", "evil.example", "Authorization", "Bearer " + testToken}, 421, ""},

		{"a token opens", Config{Addr: wide, TokenFile: token}, "/api/v1/alerts", []string{"Authorization", "Bearer " + testToken, "Host", "192.0.2.7"}, 200, ""},
		{"so does the second", Config{Addr: wide, TokenFile: token}, "/api/v1/alerts", []string{"Authorization", "bearer second-token-of-the-desk", "Host", "192.0.2.7"}, 200, ""},
		{"a comment is no token", Config{Addr: loop, TokenFile: token}, "/api/v1/alerts", []string{"Authorization", "Bearer # desk"}, 401, ""},
		{"an empty one is none", Config{Addr: loop, TokenFile: token}, "/api/v1/alerts", []string{"Authorization", "Bearer "}, 401, ""},
		{"a wrong one is none", Config{Addr: loop, TokenFile: token}, "/api/v1/alerts", []string{"Authorization", "Bearer " + testToken + "x"}, 401, ""},
		{"nor on loopback without", Config{Addr: loop, TokenFile: token}, "/api/v1/alerts", nil, 401, "/login"},
		{"the token is no cookie", Config{Addr: loop, TokenFile: token}, "/api/v1/alerts", []string{"Cookie", cookieName + "=" + testToken}, 401, ""},
		{"people are led to the login", Config{Addr: loop, TokenFile: token}, "/?channel=x", []string{"Accept", "text/html"}, 303, ""},
		{"which is open", Config{Addr: loop, TokenFile: token}, "/login", nil, 200, "password"},
		{"with its style", Config{Addr: loop, TokenFile: token}, "/static/app.css", nil, 200, ""},
		{"no login without tokens", Config{Addr: loop}, "/login", nil, 404, ""},
		{"static holds no templates", Config{Addr: loop}, "/static/base.html", nil, 404, ""},

		{"a proxy names the user", Config{Addr: wide, UserHeader: "X-User", Trust: proxy}, "/", []string{"X-User", "lee", "Host", "192.0.2.7"}, 200, ""},
		{"it must name one", Config{Addr: wide, UserHeader: "X-User", Trust: proxy}, "/", []string{"Host", "192.0.2.7"}, 403, "proxy"},
		{"nobody else may", Config{Addr: wide, UserHeader: "X-User"}, "/", []string{"X-User", "lee", "Host", "192.0.2.7"}, 403, "proxy"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			res := get(t, serve(t, tc.cfg), tc.path, tc.header...)
			text := body(t, res)
			if res.StatusCode != tc.want || !strings.Contains(text, tc.says) {
				t.Errorf("GET %s %v: %d %s, want %d and %q", tc.path, tc.header, res.StatusCode, clip(text, 200), tc.want, tc.says)
			}
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			csp := res.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("Content-Security-Policy %q lacks %s", csp, want)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy %q", csp)
			}
		})
	}
}

func TestOnlyReading(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{TokenFile: tokenFile(t, testToken)})
	for _, tc := range []struct {
		method, path, origin string
		want                 int
	}{
		{"POST", "/", "", 405}, {"PUT", "/api/v1/alerts", "", 405}, {"DELETE", "/api/v1/alerts/x", "", 405},
		{"TRACE", "/", "", 405}, {"POST", "/metrics", "", 405}, {"POST", "/api/v1/alerts", "https://evil.example", 403},
		{"POST", "/login", "https://evil.example", 403}, {"HEAD", "/", "", 200}, {"HEAD", "/livez", "", 200},
	} {
		r := httptest.NewRequest(tc.method, tc.path, nil)
		r.Host = "localhost"
		r.Header.Set("Authorization", "Bearer "+testToken)
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s %s from %q: %d, want %d", tc.method, tc.path, tc.origin, w.Code, tc.want)
		}
	}
}

func post(s *Server, form url.Values) reply {
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(form.Encode()))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(s, r)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	file := tokenFile(t, testToken+"\n")
	s := serve(t, Config{TokenFile: file})
	if res := post(s, url.Values{"token": {"wrong"}}); res.StatusCode != http.StatusUnauthorized || len(res.cookies) != 0 {
		t.Errorf("a wrong token: %d, cookies %v", res.StatusCode, res.cookies)
	}
	res := post(s, url.Values{"token": {testToken + " "}, "to": {"/sources?x=1"}})
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/sources?x=1" || len(res.cookies) != 1 {
		t.Fatalf("login: %d to %q, cookies %v", res.StatusCode, res.Header.Get("Location"), res.cookies)
	}
	c := res.cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, testToken) {
		t.Errorf("cookie %+v", c)
	}
	if res := get(t, s, "/api/v1/alerts", "Cookie", c.String()); res.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %d", res.StatusCode)
	}
	for to, want := range map[string]string{"//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "": "/", "/a\r\nb": "/", "/alerts/1": "/alerts/1"} {
		if got := ownPath(to); got != want {
			t.Errorf("ownPath(%q) = %q, want %q", to, got, want)
		}
	}

	// Rotation: a new file shuts the old cookie out; a broken one changes nothing.
	if err := os.WriteFile(file, []byte("another-token-for-all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, noon); err != nil {
		t.Fatal(err)
	}
	if res := get(t, s, "/api/v1/alerts", "Cookie", c.String()); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old cookie after rotation: %d", res.StatusCode)
	}
	if err := os.WriteFile(file, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if res := get(t, s, "/api/v1/alerts", "Authorization", "Bearer another-token-for-all"); res.StatusCode != http.StatusOK {
		t.Errorf("the last good token with a broken file: %d", res.StatusCode)
	}
}

func TestTokenFileIsChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "no token", "# only this\n": "no token", "\nshort\n": ":2:1: the token has 5 characters"} {
		_, err := New(Config{Addr: "127.0.0.1:0", Alerts: newMemory(), Metrics: newRegistry(), Log: discard(), TokenFile: tokenFile(t, text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("token file %q: %v, want %q", text, err, want)
		}
	}
}
