package poll

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"newsmonitor/pipeline/feed"
)

const (
	rateWindow   = 20 * time.Second // how often a body's pace is looked at
	maxValidator = 4 << 10          // an ETag longer than this is not worth a place in State
	maxURL       = 2 << 10          // of an address that a server gives us to remember
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
	Direct       string // ask this address, to which the feed's own has redirected for good; "" asks the feed's own

	// hop is called before a redirect leads to another host, and waits until
	// that host's manners allow a request. Its time does not count.
	hop func(ctx context.Context, to string) error
}

// Answer is a server's good answer: a whole body, or that nothing changed.
type Answer struct {
	Status       int
	Unchanged    bool          // 304, or 204
	Body         []byte        // decoded
	URL          string        // where the body came from, after redirects
	ContentType  string        //
	Language     string        // the header Content-Language
	Location     string        // the header Content-Location
	ETag         string        // "" when absent or not repeatable byte for byte
	LastModified string        //
	Fresh        time.Duration // the server's wish: do not ask before
	NewURL       string        // where permanent redirects lead, "" without
	Downgraded   bool          // a redirect led from https to http
	Open         bool          // the body ended with the connection: a cut cannot be told from an end
	Fetched      time.Time     // when the last byte was read
	Date         time.Time     // the same by the server's clock, to a second; zero when it does not say
	Delta        bool          // 226: the document lists only what changed (RFC 3229, with feed)
	Direct       bool          // Request.Direct was asked
	Conditional  bool          // validators were sent
	Certificate  time.Time     // when the server's certificate ends, zero without TLS

	sum string // bodyHash, once computed
}

// Document is the answer as feed.Parse wants it.
func (a *Answer) Document(f feed.Feed) feed.Document {
	return feed.Document{Feed: f, URL: a.URL, ContentType: a.ContentType, ContentLanguage: a.Language, ContentLocation: a.Location,
		Body: a.Body, Fetched: a.Fetched.UTC()}
}

// Fetcher asks servers. Its zero value is not usable: see NewFetcher.
type Fetcher struct {
	UserAgent    string
	MaxBody      int64
	Timeout      time.Duration // of the whole exchange, redirects included
	MaxRedirects int           // 0: the default
	BodyRate     int64         // bytes a second; 0: the default
	Now          func() time.Time
	Observe      func(took time.Duration, size int64) // may be nil

	trip  http.RoundTripper
	close func()
}

// NewFetcher makes a fetcher that refuses all but public addresses and the
// ones allowed.
//
// The Transport reports answers on idle connections through the standard
// logger, with the server's bytes in them: give log.SetOutput the writer of
// StandardLog.
func NewFetcher(o Options) *Fetcher { return newFetcher(o, nil) }

func newFetcher(o Options, roots *tls.Config) *Fetcher {
	o = o.complete()
	g := newGuarded(o, nil, roots)
	return &Fetcher{UserAgent: userAgent(o.Version, o.Contact), MaxBody: o.MaxBody, Timeout: o.Timeout,
		MaxRedirects: o.MaxRedirects, BodyRate: o.BodyRate, Now: time.Now, trip: g, close: g.close}
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
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x := &exchange{Fetcher: c, Request: r, ctx: limited, cancel: cancel, left: c.Timeout, since: time.Now()}
	x.clock = time.AfterFunc(c.Timeout, func() { cancel(errTimeout) })
	defer x.clock.Stop()
	a, size, err := x.follow()
	if c.Observe != nil {
		c.Observe(c.Now().Sub(start)-x.waited, size)
	}
	if err == nil {
		return a, nil
	}
	if f := classify(limited, err, c.Timeout, c.Now()); f != nil {
		return nil, f
	}
	return nil, ctx.Err()
}

// exchange is one question with its redirects.
type exchange struct {
	*Fetcher
	Request
	ctx    context.Context
	cancel context.CancelCauseFunc
	clock  *time.Timer   // ends ctx when the time is up
	left   time.Duration // of it, when the clock last started
	since  time.Time     // when that was
	waited time.Duration // for other hosts' turns
}

// pause stops the clock while f waits for a host's turn.
func (x *exchange) pause(f func() error) error {
	x.clock.Stop()
	begun := time.Now()
	x.left -= begun.Sub(x.since)
	err := f()
	x.since = time.Now()
	x.waited += x.since.Sub(begun)
	x.clock.Reset(max(x.left, time.Millisecond))
	return err
}

func (x *exchange) follow() (a *Answer, size int64, err error) {
	configured, err := parseURL(x.Feed.URL)
	if err != nil {
		return nil, 0, err
	}
	origin := configured.String()
	if x.Origin != "" {
		origin = x.Origin
	}
	a = &Answer{Direct: x.Direct != ""}
	at, permanent := configured, true
	if a.Direct {
		if at, err = parseURL(x.Direct); err != nil {
			return nil, 0, err
		}
	}
	for hop := 0; ; hop++ {
		req, conditional, err := x.request(configured, at, origin)
		if err != nil {
			return nil, 0, err
		}
		resp, err := x.trip.RoundTrip(req)
		if err != nil {
			return nil, 0, err
		}
		if !redirects(resp.StatusCode) {
			size, err := x.take(a, resp, at, conditional)
			_ = resp.Body.Close()
			return a, size, err
		}
		next, err := target(at, resp, x.Now())
		// A short body is read so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 2<<10)
		_ = resp.Body.Close()
		most := cmp.Or(x.MaxRedirects, DefaultOptions().MaxRedirects)
		switch {
		case err != nil:
			return nil, 0, err
		case hop >= most:
			return nil, 0, failure(ReasonRedirect, "more than %d redirects", most)
		}
		permanent = permanent && (resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusPermanentRedirect)
		if permanent {
			a.NewURL = ""
			if s := next.String(); s != configured.String() && plain(s, maxURL) {
				a.NewURL = s
			}
		}
		a.Downgraded = a.Downgraded || at.Scheme == "https" && next.Scheme == "http"
		if x.hop != nil && hostKey(at) != hostKey(next) {
			if err := x.pause(func() error { return x.hop(x.ctx, hostKey(next)) }); err != nil {
				return nil, 0, err
			}
		}
		at = next
	}
}

// request builds one hop. No cookie, no Referer, nothing that changes from
// poll to poll. Secrets and validators stay with the address they belong to.
func (x *exchange) request(configured, at *url.URL, origin string) (*http.Request, bool, error) {
	address := *at
	address.User = nil
	h := make(http.Header, 8)
	req := (&http.Request{Method: http.MethodGet, URL: &address, Host: strings.TrimSuffix(at.Host, ":"), Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(x.ctx)
	h.Set("User-Agent", x.UserAgent)
	if x.Feed.UserAgent != "" {
		h.Set("User-Agent", x.Feed.UserAgent)
	}
	h.Set("Accept", accept)
	h.Set("Accept-Encoding", acceptEncoding)
	conditional := false
	if at.String() == origin {
		if x.ETag != "" {
			h.Set("If-None-Match", x.ETag)
			h.Set("A-IM", "feed") // RFC 3229: who can may send only what is new since that ETag
			conditional = true
		}
		if x.LastModified != "" {
			h.Set("If-Modified-Since", x.LastModified)
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
	for name, secret := range x.Feed.Headers {
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
func (x *exchange) take(a *Answer, resp *http.Response, at *url.URL, conditional bool) (size int64, err error) {
	now := x.Now()
	h := resp.Header
	a.Conditional = conditional
	a.Date, _ = http.ParseTime(h.Get("Date"))
	a.Status, a.URL, a.ContentType, a.Fetched = resp.StatusCode, at.String(), h.Get("Content-Type"), now
	a.Language, a.Location = h.Get("Content-Language"), h.Get("Content-Location")
	a.Fresh = freshFor(h, now)
	a.ETag, a.LastModified = validator(h.Get("ETag")), validator(h.Get("Last-Modified"))
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		a.Certificate = resp.TLS.PeerCertificates[0].NotAfter.UTC()
	}
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
	case resp.StatusCode == http.StatusIMUsed:
		// Sound only if it is the one manipulation that we named, of the
		// document that we have.
		im := strings.ToLower(strings.TrimSpace(h.Get("IM")))
		if !conditional || x.ETag == "" || im != "feed" {
			return 0, &Failure{Reason: ReasonProtocol, Status: 226, Text: "status 226 with something other than we asked for"}
		}
		a.Delta = true
	case resp.StatusCode == http.StatusPartialContent, resp.StatusCode == http.StatusResetContent,
		resp.StatusCode/100 != 2:
		return 0, statusFailure(resp.StatusCode, retryAfter(h, now))
	}
	a.Open = resp.ProtoMajor < 2 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	in := &wire{r: resp.Body, left: x.MaxBody + wireSlack + 1}
	defer x.watch(in)()
	a.Body, size, err = readBody(in, resp, x.MaxBody)
	if err != nil {
		return size, err
	}
	if len(strings.TrimSpace(string(a.Body[:min(len(a.Body), 1024)]))) == 0 && len(a.Body) <= 1024 {
		return size, &Failure{Reason: ReasonEmpty, Status: resp.StatusCode, Text: "the answer is empty", RetryAfter: retryAfter(h, now)}
	}
	a.Fetched = x.Now()
	return size, nil
}

// watch ends an exchange whose body comes too slowly.
func (x *exchange) watch(in *wire) (stop func()) {
	least := cmp.Or(x.BodyRate, DefaultOptions().BodyRate) * int64(rateWindow/time.Second)
	done := make(chan struct{})
	var seen int64
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		select {
		case <-done:
			return
		default:
		}
		n := in.n.Load()
		if n-seen < least {
			x.cancel(errSlow)
			return
		}
		seen = n
		timer.Reset(rateWindow)
	})
	timer.Reset(rateWindow) // only now: the function needs the variable
	return func() { close(done); timer.Stop() }
}
