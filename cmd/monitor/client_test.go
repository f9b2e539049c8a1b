package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

type broken struct{ err error }

func (b broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

// TestNoAnswer: a daemon that hangs is there; one that refuses is not.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{"no daemon at": syscall.ECONNREFUSED, "does not answer in time": os.ErrDeadlineExceeded} {
		s := server{Server: "http://127.0.0.1:8080", transport: broken{err}}
		if got := s.get(t.Context(), "/api/v1/status", new(any)); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%v becomes %v, want %q", err, got, want)
		}
	}
}
