package pipeline

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"newsmonitor/pipeline/stream"
)

// store is the part of the settings that the store needs.
func (s Settings) store(log *slog.Logger, reg prometheus.Registerer) stream.Options {
	return stream.Options{
		Dir: s.Data, Listen: s.NATSListen, MaxStore: s.MaxStore, KeepItems: s.KeepItems, KeepAlerts: s.KeepAlerts,
		Users: s.NATSUsers, TLSCert: s.NATSCert, TLSKey: s.NATSKey,
		URL: s.NATS, Creds: s.NATSCreds, Replicas: s.NATSReplicas, Manage: s.NATSManage,
		Prefix: s.Prefix, Owner: s.Owner, Log: log, Registry: reg,
	}
}

// metrics of the configuration; each room has its own for the rest.
type metrics struct {
	ok      prometheus.Gauge
	at      prometheus.Gauge
	refused *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		ok: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_config_last_reload_successful",
			Help: "Whether the last load of feeds and rules took every file."}),
		at: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_config_last_reload_success_timestamp_seconds",
			Help: "When feeds and rules were last loaded without an error."}),
	}
	m.refused = f.NewGaugeVec(prometheus.GaugeOpts{Name: "monitor_config_refused_files",
		Help: "Files that are refused now and run in their last good version, by what they hold."}, []string{"kind"})
	m.reloaded(nil)
	return m
}

// reloaded notes how many files of each kind a load refused; nil: none.
func (m *metrics) reloaded(refused map[string]int) {
	for _, kind := range []string{"feeds", "rules", "notify"} {
		m.refused.WithLabelValues(kind).Set(float64(refused[kind]))
	}
	if len(refused) > 0 {
		m.ok.Set(0)
		return
	}
	m.ok.Set(1)
	m.at.Set(float64(time.Now().UnixMilli()) / 1e3)
}

// newRegistry is our own: nothing global, so that tests run side by side.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), version.NewCollector("monitor"))
	return reg
}
