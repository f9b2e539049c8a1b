package alert

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"newsmonitor/pipeline/rule"
)

// Metrics counts what was raised. Channels and rules are the configuration's
// own slugs; Expect starts their series at 0, because rate() misses the first
// event of a series that did not exist before.
type Metrics struct {
	alerts    *prometheus.CounterVec
	folded    *prometheus.CounterVec
	last      *prometheus.GaugeVec
	gap       *prometheus.GaugeVec
	matches   *prometheus.CounterVec
	match     prometheus.Histogram
	pipeline  *prometheus.HistogramVec
	discovery *prometheus.HistogramVec

	raisedN, foldedN atomic.Uint64 // the same, for who has no scraper
}

// Raised returns how many events were raised or updated, and folded.
func (m *Metrics) Raised() (alerts, folded uint64) { return m.raisedN.Load(), m.foldedN.Load() }

// NewMetrics registers the raiser's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{
		alerts: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_alerts_total",
			Help: "Alerts raised or updated and acknowledged by the stream."}, []string{"channel", "severity"}),
		folded: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_alerts_folded_total",
			Help: "Alerts stored without being pushed, by reason."}, []string{"reason"}),
		last: f.NewGaugeVec(prometheus.GaugeOpts{Name: "monitor_channel_last_alert_timestamp_seconds",
			Help: "When the channel last raised an alert."}, []string{"channel"}),
		gap: f.NewGaugeVec(prometheus.GaugeOpts{Name: "monitor_channel_usual_gap_seconds",
			Help: "Mean time between a channel's pieces of news; absent while too few are known."}, []string{"channel"}),
		matches: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_rule_matches_total",
			Help: "Items that a rule matched."}, []string{"rule"}),
		match: f.NewHistogram(native(prometheus.HistogramOpts{Name: "monitor_match_duration_seconds",
			Help: "Time to match one item against all rules.", Buckets: prometheus.ExponentialBuckets(1e-5, 4, 9)})),
		pipeline: f.NewHistogramVec(native(prometheus.HistogramOpts{Name: "monitor_alert_pipeline_duration_seconds",
			Help: "From the body's last byte to the stream's acknowledgement of the alert.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600}}), []string{"canary"}),
		discovery: f.NewHistogramVec(native(prometheus.HistogramOpts{Name: "monitor_item_discovery_delay_seconds",
			Help: "From an item's declared date to its fetch, of alerts outside the backlog.", Buckets: []float64{10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400}}), []string{"tier"}),
	}
	for _, r := range []string{FoldStory, FoldMute, FoldBacklog, FoldFlood} {
		m.folded.WithLabelValues(r)
	}
	m.pipeline.WithLabelValues("false")
	m.pipeline.WithLabelValues("true")
	for _, t := range tiers {
		m.discovery.WithLabelValues(t)
	}
	return m
}

// tiers bounds the label; other is what a source without a tier gets.
var tiers = []string{"authoritative", "quasi-authoritative", "non-authoritative", "other"}

func native(o prometheus.HistogramOpts) prometheus.HistogramOpts {
	o.NativeHistogramBucketFactor, o.NativeHistogramMaxBucketNumber, o.NativeHistogramMinResetDuration = 1.1, 100, time.Hour
	return o
}

// Expect starts the series of channels and rules at 0.
func (m *Metrics) Expect(channels, rules []string) {
	for _, c := range channels {
		for _, s := range rule.Severities {
			m.alerts.WithLabelValues(c, string(s))
		}
	}
	for _, r := range rules {
		m.matches.WithLabelValues(r)
	}
}

// Forget drops the series of channels and rules that a reload removed.
func (m *Metrics) Forget(channels, rules []string) {
	for _, c := range channels {
		m.alerts.DeletePartialMatch(prometheus.Labels{"channel": c})
		m.last.DeleteLabelValues(c)
		m.gap.DeleteLabelValues(c)
	}
	for _, r := range rules {
		m.matches.DeleteLabelValues(r)
	}
}

func (m *Metrics) matched(res matched) {
	m.match.Observe(res.took.Seconds())
	for _, h := range res.Channels {
		for _, r := range h.Rules {
			m.matches.WithLabelValues(r.ID).Inc()
		}
	}
}

func (m *Metrics) raised(e Event) {
	it := e.Data.Item
	if e.Type == Folded {
		m.folded.WithLabelValues(e.Data.Folded.Reason).Inc()
		m.foldedN.Add(1)
		return
	}
	m.alerts.WithLabelValues(e.Data.Channel, string(e.Severity)).Inc()
	m.raisedN.Add(1)
	m.last.WithLabelValues(e.Data.Channel).Set(float64(e.Time.UnixMilli()) / 1e3)
	if !it.Fetched.IsZero() {
		m.pipeline.WithLabelValues("false").Observe(max(0, e.Time.Sub(it.Fetched).Seconds()))
	}
	if !e.Data.Backlog && it.Quality == "declared" && !it.Published.IsZero() {
		tier := e.Data.Source.Tier
		if !slices.Contains(tiers, tier) {
			tier = "other"
		}
		m.discovery.WithLabelValues(tier).Observe(max(0, it.Fetched.Sub(it.Published).Seconds()))
	}
}

// canary counts the self-test apart, so that it never passes for news.
func (m *Metrics) canary(took time.Duration) {
	m.pipeline.WithLabelValues("true").Observe(max(0, took.Seconds()))
}

// Channel shows what the store knows of a channel: when it last raised an
// alert, and the gap that is usual for it, 0 if not known.
func (m *Metrics) Channel(channel string, last time.Time, gap time.Duration) {
	m.last.WithLabelValues(channel).Set(float64(last.UnixMilli()) / 1e3)
	if gap <= 0 {
		m.gap.DeleteLabelValues(channel)
		return
	}
	m.gap.WithLabelValues(channel).Set(gap.Seconds())
}
