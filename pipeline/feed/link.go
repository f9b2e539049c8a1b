package feed

import (
	"net/netip"
	"net/url"
	"strings"
)

// httpURL tells whether s begins as an absolute http(s) address.
func httpURL(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) > 8 && (strings.EqualFold(s[:7], "http://") || strings.EqualFold(s[:8], "https://"))
}

// absolute resolves a link as served against base. Only http and https are
// links; what is longer than 4 KB is none.
func absolute(s, base string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxLink {
		return "", false
	}
	s = strings.Map(func(r rune) rune { // as the URL standard does
		if r < ' ' || r == 0x7f || hidden(r) {
			return -1
		}
		return r
	}, s)
	if strings.HasPrefix(s, "www.") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		s = tidy(s)
		if u, err = url.Parse(s); err != nil {
			return "", false
		}
	}
	if !u.IsAbs() {
		b, err := url.Parse(base)
		if err != nil || base == "" || b.Host == "" {
			return "", false
		}
		u = b.ResolveReference(u)
		s = u.String()
	}
	if scheme := strings.ToLower(u.Scheme); scheme != "http" && scheme != "https" || u.Host == "" || u.Hostname() == "" {
		return "", false
	}
	if u.User != nil {
		u.User = nil
		s = u.String()
	}
	if strings.ContainsAny(s, " \"<>`") || strings.Contains(s, "\uFFFD") {
		s = tidy(s)
	}
	if len(s) > maxLink {
		return "", false
	}
	return s, true
}

// location is what relative links of a document resolve against when nothing
// in it says so: its own Content-Location (RFC 2557, 5), else where it came
// from. RFC 9110 (8.7) no longer asks for the former because servers behind
// proxies name themselves in it: a host that only they can know does not count.
func location(doc Document) string {
	l, ok := absolute(doc.ContentLocation, doc.URL)
	if !ok {
		return doc.URL
	}
	u, err := url.Parse(l)
	if err != nil {
		return doc.URL
	}
	from, err := url.Parse(doc.URL)
	host := u.Hostname()
	if err == nil && strings.EqualFold(host, from.Hostname()) {
		return l
	}
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(strings.Trim(host, "."), ".") {
		return doc.URL
	}
	return l
}

// tidy encodes what must not stand in an address, and a "%" that begins no
// escape.
func tidy(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ' || c == '"' || c == '<' || c == '>' || c == '`' || c == '%' && (i+2 >= len(s) || !hexDigit(s[i+1]) || !hexDigit(s[i+2])):
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func hexDigit(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// tracking parameters say how a reader came to a page, or who it is; the page
// is the same without them.
var tracking = set(`fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid twclid ttclid igshid igsh mc_cid mc_eid mkt_tok _hsenc _hsmi
	__hssc __hstc __hsfp hsctatracking vero_id vero_conv oly_enc_id oly_anon_id wickedid rb_clickid s_cid cmpid ncid ocid spm scm
	xtor at_medium at_campaign at_custom1 at_custom2 at_custom3 at_custom4 ref_src ref_url _ga _gl guccounter guce_referrer
	guce_referrer_sig jsessionid phpsessid sessionid session_id cfid cftoken`)

var trackingPrefixes = []string{"utm_", "pk_", "piwik_", "mtm_", "matomo_", "hsa_", "aspsessionid", "ga_"}

// Canonical is the form of a link by which two are the same page: https,
// small host, no tracking parameters, no session, no fragment. It is for
// comparing, not for asking. What is no http(s) link comes back as it is.
func Canonical(link string) string {
	link = strings.TrimSpace(link)
	if !httpURL(link) {
		return link
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return link
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ".")
	if p := u.Port(); p == "80" || p == "443" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	path := u.EscapedPath()
	if i := strings.Index(strings.ToLower(path), ";jsessionid="); i >= 0 {
		path = path[:i]
	}
	if path == "" {
		path = "/"
	}
	var query strings.Builder
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if part == "" || tracks(strings.ToLower(name)) {
			continue
		}
		if query.Len() > 0 {
			query.WriteByte('&')
		}
		query.WriteString(part)
	}
	s := "https://" + host + path
	if query.Len() > 0 {
		s += "?" + query.String()
	}
	if strings.HasPrefix(u.Fragment, "!") { // pages that live in the fragment
		s += "#" + u.EscapedFragment()
	}
	return s
}

func tracks(name string) bool {
	if tracking[name] {
		return true
	}
	for _, p := range trackingPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
