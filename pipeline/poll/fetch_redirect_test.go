package poll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

func TestSecretsStayWithTheirServer(t *testing.T) {
	t.Parallel()
	var leaks, own atomic.Int32
	note := func(n *atomic.Int32, r *http.Request) {
		if r.Header.Get("X-Api-Key") == "s3cret" || strings.HasPrefix(r.Header.Get("Authorization"), "Basic") {
			n.Add(1)
		}
	}
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(&leaks, r)
		_, _ = io.WriteString(w, document)
	})
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(&own, r)
		if r.URL.Path == "/1" {
			http.Redirect(w, r, "/2", http.StatusMovedPermanently)
			return
		}
		http.Redirect(w, r, other+"/feed", http.StatusMovedPermanently)
	})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := feed.Feed{ID: "x", URL: strings.Replace(home, "http://", "http://user:pass@", 1) + "/1", UserAgent: "Own/1",
		Headers: map[string]feed.Secret{"X-Api-Key": {File: file}}}
	a, err := loopback(t).Fetch(context.Background(), Request{Feed: f})
	if err != nil {
		t.Fatal(err)
	}
	if own.Load() != 2 || leaks.Load() != 0 {
		t.Errorf("secrets went %d times to their server and %d times elsewhere, want 2 and 0", own.Load(), leaks.Load())
	}
	if a.NewURL != other+"/feed" {
		t.Errorf("new address %q", a.NewURL)
	}
	f.Headers["X-Api-Key"] = feed.Secret{File: file + ".not-there"}
	if _, err := loopback(t).Fetch(context.Background(), Request{Feed: f}); reason(err) != ReasonSecret || strings.Contains(err.Error(), "pass") {
		t.Errorf("a secret that cannot be read: %v", err)
	}
}

func TestValidatorsGoToTheirAddressOnly(t *testing.T) {
	t.Parallel()
	var log []string
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		log = append(log, r.URL.Path+r.Header.Get("If-None-Match"))
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusNotModified)
	})
	c := loopback(t)
	r := Request{Feed: feed.Feed{ID: "x", URL: base + "/a"}, ETag: `"1"`, Origin: base + "/b"}
	a, err := c.Fetch(context.Background(), r)
	if err != nil || !a.Unchanged {
		t.Fatalf("%+v, %v", a, err)
	}
	r.Origin = ""
	if _, err := c.Fetch(context.Background(), r); reason(err) != ReasonProtocol {
		t.Errorf("304 to an unconditional hop: %v, want protocol", err)
	}
	if got := strings.Join(log, " "); got != `/a /b"1" /a"1" /b` {
		t.Errorf("requests %s", got)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var hops atomic.Int32
	var trapped atomic.Bool
	trap := serve(t, func(http.ResponseWriter, *http.Request) { trapped.Store(true) })
	_, trapPort, _ := net.SplitHostPort(strings.TrimPrefix(trap, "http://"))
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		to := func(s string) {
			w.Header().Set("Location", s)
			w.WriteHeader(http.StatusMovedPermanently)
		}
		var n int
		switch p := r.URL.Path; {
		case p == "/loop":
			to("/loop")
		case p == "/mixed":
			w.Header().Set("Location", "/hop/0")
			w.WriteHeader(http.StatusFound)
		case strings.HasPrefix(p, "/to/"):
			to(strings.TrimPrefix(r.URL.RequestURI(), "/to/"))
		default:
			if _, err := fmt.Sscanf(p, "/hop/%d", &n); err == nil && n > 0 {
				to(fmt.Sprintf("/hop/%d#fragment", n-1))
				return
			}
			_, _ = io.WriteString(w, document)
		}
	})
	c := loopback(t)
	strict := NewFetcher(DefaultOptions())
	strict.trip.(*guarded).direct.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := &net.Dialer{Control: strict.trip.(*guarded).guard.Safe}
		if addr == strings.TrimPrefix(base, "http://") {
			d.Control = nil // this one server plays the public one
		}
		return d.DialContext(ctx, network, addr)
	}
	if a, err := get(c, base+"/hop/10"); err != nil || a.NewURL != base+"/hop/0" {
		t.Errorf("ten redirects: %+v, %v", a, err)
	}
	hops.Store(0)
	if _, err := get(c, base+"/loop"); reason(err) != ReasonRedirect || hops.Load() != 11 {
		t.Errorf("loop: %v after %d requests, want redirect after 11", err, hops.Load())
	}
	if a, err := get(c, base+"/mixed"); err != nil || a.NewURL != "" {
		t.Errorf("a temporary redirect is no move: %+v, %v", a, err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "user:pass@127.0.0.1"} {
		if _, err := get(strict, base+"/to/http://"+host+":"+trapPort+"/"); reason(err) != ReasonBlocked {
			t.Errorf("redirect to %s: %v, want blocked", host, err)
		}
	}
	for _, to := range []string{"http://169.254.169.254/", "http://10.0.0.1/", "http://100.64.0.1/", "http://198.18.0.1/", "http://240.0.0.1/",
		"http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fc00::1]/", "http://[fe80::1]/", "gopher://127.0.0.1/", "data:,x", "ftp://127.0.0.1/"} {
		if _, err := get(strict, base+"/to/"+to); reason(err) != ReasonBlocked {
			t.Errorf("redirect to %s: %v, want blocked", to, err)
		}
	}
	if trapped.Load() {
		t.Error("an address that is not public was asked")
	}
	for _, bad := range []string{"file:///etc/passwd", "rsshub:/x", "http://", "//x", "http://[::1%25lo]:1/"} {
		if _, err := get(strict, bad); reason(err) != ReasonBlocked {
			t.Errorf("url %s: %v, want blocked", bad, err)
		}
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	var asked []string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		_, _ = io.WriteString(w, document)
	})
	address, _ := url.Parse(proxy)
	via := func(allow ...string) *Fetcher {
		var prefixes []netip.Prefix
		for _, a := range allow {
			prefixes = append(prefixes, netip.MustParsePrefix(a))
		}
		c := NewFetcher(DefaultOptions())
		c.trip = newGuarded(Options{AllowNet: prefixes}.complete(), func(*url.URL) (*url.URL, error) { return address, nil }, nil)
		return c
	}
	if _, err := get(via(), "http://8.8.8.8/feed"); err != nil {
		t.Errorf("public address by proxy: %v", err)
	}
	if _, err := get(via(), "http://10.1.2.3/feed"); reason(err) != ReasonBlocked {
		t.Errorf("private address by proxy: %v, want blocked", err)
	}
	if _, err := get(via("0.0.0.0/0", "::/0"), "http://name.that.only.the.proxy.knows.invalid/feed"); err != nil {
		t.Errorf("with everything allowed the proxy resolves: %v", err)
	}
	if got := strings.Join(asked, " "); got != "http://8.8.8.8/feed http://name.that.only.the.proxy.knows.invalid/feed" {
		t.Errorf("the proxy was asked for %s", got)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			w.Header().Set("X-Proto", "2")
		}
		_, _ = io.WriteString(w, document)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	o := DefaultOptions()
	o.AllowNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if _, err := get(NewFetcher(o), s.URL); reason(err) != ReasonTLS {
		t.Errorf("unknown authority: %v, want tls", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	known := newFetcher(o, &tls.Config{RootCAs: roots})
	if a, err := get(known, s.URL); err != nil || a.Open {
		t.Errorf("known authority: %+v, %v", a, err)
	}
	wrong := newFetcher(o, &tls.Config{RootCAs: roots, ServerName: "other.test"})
	if _, err := get(wrong, s.URL); reason(err) != ReasonTLS || !strings.Contains(err.Error(), "another name") {
		t.Errorf("wrong name: %v, want tls", err)
	}
	late := newFetcher(o, &tls.Config{RootCAs: roots, Time: func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }})
	if _, err := get(late, s.URL); reason(err) != ReasonTLS || !strings.Contains(err.Error(), s.Certificate().NotAfter.UTC().Format(time.DateOnly)) {
		t.Errorf("expired: %v, want tls with the date", err)
	}
	if _, err := get(known, strings.Replace(s.URL, "https:", "http:", 1)); reason(err) != ReasonClient {
		t.Errorf("http to a TLS port: %v", err)
	}
	if _, err := get(known, strings.Replace(raw(t, "HTTP/1.0 400 no\r\n\r\n", false), "http:", "https:", 1)); err == nil {
		t.Error("https to a plain port succeeded")
	}
}

func TestRefusedAndUnknownNames(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	if _, err := get(loopback(t), "http://"+address); reason(err) != ReasonConnect {
		t.Errorf("closed port: %v, want connect", err)
	}
	if _, err := get(loopback(t), "http://no-such-host.invalid/"); reason(err) != ReasonDNS {
		t.Errorf("unknown name: %v, want dns", err)
	}
}

func TestAllowNet(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"10.1.2.3/8": "10.0.0.0/8", "127.0.0.1": "127.0.0.1/32", "::1": "::1/128", "fc00::/7": "fc00::/7"} {
		if got, err := AllowNet(in); err != nil || got.String() != want {
			t.Errorf("AllowNet(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
	if _, err := AllowNet("example.org"); err == nil {
		t.Error("a name is no address")
	}
}

func TestOnlyPublicAddresses(t *testing.T) {
	t.Parallel()
	asked := false
	url := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	c := NewFetcher(DefaultOptions())
	defer c.Close()
	for _, u := range []string{url, strings.Replace(url, "127.0.0.1", "localhost", 1)} {
		if _, err := get(c, u); reason(err) != ReasonBlocked {
			t.Errorf("%s: %v, want blocked", u, err)
		}
	}
	if asked {
		t.Error("loopback was asked without --allow-net")
	}
}
