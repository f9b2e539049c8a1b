package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// policy lets a page load our own style, script and images and talk to us, and
// nothing else: whatever a feed's text might become, it cannot run or call out.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// open are the paths that machines ask for: no token, any Host, no feed text.
var open = []string{"/livez", "/readyz", "/metrics"}

// unlocked are reachable without a token, because they lead to having one.
func unlocked(p string) bool { return p == "/login" || strings.HasPrefix(p, "/static/") }

// changes names the few requests that change something.
func changes(method, p string) bool {
	switch method {
	case http.MethodPost:
		return p == "/login" || p == "/api/v1/mutes" || strings.HasPrefix(p, "/desk/") ||
			strings.HasPrefix(p, "/api/v1/alerts/") && strings.HasSuffix(p, "/ack") ||
			strings.HasPrefix(p, "/api/v1/destinations/") && strings.HasSuffix(p, "/test")
	case http.MethodDelete:
		return strings.HasPrefix(p, "/api/v1/mutes/")
	}
	return false
}

// guard stands before every handler and decides who may ask what.
func (s *Server) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		err := s.admit(w, r)
		if err == nil && cross.Check(r) != nil {
			err = refuse(http.StatusForbidden, "this request comes from another site")
		}
		if err == nil && r.Method != http.MethodGet && r.Method != http.MethodHead && !changes(r.Method, r.URL.Path) {
			h.Set("Allow", "GET, HEAD")
			err = refuse(http.StatusMethodNotAllowed, "only GET and HEAD are possible here")
		}
		if err != nil {
			start := time.Now()
			rec := &recorder{ResponseWriter: w}
			s.fail(rec, r, err)
			s.metrics.observe("refused", rec.code(), time.Since(start))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// endpoint gives a handler its metrics and turns its error into an answer.
func (s *Server) endpoint(name string, handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return s.metrics.count(name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	}))
}

// admit checks path, Host and identity, in this order.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) error {
	p := r.URL.Path
	if clean := path.Clean(p); clean != p && clean+"/" != p {
		return errNotFound // the mux would redirect
	}
	if slices.Contains(open, p) {
		return nil
	}
	if !s.ownHost(r) {
		return refuse(http.StatusMisdirectedRequest,
			"this daemon does not answer to this Host name; name it with --http-host")
	}
	switch {
	case !s.hasDoor() && s.onLoopback():
		return nil
	case !s.hasDoor():
		return refuse(http.StatusForbidden,
			"beyond loopback only /livez, /readyz and /metrics are served without a token: start with --http-token-file FILE (or --http-user-header NAME behind a proxy)")
	case s.trustedUser(r) || s.tokens != nil && s.tokens.admits(r):
		return nil
	case s.tokens == nil:
		return refuse(http.StatusForbidden, "ask through the proxy that sets the user header")
	case unlocked(p):
		return nil
	}
	if wantsHTML(r) && r.Method == http.MethodGet {
		w.Header().Set("Location", "/login?to="+url.QueryEscape(r.URL.RequestURI()))
		return refuse(http.StatusSeeOther, "sign in first")
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="newsmonitor"`)
	return refuse(http.StatusUnauthorized, "a token is needed: send Authorization: Bearer TOKEN, or sign in at /login")
}

// ownHost stops DNS rebinding: a page of another site whose name was pointed
// at us sends that name. An address that the client really connected to is no
// name that anybody can point.
func (s *Server) ownHost(r *http.Request) bool {
	host := hostOnly(r.Host)
	if isLoopbackHost(host) || slices.ContainsFunc(s.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	if listen, _, err := net.SplitHostPort(s.cfg.Addr); err == nil && host != "" && strings.EqualFold(listen, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	ap, err := netip.ParseAddrPort(local.String())
	return err == nil && ap.Addr().Unmap().WithZone("") == ip.Unmap()
}

// hostOnly takes the port and the brackets off a Host header.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
}

func isLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// trustedUser believes the user header from the proxy's own addresses only.
func (s *Server) trustedUser(r *http.Request) bool {
	if s.cfg.UserHeader == "" || r.Header.Get(s.cfg.UserHeader) == "" {
		return false
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	from := ap.Addr().Unmap()
	if len(s.cfg.Trust) == 0 {
		return from.IsLoopback()
	}
	return slices.ContainsFunc(s.cfg.Trust, func(p netip.Prefix) bool { return p.Contains(from) })
}
