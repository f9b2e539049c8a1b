//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"newsmonitor/pipeline/web"
)

// TestReplicasExample runs deploy/replicas as its README says: three servers
// with those files, three daemons with those commands. A server and a daemon
// are killed, both at once, and nothing is lost or comes twice.
func TestReplicasExample(t *testing.T) {
	t.Parallel()
	w := newPress(t, 12)
	example := filepath.Join("..", "..", "deploy", "replicas")
	readme, err := os.ReadFile(filepath.Join(example, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	printed, err := exec.Command("monitor", "nats", "config", "--print", "accounts").Output()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join(example, "accounts.conf"))
	if err != nil || string(committed) != string(printed) {
		t.Errorf("deploy/replicas/accounts.conf is not what `monitor nats config --print accounts` prints (%v): write it anew", err)
	}
	// The same files on addresses that are free here.
	var moves []string
	for _, fixed := range []string{"127.0.0.1:4221", "127.0.0.1:4222", "127.0.0.1:4223", "127.0.0.1:6221", "127.0.0.1:6222", "127.0.0.1:6223",
		"127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"} {
		moves = append(moves, fixed, freeAddr(t))
	}
	move := strings.NewReplacer(moves...)
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(example, "*.conf"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%v, %v; want four files", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := move.Replace(string(b))
		text = regexp.MustCompile(`store_dir: "`).ReplaceAllString(text, `store_dir: "`+dir+"/")
		write(t, filepath.Join(dir, filepath.Base(f)), text)
	}
	var env []string
	var servers []*natsServer
	var daemons [][]string
	for line := range strings.Lines(move.Replace(string(readme))) {
		words := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), " &"))
		switch {
		case !strings.HasPrefix(line, "    "):
		case words[0] == "export":
			env = append(env, words[1:]...)
		case words[0] == "nats-server":
			servers = append(servers, &natsServer{args: []string{"-c", filepath.Join(dir, words[2])}, env: env})
		case words[0] == "monitor" && words[1] == "--http":
			daemons = append(daemons, words[1:])
		}
	}
	if len(servers) != 3 || len(daemons) != 3 || len(env) != 3 {
		t.Fatalf("the README shows %d servers, %d daemons and %v; want three each", len(servers), len(daemons), env)
	}
	for _, s := range servers {
		s.start(t)
		t.Cleanup(s.kill)
	}
	var wards []*ward
	var pages []string
	for _, args := range daemons {
		// The first waits for the cluster's leader, as its log says.
		d := w.supervise(t, append([]string{"--nats", value(env, "MONITOR_NATS"), "--nats-lease", "3s"}, args...)...)
		wards = append(wards, d)
		pages = append(pages, "http://"+args[slices.Index(args, "--http")+1])
	}
	w.add(3)
	if !w.seen(60 * time.Second) {
		t.Fatal("the items were not asked for")
	}
	st := status(t, pages[0], func(st web.Status) bool { return shares(st, 3) && st.Readers[0].Owner != "" })
	for _, s := range st.Streams {
		t.Logf("%s holds %d messages", s.Name, s.Messages)
	}

	servers[1].kill()
	wards[2].signal(syscall.SIGKILL) // its supervisor starts it again
	w.add(3)
	if !w.seen(60 * time.Second) {
		t.Errorf("%d items are not asked for after a server and a daemon were killed", w.pending())
	}
	servers[1].start(t)
	w.add(2)
	w.settled(t, look(t, value(env, "MONITOR_NATS")))
	status(t, pages[2], func(st web.Status) bool { return shares(st, 3) })
}

func value(env []string, name string) string {
	for _, e := range env {
		if v, is := strings.CutPrefix(e, name+"="); is {
			return v
		}
	}
	return ""
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr())
}
