package poll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Reasons are the classes of failure: a fixed list, because each is a label
// value, part of feed events and a word on the page.
var Reasons = []string{
	ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonClient, ReasonServer, ReasonRateLimited,
	ReasonTooLarge, ReasonTruncated, ReasonEncoding, ReasonCharset, ReasonParse, ReasonHTMLPage,
	ReasonNotAFeed, ReasonEmpty, ReasonRedirect, ReasonBlocked, ReasonProtocol, ReasonSecret,
}

const (
	ReasonDNS         = "dns"          // the name does not resolve
	ReasonConnect     = "connect"      // refused, unreachable, reset
	ReasonTLS         = "tls"          // certificate or handshake
	ReasonTimeout     = "timeout"      // the exchange was longer than we wait
	ReasonClient      = "http_4xx"     //
	ReasonServer      = "http_5xx"     //
	ReasonRateLimited = "rate_limited" // 429
	ReasonTooLarge    = "too_large"    // body or headers
	ReasonTruncated   = "truncated"    // the answer broke off
	ReasonEncoding    = "encoding"     // Content-Encoding not asked for, or broken
	ReasonCharset     = "charset"      //
	ReasonParse       = "parse"        //
	ReasonHTMLPage    = "html_page"    //
	ReasonNotAFeed    = "not_a_feed"   //
	ReasonEmpty       = "empty"        // no body
	ReasonRedirect    = "redirect"     // too many, or to nowhere
	ReasonBlocked     = "blocked"      // an address or scheme that we never ask
	ReasonProtocol    = "protocol"     // not HTTP as RFC 9110 has it
	ReasonSecret      = "secret"       // a header's secret cannot be read: ours to mend
)

// Failure is why a poll failed. Text is ours to the last byte: what a server
// wrote is never part of it, so that it may stand in logs, events and pages.
type Failure struct {
	Reason     string
	Status     int           // 0 without an answer
	Text       string        // one clause, no full stop
	RetryAfter time.Duration // 0 when the server did not say
	Brief      bool          // of the kind that usually passes soon: a name server's or a connection's hiccup
	Unheard    bool          // no server said anything: it could be our own network
}

func (f *Failure) Error() string { return f.Text }

func failure(reason, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Text: fmt.Sprintf(format, args...)}
}

func brief(reason, format string, args ...any) *Failure {
	f := failure(reason, format, args...)
	f.Brief = true
	return f
}

// statusFailure is the failure that a status alone tells.
func statusFailure(status int, retryAfter time.Duration) *Failure {
	f := failure(ReasonProtocol, "status %d", status)
	switch {
	case status == http.StatusTooManyRequests:
		f.Reason = ReasonRateLimited
	case status/100 == 4:
		f.Reason = ReasonClient
	case status/100 == 5:
		f.Reason = ReasonServer
	case status/100 == 3:
		f.Reason = ReasonRedirect
	}
	f.Status, f.RetryAfter = status, retryAfter
	return f
}

var (
	errTimeout = errors.New("the exchange took too long")
	errSlow    = errors.New("the body came too slowly")
	errProxy   = errors.New("the proxy refused to connect")
)

// classify names a transport's error without quoting it: its text may hold
// bytes that the server chose. It returns nil when ctx ended from above. now
// is our clock: a certificate may look wrong because the clock is.
func classify(ctx context.Context, err error, limit time.Duration, now time.Time) *Failure {
	f := named(ctx, err, limit, now)
	if f != nil {
		switch f.Reason {
		case ReasonDNS, ReasonConnect, ReasonTimeout:
			f.Unheard = f.Status == 0
		}
	}
	return f
}

func named(ctx context.Context, err error, limit time.Duration, now time.Time) *Failure {
	var (
		dns     *net.DNSError
		op      *net.OpError
		netErr  net.Error
		expired x509.CertificateInvalidError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		failed  *Failure
	)
	switch {
	case errors.As(err, &failed):
		return failed
	case errors.Is(context.Cause(ctx), errTimeout):
		return failure(ReasonTimeout, "no whole answer within %s", limit)
	case errors.Is(context.Cause(ctx), errSlow):
		return failure(ReasonTimeout, "the answer came more slowly than we wait for")
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork),
		errors.Is(err, ssrf.ErrProhibitedPort), errors.Is(err, ssrf.ErrInvalidHostPort):
		if errors.As(err, &op) && op.Addr != nil {
			return failure(ReasonBlocked, "the name leads to %s, which is not a public address", op.Addr)
		}
		return failure(ReasonBlocked, "the name does not lead to a public address")
	case errors.Is(err, errProxy):
		return failure(ReasonConnect, "the proxy refused to connect")
	case errors.As(err, &dns):
		switch {
		case dns.IsNotFound:
			return failure(ReasonDNS, "the host's name does not exist")
		case dns.IsTimeout:
			return brief(ReasonDNS, "no answer from the name server")
		}
		return brief(ReasonDNS, "the name server failed")
	case errors.As(err, &expired) && expired.Reason == x509.Expired && expired.Cert != nil && now.Before(expired.Cert.NotBefore):
		return failure(ReasonTLS, "the certificate begins on %s and this machine's clock says %s: one of the two is wrong",
			expired.Cert.NotBefore.UTC().Format(time.DateOnly), now.UTC().Format(time.DateOnly))
	case errors.As(err, &expired) && expired.Reason == x509.Expired && expired.Cert != nil:
		return failure(ReasonTLS, "the certificate is valid from %s to %s only",
			expired.Cert.NotBefore.UTC().Format(time.DateOnly), expired.Cert.NotAfter.UTC().Format(time.DateOnly))
	case errors.As(err, &host):
		return failure(ReasonTLS, "the certificate is for another name")
	case errors.As(err, &unknown):
		return failure(ReasonTLS, "the certificate is signed by an unknown authority")
	case errors.As(err, &verify):
		return failure(ReasonTLS, "the certificate does not verify")
	case errors.As(err, &record):
		return failure(ReasonTLS, "the server does not speak TLS")
	case errors.As(err, &alert), errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return failure(ReasonTLS, "the TLS handshake failed")
	case errors.As(err, &netErr) && netErr.Timeout():
		return failure(ReasonTimeout, "no answer in time")
	case errors.Is(err, syscall.ECONNREFUSED):
		return failure(ReasonConnect, "the connection was refused")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failure(ReasonTruncated, "the answer broke off")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF):
		return brief(ReasonConnect, "the connection was closed before the answer ended")
	case errors.As(err, &op):
		return failure(ReasonConnect, "no connection")
	}
	return failure(ReasonProtocol, "the answer is not proper HTTP")
}

// Advice is what to do about a failure: the second half of the sentence that
// events, status and page show.
func Advice(reason string, status int) string {
	switch reason {
	case ReasonDNS:
		return "Check the host's name; if the publisher moved, change the url."
	case ReasonConnect, ReasonTimeout, ReasonTruncated, ReasonProtocol:
		return "Usually passes by itself; if it lasts for days, open the url in a browser and ask the publisher."
	case ReasonTLS:
		return "The publisher has to mend the certificate; check this machine's clock and SSL_CERT_FILE."
	case ReasonClient:
		switch status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotAcceptable:
			return "The publisher refuses us: try another user_agent for this feed, or ask for access."
		case http.StatusNotFound, http.StatusGone:
			return "Look for the feed's new address and change the url, or disable the feed with a reason."
		}
		return "The publisher refuses the request: check the url."
	case ReasonServer:
		return "The publisher's server is ill; nothing to do unless it lasts."
	case ReasonRateLimited:
		return "We ask too often for this publisher: raise every for its feeds."
	case ReasonTooLarge:
		return "Look for a smaller feed of the same publisher, or raise --max-body."
	case ReasonHTMLPage:
		return "The address answers with a web page: look for the feed's address, or a robot check stands before it."
	case ReasonNotAFeed, ReasonParse, ReasonEmpty:
		return "See what comes with: monitor feeds read URL"
	case ReasonCharset:
		return "Set charset for this feed."
	case ReasonEncoding:
		return "The server compresses in a way nobody asked for; tell the publisher."
	case ReasonRedirect:
		return "The redirects lead nowhere: look for the feed's new address and change the url."
	case ReasonBlocked:
		return "If the address is yours, allow it with --allow-net; else the publisher's name or redirect is wrong."
	case ReasonSecret:
		return "Set the environment variable or file that the feed's headers name."
	}
	return ""
}
