package poll

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// BacklogAll is the value of Options.Backlog for `--backlog all`.
const BacklogAll time.Duration = -1

// Options are the flags of `run` that concern polling (design.md 4.1). Start
// from DefaultOptions: 0 has a meaning for HostGap and Backlog.
type Options struct {
	MinInterval time.Duration  // --min-interval: no feed is polled more often
	PerHost     int            // --per-host: requests to one host at a time
	HostGap     time.Duration  // --host-gap: from a request to a host to the next
	MaxBody     int64          // --max-body: decoded bytes
	Backlog     time.Duration  // --backlog: 0 holds a whole first poll, BacklogAll nothing
	AllowNet    []netip.Prefix // --allow-net: addresses besides public ones, any port
	Contact     string         // --contact: in the User-Agent
	Version     string         // in the User-Agent
	FeedMetrics string         // --feed-metrics: auto, on or off

	Timeout        time.Duration // of one exchange, redirects included
	ConnectTimeout time.Duration // of TCP, and of TLS after it
	HeaderTimeout  time.Duration // from the request to the head of the answer
	BodyRate       int64         // bytes a second that a body must bring, looked at each 20 s
	MaxHeader      int64         // bytes of an answer's head
	MaxRedirects   int           // followed in one exchange
	MaxItems       int           // of one document that are looked at, the newest ones

	Concurrency int           // requests under way at a time; 0: 16, more with a catalogue of many thousands
	FullRefresh time.Duration // after this long with 304 only, one unconditional request
	Lazy        time.Duration // a quiet poll is written at most this often, and at each fourth poll
}

// DefaultOptions are the defaults of the manual.
func DefaultOptions() Options {
	return Options{
		MinInterval: time.Minute, PerHost: 1, HostGap: time.Second, MaxBody: 8 << 20,
		Backlog: 72 * time.Hour, FeedMetrics: "auto",
		Timeout: 30 * time.Second, ConnectTimeout: 10 * time.Second, HeaderTimeout: 25 * time.Second, BodyRate: 100,
		MaxHeader: 256 << 10, MaxRedirects: 10, MaxItems: 2000,
		FullRefresh: 8 * 24 * time.Hour, Lazy: time.Hour,
	}
}

// places is how many requests may be under way at a time for so many feeds.
// Servers that take their time must not make a large catalogue late: one more
// for each thousand feeds.
func (o Options) places(feeds int) int {
	if o.Concurrency > 0 {
		return o.Concurrency
	}
	return min(max(16, feeds/1000), 128)
}

// complete replaces what cannot be meant by its default.
func (o Options) complete() Options {
	d := DefaultOptions()
	o.MinInterval = positive(o.MinInterval, time.Millisecond)
	o.PerHost = positive(o.PerHost, d.PerHost)
	o.HostGap = max(o.HostGap, 0)
	o.MaxBody = positive(o.MaxBody, d.MaxBody)
	o.Timeout = positive(o.Timeout, d.Timeout)
	o.ConnectTimeout = positive(o.ConnectTimeout, d.ConnectTimeout)
	o.HeaderTimeout = positive(o.HeaderTimeout, d.HeaderTimeout)
	o.BodyRate = positive(o.BodyRate, d.BodyRate)
	o.MaxHeader = positive(o.MaxHeader, d.MaxHeader)
	o.MaxRedirects = positive(o.MaxRedirects, d.MaxRedirects)
	o.MaxItems = min(positive(o.MaxItems, d.MaxItems), maxKnown)
	o.Concurrency = max(o.Concurrency, 0)
	o.FullRefresh = positive(o.FullRefresh, d.FullRefresh)
	o.Lazy = max(o.Lazy, 0)
	if o.FeedMetrics == "" {
		o.FeedMetrics = d.FeedMetrics
	}
	return o
}

func positive[T ~int | ~int64](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// StandardLog is the writer to give to log.SetOutput: net/http complains
// there, for want of a field, and quotes what servers send. The complaint is
// kept at debug level, the quotation is not.
func StandardLog(l *slog.Logger) io.Writer { return standardLog{l} }

type standardLog struct{ log *slog.Logger }

func (s standardLog) Write(p []byte) (int, error) {
	what := "a library's message"
	if strings.Contains(string(p), "Unsolicited response") {
		what = "a server sent bytes on an idle connection"
	}
	s.log.Log(context.Background(), slog.LevelDebug, what)
	return len(p), nil
}
