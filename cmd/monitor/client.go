package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// server is where client commands find a running daemon.
type server struct {
	Server    string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"The running daemon."`
	TokenFile string `placeholder:"FILE" help:"Token for the daemon's API."`

	transport http.RoundTripper // nil: the network
	slow      bool              // the answer may take as long as it wants
}

func (s server) patience() time.Duration {
	if s.slow {
		return 0
	}
	return 30 * time.Second
}

// noDaemon says that nobody answers at the address, or not in time.
type noDaemon struct {
	url string
	err error
}

func (e *noDaemon) Error() string {
	var late net.Error
	if errors.As(e.err, &late) && late.Timeout() {
		return fmt.Sprintf("the daemon at %s does not answer in time: it hangs, is stopped or has no processor; see its log", e.url)
	}
	return fmt.Sprintf("no daemon at %s (is monitor running there? see --server)", e.url)
}
func (e *noDaemon) Unwrap() error { return e.err }

// get asks the daemon's API and decodes the answer.
func (s server) get(ctx context.Context, path string, into any) error {
	return s.decode(ctx, http.MethodGet, path, into)
}

// post asks for something to be done and decodes the answer.
func (s server) post(ctx context.Context, path string, into any) error {
	return s.decode(ctx, http.MethodPost, path, into)
}

func (s server) decode(ctx context.Context, method, path string, into any) error {
	body, err := s.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: not a newsmonitor? %w", s.Server, err)
	}
	return nil
}

func (s server) open(ctx context.Context, path string) (io.ReadCloser, error) {
	return s.do(ctx, http.MethodGet, path)
}

func (s server) do(ctx context.Context, method, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.Server, "/")+path, nil)
	if err != nil {
		return nil, misuse("--server %q: %w", s.Server, err)
	}
	if s.TokenFile != "" {
		b, err := os.ReadFile(s.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read --token-file: %w", err)
		}
		token, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: s.patience(), Transport: s.transport}
	resp, err := client.Do(req)
	if err != nil {
		return nil, &noDaemon{s.Server, err}
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var p struct{ Title, Detail string }
	_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&p)
	if p.Detail == "" {
		p.Detail = "not a newsmonitor?"
	}
	return nil, fmt.Errorf("%s answers with status %d: %s", s.Server, resp.StatusCode, safe(p.Detail))
}
