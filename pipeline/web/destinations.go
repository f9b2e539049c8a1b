package web

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// sendPatience is how long a receiver may take over a test message.
const sendPatience = 25 * time.Second

// ErrNoDestination says that no destination has the name; TestPush wraps it.
var ErrNoDestination = errors.New("no such destination")

// testPush sends one message to a destination, which says that it is a test.
func (s *Server) testPush(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.TestPush == nil {
		return refuse(http.StatusNotFound, "this daemon pushes nothing")
	}
	if err := s.mayChange(r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), sendPatience)
	defer cancel()
	name := r.PathValue("name")
	service, err := s.cfg.TestPush(ctx, name)
	switch {
	case errors.Is(err, ErrNoDestination):
		return refuse(http.StatusNotFound, "%s", clip(err.Error(), 300))
	case err != nil:
		return refuse(http.StatusBadGateway, "%s (%s): %s", clip(name, 60), service, clip(err.Error(), 300))
	}
	writeJSON(w, struct {
		Name    string `json:"name"`
		Service string `json:"service"`
	}{name, service})
	return nil
}
