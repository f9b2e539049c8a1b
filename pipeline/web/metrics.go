package web

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests by the route's name and the status, both from our
// own short lists: nothing that a client sends becomes a label.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	clients  prometheus.Gauge
}

// handlers are the values of the label; routes() uses no others.
var handlers = []string{"page", "alert", "sources", "login", "static", "api_alerts", "api_alert", "api_stream",
	"api_csv", "channel_feed", "api_feeds", "api_rules", "api_status", "api_backup", "timeline", "ask", "rules", "desk",
	"api_ask", "api_why", "api_desk", "metrics", "livez", "readyz", "refused", "other"}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "monitor_http_requests_total",
			Help: "HTTP requests answered, by handler and status."}, []string{"handler", "code"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{Name: "monitor_http_request_duration_seconds",
			Help:                        "Time to answer an HTTP request; live streams are not in it.",
			Buckets:                     []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}, []string{"handler"}),
		clients: f.NewGauge(prometheus.GaugeOpts{Name: "monitor_sse_clients",
			Help: "Clients on the live stream of alerts."}),
	}
	for _, h := range handlers {
		m.requests.WithLabelValues(h, "200")
		if h != "api_stream" {
			m.duration.WithLabelValues(h)
		}
	}
	return m
}

// count observes one handler.
func (m *metrics) count(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() { m.observe(name, rec.code(), time.Since(start)) }()
		next.ServeHTTP(rec, r)
	})
}

func (m *metrics) observe(name string, code int, took time.Duration) {
	m.requests.WithLabelValues(name, strconv.Itoa(code)).Inc()
	if name != "api_stream" {
		m.duration.WithLabelValues(name).Observe(took.Seconds())
	}
}

// handler serves the registry, also as OpenMetrics. A few scrapes at a time
// are plenty; a collector that fails does not hide the others.
func (m *metrics) handler(reg *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 8,
		Timeout:             20 * time.Second,
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	})
}

// recorder remembers the status. Unwrap lets http.ResponseController through.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(code int) {
	if r.status == 0 && code >= 200 {
		r.status = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
