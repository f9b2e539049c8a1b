package stream

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// What a store that is made anew keeps, and what it says that it lacks.

// TestRebuildConsumer: whoever reads with a consumer of his own that the server
// keeps (deploy/clients/README.md) goes on where he was. A place that is damaged,
// too, does not keep the store from being made anew.
func TestRebuildConsumer(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy = true
	fillAll(t, o)
	s, _ := begin(t, o)
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.CreateOrUpdateConsumer(t.Context(), "ALERTS", jetstream.ConsumerConfig{Durable: "desk", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	flip(t, blocks(o, "ITEMS"), "title 0 ends")
	spoilt := o
	spoilt.Dir, spoilt.Registry = t.TempDir(), prometheus.NewRegistry()
	if err := os.CopyFS(spoilt.Dir, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	s, said := begin(t, o)
	defer s.Close()
	if !strings.Contains(said.String(), "made anew") {
		t.Errorf("the store was not made anew: %s", said)
	}
	if c, err = s.alerts.Consumer(t.Context(), "desk"); err != nil {
		t.Fatal(err)
	}
	if at := c.CachedInfo().AckFloor.Stream; at != 10 {
		t.Errorf("the reader was at sequence 10 and is at %d", at)
	}
	if m, err := c.Next(); err != nil || sequence(m) != 11 {
		t.Errorf("the reader gets %v, %v", m, err)
	}

	places, err := filepath.Glob(filepath.Join(spoilt.Dir, "jetstream", "*", "streams", "ALERTS", "obs", "desk", "o.dat"))
	if err != nil || len(places) != 1 {
		t.Fatalf("the consumer's file: %v, %v", places, err)
	}
	b, err := os.ReadFile(places[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0xFF
	if err := os.WriteFile(places[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, said = begin(t, spoilt)
	defer s.Close()
	if !strings.Contains(said.String(), "was made anew") {
		t.Errorf("the store with a damaged place was not made anew: %s", said)
	}
}

// TestRebuildMany: what the copy lacks is counted, whatever was known of it.
func TestRebuildMany(t *testing.T) {
	t.Parallel()
	for looks := range 3 {
		o := options(t)
		o.lazy = true
		fillAll(t, o)
		for n := 150; n < 250; n++ {
			flip(t, blocks(o, "ITEMS"), fmt.Sprintf("title %d ends", n))
		}
		flip(t, blocks(o, "ITEMS"), "title 0 ends")
		flip(t, blocks(o, "ALERTS"), "alert 10 ends")
		o.ReadOnly = true
		s, _ := begin(t, o)
		for range looks {
			if err := s.verify(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		o.ReadOnly = false
		s, said := begin(t, o)
		if got := s.omitted; got["items"] != 101 || got["alerts"] != 1 || !strings.Contains(said.String(), "ALERTS: 1, ITEMS: 101") {
			t.Errorf("after %d looks 101 items and an alert are lost, and it says %v: %s", looks, got, said)
		}
		s.Close()
	}
}

// TestRebuildBucket: a bucket gives a sequence to each save, and a feed that is
// polled no more keeps its first one: how long a start takes to find a value
// that cannot be read depends on the values that there are.
func TestRebuildBucket(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy = true
	fillAll(t, o)
	s, _ := begin(t, o)
	js, err := jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		if _, err := js.PublishAsync(fmt.Sprint("$KV.FEEDS.feed", 1+i%4), []byte("{}"), jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	s.Close()
	flip(t, blocks(o, "KV_FEEDS"), "etag 0 ends")
	o.ReadOnly = true
	s, _ = begin(t, o)
	defer s.Close()
	asked := s.nc.Stats().OutMsgs
	found, err := s.stuck(t.Context())
	if err != nil || found["KV_FEEDS"] != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	if asked = s.nc.Stats().OutMsgs - asked; asked > 1000 {
		t.Errorf("it took %d questions to find one value of five", asked)
	}
}

// TestRebuildMissing: a store that lacks its newest messages since a start before
// is made anew, and killed right after that. What it lacks is still said.
func TestRebuildMissing(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.lazy = true
	fillAll(t, o)
	s, _ := begin(t, o)
	lacks := "the end: it was at sequence 400 and is at 300"
	s.verified["items"].lacks.Store(&lacks)
	s.Close()
	flip(t, blocks(o, "KV_FEEDS"), "etag 2 ends")
	s, said := begin(t, o)
	defer s.Close()
	killed := o
	killed.Dir = filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed.Dir, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "made anew") || !strings.Contains(said.String(), lacks) {
		t.Errorf("the start says %s", said)
	}
	again, said := begin(t, killed)
	defer again.Close()
	if !strings.Contains(said.String(), lacks) {
		t.Errorf("what the stream lacks is forgotten: %s", said)
	}
}
