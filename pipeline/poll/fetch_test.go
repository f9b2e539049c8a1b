package poll

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
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

// encoder compresses as servers do.
func encoder(kind string, w io.Writer) io.WriteCloser {
	switch kind {
	case "br":
		return brotli.NewWriter(w)
	case "zstd":
		z, err := zstd.NewWriter(w)
		if err != nil {
			panic(err)
		}
		return z
	}
	return gzip.NewWriter(w)
}

func TestBodies(t *testing.T) {
	t.Parallel()
	pack := func(kind string, b []byte) []byte {
		var buf bytes.Buffer
		w := encoder(kind, &buf)
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
	_, size, err := readBody(&wire{r: resp.Body, left: 4096 + wireSlack + 1}, resp, 4096)
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
		body, size, err := readBody(&wire{r: resp.Body, left: 4096 + wireSlack + 1}, resp, 4096)
		if len(body) > 4096 || size > 4096+wireSlack+1 {
			t.Fatalf("%d bytes of %d read", len(body), size)
		}
		if err != nil && classify(context.Background(), err, time.Second, noon) == nil {
			t.Fatalf("%v has no class", err)
		}
	})
}
