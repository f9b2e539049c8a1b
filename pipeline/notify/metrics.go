package notify

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics have labels of our own words only: names from the file, at most
// maxDestinations, and reasons.
type metrics struct {
	notifications *prometheus.CounterVec
	failures      *prometheus.CounterVec

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
	}
	for name, service := range m.known {
		if now[name] != service {
			m.notifications.DeleteLabelValues(name, service)
		}
		if _, ok := now[name]; !ok {
			m.failures.DeletePartialMatch(prometheus.Labels{"destination": name})
		}
	}
	m.known = now
}

func (m *metrics) sent(d *Destination) { m.notifications.WithLabelValues(d.Name, d.Service).Inc() }

func (m *metrics) failure(d *Destination, reason string) {
	m.failures.WithLabelValues(d.Name, reason).Inc()
}
