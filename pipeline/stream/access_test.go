package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

// TestRefusedReachesNobody: what the stream refuses must not reach a plain
// subscriber.
func TestRefusedReachesNobody(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	sub := subscribe(t, s, "news.alerts.>")
	for range 5 {
		_, _ = s.Alerts().Append(t.Context(), event("i1", rule.High, alert.Raised), 0)
	}
	if _, err := s.Alerts().Append(t.Context(), event("i2", rule.High, alert.Raised), 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"i1", "i2"} {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil || !strings.HasSuffix(m.Subject, alert.ID("sanctions", want)) {
			t.Fatalf("subscriber got %v, %v; want the alert of %s", m, err, want)
		}
		if ct := m.Header.Get("Content-Type"); ct != alert.ContentType {
			t.Errorf("Content-Type %q", ct)
		}
	}
}

func anonymous(t *testing.T, s *Store) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func subscribe(t *testing.T, s *Store, subject string) *nats.Subscription {
	t.Helper()
	nc := anonymous(t, s)
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return sub
}

// TestForging tries to make an alert that we did not raise: by publishing, by
// the reply subject of every request a reader may make, and by a consumer that
// delivers to an ingest subject.
func TestForging(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Alerts().Append(t.Context(), event("i1", rule.High, alert.Raised), 0); err != nil {
		t.Fatal(err)
	}
	victim := subscribe(t, s, "news.>")
	evil := anonymous(t, s)
	const forged = "in.news.alerts.sanctions.critical.us-treasury.00000000000000000000000000000001"
	body := []byte(`{"specversion":"1.0"}`)
	_ = evil.Publish(forged, body)
	_ = evil.Publish(strings.TrimPrefix(forged, "in."), body)
	_ = evil.Publish("$JS.API.STREAM.DELETE.ALERTS", nil)
	for _, r := range []string{"$JS.API.INFO", "$JS.API.STREAM.INFO.ITEMS", "$JS.API.DIRECT.GET.ITEMS.news.items.mfa." + draft("a", "", 0).Item.Key,
		"$JS.API.DIRECT.GET.ALERTS.news.alerts.sanctions.high.mfa." + alert.ID("sanctions", "i1"),
		"$JS.API.CONSUMER.INFO.ITEMS.x", "$JS.API.CONSUMER.CREATE.ITEMS.x", "$JS.API.CONSUMER.MSG.NEXT.ITEMS.x", "$KV.READERS.raise"} {
		_ = evil.PublishRequest(r, forged, []byte(`{}`))
		_ = evil.PublishRequest(r, strings.TrimPrefix(forged, "in."), []byte(`{}`))
	}
	if _, err := evil.Request("$JS.API.CONSUMER.CREATE.ALERTS.pull", []byte(`{"stream_name":"ALERTS","config":{"name":"pull","ack_policy":"none","deliver_policy":"all"}}`), 5*time.Second); err != nil {
		t.Errorf("a pull consumer of a reader: %v", err)
	}
	_ = evil.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.ALERTS.pull", strings.TrimPrefix(forged, "in."), []byte("1"))
	for _, config := range []string{
		`"deliver_subject":"` + forged + `"`,
		`"deliver_subject":"","Deliver_Subject":"` + forged + `"`,
		`"deliver_subject":"x.y","deliver_group":"g"`,
	} {
		req := `{"stream_name":"ITEMS","config":{"name":"evil","ack_policy":"none","deliver_policy":"all",` + config + `}}`
		m, err := evil.Request("$JS.API.CONSUMER.CREATE.ITEMS.evil", []byte(req), 5*time.Second)
		if err != nil || !strings.Contains(string(m.Data), "push consumers are not for readers") {
			t.Errorf("a push consumer of a reader: %v, %v; want a refusal", m, err)
		}
	}
	if err := evil.Flush(); err != nil {
		t.Fatal(err)
	}
	// A real alert afterwards is the next and only thing that the victim sees.
	if _, err := s.Alerts().Append(t.Context(), event("i2", rule.High, alert.Raised), 0); err != nil {
		t.Fatal(err)
	}
	// A reply in the readers' own account reaches other readers: it is known by
	// its header, and was never stored.
	for {
		m, err := victim.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("the victim did not get the real alert: %v", err)
		}
		if !authentic(m) {
			continue
		}
		if !strings.HasSuffix(m.Subject, alert.ID("sanctions", "i2")) {
			t.Errorf("the victim took a forged alert on %s: %s %v", m.Subject, m.Data, m.Header)
		}
		break
	}
	if n := count(t, s.alerts); n != 2 {
		t.Errorf("ALERTS holds %d messages, want 2", n)
	}
}

// TestReading: what a reader may do works with an unmodified client.
func TestReading(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	for _, id := range []string{"i1", "i2", "i3"} {
		if _, err := s.Alerts().Append(t.Context(), event(id, rule.High, alert.Raised), 0); err != nil {
			t.Fatal(err)
		}
	}
	js, err := jetstream.New(anonymous(t, s))
	if err != nil {
		t.Fatal(err)
	}
	ordered, err := js.OrderedConsumer(t.Context(), "ALERTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	durable, err := js.CreateOrUpdateConsumer(t.Context(), "ALERTS", jetstream.ConsumerConfig{Durable: "desk", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second, FilterSubject: "news.alerts.sanctions.>"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]jetstream.Consumer{"ordered": ordered, "durable": durable} {
		batch, err := c.Fetch(3, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for m := range batch.Messages() {
			if name == "durable" {
				if err := m.DoubleAck(t.Context()); err != nil {
					t.Errorf("%s: acknowledge: %v", name, err)
				}
			}
			n++
		}
		if n != 3 || batch.Error() != nil {
			t.Errorf("%s consumer read %d of 3 alerts: %v", name, n, batch.Error())
		}
	}
}
