package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

func options(t *testing.T) Options {
	return Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxStore: 1 << 30, KeepItems: time.Hour, KeepAlerts: time.Hour,
		Prefix: "news", Owner: "test", Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func draft(key, revision string, after uint64) poll.Draft {
	return poll.Draft{Item: feed.Item{Feed: "mfa", Key: fmt.Sprintf("%032s", key), Revision: revision, Title: "Title " + key}, After: after}
}

func event(id string, severity rule.Severity, typ string) alert.Event {
	id = alert.ID("sanctions", id)
	return alert.Event{SpecVersion: "1.0", ID: alert.EventID(id, typ, severity), Type: typ, Subject: "sanctions", Severity: severity,
		Data: alert.Data{ID: id, Channel: "sanctions", Severity: severity, Item: alert.Item{Feed: "mfa", Key: id, Revision: "r1"}}}
}

func count(t *testing.T, st jetstream.Stream) uint64 {
	t.Helper()
	i, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i.State.Msgs
}

// TestAppendOnce: whatever is repeated, in singles or in a batch, by us or by
// somebody else, is stored once, and nothing is overwritten.
func TestAppendOnce(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	items := s.Items()

	first, err := items.Append(t.Context(), []poll.Draft{draft("a", "r1", 0)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := items.Append(t.Context(), []poll.Draft{draft("a", "r1", 0)})
	if err != nil || again[0] != first[0] {
		t.Errorf("the same revision again gives %v, %v; want the stored sequence %v", again, err, first)
	}
	if _, err := items.Append(t.Context(), []poll.Draft{draft("a", "r2", 0)}); !errors.Is(err, poll.ErrAhead) {
		t.Errorf("another revision by somebody who knows nothing: %v, want ErrAhead", err)
	}
	second, err := items.Append(t.Context(), []poll.Draft{draft("a", "r2", first[0])})
	if err != nil {
		t.Errorf("a new revision after the known one: %v", err)
	}
	if _, err := items.Append(t.Context(), []poll.Draft{draft("a", "r3", first[0])}); !errors.Is(err, poll.ErrAhead) {
		t.Errorf("a revision after an old one: %v, want ErrAhead", err)
	}
	if again, err = items.Append(t.Context(), []poll.Draft{draft("a", "r2", first[0])}); err != nil || again[0] != second[0] {
		t.Errorf("the repeat of a stored revision gives %v, %v; want %v", again, err, second)
	}

	var many []poll.Draft
	for i := range 25 {
		many = append(many, draft(fmt.Sprint("m", i), "r1", 0))
	}
	got, err := items.Append(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	for i, seq := range got {
		m, err := s.items.GetMsg(t.Context(), seq)
		if err != nil || !strings.HasSuffix(m.Subject, many[i].Item.Key) {
			t.Errorf("sequence %d of item %d holds %v, %v", seq, i, m, err)
		}
	}
	many = append(many, draft("m25", "r1", 0)) // a crash after the batch: most is there already
	more, err := items.Append(t.Context(), many)
	if err != nil || fmt.Sprint(more[:25]) != fmt.Sprint(got) {
		t.Errorf("the batch again gives %v, %v; want %v and one more", more, err, got)
	}
	if n := count(t, s.items); n != 2+26 {
		t.Errorf("ITEMS holds %d messages, want 28", n)
	}
}

// TestAgedOut: an item whose revisions are gone from ITEMS is appended anew.
func TestAgedOut(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	seq, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.items.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r2", seq[0])}); err != nil {
		t.Errorf("append after the item aged out: %v", err)
	}
}

// TestAlertIdentity: an alert is one whatever its severity, raised or folded.
func TestAlertIdentity(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	a := s.Alerts()
	seq, err := a.Append(t.Context(), event("i1", rule.Medium, alert.Raised), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []alert.Event{event("i1", rule.Medium, alert.Raised), event("i1", rule.High, alert.Raised), event("i1", rule.Medium, alert.Folded)} {
		if _, err := a.Append(t.Context(), e, 0); !errors.Is(err, alert.ErrAhead) {
			t.Errorf("%s at %s beside the stored one: %v, want ErrAhead", e.Type, e.Severity, err)
		}
	}
	up, err := a.Append(t.Context(), event("i1", rule.High, alert.Updated), seq)
	if err != nil {
		t.Fatal(err)
	}
	last, err := a.Last(t.Context(), "sanctions", "mfa", event("i1", rule.High, alert.Updated).Data.ID)
	if err != nil || last.Sequence != up || last.Event.Severity != rule.High || last.Folded {
		t.Errorf("last event is %+v, %v; want sequence %d at high", last, err, up)
	}
}

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

// TestEachResumes: a reader goes on from its place after a restart, a failing
// step holds it up without skipping, and a panic passes one message only.
func TestEachResumes(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := open(t, o)
	for i := range 5 {
		if _, err := s.Items().Append(t.Context(), []poll.Draft{draft(fmt.Sprint(i), "r1", 0)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	failures := 0
	run := func(s *Store, last string, step func(feed.Item) error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := s.Items().Each(ctx, "raise", func(_ context.Context, it feed.Item) error {
			if err := step(it); err != nil {
				return err
			}
			got = append(got, strings.TrimPrefix(it.Title, "Title "))
			if it.Title == "Title "+last {
				cancel()
			}
			return nil
		})
		if err != nil {
			t.Errorf("Each: %v", err)
		}
	}
	run(s, "2", func(it feed.Item) error {
		if it.Title == "Title 0" && failures < 2 {
			failures++
			return errors.New("not now")
		}
		if it.Title == "Title 1" {
			panic("a hostile title")
		}
		return nil
	})
	if p := testutil.ToFloat64(s.metrics.panics); p != 1 {
		t.Errorf("%v panics counted, want 1", p)
	}
	s.Close()
	o.Registry = prometheus.NewRegistry()
	run(open(t, o), "4", func(feed.Item) error { return nil })
	// The step that was cut off by the end of ctx is done again.
	if want := "0 2 2 3 4"; strings.Join(got, " ") != want {
		t.Errorf("the reader did %q, want %q", strings.Join(got, " "), want)
	}
}

// TestFence: of two processes with one reader the one that cannot save stops.
func TestFence(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	_, version, err := s.loadPlace(t.Context(), "raise")
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.savePlace(t.Context(), "raise", place{3, "test"}, version)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.savePlace(t.Context(), "raise", place{3, "test"}, version); err != nil || again != v {
		t.Errorf("the same place again, as after a lost answer: %d, %v; want %d", again, err, v)
	}
	if _, err := s.savePlace(t.Context(), "raise", place{4, "test"}, version); !errors.Is(err, errFenced) {
		t.Errorf("a place saved on an old version: %v, want errFenced", err)
	}
}

// TestRestartOfTheServer: the same connection survives the server's restart
// inside the process, with all that was stored, on the same port.
func TestRestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	url := s.ClientURL()
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	if err := s.server.restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for s.Ready(ctx) != nil {
		if !pause(ctx, 20*time.Millisecond) {
			t.Fatal("not ready again after the restart")
		}
	}
	if _, err := s.Items().Append(ctx, []poll.Draft{draft("b", "r1", 0)}); err != nil {
		t.Errorf("append after the restart: %v", err)
	}
	if n := count(t, s.items); n != 2 {
		t.Errorf("ITEMS holds %d messages, want 2", n)
	}
	if s.ClientURL() != url {
		t.Errorf("listens at %s after the restart, before at %s", s.ClientURL(), url)
	}
}

// TestOpenErrors shows what an operator reads when the store cannot be opened.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	busy := open(t, options(t))
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	go func() { // answers as no NATS server does
		for {
			c, err := mute.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail\r\n"))
			_ = c.Close()
		}
	}()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*Options)
		want   []string
	}{
		{"folder in use", func(o *Options) { o.Dir = busy.opts.Dir }, []string{busy.opts.Dir, "in use by another monitor", "--data"}},
		{"folder is a file", func(o *Options) { o.Dir = file }, []string{"data folder", "not a directory"}},
		{"port taken by us", func(o *Options) { o.Listen = strings.TrimPrefix(busy.ClientURL(), "nats://") },
			[]string{"address already in use", "another newsmonitor has it", "--nats-listen 127.0.0.1:0", "--nats nats://127.0.0.1"}},
		{"port taken by a stranger", func(o *Options) { o.Listen = mute.Addr().String() }, []string{"another program has it"}},
		{"all interfaces", func(o *Options) { o.Listen = ":4222" }, []string{"open to others"}},
		{"beyond loopback", func(o *Options) { o.Listen = "0.0.0.0:0" }, []string{"--nats-users", "--nats-tls-cert"}},
		{"unreachable", func(o *Options) { o.URL = "nats://user:secret@127.0.0.1:1" }, []string{"connect to NATS", "--nats", "connection refused|no servers available"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t)
			tc.change(&o)
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			for _, w := range tc.want {
				found := false
				for _, alt := range strings.Split(w, "|") {
					found = found || strings.Contains(err.Error(), alt)
				}
				if !found {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows the password", err)
			}
		})
	}
}

// TestExternal: somebody else's server holds the streams; it goes away and comes
// back, and we go on by ourselves.
func TestExternal(t *testing.T) {
	t.Parallel()
	so := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	boot := func() *server.Server {
		ns, err := server.NewServer(so)
		if err != nil {
			t.Fatal(err)
		}
		go ns.Start()
		if !ns.ReadyForConnections(20 * time.Second) {
			t.Fatal("the external server does not start")
		}
		return ns
	}
	ns := boot()
	so.Port = ns.Addr().(*net.TCPAddr).Port
	o := options(t)
	o.URL = ns.ClientURL()
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "stream ITEMS is missing") || !strings.Contains(err.Error(), `"in.news.items.>"`) {
		t.Errorf("with --nats-manage never: %v; want the definition", err)
	}
	o.Manage, o.Registry = true, prometheus.NewRegistry()
	s := open(t, o)
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for s.Ready(ctx) == nil {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatal("still ready without its server")
		}
	}
	if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "is away") {
		t.Errorf("the reason is %v", err)
	}
	ns = boot()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	for s.Ready(ctx) != nil {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatal("not ready again")
		}
	}
	if _, err := s.Items().Append(ctx, []poll.Draft{draft("a", "r1", 0), draft("b", "r1", 0)}); err != nil {
		t.Errorf("append after the server came back: %v", err)
	}
	if n := count(t, s.items); n != 2 {
		t.Errorf("ITEMS holds %d messages, want 2", n)
	}
}

// TestPromisedSettings: a stream that somebody else made differently is
// refused, field by field; other limits of ours are changed.
func TestPromisedSettings(t *testing.T) {
	t.Parallel()
	host := open(t, options(t))
	// An external server without accounts: our own embedded one plays it, and
	// its daemon connection makes the foreign stream.
	if _, err := host.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ACME_ITEMS", Subjects: []string{"acme.items.>"}, MaxMsgsPerSubject: 1}); err != nil {
		t.Fatal(err)
	}
	s := &Store{opts: options(t), names: newNames("acme"), js: host.js, nc: host.nc, log: host.log, metrics: host.metrics}
	s.opts.Manage = true
	err := s.ensure(t.Context())
	for _, w := range []string{"stream ACME_ITEMS", "subjects: have [acme.items.>], want [in.acme.items.>]", "republish: have none", "messages per subject: have 1, want 8"} {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("error %v does not say %q", err, w)
		}
	}
	host.opts.KeepItems = 2 * time.Hour
	if err := host.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := host.items.CachedInfo().Config.MaxAge; got != 2*time.Hour {
		t.Errorf("ITEMS keeps %v after the flag changed, want 2h", got)
	}
}

// TestFollow: stored events first, then live ones, nothing twice.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	put := func(id string) {
		if _, err := s.Alerts().Append(t.Context(), event(id, rule.High, alert.Raised), 0); err != nil {
			t.Error(err)
		}
	}
	put("i1")
	put("i2")
	done := errors.New("enough")
	var mu sync.Mutex
	var got []uint64
	err := s.Alerts().Follow(t.Context(), 1, func(st alert.Stored) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, st.Sequence)
		if st.Sequence == 2 {
			go put("i3")
		}
		if st.Sequence == 3 {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) || fmt.Sprint(got) != "[2 3]" {
		t.Errorf("followed %v, %v; want [2 3] and our own error", got, err)
	}
}

// TestDamage: a store that comes up shorter than it was is noticed.
func TestDamage(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := open(t, o)
	if _, err := s.Items().Append(t.Context(), []poll.Draft{draft("a", "r1", 0), draft("b", "r1", 0)}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.WriteFile(filepath.Join(o.Dir, "checkpoint.json"), []byte(`{"ITEMS":7,"ALERTS":0}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Registry = prometheus.NewRegistry()
	s = open(t, o)
	if v := testutil.ToFloat64(s.metrics.damaged.WithLabelValues("items")); v != 1 {
		t.Errorf("monitor_stream_damaged{items} is %v, want 1", v)
	}
}
