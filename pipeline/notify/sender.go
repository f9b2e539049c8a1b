package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrRefused says that trying the same again at once cannot help.
var ErrRefused = errors.New("refused")

// sender brings one post to a receiver. It returns nil only when the receiver
// has acknowledged it.
type sender interface {
	send(ctx context.Context, p post) error
}

// fault is a receiver's verdict in words that hold no secret.
type fault struct {
	reason  string        // one of reasons, a metric label
	text    string        // for people
	refused bool          // only a change on one side can help
	message bool          // and it is about this message, not about the destination
	after   time.Duration // the receiver's own wish for when to try again
}

func (f *fault) Error() string { return f.text }

func (f *fault) Unwrap() error {
	if f.refused {
		return ErrRefused
	}
	return nil
}

// reasons are the values of the metric's label, all of them.
var reasons = []string{"timeout", "connection", "tls", "busy", "unavailable", "refused", "redirect", "answer", "secret"}

func asFault(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return &fault{reason: "connection", text: oneLine(err.Error(), 200)}
}

const (
	sendTimeout = 20 * time.Second // one attempt
	maxAnswer   = 64 << 10         // bytes of an answer that are read
	maxWish     = 6 * time.Hour    // longest Retry-After that is obeyed
	userAgent   = "newsmonitor"
)

// newClient follows no redirect: an alert goes where the file says and its
// credentials nowhere else.
func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.IdleConnTimeout, t.MaxResponseHeaderBytes = 1, 90*time.Second, 64<<10
	return &http.Client{Transport: t, Timeout: sendTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// exchange sends a request and judges the answer. hide are secrets that an
// answer might repeat.
func exchange(ctx context.Context, c *http.Client, method, address string, header http.Header, body []byte, hide ...string) error {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(string(body)))
	if err != nil {
		return &fault{reason: "secret", text: "the address is no URL", refused: true}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.Do(req)
	if err != nil {
		return transportFault(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode/100 == 2 {
		return transportFault(err) // it may have taken it: then the id tells
	}
	return verdict(resp, answer, append(hide, address))
}

// transportFault leaves the address out: it may be the secret.
func transportFault(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return &fault{reason: "timeout", text: "no answer in time"}
	case errors.As(err, &cert):
		return &fault{reason: "tls", text: "its certificate is not valid: " + oneLine(cert.Err.Error(), 160)}
	case errors.As(err, &record):
		return &fault{reason: "tls", text: "it does not speak TLS"}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &fault{reason: "connection", text: "it closed the connection without an answer"}
	case errors.As(err, &dns):
		return &fault{reason: "connection", text: "its name cannot be found in the DNS"}
	case errors.As(err, &op):
		return &fault{reason: "connection", text: "no connection: " + oneLine(op.Err.Error(), 120)}
	}
	return &fault{reason: "connection", text: "no connection"}
}

// verdict tells what an answer means for the alert.
func verdict(resp *http.Response, answer []byte, hide []string) error {
	said := ""
	if t := scrub(oneLine(plainText(answer), 160), hide); t != "" {
		said = ": " + t
	}
	switch code := resp.StatusCode; {
	case code/100 == 2:
		if text, failed := saysFailed(answer); failed {
			return &fault{reason: "answer", text: fmt.Sprintf("it answers %d but says: %s", code, scrub(oneLine(text, 160), hide)), refused: true}
		}
		return nil
	case code/100 == 3:
		to := ""
		if u, err := resp.Location(); err == nil {
			to = " to " + oneLine(u.Host, 80)
		}
		return &fault{reason: "redirect", text: fmt.Sprintf("it redirects (%d)%s; redirects are not followed: put the new address into the file", code, to), refused: true}
	case code == http.StatusTooManyRequests:
		return &fault{reason: "busy", text: "it asks us to slow down (429)", after: wish(resp, answer)}
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly:
		return &fault{reason: "unavailable", text: fmt.Sprintf("it answers %d", code), after: wish(resp, answer)}
	case code/100 == 4:
		f := &fault{reason: "refused", text: fmt.Sprintf("it refuses (%d %s)%s", code, http.StatusText(code), said), refused: true}
		switch code {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
			f.message = true
		}
		return f
	default:
		return &fault{reason: "unavailable", text: fmt.Sprintf("it answers %d%s", code, said), after: wish(resp, answer)}
	}
}

// wish is how long the receiver wants us to wait; 0 when it does not say.
func wish(resp *http.Response, answer []byte) time.Duration {
	d := time.Duration(0)
	if h := resp.Header.Get("Retry-After"); h != "" {
		if n, err := strconv.ParseFloat(h, 64); err == nil && n > 0 && n < 1e6 {
			d = time.Duration(n * float64(time.Second))
		} else if t, err := http.ParseTime(h); err == nil {
			d = time.Until(t)
		}
	}
	var b struct { // Matrix, Telegram
		Millis     float64 `json:"retry_after_ms"`
		Parameters struct {
			Seconds float64 `json:"retry_after"`
		} `json:"parameters"`
	}
	if d <= 0 && json.Unmarshal(answer, &b) == nil && b.Millis < 1e9 && b.Parameters.Seconds < 1e6 {
		d = max(time.Duration(b.Millis)*time.Millisecond, time.Duration(b.Parameters.Seconds)*time.Second)
	}
	return min(max(d, 0), maxWish)
}

// saysFailed finds the failure in an answer whose status says success: several
// chat services, and many home-made receivers, answer so.
func saysFailed(answer []byte) (string, bool) {
	text := strings.TrimSpace(string(answer))
	var m map[string]any
	if json.Unmarshal(answer, &m) == nil {
		why := text
		for _, k := range []string{"error", "description", "message", "errmsg", "detail"} {
			if s, ok := m[k].(string); ok && s != "" {
				why = s
				break
			}
		}
		no := func(k string) bool { b, ok := m[k].(bool); return ok && !b }
		switch e := m["error"].(type) {
		case string:
			if e != "" {
				return why, true
			}
		case map[string]any, []any:
			return why, true
		case bool:
			if e {
				return why, true
			}
		}
		status, _ := m["status"].(string)
		code, isCode := m["errcode"].(float64)
		return why, no("ok") || no("success") || strings.EqualFold(status, "error") || strings.EqualFold(status, "failed") || isCode && code != 0
	}
	start := strings.ToLower(text[:min(len(text), 200)])
	for _, w := range []string{"error", "failed", "failure", "webhook message delivery failed", "invalid_", "no_service", "channel_not_found"} {
		if strings.HasPrefix(start, w) {
			return text, true
		}
	}
	return "", false
}

// scrub takes secrets out of what a receiver wrote.
func scrub(s string, hide []string) string {
	for _, h := range hide {
		parts := []string{h}
		if u, err := url.Parse(h); err == nil && u.Host != "" { // an address: its path and query are what is secret
			parts = append(parts, u.RequestURI(), u.Path, u.RawQuery)
		}
		for _, p := range parts {
			if len(p) > 3 {
				s = strings.ReplaceAll(s, p, "[secret]")
			}
		}
	}
	return s
}

// plainText is an answer without what a terminal or a page would obey; of an
// HTML page nothing is worth showing.
func plainText(b []byte) string {
	s := strings.TrimSpace(string(b[:min(len(b), 2000)]))
	if strings.HasPrefix(s, "<") {
		return ""
	}
	return s
}
