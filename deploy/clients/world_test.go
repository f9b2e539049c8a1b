package clients_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
)

// store is the daemon's side: the embedded server with what was raised.
type store struct {
	t    *testing.T
	opts stream.Options
	*stream.Store
	seqs map[string]uint64 // of the last event of each alert
}

func open(t *testing.T) *store {
	t.Helper()
	return openWith(t, func(*stream.Options) {})
}

func openWith(t *testing.T, change func(*stream.Options)) *store {
	t.Helper()
	s := &store{t: t, seqs: map[string]uint64{}, opts: stream.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxStore: 1 << 30,
		KeepItems: time.Hour, KeepAlerts: time.Hour, Prefix: "news", Owner: "test", Log: slog.New(slog.DiscardHandler)}}
	change(&s.opts)
	s.start()
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *store) start() {
	s.t.Helper()
	var err error
	s.opts.Registry = prometheus.NewRegistry()
	if s.Store, err = stream.Open(s.t.Context(), s.opts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) url() string { return s.ClientURL() }

// restart ends the server and starts it where it was.
func (s *store) restart() {
	s.t.Helper()
	s.opts.Listen = strings.TrimPrefix(s.url(), "nats://")
	s.Close()
	s.start()
}

func (s *store) put(es ...alert.Event) {
	s.t.Helper()
	for _, e := range es {
		seq, err := s.Alerts().Append(s.t.Context(), e, s.seqs[e.Data.ID])
		if err != nil {
			s.t.Fatal(err)
		}
		s.seqs[e.Data.ID] = seq
	}
}

// last is the sequence of the last event stored.
func (s *store) last() uint64 {
	s.t.Helper()
	_, last, err := s.Alerts().Bounds(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return last
}

// stored returns the bytes of the events under a subject, read one by one as
// any reader may.
func (s *store) stored(prefix string) (events []string) {
	s.t.Helper()
	nc, err := nats.Connect(s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	st, err := js.Stream(s.t.Context(), "ALERTS")
	if err != nil {
		s.t.Fatal(err)
	}
	for seq := uint64(1); seq <= s.last(); seq++ {
		m, err := st.GetMsg(s.t.Context(), seq)
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(m.Subject, prefix) {
			events = append(events, string(m.Data))
		}
	}
	return events
}

func event(n int, severity rule.Severity) alert.Event {
	when := time.Date(2026, 11, 22, 9, 0, n%60, 0, time.UTC)
	key := fmt.Sprintf("%032x", n)
	id := alert.ID("sanctions", key)
	return alert.Event{
		SpecVersion: "1.0", ID: alert.EventID(id, alert.Raised, severity), Type: alert.Raised, Source: "/newsmonitor/test/feeds/us-treasury",
		Subject: "sanctions", Time: when, DataContentType: "application/json", DataSchema: alert.SchemaURI, Severity: severity,
		Data: alert.Data{ID: id, Channel: "sanctions", Channels: []string{"sanctions"}, Severity: severity, Score: 2, States: []string{"KP", "US"},
			Story: alert.Story{ID: id, Lead: true, Also: []alert.Carrier{}},
			Item: alert.Item{Feed: "us-treasury", Key: key, Revision: "r1", Title: fmt.Sprint("Notice ", n), Link: fmt.Sprint("https://example.org/", n),
				Summary: "Assets of two firms <frozen> & \"listed\".", Authors: []string{}, Published: when, Quality: "declared", Fetched: when},
			Source: feed.Source{ID: "us-treasury", Title: "Treasury", Kind: "treasury", Tier: "authoritative", Country: "US", Tags: []string{}},
			Voice:  &rule.Voice{ID: "us-treasury", Title: "US Treasury", Tier: "authoritative", Country: "US"},
			Rules: []rule.Match{{ID: "sanctions-designation", Title: "Designations", Severity: severity, Version: "0123456789ab", Score: 2,
				Evidence: []rule.Evidence{{Field: "title", Text: "Notice", After: fmt.Sprint(n), End: 6}}}},
			Cut: []string{}},
	}
}

// updated is the event of an alert whose severity rose.
func updated(n int, was, severity rule.Severity) alert.Event {
	e := event(n, severity)
	e.Type, e.Data.Was = alert.Updated, was
	e.ID = alert.EventID(e.Data.ID, e.Type, severity)
	return e
}

// folded is an event that is stored and not pushed.
func folded(n int) alert.Event {
	e := event(n, rule.Low)
	e.Type, e.Data.Folded = alert.Folded, &alert.Fold{Reason: alert.FoldStory}
	e.ID = alert.EventID(e.Data.ID, e.Type, e.Severity)
	return e
}

// client is a running subscriber.
type client struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	stderr bytes.Buffer // complete when lines is closed and the process waited for
	wait   func() int   // for the end; the exit code
}

func start(t *testing.T, command []string, args ...string) *client {
	t.Helper()
	return startWith(t, nil, command, args...)
}

// startWith adds to the environment.
func startWith(t *testing.T, env, command []string, args ...string) *client {
	t.Helper()
	c := &client{t: t, lines: make(chan string, 1024)}
	c.cmd = exec.Command(command[0], append(command[1:len(command):len(command)], args...)...)
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(c.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			c.lines <- in.Text()
		}
	}()
	c.wait = sync.OnceValue(func() int {
		late := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
		defer late.Stop()
		<-read
		_ = c.cmd.Wait()
		return c.cmd.ProcessState.ExitCode()
	})
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		c.wait()
		if t.Failed() && c.stderr.Len() > 0 {
			t.Logf("the client said: %s", &c.stderr)
		}
	})
	return c
}

// line waits for the next line.
func (c *client) line() string {
	c.t.Helper()
	select {
	case l, ok := <-c.lines:
		if !ok {
			c.t.Fatalf("the client ended with %d", c.wait())
		}
		return l
	case <-time.After(patience):
		c.t.Fatalf("no line within %v", patience)
		return ""
	}
}

// kill ends the client as kill -9 does, and returns what it still printed.
func (c *client) kill() (rest []string) {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	for l := range c.lines {
		rest = append(rest, l)
	}
	c.wait()
	return rest
}

// killAfter kills the client once its state says that it has done seq.
func (c *client) killAfter(state string, seq uint64) {
	c.t.Helper()
	c.saved(state, seq)
	if rest := c.kill(); len(rest) > 0 {
		c.t.Errorf("unexpected lines: %q", rest)
	}
}

// saved waits until the state says that seq is done.
func (c *client) saved(state string, seq uint64) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		var at struct{ Seq uint64 }
		b, err := os.ReadFile(state)
		if err == nil {
			err = json.Unmarshal(b, &at)
		}
		if err == nil && at.Seq == seq {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			c.t.Fatalf("the state is %s (%v), want sequence %d", b, err, seq)
		}
	}
}

// certificate writes a key and a certificate for localhost that signs itself.
func certificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), Subject: pkix.Name{CommonName: "monitor"},
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile("../schemas/alert.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(alert.SchemaURI, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(alert.SchemaURI)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
