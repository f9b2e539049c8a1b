package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	publishes  *prometheus.CounterVec
	errors     *prometheus.CounterVec
	duration   prometheus.Histogram
	conflicts  *prometheus.CounterVec
	connected  prometheus.Gauge
	reconnects prometheus.Counter
	size       *prometheus.GaugeVec
	limit      *prometheus.GaugeVec
	messages   *prometheus.GaugeVec
	lag        *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec
	active     *prometheus.GaugeVec
	damaged    *prometheus.GaugeVec
	panics     prometheus.Counter
	shards     prometheus.Gauge
	mismatch   prometheus.Gauge
	stateSize  prometheus.Gauge
	stateErrs  prometheus.Counter
}

// Panicked counts a panic that another room caught.
func (s *Store) Panicked() { s.metrics.panics.Inc() }

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		publishes: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_publishes_total",
			Help: "Messages offered to the streams, by what became of them."}, []string{"result"}),
		errors: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_publish_errors_total",
			Help: "Messages that the streams did not take, by reason; they are tried again."}, []string{"reason"}),
		duration: f.NewHistogram(prometheus.HistogramOpts{Name: "monitor_publish_duration_seconds",
			Help: "Time to the stream's acknowledgement.", Buckets: prometheus.ExponentialBuckets(.0005, 3, 10),
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}),
		conflicts: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_append_conflicts_total",
			Help: "Writes that were refused because somebody else, or we before a crash, had written."}, []string{"stream"}),
		connected: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_nats_connected", Help: "Whether NATS is connected."}),
		reconnects: f.NewCounter(prometheus.CounterOpts{Name: "monitor_nats_reconnects_total",
			Help: "Times that NATS came back."}),
		size:     gauge("monitor_jetstream_stream_size_bytes", "Bytes that the stream holds.", "stream"),
		limit:    gauge("monitor_jetstream_stream_limit_bytes", "Bytes from which the stream drops its oldest messages.", "stream"),
		messages: gauge("monitor_jetstream_stream_messages", "Messages that the stream holds.", "stream"),
		lag:      gauge("monitor_reader_lag_messages", "Messages that a reader has not done yet.", "reader"),
		oldest:   gauge("monitor_reader_oldest_timestamp_seconds", "When the oldest message was stored that a reader has not done; absent when it has done all.", "reader"),
		active:   gauge("monitor_reader_active", "Whether this process does the reading.", "reader"),
		damaged: gauge("monitor_stream_damaged",
			"1 when the stream was found to hold less than before, or a message that cannot be read.", "stream"),
		shards: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_shards_held",
			Help: "Parts of the catalogue, of 64, whose feeds this process polls."}),
		stateSize: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_state_size_bytes",
			Help: "Bytes that the feeds' states and the readers' places take in the store."}),
		stateErrs: f.NewCounter(prometheus.CounterOpts{Name: "monitor_state_write_errors_total",
			Help: "Feeds' states and readers' places that could not be saved; they are tried again."}),
		mismatch: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_config_mismatch",
			Help: "Whether another replica runs other feeds or rules than this one."}),
		panics: f.NewCounter(prometheus.CounterOpts{Name: "monitor_panics_total", Help: "Messages on which the code panicked."}),
	}
	for _, r := range []string{"stored", "refused", "error"} {
		m.publishes.WithLabelValues(r)
	}
	for _, r := range []string{"timeout", "no_responders", "full", "max_payload", "permission", "disconnected", "other"} {
		m.errors.WithLabelValues(r)
	}
	for _, s := range []string{"items", "alerts", "feeds"} {
		m.conflicts.WithLabelValues(s)
	}
	for _, s := range []string{"items", "alerts"} {
		m.damaged.WithLabelValues(s)
	}
	m.active.WithLabelValues("raise")
	m.lag.WithLabelValues("raise")
	return m
}

func (m *metrics) published(err error, start time.Time, n int) {
	switch {
	case err == nil:
		m.publishes.WithLabelValues("stored").Add(float64(n))
		if !start.IsZero() {
			m.duration.Observe(time.Since(start).Seconds())
		}
	case wrongLastSequence(err):
		m.publishes.WithLabelValues("refused").Add(float64(n))
	default:
		m.publishes.WithLabelValues("error").Add(float64(n))
		m.errors.WithLabelValues(reason(err)).Inc()
	}
}

// reason is the bounded label of a publish error.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return "timeout"
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return "no_responders"
	case errors.Is(err, nats.ErrMaxPayload):
		return "max_payload"
	case errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrAuthorization):
		return "permission"
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected):
		return "disconnected"
	case full(err):
		return "full"
	}
	return "other"
}

// StreamInfo is the state of one stream, for people.
type StreamInfo struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Damage   string `json:"damage,omitempty"` // what was found of it
}

// Streams returns the state of ITEMS and ALERTS, and after them that of a bucket
// which was made anew with less than it held.
func (s *Store) Streams(ctx context.Context) ([]StreamInfo, error) {
	names := []string{s.names.items, s.names.alerts}
	for _, name := range s.kept() {
		if !slices.Contains(names, name) && s.omitted[s.label(name)] > 0 {
			names = append(names, name)
		}
	}
	var out []StreamInfo
	for _, name := range names {
		st, err := s.js.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		c, state := st.CachedInfo().Config, st.CachedInfo().State
		out = append(out, StreamInfo{c.Name, state.Msgs, state.Bytes, c.MaxBytes, state.FirstSeq, state.LastSeq, s.damage(s.label(name))})
	}
	return out, nil
}

// ReaderInfo is how far a reader of ITEMS got, for people.
type ReaderInfo struct {
	Owner    string
	Sequence uint64    // the last item that it has done
	Lag      uint64    // stored items after that
	Oldest   time.Time // when the first of those was stored; zero when there is none
}

// Reader returns how far a reader of ITEMS got.
func (s *Store) Reader(ctx context.Context, reader string) (ReaderInfo, error) {
	at, _, err := s.loadPlace(ctx, reader)
	if err != nil {
		return ReaderInfo{}, err
	}
	info, err := s.items.Info(ctx)
	if err != nil {
		return ReaderInfo{}, fmt.Errorf("read the state of %s: %w", s.names.items, err)
	}
	r := ReaderInfo{Owner: at.Owner, Sequence: at.Sequence, Lag: info.State.LastSeq - min(at.Sequence, info.State.LastSeq)}
	if r.Lag > 0 {
		if m, err := s.items.GetMsg(ctx, max(at.Sequence+1, info.State.FirstSeq)); err == nil {
			r.Oldest = m.Time
		}
	}
	return r, nil
}

// observe brings the gauges up to date.
func (s *Store) observe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	infos, err := s.Streams(ctx)
	if err != nil {
		return // monitor_nats_connected and /readyz tell
	}
	for i, label := range []string{"items", "alerts"} {
		s.metrics.size.WithLabelValues(label).Set(float64(infos[i].Bytes))
		s.metrics.limit.WithLabelValues(label).Set(float64(infos[i].MaxBytes))
		s.metrics.messages.WithLabelValues(label).Set(float64(infos[i].Messages))
	}
	var state uint64
	for _, kv := range []jetstream.KeyValue{s.feeds, s.readers} {
		if st, err := kv.Status(ctx); err == nil {
			state += st.Bytes()
		}
	}
	s.metrics.stateSize.Set(float64(state))
	r, err := s.Reader(ctx, "raise")
	if err != nil {
		return
	}
	s.metrics.lag.WithLabelValues("raise").Set(float64(r.Lag))
	s.metrics.oldest.DeleteLabelValues("raise")
	if !r.Oldest.IsZero() {
		s.metrics.oldest.WithLabelValues("raise").Set(float64(r.Oldest.UnixMilli()) / 1e3)
	}
	s.observePushed(ctx)
}

// observePushed does so for the readers of ALERTS that this process owns.
func (s *Store) observePushed(ctx context.Context) {
	keys, err := s.readers.ListKeys(ctx)
	if err != nil {
		return
	}
	defer func() { _ = keys.Stop() }()
	for name := range keys.Keys() {
		if !strings.HasPrefix(name, "notify-") {
			continue
		}
		at, _, err := s.loadPlace(ctx, name)
		if err == nil && at.Owner != s.opts.Owner {
			s.metrics.lag.DeleteLabelValues(name)
			s.metrics.oldest.DeleteLabelValues(name)
			continue
		}
		n, oldest, err := s.Alerts().Behind(ctx, name)
		if err != nil {
			continue
		}
		s.metrics.lag.WithLabelValues(name).Set(float64(n))
		s.metrics.oldest.DeleteLabelValues(name)
		if !oldest.IsZero() {
			s.metrics.oldest.WithLabelValues(name).Set(float64(oldest.UnixMilli()) / 1e3)
		}
	}
}
