package poll

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"newsmonitor/pipeline/feed"
)

const document = "a|http://x.test/a|A||text"

// loopback is a fetcher that may ask this machine.
func loopback(t *testing.T) *Fetcher {
	o := DefaultOptions()
	o.AllowNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	o.Version, o.Contact, o.MaxBody = "1.2.3", "https://contact.test/", 256<<10
	c := NewFetcher(o)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, f http.HandlerFunc) string {
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// raw answers each connection with bytes, then closes, or keeps it open.
func raw(t *testing.T, answer string, hold bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	t.Cleanup(func() { close(end); _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
				if hold {
					<-end
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/"
}

func get(c *Fetcher, url string) (*Answer, error) {
	return c.Fetch(context.Background(), Request{Feed: feed.Feed{ID: "x", URL: url}})
}

func reason(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return fmt.Sprint(err)
}

func TestRequestIsPolite(t *testing.T) {
	t.Parallel()
	var got http.Header
	var path string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.SetCookie(w, &http.Cookie{Name: "track", Value: "me"})
			http.Redirect(w, r, "/feed?a=b", http.StatusFound)
			return
		}
		got, path = r.Header.Clone(), r.Method+" "+r.URL.String()
		w.Header().Set("ETag", `W/"x"`)
		_, _ = io.WriteString(w, document)
	})
	c := loopback(t)
	for range 2 {
		a, err := get(c, url+"/")
		if err != nil || string(a.Body) != document || a.ETag != `W/"x"` || a.URL != url+"/feed?a=b" || a.NewURL != "" {
			t.Fatalf("answer %+v, %v", a, err)
		}
	}
	if path != "GET /feed?a=b" {
		t.Errorf("asked %q", path)
	}
	want := map[string]string{"User-Agent": "newsmonitor/1.2.3 (+https://contact.test/)", "Accept": accept, "Accept-Encoding": acceptEncoding}
	for name := range got {
		if got.Get(name) != want[name] {
			t.Errorf("header %s: %q, want %q", name, got.Get(name), want[name])
		}
	}
}

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

func TestBodies(t *testing.T) {
	t.Parallel()
	pack := func(kind string, b []byte) []byte {
		var buf bytes.Buffer
		var w io.WriteCloser
		switch kind {
		case "gzip":
			w = gzip.NewWriter(&buf)
		case "br":
			w = brotli.NewWriter(&buf)
		case "zstd":
			w, _ = zstd.NewWriter(&buf)
		}
		_, _ = w.Write(b)
		_ = w.Close()
		return buf.Bytes()
	}
	bomb := make([]byte, 64<<20)
	small := []byte(document)
	for _, c := range []struct {
		name, encoding string
		body           []byte
		want           string // reason, "" is success
	}{
		{"plain", "", small, ""},
		{"identity", "identity", small, ""},
		{"gzip", "gzip", pack("gzip", small), ""},
		{"x-gzip", "X-GZip", pack("gzip", small), ""},
		{"br", "br", pack("br", small), ""},
		{"zstd", "zstd", pack("zstd", small), ""},
		{"gzip bomb", "gzip", pack("gzip", bomb), ReasonTooLarge},
		{"br bomb", "br", pack("br", bomb), ReasonTooLarge},
		{"zstd bomb", "zstd", pack("zstd", bomb), ReasonTooLarge},
		{"long", "", bomb[:1<<20], ReasonTooLarge},
		{"just too long", "", bomb[:256<<10+1], ReasonTooLarge},
		{"just short enough", "", append([]byte("x"), bomb[:256<<10-1]...), ""},
		{"gzip cut", "gzip", pack("gzip", bytes.Repeat(small, 100))[:30], ReasonTruncated},
		{"br cut", "br", pack("br", bytes.Repeat(small, 100))[:20], ReasonTruncated},
		{"zstd cut", "zstd", pack("zstd", bytes.Repeat(small, 100))[:20], ReasonTruncated},
		{"gzip twice", "gzip, gzip", pack("gzip", pack("gzip", small)), ReasonEncoding},
		{"chain", "gzip, br, zstd", small, ReasonEncoding},
		{"deflate", "deflate", small, ReasonEncoding},
		{"false gzip", "gzip", bytes.Repeat(small, 10), ReasonEncoding},
		{"false br", "br", bytes.Repeat([]byte("<rss/>"), 10), ReasonEncoding},
		{"false zstd", "zstd", bytes.Repeat(small, 10), ReasonEncoding},
		{"empty", "", nil, ReasonEmpty},
		{"blank", "", []byte(" \n\t "), ReasonEmpty},
		{"empty gzip", "gzip", nil, ReasonEmpty},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				_, _ = w.Write(c.body)
			})
			a, err := get(loopback(t), url)
			switch {
			case c.want != "":
				if reason(err) != c.want {
					t.Errorf("%v (%s), want %s", err, reason(err), c.want)
				}
			case err != nil:
				t.Errorf("%v, want the body", err)
			case len(a.Body) < len(small) || c.encoding != "" && string(a.Body) != document:
				t.Errorf("body of %d bytes", len(a.Body))
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "", 203: "", 202: "", 204: "", 205: ReasonProtocol, 206: ReasonProtocol, 300: ReasonRedirect, 304: ReasonProtocol,
		400: ReasonClient, 401: ReasonClient, 403: ReasonClient, 404: ReasonClient, 410: ReasonClient, 429: ReasonRateLimited,
		500: ReasonServer, 502: ReasonServer, 503: ReasonServer, 599: ReasonServer, 999: ReasonProtocol, 301: ReasonRedirect,
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(status)
			if status != 304 && status != 204 {
				_, _ = io.WriteString(w, document)
			}
		})
		a, err := get(loopback(t), url)
		if want == "" {
			if err != nil || a.Unchanged != (status == 204) {
				t.Errorf("status %d: %+v, %v", status, a, err)
			}
			continue
		}
		var f *Failure
		if !errors.As(err, &f) || f.Reason != want || f.Status != status {
			t.Errorf("status %d: %+v, want %s", status, err, want)
		} else if (status == 429 || status == 503) && f.RetryAfter != 77*time.Second {
			t.Errorf("status %d: Retry-After %s, want 77s", status, f.RetryAfter)
		}
	}
}

// TestBrokenServers holds each fault to one class, in bounded time, with no
// byte of the server's in the text.
func TestBrokenServers(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		answer string
		hold   bool
		want   string
	}{
		"hangs before the head":  {"", true, ReasonTimeout},
		"hangs in the head":      {ok + "X-EVIL: 1\r\n", true, ReasonTimeout},
		"hangs in the body":      {ok + "Content-Length: 100\r\n\r\nEVIL", true, ReasonTimeout},
		"closes at once":         {"", false, ReasonConnect},
		"length too long":        {ok + "Content-Length: 100\r\n\r\nEVIL", false, ReasonTruncated},
		"chunks cut":             {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nEVIL!\r\n", false, ReasonTruncated},
		"chunks of nonsense":     {ok + "Transfer-Encoding: chunked\r\n\r\nEVIL\r\nEVIL", false, ReasonProtocol},
		"two lengths":            {ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nEVIL", false, ReasonProtocol},
		"escape codes as status": {"HTTP/1.1 \x1b[31mEVIL\r\n\r\n", false, ReasonProtocol},
		"no head at all":         {"EVIL EVIL EVIL\r\n", false, ReasonProtocol},
		"flood of headers":       {ok + strings.Repeat("X-Evil: EVIL\r\n", 100_000) + "\r\n", false, ReasonProtocol},
		"one long header":        {ok + "X-Evil: " + strings.Repeat("E", 2<<20) + "\r\n\r\n", false, ReasonProtocol},
		"flood of interim heads": {strings.Repeat("HTTP/1.1 103 EVIL\r\nX: EVIL\r\n\r\n", 100_000), false, ReasonProtocol},
		"announces too much":     {ok + "Content-Length: 99999999999\r\n\r\n", true, ReasonTooLarge},
		"status 500 with escape": {"HTTP/1.1 500 \x1b[31mEVIL\r\n\r\n", false, ReasonServer},
		"redirect to a file":     {"HTTP/1.1 302 Found\r\nLocation: file:///etc/EVIL\r\n\r\n", false, ReasonBlocked},
		"redirect to nothing":    {"HTTP/1.1 302 Found\r\nLocation: http:///EVIL\r\n\r\n", false, ReasonRedirect},
		"redirect to nonsense":   {"HTTP/1.1 302 Found\r\nLocation: http://[EVIL\r\n\r\n", false, ReasonRedirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fetcher := loopback(t)
			fetcher.Timeout = 300 * time.Millisecond
			if c.want != ReasonTimeout {
				fetcher.Timeout = 20 * time.Second
			}
			begin := time.Now()
			_, err := get(fetcher, raw(t, c.answer, c.hold))
			if reason(err) != c.want {
				t.Errorf("%v (%s), want %s", err, reason(err), c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "EVIL") || strings.ContainsAny(err.Error(), "\x1b\r\n")) {
				t.Errorf("the error quotes the server: %q", err)
			}
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestDripAndEndless(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		part := bytes.Repeat([]byte("x"), 4096)
		if r.URL.Path == "/drip" {
			part = part[:1]
		}
		for r.Context().Err() == nil {
			n, err := w.Write(part)
			if err != nil {
				return
			}
			sent.Add(int64(n))
			if r.URL.Path == "/drip" {
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	})
	c := loopback(t)
	c.Timeout = 500 * time.Millisecond
	if _, err := get(c, url+"/drip"); reason(err) != ReasonTimeout {
		t.Errorf("drip: %v, want timeout", err)
	}
	c.Timeout = 20 * time.Second
	if _, err := get(c, url+"/endless"); reason(err) != ReasonTooLarge {
		t.Errorf("endless: %v, want too_large", err)
	}
	if n := sent.Load(); n > 16<<20 {
		t.Errorf("the server could send %d bytes", n)
	}
}

func TestCloseDelimitedBody(t *testing.T) {
	t.Parallel()
	a, err := get(loopback(t), raw(t, "HTTP/1.0 200 OK\r\n\r\n"+document, false))
	if err != nil || string(a.Body) != document || !a.Open {
		t.Errorf("%+v, %v; want the body, marked as open", a, err)
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
		c.trip = newGuarded(prefixes, func(*url.URL) (*url.URL, error) { return address, nil }, nil)
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

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := loopback(t).Fetch(ctx, Request{Feed: feed.Feed{URL: url}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error and no failure of the feed", err)
	}
}

func TestValidatorThatCannotBeRepeated(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]string{`"a"`: `"a"`, `W/"a"`: `W/"a"`, "": "", "\"\xff\"": "", strings.Repeat("x", maxValidator+1): ""} {
		if got := validator(v); got != want {
			t.Errorf("validator(%.20q) = %.20q, want %.20q", v, got, want)
		}
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

// forever repeats bytes without end.
type forever struct {
	b  []byte
	at int
}

func (f *forever) Read(p []byte) (int, error) {
	n := copy(p, f.b[f.at:])
	f.at = (f.at + n) % len(f.b)
	return n, nil
}

func TestEndlessNothing(t *testing.T) {
	t.Parallel()
	var empty bytes.Buffer
	_ = gzip.NewWriter(&empty).Close()
	resp := &http.Response{Header: h("Content-Encoding", "gzip"), ContentLength: -1, Body: io.NopCloser(&forever{b: empty.Bytes()})}
	_, size, err := readBody(resp, 4096)
	if reason(err) != ReasonTooLarge || size > 4096+wireSlack+1 {
		t.Errorf("empty gzip members without end: %v after %d bytes", err, size)
	}
}

// FuzzDecode feeds foreign bytes to each decoder: no panic, and never more
// than the limit.
func FuzzDecode(f *testing.F) {
	f.Add("gzip", []byte("\x1f\x8b\x08"))
	f.Add("br", []byte{0x0b, 0x02, 0x80})
	f.Add("zstd", []byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, encoding string, b []byte) {
		resp := &http.Response{Header: http.Header{"Content-Encoding": {encoding}}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(b))}
		body, size, err := readBody(resp, 4096)
		if len(body) > 4096 || size > 4096+wireSlack+1 {
			t.Fatalf("%d bytes of %d read", len(body), size)
		}
		if err != nil && classify(context.Background(), err, time.Second) == nil {
			t.Fatalf("%v has no class", err)
		}
	})
}
