package poll

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
)

// F: transport. Each fault of a server ends in one class, in bounded time and
// memory, with nothing of the server's in the text.

const okHead = "HTTP/1.1 200 OK\r\n"

// faults are raw answers; EVIL marks bytes that must show nowhere.
var faults = []struct {
	name   string
	answer string
	hold   bool // keep the connection open
	want   string
}{
	{"case-068 hang", "", true, ReasonTimeout},
	{"case-069 hang-in-body", okHead + "Content-Length: 100\r\n\r\nEVIL", true, ReasonTimeout},
	{"case-070 huge-body", okHead + "Content-Length: 99999999999\r\n\r\n", true, ReasonTooLarge},
	{"case-072 gzip-twice", okHead + "Content-Encoding: gzip, gzip\r\nContent-Length: 4\r\n\r\nEVIL", false, ReasonEncoding},
	{"case-072 encoding-chain", okHead + "Content-Encoding: " + strings.Repeat("gzip, ", 1000) + "br\r\nContent-Length: 4\r\n\r\nEVIL", false, ReasonEncoding},
	{"case-072 encoding-false", okHead + "Content-Encoding: br\r\nContent-Length: 40\r\n\r\n" + strings.Repeat("EVIL", 10), false, ReasonEncoding},
	{"case-073 header-flood", okHead + strings.Repeat("X-Evil: EVIL\r\n", 100_000) + "\r\n", false, ReasonProtocol},
	{"case-073 header-long", okHead + "X-Evil: " + strings.Repeat("E", 2<<20) + "\r\n\r\n", false, ReasonProtocol},
	{"case-073 interim-flood", strings.Repeat("HTTP/1.1 103 EVIL\r\nX: EVIL\r\n\r\n", 100_000), false, ReasonProtocol},
	{"case-075 length-short", okHead + "Content-Length: 100\r\n\r\nEVIL", false, ReasonTruncated},
	{"case-075 length-twice", okHead + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nEVIL", false, ReasonProtocol},
	{"case-075 chunked-cut", okHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nEVIL!\r\n", false, ReasonTruncated},
	{"case-075 chunked-garbage", okHead + "Transfer-Encoding: chunked\r\n\r\nEVIL\r\nEVIL", false, ReasonProtocol},
	{"case-076 status-garbage", "HTTP/1.1 \x1b[31mEVIL\r\n\r\n", false, ReasonProtocol},
	{"case-076 http-0.9", "EVIL EVIL EVIL\r\n", false, ReasonProtocol},
	{"case-076 partial", "HTTP/1.1 206 EVIL\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\nEVIL", false, ReasonProtocol},
	{"case-076 304-unasked", "HTTP/1.1 304 EVIL\r\n\r\n", false, ReasonProtocol},
	{"case-076 no-content", "HTTP/1.1 204 EVIL\r\n\r\n", false, ""},
	{"case-076 empty-body", okHead + "Content-Length: 0\r\n\r\n", false, ReasonEmpty},
	{"case-076 226-unasked", "HTTP/1.1 226 EVIL\r\nIM: feed\r\nContent-Length: 4\r\n\r\nEVIL", false, ReasonProtocol},
	{"case-077 reset-before", "", false, ReasonConnect},
	{"case-078 close-delimited", "HTTP/1.0 200 OK\r\n\r\n" + document, false, ""},
	{"case-079 header-escapes in the status line", "HTTP/1.1 503 \x1b[31mEVIL\x07\r\nServer: \xc2\x9bEVIL\r\nRetry-After: 77\r\n\r\n", false, ReasonServer},
	{"case-079 header-escapes in a value", "HTTP/1.1 503 EVIL\r\nServer: \x1b]0;EVIL\r\nRetry-After: 77\r\n\r\n", false, ReasonProtocol},
}

func TestReliabilityTransport(t *testing.T) {
	for _, c := range faults {
		live(t, c.name, func(t *testing.T) {
			fetcher := loopback(t)
			limit := 20 * time.Second
			if c.want == ReasonTimeout {
				limit = 400 * time.Millisecond
			}
			fetcher.Timeout = limit
			begun := time.Now()
			a, err := get(fetcher, raw(t, c.answer, c.hold))
			if took := time.Since(begun); took > limit+time.Second || c.want == ReasonTimeout && took < limit {
				t.Errorf("ended after %s, the limit is %s", took, limit)
			}
			if c.want == "" {
				if err != nil || !a.Unchanged && string(a.Body) != document {
					t.Errorf("%+v, %v", a, err)
				}
				return
			}
			if reason(err) != c.want {
				t.Errorf("%v (%s), want %s", err, reason(err), c.want)
			}
			if s := fmt.Sprint(err); strings.Contains(s, "EVIL") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("the error quotes the server: %q", s)
			}
			if f := (*Failure)(nil); errors.As(err, &f) && f.Status == 503 && f.RetryAfter != 77*time.Second {
				t.Errorf("Retry-After %s, want it kept", f.RetryAfter)
			}
		})
	}
	for name, path := range map[string]string{"case-068 drip-headers": "head", "case-069 drip-body": "body"} {
		live(t, name, func(t *testing.T) { drip(t, path) })
	}
	scene(t, "case-069 a stalled body ends early", func(w *world) {
		begun := time.Now()
		ended := make(chan time.Duration, 1)
		x := &exchange{Fetcher: &Fetcher{}, cancel: func(error) { ended <- time.Since(begun) }}
		in := &wire{}
		stop := x.watch(in)
		time.Sleep(time.Second) // bubble time; not the same instant as the watch's
		for range 5 {
			in.n.Add(100 * int64(rateWindow/time.Second))
			time.Sleep(rateWindow) // bubble time
		}
		if len(ended) > 0 {
			w.Error("a body at its rate was ended")
		}
		time.Sleep(3 * rateWindow)
		if len(ended) != 1 {
			w.Error("a stalled body was not ended")
		}
		stop()
	})
	for name, encoding := range map[string]string{"case-070 endless-body": "", "case-071 gzip-bomb": "gzip", "case-072 zstd-bomb": "zstd", "case-072 br-bomb": "br"} {
		live(t, name, func(t *testing.T) { bomb(t, encoding) })
	}
	live(t, "case-074 twenty at once", func(t *testing.T) { twenty(t) })
	live(t, "case-077 refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		if _, err := get(loopback(t), "http://"+address); reason(err) != ReasonConnect {
			t.Errorf("%v, want connect", err)
		}
	})
	live(t, "case-077 reset-in-body", func(t *testing.T) {
		var requests atomic.Int32
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, document)
			_ = http.NewResponseController(w).Flush()
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
			}
		})
		if _, err := get(loopback(t), url); reason(err) != ReasonConnect && reason(err) != ReasonTruncated {
			t.Errorf("%v, want connect or truncated", err)
		}
		if n := requests.Load(); n > 2 {
			t.Errorf("%d requests in one poll", n)
		}
	})
	certificates(t)
	live(t, "case-083 v6-only", func(t *testing.T) {
		l, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skip("this machine has no IPv6: ", err)
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) })}}
		trust(t, s, false)
		if _, err := get(loopback(t), "http://"+l.Addr().String()+"/"); err != nil {
			t.Error(err)
		}
	})
}

// drip sends a byte now and then, for ever.
func drip(t *testing.T, part string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
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
				text := "HTTP/1.1 200 OK\r\n"
				if part == "body" {
					text += "Content-Length: 100000\r\n\r\n"
				}
				for {
					if _, err := io.WriteString(c, text); err != nil {
						return
					}
					text = "x"
					<-time.After(20 * time.Millisecond)
				}
			}()
		}
	}()
	c := loopback(t)
	c.Timeout = 500 * time.Millisecond
	begun := time.Now()
	if _, err := get(c, "http://"+l.Addr().String()+"/"); reason(err) != ReasonTimeout {
		t.Errorf("%v, want timeout", err)
	}
	if took := time.Since(begun); took > c.Timeout+time.Second {
		t.Errorf("ended after %s", took)
	}
}

// bomb serves far more than is allowed and watches how much is taken.
func bomb(t *testing.T, encoding string) {
	decoded := 8 << 20 // encoding zeros takes its time, too
	if encoding == "" {
		decoded = 64 << 20
	}
	var sent atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		out := io.Writer(countTo{w, &sent})
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
			z := encoder(encoding, out)
			defer func() { _ = z.Close() }()
			out = z
		}
		zeros := make([]byte, 64<<10)
		for n := 0; n < decoded; n += len(zeros) {
			if _, err := out.Write(zeros); err != nil {
				return
			}
		}
	})
	c := loopback(t)
	begun := time.Now()
	_, err := get(c, url)
	if reason(err) != ReasonTooLarge {
		t.Errorf("%v, want too_large", err)
	}
	if took := time.Since(begun); took > 25*time.Second {
		t.Errorf("took %s", took)
	}
	if encoding == "" && sent.Load() > 16<<20 { // what the sockets' buffers take
		t.Errorf("the server could send %d bytes", sent.Load())
	}
}

type countTo struct {
	io.Writer
	n *atomic.Int64
}

func (c countTo) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// twenty polls hostile servers and healthy ones together.
func twenty(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(make([]byte, 32<<20))
	_ = z.Close()
	hostile := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/bomb") {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed.Bytes())
			return
		}
		<-r.Context().Done()
	})
	healthy := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a|http://x.test/a|A||") })
	var feeds []feed.Feed
	for i := range 10 {
		feeds = append(feeds, aFeed(fmt.Sprintf("bomb%d", i), fmt.Sprintf("%s/bomb%d", hostile, i), time.Hour),
			aFeed(fmt.Sprintf("hang%d", i), fmt.Sprintf("%s/hang%d", hostile, i), time.Hour),
			aFeed(fmt.Sprintf("ok%d", i), fmt.Sprintf("%s/%d", healthy, i), time.Hour))
	}
	o := DefaultOptions()
	o.AllowNet, o.HostGap, o.PerHost, o.Timeout, o.MaxBody = anyLoopback, 0, 64, time.Second, 1<<20
	m := newMemory()
	p, err := New(Config{Options: o, States: m, Inbox: m, Parse: plainParse, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.Update(feeds)
	var peak uint64
	var watch sync.WaitGroup
	end := make(chan struct{})
	watch.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
				var s runtime.MemStats
				runtime.ReadMemStats(&s)
				peak = max(peak, s.HeapInuse)
			}
		}
	})
	s, err := p.Once(t.Context())
	close(end)
	watch.Wait()
	if err != nil || s.Answered != 10 || s.Failed != 20 {
		t.Errorf("%+v, %v; want the 10 healthy ones and no other", s, err)
	}
	if peak > 256<<20 {
		t.Errorf("heap of %d MB", peak>>20)
	}
}

// certificates: what is wrong with one is said, with its dates, and none of
// the body is read.
func certificates(t *testing.T) {
	serve := func(t *testing.T) (*httptest.Server, *tls.Config, *atomic.Int32) {
		var asked atomic.Int32
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = io.WriteString(w, "a|http://x.test/a|A||")
		}))
		roots := trust(t, s, true)
		return s, roots, &asked
	}
	o := DefaultOptions()
	o.AllowNet = anyLoopback
	wrong := func(t *testing.T, want string, change func(*tls.Config, *httptest.Server), now func() time.Time) {
		s, roots, asked := serve(t)
		change(roots, s)
		c := newFetcher(o, roots)
		c.Now = now
		t.Cleanup(c.Close)
		_, err := get(c, s.URL)
		want = strings.ReplaceAll(want, "END", s.Certificate().NotAfter.UTC().Format(time.DateOnly))
		if reason(err) != ReasonTLS || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want tls and %q", err, want)
		}
		if asked.Load() != 0 {
			t.Error("the request was sent all the same")
		}
	}
	at := func(year int) func() time.Time {
		return func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	}
	live(t, "case-080 tls-expired", func(t *testing.T) {
		wrong(t, "to END only", func(c *tls.Config, _ *httptest.Server) { c.Time = at(2200) }, at(2200))
	})
	live(t, "case-080 tls-wrong-name", func(t *testing.T) {
		wrong(t, "another name", func(c *tls.Config, _ *httptest.Server) { c.ServerName = "other.test" }, time.Now)
	})
	live(t, "case-080 tls-unknown-ca", func(t *testing.T) {
		wrong(t, "unknown authority", func(c *tls.Config, _ *httptest.Server) { c.RootCAs = x509.NewCertPool() }, time.Now)
	})
	live(t, "case-141 clock in 1970", func(t *testing.T) {
		wrong(t, "this machine's clock says 1960-01-01", func(c *tls.Config, _ *httptest.Server) { c.Time = at(1960) }, at(1960))
	})
	live(t, "case-081 tls-ok", func(t *testing.T) {
		s, roots, _ := serve(t)
		c := newFetcher(o, roots)
		t.Cleanup(c.Close)
		if _, err := get(c, s.URL); err != nil {
			t.Error(err)
		}
		without := newFetcher(o, nil)
		t.Cleanup(without.Close)
		if _, err := get(without, s.URL); reason(err) != ReasonTLS {
			t.Errorf("%v, want tls", err)
		}
	})
	live(t, "case-082 certificate expiry", func(t *testing.T) {
		s, roots, _ := serve(t)
		c := newFetcher(o, roots)
		t.Cleanup(c.Close)
		m := newMemory()
		now := s.Certificate().NotAfter.Add(-5 * 24 * time.Hour)
		roots.Time = func() time.Time { return now }
		p, err := New(Config{Options: o, States: m, Inbox: m, Parse: plainParse, Fetch: c.Fetch, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		p.Update([]feed.Feed{aFeed("x", s.URL, time.Hour)})
		if _, err := p.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		st := p.Snapshot()[0]
		if d := st.Certificate.Sub(s.Certificate().NotAfter).Abs(); d > time.Second {
			t.Errorf("certificate ends at %s, want %s", st.Certificate, s.Certificate().NotAfter)
		}
		if notes := strings.Join(st.Notes, "; "); !strings.Contains(notes, "the certificate ends on") {
			t.Errorf("notes %q, want a word five days before", notes)
		}
	})
}
