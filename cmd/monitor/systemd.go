package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// supervisor is systemd, when it started us with Type=notify: it hears when we
// are ready and, if it asks for that, that we still work (sd_notify(3)). The
// zero value is nobody.
type supervisor struct {
	socket   string
	watchdog time.Duration // it restarts us after this time without a word; 0: it does not
}

func newSupervisor(getenv func(string) string) supervisor {
	s := supervisor{socket: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
			s.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return s
}

// tell sends assignments such as READY=1.
func (s supervisor) tell(assignments ...string) error {
	if s.socket == "" {
		return nil
	}
	name := s.socket
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:] // Linux's abstract names
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.Write([]byte(strings.Join(assignments, "\n")))
	return err
}

// watch tells the watchdog until ctx ends that we work, as long as alive does.
func (s supervisor) watch(ctx context.Context, log *slog.Logger, alive func(context.Context) error) {
	if s.socket == "" || s.watchdog == 0 {
		return
	}
	tick := time.NewTicker(s.watchdog / 3)
	defer tick.Stop()
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, s.watchdog/3)
		err := alive(within)
		cancel()
		if err == nil {
			err = s.tell("WATCHDOG=1")
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("the watchdog hears nothing", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// livez asks our own listener, as others do. Without one, that we can ask is
// what there is to say.
func livez(page string) func(context.Context) error {
	return func(ctx context.Context) error {
		if page == "" {
			return nil
		}
		status, _, err := probe(ctx, page+"/livez")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s/livez answers with status %d", page, status)
		}
		return err
	}
}

// probe asks a listener of this machine: directly, as the proxy that leads to
// feeds knows nothing of it.
func probe(ctx context.Context, url string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return resp.StatusCode, strings.TrimSpace(string(b)), err
}
