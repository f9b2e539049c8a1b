package poll

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"newsmonitor/pipeline/feed"
)

// E: addresses that must never be asked, and files.

// namesake is a name server on loopback that gives each name its answers, one
// list a question.
func namesake(t *testing.T, answer func(name string, n int) []netip.Addr) *net.Resolver {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		asked := map[string]int{}
		buf := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) != nil || len(q.Questions) == 0 {
				continue
			}
			question := q.Questions[0]
			r := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true}, Questions: q.Questions}
			head := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET}
			name := strings.TrimSuffix(question.Name.String(), ".")
			if question.Type == dnsmessage.TypeA {
				asked[name]++
			}
			addrs := answer(name, max(asked[name], 1))
			switch {
			case addrs == nil && strings.HasPrefix(name, "servfail"):
				r.RCode = dnsmessage.RCodeServerFailure
			case addrs == nil && strings.HasPrefix(name, "dumb"):
				continue
			case addrs == nil:
				r.RCode = dnsmessage.RCodeNameError
			}
			for _, a := range addrs {
				switch {
				case a.Is4() && question.Type == dnsmessage.TypeA:
					r.Answers = append(r.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
				case a.Is6() && question.Type == dnsmessage.TypeAAAA:
					r.Answers = append(r.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			if b, err := r.Pack(); err == nil {
				_, _ = socket.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

// resolving is a fetcher that asks that name server and allows the prefixes.
func resolving(t *testing.T, r *net.Resolver, allow ...netip.Prefix) *Fetcher {
	o := DefaultOptions()
	o.AllowNet, o.ConnectTimeout = allow, 3*time.Second
	c := NewFetcher(o)
	t.Cleanup(c.Close)
	g := c.trip.(*guarded)
	g.resolver = r
	g.direct.DialContext = (&net.Dialer{Timeout: o.ConnectTimeout, Control: g.guard.Safe, Resolver: r}).DialContext
	return c
}

func TestReliabilityGuard(t *testing.T) {
	var trapped atomic.Int32
	trap := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		trapped.Add(1)
		_, _ = io.WriteString(w, document)
	})
	t.Cleanup(func() {
		if n := trapped.Load(); n > 0 {
			t.Errorf("the trap was asked %d times", n)
		}
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(trap, "http://"))
	one := netip.MustParseAddr("127.0.0.1")
	// blocked redirects from an address that is allowed, the only one.
	blocked := func(t *testing.T, to string, quick time.Duration) {
		t.Helper()
		from := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		c := NewFetcher(DefaultOptions())
		t.Cleanup(c.Close)
		g := c.trip.(*guarded)
		g.direct.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			d := &net.Dialer{Control: g.guard.Safe}
			if "http://"+addr == from {
				d.Control = nil // it plays the public server
			}
			return d.DialContext(ctx, network, addr)
		}
		begun := time.Now()
		_, err := get(c, from+"/")
		if reason(err) != ReasonBlocked {
			t.Errorf("redirect to %s: %v, want blocked", to, err)
		}
		if took := time.Since(begun); took > quick {
			t.Errorf("redirect to %s: refused after %s", to, took)
		}
	}
	for name, to := range map[string]string{
		"case-058 redirect-to-trap": trap, "case-058 redirect-localhost": "http://localhost:" + port + "/", "case-058 redirect-loopback-2": "http://127.1.2.3:" + port + "/",
		"case-058 redirect-v6-loopback": "http://[::1]:" + port + "/", "case-058 redirect-v4-mapped": "http://[::ffff:127.0.0.1]:" + port + "/",
		"case-058 redirect-unspecified": "http://0.0.0.0:" + port + "/", "case-058 redirect-v6-unspecified": "http://[::]:" + port + "/",
		"case-058 redirect-userinfo": "http://public.test@127.0.0.1:" + port + "/",
		"case-059 redirect-to-file":  "file:///etc/passwd", "case-059 redirect-to-gopher": "gopher://127.0.0.1:" + port + "/", "case-059 redirect-to-data": "data:text/xml,<rss/>",
		"case-059 redirect-to-ftp":      "ftp://127.0.0.1:" + port + "/",
		"case-060 redirect-to-metadata": "http://169.254.169.254/latest/meta-data/", "case-060 redirect-private": "http://10.0.0.1/", "case-060 redirect-nat64": "http://[64:ff9b::a00:1]/",
		"case-060 redirect-6to4": "http://[2002:a00:1::]/", "case-060 redirect-ula": "http://[fd00::1]/", "case-060 redirect-benchmark": "http://198.18.0.1/",
	} {
		live(t, name, func(t *testing.T) { blocked(t, to, 5*time.Second) })
	}
	live(t, "case-061 special-purpose ranges", func(t *testing.T) {
		g := newGuarded(DefaultOptions(), nil, nil).guard
		for _, s := range []string{"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.0", "127.255.255.255",
			"169.254.0.0", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.168.0.0", "192.168.255.255",
			"198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
			"::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "fc00::", "fdff::1", "fe80::1", "ff02::1"} {
			if g.SafeAddr(netip.MustParseAddr(s)) == nil {
				t.Errorf("%s passes", s)
			}
		}
		for _, s := range []string{"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0",
			"192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1"} {
			if err := g.SafeAddr(netip.MustParseAddr(s)); err != nil {
				t.Errorf("%s is refused: %v", s, err)
			}
		}
	})
	live(t, "case-062 rebinding", func(t *testing.T) {
		// The first answer is public, each later one is this machine.
		r := namesake(t, func(_ string, n int) []netip.Addr {
			if n == 1 {
				return []netip.Addr{netip.MustParseAddr("192.88.99.255")} // nobody there; what matters is what follows
			}
			return []netip.Addr{one}
		})
		if _, err := r.LookupNetIP(t.Context(), "ip4", "rebind.test"); err != nil {
			t.Fatal(err)
		}
		if _, err := get(resolving(t, r), "http://rebind.test:"+port+"/"); reason(err) != ReasonBlocked || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%v; want it blocked by the connected address, and that named", err)
		}
	})
	live(t, "case-063 one public and one internal address", func(t *testing.T) {
		r := namesake(t, func(string, int) []netip.Addr { return []netip.Addr{one, netip.MustParseAddr("127.9.9.9")} })
		hits := trapped.Load()
		// 127.9.9.9 plays the public one: nobody listens there.
		c := resolving(t, r, netip.MustParsePrefix("127.9.9.9/32"))
		if _, err := get(c, "http://mixed.test:"+port+"/"); err == nil {
			t.Error("the internal address was dialled")
		}
		if trapped.Load() != hits {
			t.Error("the trap was asked")
		}
	})
	live(t, "case-064 the url itself", func(t *testing.T) {
		c := NewFetcher(DefaultOptions())
		t.Cleanup(c.Close)
		for _, u := range []string{"file:///etc/passwd", "gopher://x.test/", "data:,x", "ftp://x.test/", trap, "http://[::1%25lo]:" + port + "/", "http://2130706433:" + port + "/", "http://0x7f.1:" + port + "/"} {
			if _, err := get(c, u); err == nil || reason(err) != ReasonBlocked && reason(err) != ReasonDNS {
				t.Errorf("%s: %v, want it refused", u, err)
			}
		}
		if w := notWatched(&feed.Feed{URL: "file:///etc/passwd"}); w == "" {
			t.Error("a file is watched")
		}
	})
	live(t, "case-065 proxy", func(t *testing.T) {
		var asked atomic.Int32
		proxy := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = io.WriteString(w, document)
		})
		address, _ := url.Parse(proxy)
		o := DefaultOptions().complete()
		g := newGuarded(o, func(*url.URL) (*url.URL, error) { return address, nil }, nil)
		g.resolver = namesake(t, func(name string, _ int) []netip.Addr {
			if name == "inside.test" {
				return []netip.Addr{one}
			}
			return []netip.Addr{netip.MustParseAddr("192.88.98.1")}
		})
		c := &Fetcher{UserAgent: "x", MaxBody: 1 << 20, Timeout: 5 * time.Second, Now: time.Now, trip: g}
		if _, err := get(c, "http://outside.test/"); err != nil {
			t.Errorf("behind the proxy: %v", err)
		}
		for _, u := range []string{"http://inside.test/", "http://127.0.0.1/", "http://10.0.0.1/"} {
			if _, err := get(c, u); reason(err) != ReasonBlocked {
				t.Errorf("%s behind the proxy: %v, want blocked", u, err)
			}
		}
		if asked.Load() != 1 {
			t.Errorf("the proxy was asked %d times", asked.Load())
		}
	})
	live(t, "case-085 names: unknown, ill, dumb", func(t *testing.T) {
		c := resolving(t, namesake(t, func(string, int) []netip.Addr { return nil }))
		c.Timeout = 12 * time.Second
		texts := map[string]bool{}
		for name, brief := range map[string]bool{"unknown.test": false, "servfail.test": true} {
			_, err := get(c, "http://"+name+"/")
			var f *Failure
			if !errors.As(err, &f) || f.Reason != ReasonDNS || f.Brief != brief {
				t.Errorf("%s: %+v, want dns, brief %v", name, err, brief)
				continue
			}
			texts[f.Text] = true
		}
		if len(texts) != 2 {
			t.Errorf("texts %v, want them to differ", texts)
		}
		short, _ := Pace{Random: fixed(0)}.Failure(noon, time.Hour, Failing{Times: 9, Waited: longest, Brief: true})
		long, _ := Pace{Random: fixed(0)}.Failure(noon, time.Hour, Failing{Times: 9, Waited: longest})
		if !short.Before(long) {
			t.Errorf("temporary trouble waits until %s, a name that does not exist until %s", short, long)
		}
	})
	live(t, "case-084 a dead IPv6 and a live IPv4 address", func(t *testing.T) {
		alive := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) })
		_, at, _ := net.SplitHostPort(strings.TrimPrefix(alive, "http://"))
		r := namesake(t, func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("2001:470:0:1::1"), one} })
		begun := time.Now()
		if _, err := get(resolving(t, r, anyLoopback...), "http://both.test:"+at+"/"); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
