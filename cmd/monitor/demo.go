package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"newsmonitor/cmd/monitor/demo"
	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/stream"
)

type demoCmd struct {
	Pace     float64  `default:"1" help:"How fast the story is told: 2 is twice as fast."`
	Rules    []string `placeholder:"DIR" help:"Rules to try instead of the built-in ones."`
	End      bool     `help:"Stop when the story is told, instead of at Ctrl-C."`
	Canary   duration `default:"1m" hidden:"" help:"Between two self-tests."`
	LogLevel string   `enum:"debug,info,warn,error" default:"error" help:"debug, info, warn or error."`
}

func (demoCmd) Help() string {
	return `Sample feeds on loopback re-enact the years 2014 and 2015 between Washington and Beijing, told in our own
words. All is real but the publishers: polling, rules, NATS, page and metrics. Nothing is kept.

Example:
    monitor demo`
}

func (c *demoCmd) Run(ctx context.Context, t terminal) (err error) {
	if c.Pace <= 0 {
		return misuse("--pace %v: want more than 0", c.Pace)
	}
	story, err := demo.Load()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "newsmonitor-demo-") // never data/
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	feeds, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve the sample feeds: %w", err)
	}
	o := poll.DefaultOptions()
	o.MinInterval, o.PerHost, o.HostGap, o.Version = 500*time.Millisecond, 64, 0, versionText()
	o.AllowNet = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	rules := c.Rules
	if len(rules) == 0 {
		rules = []string{pipeline.BuiltinName}
	}
	logger := newLog(t.err, "text", c.LogLevel)
	log.SetFlags(0)
	log.SetOutput(poll.StandardLog(logger))
	m, err := pipeline.Open(ctx, pipeline.Settings{
		Files: pipeline.Files{Rules: rules, Builtin: builtin, Extra: story.Feeds("http://" + feeds.Addr().String())},
		Data:  dir, MaxStore: 256 << 20, KeepItems: time.Hour, KeepAlerts: time.Hour, NATSManage: true, Prefix: "news",
		NATSListen: free("127.0.0.1:4222"), HTTP: free("127.0.0.1:8080"),
		Poll: o, Canary: time.Duration(c.Canary), Instance: "demo", Owner: nuid.Next(), Version: versionText(),
	}, logger)
	if err != nil {
		_ = feeds.Close()
		return configError(err)
	}
	defer m.Close()
	place, err := m.Place()
	if err != nil {
		return err
	}
	st := styleFor(t.out)
	ignorePipe() // or a reader that goes away, as head does, would keep us from cleaning up
	t.out = &printer{w: t.out}
	fmt.Fprintf(t.out, `%s
%s

    page     %s/
    metrics  %s/metrics
    NATS     %s   nats sub -s %s 'news.alerts.>'
    only     news.alerts.sanctions.>   news.alerts.*.critical.>   news.alerts.*.*.demo-us-doj.>

`, st.bold("A demonstration: 2014-15 re-enacted by sample feeds on this machine, in our own words."),
		"Every alert below came over NATS. The matched words are marked. Stop with Ctrl-C.",
		place.HTTP, place.HTTP, place.NATS, place.NATS)

	g, work := errgroup.WithContext(ctx)
	work, stop := context.WithCancel(work)
	defer stop()
	g.Go(func() error { return m.Run(work, nil) })
	listening := make(chan struct{})
	var alerts atomic.Int64
	g.Go(func() error {
		return stream.Watch(work, place.NATS, "", "news", nil, nil, func() { close(listening) }, func(a alert.Stored) error {
			alerts.Add(1)
			var b bytes.Buffer // in one piece, as others print too
			showAlert(&b, st, a.Event)
			_, err := fmt.Fprintln(t.out, b.String())
			return err
		})
	})
	g.Go(func() error {
		select {
		case <-listening:
		case <-work.Done():
		}
		return story.Serve(work, feeds, c.Pace)
	})
	g.Go(func() error {
		select {
		case <-work.Done():
			return nil
		case <-time.After(story.Length(c.Pace) + 3*time.Second):
		}
		fmt.Fprintf(t.out, "%s\n", st.bold(fmt.Sprintf("The story is told: %d alerts.", alerts.Load())))
		if c.End {
			stop()
			return nil
		}
		fmt.Fprintf(t.out, "The page at %s/ and the subjects stay up until Ctrl-C. To watch real feeds: monitor\n", place.HTTP)
		return nil
	})
	if err = g.Wait(); ctx.Err() != nil {
		err = nil
	}
	fmt.Fprintln(t.out, "The demo ends; nothing is kept.")
	return err
}

// printer takes whole pieces from several goroutines, and remembers that nobody
// reads any more.
type printer struct {
	mu  sync.Mutex // guards both
	w   io.Writer
	err error
}

func (p *printer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
	return len(b), p.err
}

// free returns the address if nobody has it, else any other port.
func free(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return addr
}
