package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// livez answers as long as the process can: neither feeds nor the store can
// make it fail, so that nobody restarts a daemon because a ministry is down.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, http.StatusOK, "ok\n")
}

// readyz says whether alerts can be stored and shown, and why not.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.ready(r.Context()); err != nil {
		return plain(w, http.StatusServiceUnavailable, fmt.Sprintf("not ready: %v\n", err))
	}
	return plain(w, http.StatusOK, "ok\n")
}

func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(ctx); err != nil {
			return err
		}
	}
	return s.tail.health()
}

func plain(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
	return nil
}
