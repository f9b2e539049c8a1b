// Package clients_test runs the sample subscribers against a real store, as
// people run them: as programs of their own, killed and started again.
package clients_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

const patience = 60 * time.Second // for one line; the machine may be busy

// clients are the programs under test: what runs each, or why it cannot run.
var clients = []struct {
	name    string
	command func(t *testing.T) []string
}{
	{"go", func(t *testing.T) []string {
		path, err := goClient()
		if err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}},
	{"node", func(t *testing.T) []string { return node(t, "subscribe.mjs") }},
	{"python", func(t *testing.T) []string {
		path, err := exec.LookPath("python3")
		if err != nil {
			t.Skip("needs python3; .ci/run installs it")
		}
		return []string{path, "subscribe.py"}
	}},
}

var built string // the folder of the Go client

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

var goClient = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "newsmonitor-client-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "subscribe.exe") // Windows needs the ending, others do not mind
	if out, err := exec.Command("go", "build", "-o", path, "./go").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the Go client: %w\n%s", err, out)
	}
	return path, nil
})

// node returns the command for a script that needs the NATS packages. Node
// looks for them beside the script, so it is copied to where they are linked.
func node(t *testing.T, script string) []string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node; .ci/run installs it (Debian's package nodejs)")
	}
	modules := filepath.Join(os.Getenv("NEWSMONITOR_NODE_MODULES"), "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "@nats-io", "jetstream")); err != nil {
		t.Skip("$NEWSMONITOR_NODE_MODULES names no folder with node_modules/@nats-io/{transport-node,jetstream}: " +
			"npm install --prefix DIR @nats-io/transport-node@3.4.0 @nats-io/jetstream@3.4.0")
	}
	b, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, filepath.Base(script))
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{path, copied}
}

// each runs a test once for every client.
func each(t *testing.T, test func(t *testing.T, command []string)) {
	t.Parallel()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test(t, c.command(t))
		})
	}
}

// TestResume: what is stored comes, as it is stored, then what is raised; after
// a kill exactly what was raised meanwhile.
func TestResume(t *testing.T) {
	schema := compile(t)
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		state := filepath.Join(t.TempDir(), "alerts.state")
		s.put(event(1, rule.Medium), event(2, rule.High), folded(3), event(4, rule.Low))

		c := start(t, command, "--json", "--server", s.url(), "--state", state)
		var got []string
		for range 3 {
			got = append(got, c.line())
		}
		s.put(event(5, rule.Critical)) // live
		got = append(got, c.line())
		c.killAfter(state, s.last())
		s.put(event(6, rule.High), updated(1, rule.Medium, rule.Critical), folded(7), event(8, rule.Low))

		c = start(t, command, "--json", "--server", s.url(), "--state", state)
		for range 3 {
			got = append(got, c.line())
		}
		s.put(event(9, rule.Low)) // the next line, if nothing came twice
		got = append(got, c.line())

		want := s.stored("news.alerts.")
		if !slices.Equal(got, want) {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
		for _, line := range got {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			if err == nil {
				err = schema.Validate(v)
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	})
}

// TestKilledAtWork: killed anywhere, a client misses nothing, and repeats at
// most the one alert that it was at.
func TestKilledAtWork(t *testing.T) {
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		state := filepath.Join(t.TempDir(), "alerts.state")
		const n = 300
		var es []alert.Event
		for i := range n {
			es = append(es, event(i, rule.High))
		}
		s.put(es...)
		var got []string
		for _, stop := range []int{1, 40, 90} {
			c := start(t, command, "--json", "--server", s.url(), "--state", state)
			for range stop {
				got = append(got, c.line())
			}
			rest := c.kill()
			got = append(got, rest...)
			if len(rest) > 0 && !json.Valid([]byte(got[len(got)-1])) {
				got = got[:len(got)-1] // cut off in the middle
			}
		}
		c := start(t, command, "--json", "--server", s.url(), "--state", state)
		want := s.stored("news.alerts.")
		for last := ""; last != want[n-1]; {
			last = c.line()
			got = append(got, last)
		}
		repeats := len(got) - len(slices.Compact(slices.Clone(got)))
		if !slices.Equal(slices.Compact(got), want) || repeats > 3 {
			t.Errorf("got %d lines, %d of them at once again, in 4 runs; want the %d stored in their order, and a repeat for each kill at most", len(got), repeats, n)
		}
	})
}

// TestMonitorRestarts: a client goes on when the monitor comes back.
func TestMonitorRestarts(t *testing.T) {
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		s.put(event(1, rule.High))
		c := start(t, command, "--json", "--server", s.url(), "--state", filepath.Join(t.TempDir(), "s"))
		got := []string{c.line()}
		s.restart()
		s.put(event(2, rule.High))
		got = append(got, c.line())
		if want := s.stored("news.alerts."); !slices.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestOtherStream: with the state of a stream that is no more, a client begins
// again and drops by their ids the alerts that it had.
func TestOtherStream(t *testing.T) {
	each(t, func(t *testing.T, command []string) {
		state := filepath.Join(t.TempDir(), "state")
		before := open(t)
		before.put(event(1, rule.High), event(2, rule.High), event(3, rule.High))
		c := start(t, command, "--json", "--server", before.url(), "--state", state)
		for range 3 {
			c.line()
		}
		c.killAfter(state, before.last())

		after := open(t)
		after.put(event(4, rule.High), event(2, rule.High), event(5, rule.High), event(6, rule.High))
		c = start(t, command, "--json", "--server", after.url(), "--state", state)
		got := []string{c.line(), c.line(), c.line()}
		all := after.stored("news.alerts.")
		if want := []string{all[0], all[2], all[3]}; !slices.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestLine: what a person reads, one line an alert whatever its title is.
func TestLine(t *testing.T) {
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		plain, evil, bare := event(1, rule.High), event(2, rule.Critical), event(3, rule.Low)
		plain.Data.Item.Title = "外交部　就网络攻击答记者问"
		evil.Data.Item.Title = "Red \x1b[31m alert\u202e\u2028two\nlines\u009b2J \x00end"
		bare.Data.Item.Link = ""
		s.put(plain, evil, bare)
		c := start(t, command, "--server", s.url(), "--state", filepath.Join(t.TempDir(), "state"), "--subject", "news.alerts.sanctions.>")
		for _, want := range []string{
			"high     sanctions           外交部 就网络攻击答记者问  https://example.org/1",
			"critical sanctions           Red  [31m alert  two lines 2J  end  https://example.org/2",
			"low      sanctions           Notice 3",
		} {
			if got := c.line(); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
	})
}

// TestSubject: a client takes only the alerts that were asked for.
func TestSubject(t *testing.T) {
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		s.put(event(1, rule.High), event(2, rule.Critical), event(3, rule.Low), event(4, rule.Critical))
		c := start(t, command, "--json", "--server", s.url(), "--state", filepath.Join(t.TempDir(), "state"), "--subject", "news.alerts.*.critical.>")
		all := s.stored("news.alerts.")
		for _, want := range []string{all[1], all[3]} {
			if got := c.line(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// TestUnreadableState: a client that does not know its place says so, and does
// not begin at another.
func TestUnreadableState(t *testing.T) {
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		s.put(event(1, rule.High))
		state := filepath.Join(t.TempDir(), "broken.state")
		if err := os.WriteFile(state, []byte(`{"seq":`), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], "--server", s.url(), "--state", state)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err == nil || stdout.Len() > 0 || !strings.Contains(stderr.String(), state) {
			t.Errorf("ended with %v, printed %q, said %q; want a failure that names %s", err, stdout.String(), stderr.String(), state)
		}
	})
}

// TestInterrupt: Ctrl-C is no error, and leaves no half-written state.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal that one program sends another")
	}
	each(t, func(t *testing.T, command []string) {
		s := open(t)
		s.put(event(1, rule.High))
		state := filepath.Join(t.TempDir(), "state")
		c := start(t, command, "--server", s.url(), "--state", state)
		c.line()
		c.saved(state, s.last())
		if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if code := c.wait(); code != 0 || strings.Contains(c.stderr.String(), "Traceback") {
			t.Errorf("ended with %d and said %q", code, c.stderr.String())
		}
	})
}

// TestCredentials: a server with TLS and users, as it must be beyond loopback.
func TestCredentials(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux do all three take a certificate from the environment")
	}
	each(t, func(t *testing.T, command []string) {
		dir := t.TempDir()
		cert, key, users := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "users.yaml")
		certificate(t, cert, key)
		if err := os.WriteFile(users, []byte("users:\n  - {user: desk, password: \"p@ss word/1\"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openWith(t, func(o *stream.Options) { o.Users, o.TLSCert, o.TLSKey = users, cert, key })
		s.put(event(1, rule.High))
		port := s.url()[strings.LastIndex(s.url(), ":"):]
		server := "tls://desk:p%40ss%20word%2F1@localhost" + port // nats.js looks for no IP address in a certificate
		c := startWith(t, []string{"SSL_CERT_FILE=" + cert, "NODE_EXTRA_CA_CERTS=" + cert}, command, "--server", server, "--state", filepath.Join(dir, "state"))
		if got, want := c.line(), "high     sanctions           Notice 1  https://example.org/1"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestLive: the live view, a plain subscription of a client that knows nothing
// of streams.
func TestLive(t *testing.T) {
	t.Parallel()
	command := node(t, filepath.Join("testdata", "live.mjs"))
	s := open(t)
	s.put(event(1, rule.High)) // before anybody listens
	c := start(t, command, s.url())
	if got := c.line(); got != "listening" {
		t.Fatalf("the subscriber says %q", got)
	}
	s.put(event(2, rule.High), folded(3), event(4, rule.Low))
	all := s.stored("news.alerts.")
	for _, want := range all[1:] {
		if got := c.line(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
