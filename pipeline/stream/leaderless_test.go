package stream

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
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
// while another process is making it. The start asks again.
func TestLeaderless(t *testing.T) {
	t.Parallel()
	ns := ownServer(t)
	nc, err := nats.Connect(ns.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	// The first question for the bucket goes to somebody who never answers.
	const question = "$JS.API.STREAM.INFO.KV_READERS"
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
	s := open(t, o)
	select {
	case <-asked:
	default:
		t.Fatal("the bucket was not asked for; the test shows nothing")
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
