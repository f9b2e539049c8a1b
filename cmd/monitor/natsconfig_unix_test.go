//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/web"
)

// configured runs a NATS server with exactly what `monitor nats config` prints.
func configured(t *testing.T, args ...string) *natsServer {
	t.Helper()
	return configuredBut(t, func(conf string) string { return conf }, args...)
}

// configuredBut does so with what an administrator makes of it.
func configuredBut(t *testing.T, edit func(conf string) string, args ...string) *natsServer {
	t.Helper()
	conf, err := exec.Command("monitor", append([]string{"nats", "config", "--print", "accounts"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "newsmonitor.conf")
	// What the administrator's shell would hold. The tests run side by side and
	// share an environment, so the names are filled in here.
	text := strings.NewReplacer("$NEWSMONITOR_PASSWORD", "newsmonitor-secret", "$NEWSREADER_PASSWORD", "newsreader-secret",
		"users: [{\n      user: newsmonitor", "users: [{user: admin, password: admin-secret}, {\n      user: newsmonitor").Replace(edit(string(conf)))
	write(t, path, text)
	return startNATS(t, "-config", path)
}

func login(t *testing.T, s *natsServer, user string) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect(s.url(), nats.UserInfo(user, user+"-secret"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func withUser(s *natsServer, user string) string {
	return "nats://" + user + ":" + user + "-secret@" + s.addr
}

// define makes the streams of `monitor nats config`, as an administrator would.
func define(t *testing.T, s *natsServer, args ...string) {
	t.Helper()
	out, err := exec.Command("monitor", append([]string{"nats", "config", "--print", "definitions"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var definitions []json.RawMessage
	if err := json.Unmarshal(out, &definitions); err != nil {
		t.Fatal(err)
	}
	nc, _ := login(t, s, "admin")
	for _, d := range definitions {
		var named struct{ Name string }
		if err := json.Unmarshal(d, &named); err != nil {
			t.Fatal(err)
		}
		m, err := nc.Request("$JS.API.STREAM.CREATE."+named.Name, d, 10*time.Second)
		if err != nil || strings.Contains(string(m.Data), `"error"`) {
			t.Fatalf("create %s: %v %s", named.Name, err, m.Data)
		}
	}
}

// TestAdministered: daemon and readers live with exactly the permissions that
// `monitor nats config` prints, whether the daemon makes its streams or not,
// and readers can neither forge nor steal.
func TestAdministered(t *testing.T) {
	t.Parallel()
	for _, manage := range []string{"auto", "never"} {
		t.Run(manage, func(t *testing.T) {
			t.Parallel()
			ns := configured(t, "--nats-manage", manage)
			if manage == "never" {
				define(t, ns, "--nats-manage", "never")
			}
			w := newPress(t, 3)
			p := w.run(t, "--http", "127.0.0.1:0", "--nats", withUser(ns, "newsmonitor"), "--nats-manage", manage)
			var log strings.Builder
			var where string
			for line := range p.lines {
				log.WriteString(line + "\n")
				if m := page.FindStringSubmatch(line); m != nil {
					where = m[1]
					break
				}
			}
			if where == "" {
				t.Fatalf("the daemon does not start:\n%s", &log)
			}
			nc, _ := login(t, ns, "newsreader")
			live, err := nc.SubscribeSync("news.alerts.>")
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			w.add(6)
			if !w.seen(30 * time.Second) {
				t.Fatal("the daemon does not poll")
			}
			if _, err := live.NextMsg(20 * time.Second); err != nil {
				t.Errorf("a reader gets no alert: %v", err)
			}
			status(t, where, func(st web.Status) bool { return st.Ready == "yes" && st.Readers[0].Lag == 0 && len(st.Nodes) == 1 })
			out, err := exec.Command("monitor", "replay", "--since", "1d", "--rules", filepath.Join(w.dir, "rules"), "--nats", withUser(ns, "newsreader")).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Sanctions, part 3") {
				t.Errorf("replay as a reader: %v\n%s", err, out)
			}
			out, err = exec.Command("monitor", "backup", filepath.Join(w.dir, "backup.tar"), "--server", where).CombinedOutput()
			if err != nil {
				t.Errorf("a backup: %v\n%s", err, out)
			}
			out, err = exec.Command("monitor", "restore", filepath.Join(w.dir, "backup.tar"), "--data", filepath.Join(w.dir, "restored")).CombinedOutput()
			if err != nil {
				t.Errorf("restore it: %v\n%s", err, out)
			}
			_, steal := login(t, ns, "newsreader")
			c, err := steal.OrderedConsumer(t.Context(), "ALERTS", jetstream.OrderedConsumerConfig{})
			if err != nil {
				t.Fatalf("a reader's consumer: %v", err)
			}
			if batch, err := c.Fetch(6, jetstream.FetchMaxWait(10*time.Second)); err != nil || len(drain(batch)) != 6 {
				t.Errorf("a reader's consumer does not read: %v", err)
			}
			// What a reader must not do is not answered, and changes nothing.
			_, ajs := login(t, ns, "admin")
			before := messages(t, ajs, "ALERTS")
			for _, subject := range []string{"in.news.alerts.s.low.f0.00000000000000000000000000000001", "$JS.API.STREAM.DELETE.ALERTS", "$JS.API.STREAM.PURGE.ALERTS",
				"$JS.API.CONSUMER.CREATE.KV_READERS.x", "$KV.READERS.raise", "$JS.API.DIRECT.GET.KV_FEEDS"} {
				if m, err := nc.Request(subject, []byte(`{}`), 200*time.Millisecond); err == nil {
					t.Errorf("%s of a reader is answered: %s", subject, m.Data)
				}
			}
			if after := messages(t, ajs, "ALERTS"); after != before {
				t.Errorf("ALERTS holds %d messages, before a reader's tricks %d", after, before)
			}
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for line := range p.lines {
				log.WriteString(line + "\n")
			}
			if err := p.Wait(); err != nil {
				t.Errorf("the daemon ended with %v", err)
			}
			if strings.Contains(log.String(), "iolation") || strings.Contains(log.String(), "not permitted") {
				t.Errorf("the daemon lacks a permission:\n%s", &log)
			}
		})
	}
}

// TestBackupNotPermitted: who asks for a backup that the server does not permit
// hears so at once.
func TestBackupNotPermitted(t *testing.T) {
	t.Parallel()
	ns := configuredBut(t, func(conf string) string { return strings.ReplaceAll(conf, "STREAM.SNAPSHOT", "STREAM.OTHER") })
	w := newPress(t, 1)
	p := w.run(t, "--http", "127.0.0.1:0", "--nats", withUser(ns, "newsmonitor"))
	where := page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
	p.drain()
	start := time.Now()
	out, err := exec.Command("monitor", "backup", filepath.Join(w.dir, "backup.tar"), "--server", where).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not permitted") || !strings.Contains(string(out), "$JS.API.STREAM.SNAPSHOT.KV_READERS") || !strings.Contains(string(out), "monitor nats config") {
		t.Errorf("a backup that is not permitted: %v\n%s", err, out)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v to say no", took)
	}
}

func drain(b jetstream.MessageBatch) (out []jetstream.Msg) {
	for m := range b.Messages() {
		out = append(out, m)
	}
	return out
}

func messages(t *testing.T, js jetstream.JetStream, name string) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// refusal runs a daemon that must not start, and returns what it says.
func refusal(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "feeds.yaml"), noFeeds)
	cmd := exec.Command("monitor", append([]string{"--rules", "builtin", "--http", "off"}, args...)...)
	cmd.Dir, cmd.Env = dir, os.Environ()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit code %d (%v), want 1", cmd.ProcessState.ExitCode(), err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("took %v to say no", took)
	}
	return string(out)
}

// TestForeignNATS: what an operator reads when the external NATS is not as we
// need it.
func TestForeignNATS(t *testing.T) {
	t.Parallel()
	has := func(t *testing.T, text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("does not say %q:\n%s", w, text)
			}
		}
		if strings.Contains(text, "-secret") {
			t.Errorf("shows a password:\n%s", text)
		}
	}
	t.Run("never, and nothing there", func(t *testing.T) {
		t.Parallel()
		ns := configured(t, "--nats-manage", "never")
		has(t, refusal(t, "--nats", withUser(ns, "newsmonitor"), "--nats-manage", "never"),
			"stream ITEMS is missing", "--nats-manage is never", `"in.news.items.>"`, "monitor nats config")
	})
	t.Run("no right to create", func(t *testing.T) {
		t.Parallel()
		ns := configured(t, "--nats-manage", "never")
		has(t, refusal(t, "--nats", withUser(ns, "newsmonitor")),
			"stream ITEMS is missing", "we may not create it", "$JS.API.STREAM.CREATE.ITEMS", `"in.news.items.>"`)
	})
	t.Run("no rights at all", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "c.conf")
		write(t, path, `accounts {A {jetstream: enabled, users: [{user: newsmonitor, password: newsmonitor-secret, permissions: {publish: "x", subscribe: ">"}}]}}`)
		ns := startNATS(t, "-config", path)
		has(t, refusal(t, "--nats", withUser(ns, "newsmonitor")), "not permitted", "$JS.API.INFO", "monitor nats config")
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		ns := configured(t)
		has(t, refusal(t, "--nats", "nats://newsmonitor:wrong@"+ns.addr), "credentials")
	})
	t.Run("no JetStream for the account", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "c.conf")
		write(t, path, `accounts {A {users: [{user: newsmonitor, password: newsmonitor-secret}]}}`)
		ns := startNATS(t, "-config", path)
		has(t, refusal(t, "--nats", withUser(ns, "newsmonitor")), "has no JetStream for us")
	})
	t.Run("ALERTS of somebody else", func(t *testing.T) {
		t.Parallel()
		ns := startNATS(t)
		nc, err := nats.Connect(ns.url())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"alerts.>"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), "alerts.fire", []byte("theirs")); err != nil {
			t.Fatal(err)
		}
		has(t, refusal(t, "--nats", ns.url()), "stream ALERTS", "cannot keep our promises", "subjects: have [alerts.>], want [in.news.alerts.>", "republish: have none", "--subject-prefix")
		w := newPress(t, 1)
		p := w.run(t, "--http", "off", "--nats", ns.url(), "--subject-prefix", "acme")
		p.says(t, "newsmonitor runs")
		p.kill()
		if n := messages(t, js, "ALERTS"); n != 1 {
			t.Errorf("their stream holds %d messages, want their own one", n)
		}
	})
	t.Run("a bucket of somebody else", func(t *testing.T) {
		t.Parallel()
		ns := startNATS(t)
		nc, err := nats.Connect(ns.url())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "LEASES"}); err != nil {
			t.Fatal(err)
		}
		has(t, refusal(t, "--nats", ns.url()), "bucket LEASES", "limit marker TTL: have none")
	})
}

// TestFullStream: a stream that refuses what is new turns /readyz red with the
// reason; when there is room again the daemon catches up by itself.
func TestFullStream(t *testing.T) {
	t.Parallel()
	ns := startNATS(t)
	w := newPress(t, 1)
	p := w.run(t, "--http", "127.0.0.1:0", "--nats", ns.url(), "--canary", "0")
	where := page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
	p.drain()
	w.add(3)
	w.seen(20 * time.Second)
	status(t, where, func(st web.Status) bool {
		return st.Ready == "yes" && st.Streams[1].Messages == 1 && st.Readers[0].Lag == 0
	})
	nc, err := nats.Connect(ns.url())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := js.Stream(t.Context(), "ALERTS")
	if err != nil {
		t.Fatal(err)
	}
	old := alerts.CachedInfo().Config
	full := old
	full.Discard, full.MaxMsgs = jetstream.DiscardNew, 1
	if _, err := js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	w.add(6)
	status(t, where, func(st web.Status) bool { return strings.Contains(st.Ready, "full") })
	if _, err := js.UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	status(t, where, func(st web.Status) bool { return st.Ready == "yes" && st.Readers[0].Lag == 0 })
	w.settled(t, look(t, ns.url()))
}

// TestAway: while NATS is away, /readyz says so and the daemon keeps what it
// fetched; when it is back, everything goes on by itself.
func TestAway(t *testing.T) {
	t.Parallel()
	ns := startNATS(t)
	w := newPress(t, 2)
	p := w.run(t, "--http", "127.0.0.1:0", "--nats", ns.url(), "--nats-lease", "4s")
	where := page.FindStringSubmatch(p.says(t, "newsmonitor runs"))[1]
	p.drain()
	w.add(3)
	w.seen(20 * time.Second)
	status(t, where, func(st web.Status) bool { return st.Ready == "yes" && st.Readers[0].Lag == 0 })
	ns.kill()
	w.add(3)
	status(t, where, func(st web.Status) bool { return strings.Contains(st.Ready, "away") && !st.NATS.Connected })
	resp, err := http.Get(where + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", resp.StatusCode)
	}
	if resp, err = http.Get(where + "/livez"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/livez answers %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	w.seen(5 * time.Second) // shown while nothing can be stored
	ns.start(t)
	status(t, where, func(st web.Status) bool { return st.Ready == "yes" })
	w.settled(t, look(t, ns.url()))
}
