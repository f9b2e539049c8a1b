package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ownServer is a NATS server of its own, with JetStream.
func ownServer(t *testing.T) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	return ns
}

// TestLeaderless: a server says nothing of a stream that has no leader yet, as
// while another process is making it. The start asks again, and judges the
// stored format by the answer.
func TestLeaderless(t *testing.T) {
	t.Parallel()
	for question, tc := range map[string]struct {
		format string // that somebody's ITEMS have; none: there are no streams
		want   string // "" opens
	}{
		"$JS.API.STREAM.INFO.KV_READERS": {},
		"$JS.API.STREAM.INFO.ITEMS":      {format: "99", want: "written by a newer program, in format 99"},
	} {
		t.Run(question, func(t *testing.T) {
			t.Parallel()
			ns := ownServer(t)
			nc, err := nats.Connect(ns.ClientURL())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			if tc.format != "" {
				js, err := jetstream.New(nc)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ITEMS", Metadata: map[string]string{formatMark: tc.format, readableMark: tc.format}}); err != nil {
					t.Fatal(err)
				}
			}
			// The first time it goes to somebody who never answers.
			if err := ns.GlobalAccount().AddMapping(question, "nobody.answers"); err != nil {
				t.Fatal(err)
			}
			asked := make(chan struct{}, 1)
			if _, err := nc.Subscribe("nobody.answers", func(*nats.Msg) {
				ns.GlobalAccount().RemoveMapping(question)
				asked <- struct{}{}
			}); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			o := options(t)
			o.URL, o.Manage = ns.ClientURL(), true
			s, err := Open(t.Context(), o)
			if err == nil {
				err = s.Ready(t.Context())
				s.Close()
			}
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("the start ends with %v, want %q", err, tc.want)
			}
			select {
			case <-asked:
			default:
				t.Error("the question was not asked; the test shows nothing")
			}
		})
	}
}
