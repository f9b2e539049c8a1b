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

	Timeout     time.Duration // of one exchange
	Concurrency int           // requests under way at a time
	FullRefresh time.Duration // after this long with 304 only, one unconditional request
	Lazy        time.Duration // a quiet poll is written at most this often
}

// DefaultOptions are the defaults of the manual.
func DefaultOptions() Options {
	return Options{
		MinInterval: time.Minute, PerHost: 1, HostGap: time.Second, MaxBody: 8 << 20,
		Backlog: 72 * time.Hour, FeedMetrics: "auto",
		Timeout: 30 * time.Second, Concurrency: 16, FullRefresh: 8 * 24 * time.Hour, Lazy: 10 * time.Minute,
	}
}

// complete replaces what cannot be meant by its default.
func (o Options) complete() Options {
	d := DefaultOptions()
	o.MinInterval = positive(o.MinInterval, time.Millisecond)
	o.PerHost = positive(o.PerHost, d.PerHost)
	o.HostGap = max(o.HostGap, 0)
	o.MaxBody = positive(o.MaxBody, d.MaxBody)
	o.Timeout = positive(o.Timeout, d.Timeout)
	o.Concurrency = positive(o.Concurrency, d.Concurrency)
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
