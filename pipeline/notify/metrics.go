package notify

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics have labels of our own words only: names from the file, at most
// maxDestinations, and reasons.
type metrics struct {
	notifications *prometheus.CounterVec
	failures      *prometheus.CounterVec
	waiting       *prometheus.GaugeVec
	oldest        *prometheus.GaugeVec
	critical      *prometheus.GaugeVec

	mu    sync.Mutex
	known map[string]string // service of each destination that has series
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		notifications: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_notifications_total",
			Help: "Messages that a destination acknowledged."}, []string{"destination", "service"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_notifications_failed_total",
			Help: "Attempts that a destination did not acknowledge, by reason. What failed is tried again."}, []string{"destination", "reason"}),
		waiting: f.NewGaugeVec(prometheus.GaugeOpts{Name: "monitor_notify_waiting_alerts",
			Help: "Alerts that a destination should have and has not acknowledged; what waits for its hour is not in it."}, []string{"destination"}),
		oldest: f.NewGaugeVec(prometheus.GaugeOpts{Name: "monitor_notify_oldest_timestamp_seconds",
			Help: "When the oldest of the waiting alerts was raised; absent when none waits."}, []string{"destination"}),
		critical: f.NewGaugeVec(prometheus.GaugeOpts{Name: "monitor_notify_oldest_critical_timestamp_seconds",
			Help: "When the oldest of the waiting critical alerts was raised; absent when none waits."}, []string{"destination"}),
		known: map[string]string{},
	}
}

// expect starts the series of the destinations at 0 and drops those of others.
func (m *metrics) expect(ds []*Destination) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[string]string{}
	for _, d := range ds {
		now[d.Name] = d.Service
		m.notifications.WithLabelValues(d.Name, d.Service)
		for _, r := range reasons {
			m.failures.WithLabelValues(d.Name, r)
		}
		m.waiting.WithLabelValues(d.Name)
	}
	for name, service := range m.known {
		if now[name] != service {
			m.notifications.DeleteLabelValues(name, service)
		}
		if _, ok := now[name]; !ok {
			m.failures.DeletePartialMatch(prometheus.Labels{"destination": name})
			m.waiting.DeleteLabelValues(name)
			m.oldest.DeleteLabelValues(name)
			m.critical.DeleteLabelValues(name)
		}
	}
	m.known = now
}

func (m *metrics) sent(d *Destination) { m.notifications.WithLabelValues(d.Name, d.Service).Inc() }

func (m *metrics) failure(d *Destination, reason string) {
	m.failures.WithLabelValues(d.Name, reason).Inc()
}

// waits shows what waits for a destination, unless a reload has removed it.
func (m *metrics) waits(d *Destination, w waiting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.known[d.Name]; !ok {
		return
	}
	m.waiting.WithLabelValues(d.Name).Set(float64(w.alerts))
	for gauge, at := range map[*prometheus.GaugeVec]time.Time{m.oldest: w.oldest, m.critical: w.critical} {
		if at.IsZero() {
			gauge.DeleteLabelValues(d.Name)
			continue
		}
		gauge.WithLabelValues(d.Name).Set(float64(at.UnixMilli()) / 1e3)
	}
}
