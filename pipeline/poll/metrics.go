package poll

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/feed"
)

// autoFeedMetrics is up to how many feeds have series of their own with
// --feed-metrics auto.
const autoFeedMetrics = 1000

// repairKinds are the values of the label kind: what feed.Parse names
// otherwise counts as other, so that no document adds a series.
var repairKinds = []string{"charset", "control", "entity", "markup", "truncated", "html", "gzip", "date",
	"depth", "prefix", "duplicate", "empty_item", "items", "items_lost", "other"}

var (
	fetchResults = []string{"success", "not_modified", "error"}
	itemOutcomes = []string{"new", "updated", "duplicate", "stale", "invalid"}
)

type metrics struct {
	feeds     *prometheus.GaugeVec
	info      *prometheus.GaugeVec
	success   *prometheus.GaugeVec
	newItem   *prometheus.GaugeVec
	interval  *prometheus.GaugeVec
	gap       *prometheus.GaugeVec
	silent    *prometheus.GaugeVec
	failures  *prometheus.GaugeVec
	fetches   *prometheus.CounterVec
	errors    *prometheus.CounterVec
	duration  prometheus.Histogram
	size      prometheus.Histogram
	delay     prometheus.Histogram
	inFlight  prometheus.Gauge
	limit     prometheus.Gauge
	items     *prometheus.CounterVec
	repaired  *prometheus.CounterVec
	ahead     prometheus.Counter
	perFeed   bool            // guarded by Poller.mu, as all below
	known     map[string]bool // feeds with series
	feedLabel string
}

func newMetrics(reg prometheus.Registerer, o Options) (*metrics, error) {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour})
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		feeds:    gauge("monitor_feeds", "Feeds of the catalogue, by state.", "state"),
		info:     gauge("monitor_feed_info", "What a feed is; always 1.", "feed", "kind", "tier", "language", "country"),
		success:  gauge("monitor_feed_last_success_timestamp_seconds", "When the feed last answered well.", "feed"),
		newItem:  gauge("monitor_feed_last_new_item_timestamp_seconds", "When the feed last had a new item.", "feed"),
		interval: gauge("monitor_feed_interval_seconds", "How often the feed is asked when all is well.", "feed"),
		gap:      gauge("monitor_feed_usual_gap_seconds", "Median time between a feed's pieces of news; 0 while it is not known.", "feed"),
		silent:   gauge("monitor_feed_silent_after_seconds", "How long a feed may be without news before it counts as silent, by its own rhythm; 0 while that is not known.", "feed"),
		failures: gauge("monitor_feed_consecutive_failures", "Failed polls in a row.", "feed"),
		fetches:  counter("monitor_feed_fetches_total", "Polls of a feed, by how they ended.", "feed", "result"),
		errors:   counter("monitor_fetch_errors_total", "Failed polls, by reason.", "reason"),
		duration: histogram("monitor_fetch_duration_seconds", "Time of one exchange, redirects and body included.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}),
		size: histogram("monitor_fetch_response_size_bytes", "Bytes of an answer's body as sent, before decoding.",
			prometheus.ExponentialBuckets(1024, 4, 8)),
		delay: histogram("monitor_schedule_delay_seconds", "How much later than due a poll began.",
			[]float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "monitor_fetches_in_flight", Help: "Polls under way."}),
		limit:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "monitor_fetch_concurrency_limit", Help: "Polls that may be under way at a time."}),
		items:    counter("monitor_items_total", "Items of documents that had changed, by what became of them; stale ones are stored but held.", "outcome"),
		repaired: counter("monitor_items_repaired_total", "Documents that had to be mended, by kind of damage.", "kind"),
		ahead:    prometheus.NewCounter(prometheus.CounterOpts{Name: "monitor_polls_dropped_total", Help: "Polls dropped because somebody else was ahead."}),
		known:    map[string]bool{}, feedLabel: o.FeedMetrics,
	}
	for label, vec := range map[*prometheus.CounterVec][]string{m.errors: Reasons, m.items: itemOutcomes, m.repaired: repairKinds} {
		for _, v := range vec {
			label.WithLabelValues(v)
		}
	}
	for _, s := range AllStates {
		m.feeds.WithLabelValues(s)
	}
	m.limit.Set(float64(o.places(0)))
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.feeds, m.info, m.success, m.newItem, m.interval, m.gap, m.silent, m.failures, m.fetches,
		m.errors, m.duration, m.size, m.delay, m.inFlight, m.limit, m.items, m.repaired, m.ahead} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// catalogue decides whether feeds have series of their own, by their number.
func (m *metrics) catalogue(watched int) {
	m.perFeed = m.feedLabel == "on" || m.feedLabel != "off" && watched <= autoFeedMetrics
	if !m.perFeed {
		for id := range m.known {
			m.forget(id)
		}
	}
}

// state counts a feed under its state now and no longer under the one before;
// "" is none.
func (m *metrics) state(was, now string) string {
	if was == now {
		return now
	}
	if was != "" {
		m.feeds.WithLabelValues(was).Dec()
	}
	if now != "" {
		m.feeds.WithLabelValues(now).Inc()
	}
	return now
}

// feed shows a watched feed as it stands.
func (m *metrics) feed(f feed.Feed, st State, every time.Duration) {
	if !m.perFeed {
		return
	}
	if !m.known[f.ID] {
		for _, r := range fetchResults {
			m.fetches.WithLabelValues(f.ID, r)
		}
		m.known[f.ID] = true
	}
	m.info.DeletePartialMatch(prometheus.Labels{"feed": f.ID})
	m.info.WithLabelValues(f.ID, f.Kind, f.Tier, f.Language, f.Country).Set(1)
	m.interval.WithLabelValues(f.ID).Set(every.Seconds())
	m.live(f.ID, st)
}

// live shows what a poll changes.
func (m *metrics) live(id string, st State) {
	if !m.perFeed {
		return
	}
	m.failures.WithLabelValues(id).Set(float64(st.Failures))
	m.success.WithLabelValues(id).Set(unix(st.LastSuccess))
	m.newItem.WithLabelValues(id).Set(unix(st.LastNew))
	m.gap.WithLabelValues(id).Set(st.Rhythm.usual().Seconds())
	m.silent.WithLabelValues(id).Set(st.Rhythm.silentAfter().Seconds())
}

func (m *metrics) fetched(id, result string) {
	if m.perFeed {
		m.fetches.WithLabelValues(id, result).Inc()
	}
}

// forget deletes all series of a feed.
func (m *metrics) forget(id string) {
	labels := prometheus.Labels{"feed": id}
	for _, v := range []*prometheus.GaugeVec{m.info, m.success, m.newItem, m.interval, m.gap, m.silent, m.failures} {
		v.DeletePartialMatch(labels)
	}
	m.fetches.DeletePartialMatch(labels)
	delete(m.known, id)
}

// observe counts one exchange.
func (m *metrics) observe(took time.Duration, size int64) {
	m.duration.Observe(took.Seconds())
	m.size.Observe(float64(size))
}

func (m *metrics) news(n News) {
	m.items.WithLabelValues("new").Add(float64(n.New - n.Held))
	m.items.WithLabelValues("stale").Add(float64(n.Held))
	m.items.WithLabelValues("updated").Add(float64(n.Updated))
	m.items.WithLabelValues("duplicate").Add(float64(n.Duplicate))
	m.items.WithLabelValues("invalid").Add(float64(n.Invalid))
}

func (m *metrics) repairs(kinds []string) {
	for _, k := range kinds {
		if !slices.Contains(repairKinds, k) {
			k = "other"
		}
		m.repaired.WithLabelValues(k).Inc()
	}
}

// unix is 0 for a time that never was, not the year 1.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
