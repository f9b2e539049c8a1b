package poll

import (
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

// Addresses and what may travel with them: redirects, secrets, validators.

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
