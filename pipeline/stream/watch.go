package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/alert"
)

// Watch gives fn each alert as it is raised, from the server of a running
// daemon, until ctx ends or fn fails. Channels and severities empty mean all.
// It is the live view: what was raised before or while the connection was away
// does not come. ready, if not nil, is called once the subscription stands.
func Watch(ctx context.Context, url, creds, prefix string, channels []string, severities []string, ready func(), fn func(alert.Stored) error) error {
	n := newNames(prefix)
	nc, err := visit(ctx, url, creds, n)
	if err != nil {
		return err
	}
	defer nc.Close()
	msgs := make(chan *nats.Msg, 4096)
	for _, subject := range subjects(n.prefix, channels, severities) {
		if _, err := nc.ChanSubscribe(subject, msgs); err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	if err := nc.FlushTimeout(5 * time.Second); err != nil {
		return fmt.Errorf("subscribe at %s: %w", Redact(url), err)
	}
	if ready != nil {
		ready()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-msgs:
			if !authentic(m) {
				continue
			}
			e, err := alert.Decode(m.Data)
			if err != nil {
				continue
			}
			if err := fn(alert.Stored{Subject: m.Subject, Event: e}); err != nil {
				return err
			}
		}
	}
}

// visit connects a reader who comes from outside, for ever, to a server that
// has our streams.
func visit(ctx context.Context, url, creds string, n names, more ...nats.Option) (*nats.Conn, error) {
	opts := append([]nats.Option{nats.Name("monitor watch"), nats.MaxReconnects(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}, more...)
	if creds != "" {
		opts = append(opts, nats.UserCredentials(creds))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", Redact(url), err)
	}
	if err := isMonitor(ctx, nc, n); err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", Redact(url), err)
	}
	return nc, nil
}

// authentic says whether a live message was republished by the stream. A
// server does not check reply subjects: another reader can have the answer to
// a request of its own delivered under any subject that we listen to. The
// answers cannot carry the stream's header for that subject.
func authentic(m *nats.Msg) bool { return m.Header.Get("Nats-Subject") == m.Subject }

func subjects(prefix string, channels, severities []string) []string {
	if len(channels) == 0 {
		channels = []string{"*"}
	}
	if len(severities) == 0 {
		severities = []string{"*"}
	}
	var out []string
	for _, c := range channels {
		for _, s := range severities {
			out = append(out, strings.Join([]string{prefix, "alerts", c, s, ">"}, "."))
		}
	}
	return out
}

// ErrNotMonitor says that a NATS server has no streams of ours.
var ErrNotMonitor = errors.New("not a newsmonitor: the server has no stream of alerts")

func isMonitor(ctx context.Context, nc *nats.Conn, n names) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := js.Stream(ctx, n.alerts); err != nil {
		return fmt.Errorf("%w (%s)", ErrNotMonitor, n.alerts)
	}
	return nil
}
