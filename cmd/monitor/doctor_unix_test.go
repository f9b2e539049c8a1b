//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"newsmonitor/pipeline/web"
)

// TestDoctorRights: what another user may read, and what this one may not
// write, is named with the command that mends it; a daemon that runs is asked
// how it is.
func TestDoctorRights(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "monitor") // where another user finds it, too
	if out, err := exec.Command("sh", "-c", `cp "$(command -v monitor)" "$0"`, program).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	doctor := func(as uint32, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append([]string{"doctor", "--sample", "0", "--feeds", "builtin", "--rules", "builtin"}, args...)...)
		cmd.Dir = dir
		if as != 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as, Gid: as}}
		}
		out, _ := cmd.Output()
		return string(out)
	}
	has := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("doctor does not say %q:\n%s", w, out)
			}
		}
	}
	alone := []string{"--http", "127.0.0.1:0", "--nats-listen", "off"}
	tokens := filepath.Join(dir, "tokens")
	write(t, tokens, "0123456789abcdef0123456789abcdef\n")
	has(doctor(0, append(alone, "--http-token-file", "tokens")...), "tokens has mode 0644: everybody on this machine may read the secret", "try: chmod 600 tokens")
	if err := os.Chmod(tokens, 0o600); err != nil {
		t.Fatal(err)
	}
	has(doctor(0, append(alone, "--http-token-file", "tokens")...), "ok       tokens     tokens can be used")

	write(t, filepath.Join(dir, "feeds.yaml"), noFeeds)
	p := startProcess(t, dir, "--nats-listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--rules", "builtin", "--data", "data")
	where := strings.TrimPrefix(page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1], "http://")
	ready := func(st web.Status) bool { return st.Ready == "yes" }
	status(t, "http://"+where, ready)
	has(doctor(0, "--http", where, "--nats-listen", "off", "--data", "data"), "one runs at http://"+where+" and is ready", where+" is the running daemon's")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()

	write(t, filepath.Join(dir, "data", "checkpoint.json"), `{"ITEMS": {"first": 1, "last": 1000, "messages": 1000}}`) // the disk gave back less
	p = startProcess(t, dir, "--nats-listen", "127.0.0.1:0", "--http", where, "--rules", "builtin", "--data", "data")
	p.says(t, "newsmonitor runs")
	status(t, "http://"+where, ready)
	lost := "ITEMS: it lacks the end: it was at sequence 1000 and is at "
	has(doctor(0, "--http", where, "--nats-listen", "off", "--data", "data"), "the store of the one at http://"+where+" is damaged: "+lost)
	text, err := exec.Command("monitor", "status", "--server", "http://"+where).Output()
	if err != nil || !strings.Contains(string(text), "DAMAGED") || !strings.Contains(string(text), lost) {
		t.Errorf("status of a damaged store: %v\n%s", err, text)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()

	t.Run("as somebody else", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("needs root, who alone can be somebody else; .ci/run is root in a container")
		}
		for d := dir; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		const nobody = 65534
		if err := os.Chmod(filepath.Join(dir, "data"), 0o777); err != nil {
			t.Fatal(err)
		}
		has(doctor(nobody, append(alone, "--http-token-file", "tokens", "--data", "data")...),
			"wrong    tokens", "try: let the user that runs the daemon read it: chown, chmod 600", "cannot be written: open data/", "try: chown -R it to the user that runs the daemon")
	})
}
