//go:build unix

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSystemd: the supervisor hears that the daemon is ready, that it works,
// and that it stops. Whether it works it asks itself, and no proxy.
func TestSystemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	short, err := os.MkdirTemp("", "nm") // a socket's path has 108 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	socket := filepath.Join(short, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	write(t, filepath.Join(dir, "feeds.yaml"), noFeeds)
	p := startProgram(t, "env", dir, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=600000", "HTTP_PROXY=http://127.0.0.1:1",
		"monitor", "--nats-listen", "off", "--http", "0.0.0.0:0", "--rules", "builtin")
	hears := func(what string) {
		t.Helper()
		b := make([]byte, 4096)
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		for {
			n, err := c.Read(b)
			if err != nil {
				t.Fatalf("the supervisor does not hear %s: %v", what, err)
			}
			if strings.Contains("\n"+string(b[:n])+"\n", "\n"+what+"\n") {
				return
			}
		}
	}
	hears("READY=1")
	hears("WATCHDOG=1")
	hears("WATCHDOG=1")
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	hears("STOPPING=1")
}
