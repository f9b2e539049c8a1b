package poll

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"newsmonitor/pipeline/feed"
)

const (
	maxRedirects = 10
	maxValidator = 4 << 10 // an ETag longer than this is not worth a place in State
	maxURL       = 2 << 10 // of an address that a server gives us to remember
	maxSecret    = 64 << 10
	accept       = "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, " +
		"application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)

// Request is one question to a server. The validators are sent to the address
// that gave them and to no other.
type Request struct {
	Feed         feed.Feed
	ETag         string
	LastModified string
	Origin       string // the address that gave the validators; "" means the feed's own
}

// Answer is a server's good answer: a whole body, or that nothing changed.
type Answer struct {
	Status       int
	Unchanged    bool          // 304, or 204
	Body         []byte        // decoded
	URL          string        // where the body came from, after redirects
	ContentType  string        //
	ETag         string        // "" when absent or not repeatable byte for byte
	LastModified string        //
	Fresh        time.Duration // the server's wish: do not ask before
	NewURL       string        // where permanent redirects lead, "" without
	Downgraded   bool          // a redirect led from https to http
	Open         bool          // the body ended with the connection: a cut cannot be told from an end
	Fetched      time.Time     // when the last byte was read
}

// Fetcher asks servers. Its zero value is not usable: see NewFetcher.
type Fetcher struct {
	UserAgent string
	MaxBody   int64
	Timeout   time.Duration // of the whole exchange, redirects included
	Now       func() time.Time
	Observe   func(took time.Duration, size int64) // may be nil

	trip  http.RoundTripper
	close func()
}

// NewFetcher makes a fetcher that refuses all but public addresses and the
// ones allowed.
//
// The Transport reports answers on idle connections through the standard
// logger, with the server's bytes in them: give log.SetOutput the writer of
// StandardLog.
func NewFetcher(o Options) *Fetcher { return newFetcher(o.complete(), nil) }

func newFetcher(o Options, roots *tls.Config) *Fetcher {
	g := newGuarded(o.AllowNet, nil, roots)
	return &Fetcher{UserAgent: userAgent(o.Version, o.Contact), MaxBody: o.MaxBody, Timeout: o.Timeout,
		Now: time.Now, trip: g, close: g.close}
}

// Close lets go of idle connections.
func (c *Fetcher) Close() {
	if c.close != nil {
		c.close()
	}
}

// userAgent says honestly who asks and where to complain.
func userAgent(version, contact string) string {
	if version == "" {
		version = "dev"
	}
	ua := "newsmonitor/" + version
	if contact != "" {
		ua += " (+" + contact + ")"
	}
	return ua
}

// Fetch asks once and follows redirects. The error is a *Failure, or ctx's
// own when it ended.
func (c *Fetcher) Fetch(ctx context.Context, r Request) (*Answer, error) {
	start := c.Now()
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, errTimeout)
	defer cancel()
	a, size, err := c.exchange(limited, r)
	if c.Observe != nil {
		c.Observe(c.Now().Sub(start), size)
	}
	if err == nil {
		return a, nil
	}
	if f := classify(limited, err, c.Timeout); f != nil {
		return nil, f
	}
	return nil, ctx.Err()
}

// exchange is the request and its redirects.
func (c *Fetcher) exchange(ctx context.Context, r Request) (a *Answer, size int64, err error) {
	configured, err := parseURL(r.Feed.URL)
	if err != nil {
		return nil, 0, err
	}
	origin := configured.String()
	if r.Origin != "" {
		origin = r.Origin
	}
	a = &Answer{}
	at, permanent := configured, true
	for hop := 0; ; hop++ {
		req, conditional, err := c.request(ctx, r, configured, at, origin)
		if err != nil {
			return nil, 0, err
		}
		resp, err := c.trip.RoundTrip(req)
		if err != nil {
			return nil, 0, err
		}
		if !redirects(resp.StatusCode) {
			size, err := c.take(a, resp, at, conditional)
			_ = resp.Body.Close()
			return a, size, err
		}
		next, err := target(at, resp, c.Now())
		// A short body is read so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 2<<10)
		_ = resp.Body.Close()
		switch {
		case err != nil:
			return nil, 0, err
		case hop == maxRedirects:
			return nil, 0, failure(ReasonRedirect, "more than %d redirects", maxRedirects)
		}
		permanent = permanent && (resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusPermanentRedirect)
		if permanent {
			a.NewURL = ""
			if s := next.String(); s != configured.String() && plain(s, maxURL) {
				a.NewURL = s
			}
		}
		a.Downgraded = a.Downgraded || at.Scheme == "https" && next.Scheme == "http"
		at = next
	}
}

// request builds one hop. No cookie, no Referer, nothing that changes from
// poll to poll. Secrets and validators stay with the address they belong to.
func (c *Fetcher) request(ctx context.Context, r Request, configured, at *url.URL, origin string) (*http.Request, bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, false, failure(ReasonRedirect, "the address cannot be asked")
	}
	req.URL.User = nil
	h := req.Header
	h.Set("User-Agent", c.UserAgent)
	if r.Feed.UserAgent != "" {
		h.Set("User-Agent", r.Feed.UserAgent)
	}
	h.Set("Accept", accept)
	h.Set("Accept-Encoding", acceptEncoding)
	conditional := false
	if at.String() == origin {
		if r.ETag != "" {
			h.Set("If-None-Match", r.ETag)
			conditional = true
		}
		if r.LastModified != "" {
			h.Set("If-Modified-Since", r.LastModified)
			conditional = true
		}
	}
	if !sameServer(configured, at) {
		return req, conditional, nil
	}
	if u := configured.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	for name, secret := range r.Feed.Headers {
		value, err := readSecret(secret)
		if err != nil {
			return nil, false, failure(ReasonSecret, "the value of the header %s cannot be read from where the feed says", name)
		}
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, false, failure(ReasonSecret, "the value of the header %s has characters that a header cannot hold", name)
		}
		h.Set(name, value)
	}
	return req, conditional, nil
}

// take judges the last answer of the chain: by its status first, because what
// is no feed is no business of a parser.
func (c *Fetcher) take(a *Answer, resp *http.Response, at *url.URL, conditional bool) (size int64, err error) {
	now := c.Now()
	h := resp.Header
	a.Status, a.URL, a.ContentType, a.Fetched = resp.StatusCode, at.String(), h.Get("Content-Type"), now
	a.Fresh = freshFor(h, now)
	a.ETag, a.LastModified = validator(h.Get("ETag")), validator(h.Get("Last-Modified"))
	switch {
	case resp.StatusCode == http.StatusNotModified:
		if !conditional {
			return 0, &Failure{Reason: ReasonProtocol, Status: 304, Text: "status 304 though we did not ask whether anything changed"}
		}
		a.Unchanged = true
		return 0, nil
	case resp.StatusCode == http.StatusNoContent:
		a.Unchanged, a.ETag, a.LastModified = true, "", ""
		return 0, nil
	case resp.StatusCode == http.StatusPartialContent, resp.StatusCode == http.StatusResetContent,
		resp.StatusCode/100 != 2:
		return 0, statusFailure(resp.StatusCode, retryAfter(h, now))
	}
	a.Open = resp.ProtoMajor < 2 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	a.Body, size, err = readBody(resp, c.MaxBody)
	if err != nil {
		return size, err
	}
	if len(strings.TrimSpace(string(a.Body[:min(len(a.Body), 1024)]))) == 0 && len(a.Body) <= 1024 {
		return size, &Failure{Reason: ReasonEmpty, Status: resp.StatusCode, Text: "the answer is empty", RetryAfter: retryAfter(h, now)}
	}
	a.Fetched = c.Now()
	return size, nil
}

// redirects tells the statuses that carry a Location to follow.
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// target resolves a redirect. Only http and https are followed; credentials
// in the address are the server's, not ours, and dropped.
func target(at *url.URL, resp *http.Response, now time.Time) (*url.URL, error) {
	fail := func(reason, text string) error {
		return &Failure{Reason: reason, Status: resp.StatusCode, Text: text, RetryAfter: retryAfter(resp.Header, now)}
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, fail(ReasonRedirect, "a redirect without an address")
	}
	if len(location) > 8<<10 {
		return nil, fail(ReasonRedirect, "a redirect to an address of absurd length")
	}
	next, err := at.Parse(location)
	if err != nil {
		return nil, fail(ReasonRedirect, "a redirect to something that is no address")
	}
	if next.Scheme != "http" && next.Scheme != "https" {
		return nil, fail(ReasonBlocked, "a redirect to a scheme other than http and https")
	}
	if next.Hostname() == "" {
		return nil, fail(ReasonRedirect, "a redirect to an address without a host")
	}
	next.User, next.Fragment, next.RawFragment = nil, "", ""
	return next, nil
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, failure(ReasonBlocked, "the url is not an absolute address")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, failure(ReasonBlocked, "the url's scheme is neither http nor https")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// sameServer tells whether secrets meant for a may go to b: same scheme, name
// and port, or the move of one name from http to https on the usual ports.
func sameServer(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	if a.Scheme == b.Scheme {
		return port(a) == port(b)
	}
	return a.Scheme == "http" && port(a) == "80" && b.Scheme == "https" && port(b) == "443"
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// validator keeps a header value only if it can be stored and sent back byte
// for byte.
func validator(v string) string {
	if len(v) > maxValidator || !utf8.ValidString(v) || !httpguts.ValidHeaderFieldValue(v) {
		return ""
	}
	return v
}

// plain tells whether an address that a server gave may be stored and shown.
func plain(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// readSecret reads at each request, so that a secret can be rotated.
func readSecret(s feed.Secret) (string, error) {
	if s.Env != "" {
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", errors.New("not set")
		}
		return strings.TrimSpace(v), nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	return strings.TrimSpace(string(b)), err
}

// AllowNet reads one --allow-net value: a prefix, or an address alone.
func AllowNet(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("allow-net: want an address or a prefix such as 10.0.0.0/8")
	}
	return p.Masked(), nil
}
