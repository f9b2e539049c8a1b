package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"time"

	"github.com/nats-io/nuid"

	"newsmonitor"
	"newsmonitor/pipeline"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/problem"
)

// builtin is the copy of feeds and rules inside the binary.
var builtin = newsmonitor.Builtin

// files are the flags that name feeds and rules; check has them too.
type files struct {
	Feeds  []string `placeholder:"FILE" help:"What to watch; may be repeated, later ones win by id; builtin is the copy inside the binary. Default: ./feeds.yaml if there, else builtin."`
	Rules  []string `placeholder:"DIR" help:"What to look for; may be repeated, later ones win by id; builtin is the copy inside the binary. Default: ./rules if there, else builtin."`
	Notify string   `placeholder:"FILE" help:"Where alerts are pushed: mail, chat and webhooks; see deploy/notify.example.yaml."`
	RSSHub string   `name:"rsshub" placeholder:"URL" help:"An RSSHub of your own, for feeds whose url is rsshub:/route."`
}

func (f files) load() pipeline.Files {
	return pipeline.Files{Feeds: f.Feeds, Rules: f.Rules, Notify: f.Notify, RSSHub: f.RSSHub, Builtin: builtin}
}

type runCmd struct {
	files

	Data       string   `default:"data" placeholder:"DIR" help:"Folder of the embedded store. Default: data."`
	MaxStore   size     `default:"8GiB" help:"Most that the store may take on the disk."`
	KeepItems  duration `default:"90d" help:"How long items are kept."`
	KeepAlerts duration `default:"400d" help:"How long alerts are kept."`

	NATS          string   `name:"nats" placeholder:"URL" help:"An external NATS with JetStream, several servers separated by commas. Default: the embedded one."`
	NATSCreds     string   `name:"nats-creds" placeholder:"FILE" help:"Credentials for the external NATS."`
	NATSReplicas  int      `name:"nats-replicas" placeholder:"N" help:"Copies of external streams. Default: 3 when the cluster has them."`
	NATSManage    string   `name:"nats-manage" enum:"auto,never" default:"auto" help:"Whether missing external streams are created: auto or never."`
	NATSLease     duration `name:"nats-lease" default:"15s" hidden:"" help:"How long the feeds of a replica that no longer answers stay its own; at least 2s."`
	SubjectPrefix string   `default:"news" help:"First token of every subject."`
	NATSListen    string   `name:"nats-listen" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the embedded NATS listens, or off. Default: 127.0.0.1:4222."`
	NATSUsers     string   `name:"nats-users" placeholder:"FILE" help:"Who may read from the embedded NATS; needed beyond loopback."`
	NATSTLSCert   string   `name:"nats-tls-cert" placeholder:"FILE" help:"Its certificate; needed beyond loopback."`
	NATSTLSKey    string   `name:"nats-tls-key" placeholder:"FILE" help:"Its key; needed beyond loopback."`
	HTTP          string   `name:"http" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where page, API and metrics are served, or off. Default: 127.0.0.1:8080."`
	HTTPTokenFile string   `name:"http-token-file" placeholder:"FILE" help:"Tokens that open page and API beyond loopback."`
	HTTPUser      string   `name:"http-user-header" placeholder:"NAME" help:"Header in which a trusted proxy names the user."`
	HTTPTrust     []string `name:"http-trust" placeholder:"CIDR" help:"Where that proxy is. Default: loopback."`
	HTTPHost      []string `name:"http-host" placeholder:"NAME" help:"Host names that requests may carry besides loopback's."`

	AllowNet    []string `placeholder:"CIDR" help:"Addresses that may be asked for feeds although they are not public."`
	Contact     string   `placeholder:"URL" help:"Where a publisher can reach you; part of the User-Agent."`
	MaxBody     size     `default:"8MiB" help:"Largest feed, after decompression."`
	MinInterval duration `default:"1m" help:"No feed is polled more often, whatever its every says."`
	PerHost     int      `default:"1" help:"Requests to one host at a time."`
	HostGap     duration `default:"1s" help:"Pause between requests to one host."`
	Backlog     backlog  `default:"72h" help:"Items older than this at a feed's first poll are kept but not raised; 0 holds the whole first poll, all holds nothing."`
	Timeout     duration `default:"30s" help:"Of one request, redirects included."`
	ConnectTime duration `name:"connect-timeout" default:"10s" help:"Of connecting, and of TLS after it."`
	HeaderTime  duration `name:"header-timeout" default:"25s" help:"From the request to the head of the answer."`
	BodyRate    int64    `default:"100" help:"Bytes a second that a feed must bring."`
	MaxHeader   size     `default:"256KiB" help:"Largest head of an answer."`
	MaxRedirs   int      `name:"max-redirects" default:"10" help:"Redirects followed in one request."`
	MaxItems    int      `default:"2000" help:"Items of one document that are looked at, the newest."`
	FeedMetrics string   `enum:"auto,on,off" default:"auto" help:"Metrics for each feed: auto (up to 1,000 feeds), on or off."`

	Canary duration `default:"1m" hidden:"" help:"Between two self-tests; 0: none."`

	Once      bool   `help:"Ask each feed once, raise what is new, and stop."`
	JSON      bool   `name:"json" help:"With --once: print the summary as JSON."`
	LogFormat string `enum:"text,json" default:"text" help:"text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error."`
	Instance  string `default:"newsmonitor" help:"Name of this deployment in the events, never of the process."`
}

// Help is what `monitor run --help` shows below the flags' summary.
func (runCmd) Help() string {
	return `Every flag is an environment variable too: --nats-listen is MONITOR_NATS_LISTEN; flags that may be
repeated take commas there. Feeds and rules are read again when their files change and on SIGHUP.

Example:
    monitor --rules builtin --rules /etc/monitor/rules --contact https://example.org/about-our-reader`
}

func (c *runCmd) settings() (pipeline.Settings, error) {
	o := poll.DefaultOptions()
	o.MinInterval, o.PerHost, o.HostGap = time.Duration(c.MinInterval), c.PerHost, time.Duration(c.HostGap)
	o.MaxBody, o.Backlog, o.Contact, o.Version, o.FeedMetrics = int64(c.MaxBody), time.Duration(c.Backlog), c.Contact, versionText(), c.FeedMetrics
	o.Timeout, o.ConnectTimeout, o.HeaderTimeout = time.Duration(c.Timeout), time.Duration(c.ConnectTime), time.Duration(c.HeaderTime)
	o.BodyRate, o.MaxHeader, o.MaxRedirects, o.MaxItems = c.BodyRate, int64(c.MaxHeader), c.MaxRedirs, c.MaxItems
	for _, s := range c.AllowNet {
		p, err := prefix(s)
		if err != nil {
			return pipeline.Settings{}, misuse("--allow-net %q: want an address or a range such as 10.0.0.0/8", s)
		}
		o.AllowNet = append(o.AllowNet, p)
	}
	for _, s := range c.HTTPTrust {
		if _, err := netip.ParsePrefix(s); err != nil {
			return pipeline.Settings{}, misuse("--http-trust %q: want a range such as 10.0.0.0/8", s)
		}
	}
	if !slug(c.SubjectPrefix) {
		return pipeline.Settings{}, misuse("--subject-prefix %q: want lower-case letters, digits and hyphens", c.SubjectPrefix)
	}
	if !slug(c.Instance) {
		return pipeline.Settings{}, misuse("--instance %q: want lower-case letters, digits and hyphens", c.Instance)
	}
	for name, addr := range map[string]string{"--http": c.HTTP, "--nats-listen": c.NATSListen} {
		if _, _, err := net.SplitHostPort(addr); err != nil && addr != "off" {
			return pipeline.Settings{}, misuse("%s %q: want host:port, for example 127.0.0.1:0, or off", name, addr)
		}
	}
	if time.Duration(c.NATSLease) < 2*time.Second {
		return pipeline.Settings{}, misuse("--nats-lease %v: want at least 2s", time.Duration(c.NATSLease))
	}
	if c.PerHost < 1 {
		return pipeline.Settings{}, misuse("--per-host %d: want at least 1", c.PerHost)
	}
	return pipeline.Settings{
		Files: c.load(), Data: c.Data, MaxStore: int64(c.MaxStore), KeepItems: time.Duration(c.KeepItems), KeepAlerts: time.Duration(c.KeepAlerts),
		NATS: c.NATS, NATSCreds: c.NATSCreds, NATSReplicas: c.NATSReplicas, NATSManage: c.NATSManage == "auto", Prefix: c.SubjectPrefix, NATSLease: time.Duration(c.NATSLease),
		NATSListen: c.NATSListen, NATSUsers: c.NATSUsers, NATSCert: c.NATSTLSCert, NATSKey: c.NATSTLSKey,
		HTTP: c.HTTP, HTTPTokenFile: c.HTTPTokenFile, HTTPUserHeader: c.HTTPUser, HTTPTrust: c.HTTPTrust, HTTPHosts: c.HTTPHost,
		Poll: o, Canary: time.Duration(c.Canary), Instance: c.Instance, Owner: nuid.Next(), Version: versionText(),
	}, nil
}

func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

func slug(s string) bool {
	return s != "" && len(s) <= 60 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (c *runCmd) Run(ctx context.Context, t terminal) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	logger := newLog(t.err, c.LogFormat, c.LogLevel)
	log.SetFlags(0)
	log.SetOutput(poll.StandardLog(logger)) // libraries that know no other log
	if c.Once {
		s.HTTP, s.NATSListen = "off", "off"
	}
	hup := make(chan os.Signal, 1)
	if len(hangup) > 0 {
		signal.Notify(hup, hangup...) // from the start: unheard it would end us
		defer signal.Stop(hup)
	}
	m, err := pipeline.Open(ctx, s, logger)
	if err != nil {
		return configError(err)
	}
	defer m.Close()
	if os.Getenv("GOGC") == "" {
		// Most of the heap is the rules and the feeds, which live as long as we
		// do: collecting more often than Go would costs little and keeps the
		// daemon small. Not before they are read: a start would take longer.
		debug.SetGCPercent(35)
	}
	if c.Once {
		return c.once(ctx, t, m)
	}
	place, err := m.Place()
	if err != nil {
		return err
	}
	logger.Info("newsmonitor runs", "version", versionText(), "config", m.Config().Summary(), "feeds", m.Config().FeedsRun,
		"rules", m.Config().RulesRun, "page", place.HTTP, "nats", place.NATS)
	reload := make(chan struct{})
	go func() {
		for range hup {
			select {
			case reload <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	super := newSupervisor(os.Getenv)
	if err := super.tell("READY=1", "STATUS="+m.Config().Summary()); err != nil {
		logger.Warn("the supervisor cannot be told that we are ready", "error", err)
	}
	defer context.AfterFunc(ctx, func() { _ = super.tell("STOPPING=1") })()
	go super.watch(ctx, logger, livez(place.HTTP))
	err = m.Run(ctx, reload)
	logger.Info("newsmonitor stops")
	return err
}

func (c *runCmd) once(ctx context.Context, t terminal, m *pipeline.Monitor) error {
	sum, err := m.Once(ctx)
	if err != nil {
		return err
	}
	for _, text := range sum.Unpushed {
		fmt.Fprintln(t.err, "not all pushed to", text)
	}
	if c.JSON {
		if err := json.NewEncoder(t.out).Encode(sum); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(t.out, "%d feeds: %d answered (%d unchanged), %d failed, %d asked us to wait; %d new items, %d alerts, %d folded\n",
			sum.Feeds, sum.Answered, sum.Unchanged, sum.Failed, sum.Waiting, sum.Items, sum.Alerts, sum.Folded)
	}
	if sum.Failed > 0 {
		return errQuiet
	}
	return nil
}

// configError puts the count and the way on below a list of problems.
func configError(err error) error {
	var l problem.List
	if errors.As(err, &l) {
		return fmt.Errorf("nothing runs until these are mended (monitor check with the same flags and environment shows them, too):\n%w", err)
	}
	return err
}
