package stream

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// embedded is a NATS server inside the process. The server behind it may be
// replaced while connections go on (see mend): InProcessConn always leads to
// the current one.
type embedded struct {
	opts  Options
	conf  string
	log   *slog.Logger
	lock  *flock.Flock
	key   nkeys.KeyPair // the daemon's own, made at each start: nobody else has it
	mu    sync.Mutex    // guards ns and sick
	ns    *server.Server
	sick  string    // what the last health check found, "" for nothing
	ill   int       // health checks failed in a row; only mend's
	since time.Time // of the last restart; only mend's
}

func startEmbedded(o Options, n names) (*embedded, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	e := &embedded{opts: o, log: o.Log, lock: flock.New(filepath.Join(o.Dir, "lock"))}
	// The server itself takes no lock: two of them on one folder would ruin it.
	held, err := e.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder %s: %w", o.Dir, err)
	}
	if !held {
		return nil, fmt.Errorf("the data folder %s is in use by another monitor; stop it, or choose another folder with --data", o.Dir)
	}
	if e.key, err = nkeys.CreateUser(); err != nil {
		return nil, fmt.Errorf("make the daemon's key: %w", err)
	}
	pub, err := e.key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("make the daemon's key: %w", err)
	}
	if e.conf, err = serverConf(o, n, pub); err == nil {
		err = resumeSwap(o.Dir)
	}
	if err == nil {
		e.ns, err = e.boot()
	}
	if err != nil {
		_ = e.lock.Unlock()
		return nil, err
	}
	return e, nil
}

// boot starts a server on the folder. SyncAlways, because the default keeps
// acknowledged messages in memory for up to two minutes; our own signal
// handling, because the server's calls os.Exit.
func (e *embedded) boot() (*server.Server, error) {
	var so server.Options
	if err := so.ProcessConfigString(e.conf); err != nil {
		return nil, fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	so.ServerName = "newsmonitor"
	so.JetStream, so.StoreDir, so.SyncAlways = true, e.opts.Dir, !e.opts.lazy
	so.JetStreamMaxMemory, so.JetStreamMaxStore = 64<<20, max(e.opts.MaxStore, reserved(e.opts.Dir))
	so.NoSigs, so.DisableJetStreamBanner = true, true
	so.MaxPayload, so.MaxConn = 1<<20, 1024
	if e.opts.Listen == "off" {
		so.DontListen = true
	} else if err := e.listen(&so); err != nil {
		return nil, err
	}
	ns, err := server.NewServer(&so)
	if err != nil {
		return nil, fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	ns.SetLoggerV2(serverLog{e.log}, false, false, false)
	go ns.Start()
	if !ns.ReadyForConnections(30 * time.Second) {
		ns.Shutdown()
		ns.WaitForShutdown()
		return nil, fmt.Errorf("start the embedded NATS server on %s: not ready after 30 s", e.opts.Dir)
	}
	return ns, nil
}

// listen checks the address before the server does: the server's own failure
// would end the process.
func (e *embedded) listen(so *server.Options) error {
	host, port, err := net.SplitHostPort(e.opts.Listen)
	if err != nil || host == "" {
		return fmt.Errorf("--nats-listen %q: want host:port, for example 127.0.0.1:4222, or off", e.opts.Listen)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("--nats-listen %q: %q is no port", e.opts.Listen, port)
	}
	l, err := net.Listen("tcp", e.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen for NATS on %s: %w\n    %s; choose another port with --nats-listen 127.0.0.1:0, or use that server with --nats nats://%s",
			e.opts.Listen, errors.Unwrap(err), owner(e.opts.Listen), e.opts.Listen)
	}
	_ = l.Close()
	so.Host, so.Port = host, n
	if n == 0 {
		so.Port = server.RANDOM_PORT
	}
	return nil
}

// owner says who answers at an address: NATS servers greet with one line.
func owner(addr string) string {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "the address cannot be used"
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	line, _ := bufio.NewReaderSize(c, 8<<10).ReadSlice('\n')
	var info struct {
		Name    string `json:"server_name"`
		Version string `json:"version"`
	}
	body, isNATS := strings.CutPrefix(string(line), "INFO ")
	switch {
	case !isNATS || json.Unmarshal([]byte(body), &info) != nil:
		return "another program has it"
	case info.Name == "newsmonitor":
		return "another newsmonitor has it"
	default:
		return fmt.Sprintf("a NATS server (version %q) has it", info.Version)
	}
}

func (e *embedded) server() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ns
}

// InProcessConn makes embedded a nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.server().InProcessConn() }

// illness is what the last health check found, or nil.
func (e *embedded) illness() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.sick == "":
		return nil
	case strings.Contains(e.sick, "no space left"):
		return fmt.Errorf("the disk of %s is full: make room, and the daemon goes on by itself (%s)", e.opts.Dir, e.sick)
	}
	return fmt.Errorf("the embedded NATS server is ill and will be restarted: %s", e.sick)
}

func (e *embedded) connect(opts ...nats.Option) (*nats.Conn, error) {
	pub, err := e.key.PublicKey()
	if err != nil {
		return nil, err
	}
	return nats.Connect("", append(opts, nats.InProcessServer(e), nats.Nkey(pub, e.key.Sign))...)
}

func (e *embedded) clientURL() string {
	if e.opts.Listen == "off" {
		return ""
	}
	return e.server().ClientURL()
}

// mend restarts the server when it has been ill for half a minute: a disk that
// was full leaves a stream wedged until then, even when space is back. It says
// whether it did.
func (e *embedded) mend(ctx context.Context) (restarted bool, err error) {
	h := e.server().Healthz(&server.HealthzOptions{})
	e.mu.Lock()
	e.sick = h.Error
	e.mu.Unlock()
	if h.Error == "" {
		if e.ill > 0 {
			e.log.Info("the embedded NATS server is well again")
		}
		e.ill = 0
		return false, nil
	}
	if e.ill++; e.ill == 1 {
		e.log.Error("the embedded NATS server is ill", "error", h.Error)
	}
	if strings.Contains(h.Error, "corrupt message") {
		return false, fmt.Errorf("%w (%s)", errInTheWay, h.Error)
	}
	if e.ill < 3 || time.Since(e.since) < 6*cmp.Or(e.opts.look, lookEach) {
		return false, nil
	}
	e.ill, e.since = 1, time.Now()
	e.log.Warn("the embedded NATS server is restarted")
	return true, e.restart(ctx)
}

func (e *embedded) restart(ctx context.Context) error {
	url := e.server().ClientURL()
	e.halt()
	if e.opts.Listen != "off" { // keep the port that was chosen for 0
		e.opts.Listen = strings.TrimPrefix(strings.TrimPrefix(url, "nats://"), "tls://")
	}
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		ns, err := e.boot()
		if err == nil {
			e.mu.Lock()
			e.ns = ns
			e.mu.Unlock()
			return nil
		}
		e.log.Error("the embedded NATS server does not start; trying again", "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (e *embedded) stop() {
	e.halt()
	_ = e.lock.Unlock()
}

// halt ends the server and keeps the folder.
func (e *embedded) halt() {
	if ns := e.server(); ns.Running() { // a second Shutdown panics
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}

// serverLog takes what the server has to say into our log.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(f string, v ...any) {
	l.log.Debug(fmt.Sprintf(f, v...), "component", "nats-server")
}
func (l serverLog) Warnf(f string, v ...any) {
	l.log.Warn(fmt.Sprintf(f, v...), "component", "nats-server")
}
func (l serverLog) Errorf(f string, v ...any) {
	level, line := slog.LevelError, fmt.Sprintf(f, v...)
	if strings.Contains(line, "Violation") || strings.Contains(line, "uthentication") {
		level = slog.LevelDebug // a reader's doing, in his own words: not for filling our log with
	}
	l.log.Log(context.Background(), level, line, "component", "nats-server")
}
func (l serverLog) Fatalf(f string, v ...any) {
	l.log.Error(fmt.Sprintf(f, v...), "component", "nats-server")
}
func (l serverLog) Debugf(string, ...any) {}
func (l serverLog) Tracef(string, ...any) {}
