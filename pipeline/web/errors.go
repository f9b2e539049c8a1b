package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// httpError is an answer that is not what was asked for. Detail is shown to
// whoever asked: it never holds what a feed or a server wrote.
type httpError struct {
	status int
	detail string
}

func (e *httpError) Error() string { return e.detail }

func refuse(status int, format string, args ...any) error {
	return &httpError{status, fmt.Sprintf(format, args...)}
}

var errNotFound = refuse(http.StatusNotFound, "there is nothing at this address")

// problemDetails is RFC 9457.
type problemDetails struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// fail answers with the error: to people as a page, to programs as
// application/problem+json. What is not an httpError is ours to mend, so it is
// logged and the client learns only that it happened.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var he *httpError
	if !errors.As(err, &he) {
		s.log.Error("http request failed", "handler", r.Pattern, "error", err)
		he = &httpError{http.StatusInternalServerError, "something failed here; the log has it"}
	}
	h := w.Header()
	h.Del("Content-Disposition")
	h.Set("Cache-Control", "no-store")
	p := problemDetails{Type: "about:blank", Title: http.StatusText(he.status), Status: he.status, Detail: he.detail}
	if wantsHTML(r) {
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(he.status)
		if err := s.pages.error.Execute(w, p); err != nil {
			s.log.Debug("write error page", "error", err)
		}
		return
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(he.status)
	writeJSON(w, p)
}

// wantsHTML tells a browser on a page from a program.
func wantsHTML(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// answer writes v as JSON with a line end, for curl.
func answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, v)
	return nil
}

// writeJSON has nobody to tell when the client is gone.
func writeJSON(w http.ResponseWriter, v any) {
	_ = json.NewEncoder(w).Encode(v)
}
