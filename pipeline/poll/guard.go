package poll

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/net/http/httpproxy"
)

// guarded is a transport that connects to public addresses only, whatever a
// name or a redirect says. The check sits in the dialer, on the address that
// is connected, so a second DNS answer cannot get around it. Through a proxy
// that is not possible: there the name's addresses are looked up and checked
// before the proxy is asked.
type guarded struct {
	guard    *ssrf.Guardian
	open     bool // everything is allowed: a machine that cannot resolve names itself may still use its proxy
	proxyFor func(*url.URL) (*url.URL, error)
	resolver *net.Resolver
	direct   *http.Transport
	proxied  *http.Transport // dials the proxy alone, so its dialer is not guarded
}

// newGuarded allows the prefixes on any port besides all public addresses.
func newGuarded(o Options, proxy func(*url.URL) (*url.URL, error), roots *tls.Config) *guarded {
	var v4, v6 []netip.Prefix
	var all4, all6 bool
	for _, p := range o.AllowNet {
		if p.Addr().Is4() {
			v4, all4 = append(v4, p), all4 || p.Bits() == 0
		} else {
			v6, all6 = append(v6, p), all6 || p.Bits() == 0
		}
	}
	g := &guarded{
		guard:    ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...)),
		open:     all4 && all6,
		proxyFor: proxy,
		resolver: net.DefaultResolver,
	}
	if proxy == nil {
		g.proxyFor = httpproxy.FromEnvironment().ProxyFunc()
	}
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second, Control: g.guard.Safe}
	g.direct = newTransport(o, dialer, roots)
	g.proxied = newTransport(o, &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}, roots)
	g.proxied.Proxy = func(r *http.Request) (*url.URL, error) { return g.proxyFor(r.URL) }
	g.proxied.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return errProxy
		}
		return nil
	}
	return g
}

// newTransport limits what an answer's head may cost. Compression is ours
// (decode.go), so that the limit holds for every encoding.
func newTransport(o Options, dialer *net.Dialer, roots *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        roots,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           200,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: o.MaxHeader,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// RoundTrip sends one request, directly or through the proxy.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := g.proxyFor(r.URL)
	if err != nil {
		return nil, failure(ReasonConnect, "the proxy's address in the environment is wrong")
	}
	if proxy == nil {
		return g.direct.RoundTrip(r)
	}
	if !g.open {
		if err := g.check(r.Context(), r.URL.Hostname()); err != nil {
			return nil, err
		}
	}
	return g.proxied.RoundTrip(r)
}

// check refuses a name if any of its addresses is not allowed.
func (g *guarded) check(ctx context.Context, host string) error {
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if err := g.guard.SafeAddr(a.Unmap()); err != nil {
			return failure(ReasonBlocked, "the name leads to %s, which is not a public address", a.Unmap())
		}
	}
	return nil
}

// close lets go of idle connections.
func (g *guarded) close() {
	g.direct.CloseIdleConnections()
	g.proxied.CloseIdleConnections()
}
