package pipeline_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/web"
)

// TestCanary: the self-test becomes a stored alert on its own subject, kept an
// hour, and nobody who reads alerts ever sees it.
func TestCanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.settings()
	s.Canary = 200 * time.Millisecond
	d := start(t, s)
	sub := d.listen(t, "news.canary.canary.low.canary.*")
	items := d.listen(t, "news.items.canary.*")
	others := d.listen(t, "news.alerts.>")
	m, err := sub.NextMsg(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	validate(t, m.Data)
	e, err := alert.Decode(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "news.canary.canary.low.canary." + e.Data.ID; m.Subject != want || m.Header.Get("Nats-TTL") != "1h" {
		t.Errorf("subject %s with TTL %q, want %s with 1h", m.Subject, m.Header.Get("Nats-TTL"), want)
	}
	it, err := items.NextMsg(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if it.Header.Get("Nats-TTL") != "1h" {
		t.Errorf("the item %s has TTL %q, want 1h", it.Subject, it.Header.Get("Nats-TTL"))
	}
	metric := func(name string) float64 { return sample(t, d.get(t, "/metrics"), name) }
	until(t, "three self-tests have succeeded", func() bool {
		return metric(`monitor_alert_pipeline_duration_seconds_count{canary="true"}`) >= 3 &&
			time.Since(time.Unix(int64(metric("monitor_canary_last_success_timestamp_seconds")), 0)) < time.Minute
	})
	var st web.Status
	if err := json.Unmarshal([]byte(d.get(t, "/api/v1/status")), &st); err != nil || st.SelfTest.Every != .2 || time.Since(st.SelfTest.Last) > time.Minute {
		t.Errorf("the status says of the self-test %+v, %v", st.SelfTest, err)
	}
	if n := metric(`monitor_alert_pipeline_duration_seconds_count{canary="false"}`); n != 0 {
		t.Errorf("%v self-tests count as news", n)
	}
	for _, path := range []string{"/api/v1/alerts?folded=true", "/channels/all.atom", "/", "/api/v1/rules", "/api/v1/feeds"} {
		if body := d.get(t, path); strings.Contains(strings.ToLower(body), "self-test") {
			t.Errorf("%s shows the self-test: %.300s", path, body)
		}
	}
	if n, _, _ := others.Pending(); n != 0 {
		t.Errorf("%d self-tests came as alerts", n)
	}
	d.stop()

	once, err := pipeline.Open(t.Context(), w.settings(), slog.New(slog.NewTextHandler(testLog{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := once.Once(t.Context())
	once.Close()
	if err != nil || sum.Alerts != 0 || sum.Folded != 0 || sum.Items != 0 {
		t.Errorf("Once after self-tests: %+v, %v; want no items and no alerts", sum, err)
	}
	archive, done, err := pipeline.OfflineArchive(t.Context(), s.Data, slog.New(slog.NewTextHandler(testLog{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	rp, err := pipeline.RunReplay(context.Background(), archive, d.Config().Rules, time.Now().Add(-time.Hour), time.Now(), nil)
	if err != nil || rp.Items != 0 || len(rp.Alerts) != 0 {
		t.Errorf("replay reads %d self-tests and finds %d alerts (%v)", rp.Items, len(rp.Alerts), err)
	}
}

// sample is the value of one series in the text that /metrics serves.
func sample(t *testing.T, metrics, series string) float64 {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no series %s", series)
	return 0
}
