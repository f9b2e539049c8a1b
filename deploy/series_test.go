package deploy_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"newsmonitor/pipeline"
)

// TestSeries: what a scrape costs with the shipped rules and so many feeds. Each
// feed has ten series and everything else together some hundreds; of more than
// 1,000 feeds none has series of its own.
func TestSeries(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus", "prometheus")
	const perFeed, rest = 10, 800
	for _, c := range []struct{ feeds, apart int }{{120, 120}, {1000, 1000}, {1001, 0}} {
		t.Run(fmt.Sprint(c.feeds), func(t *testing.T) {
			t.Parallel()
			w := newFireWorld(t)
			w.write(t, "feeds.yaml", w.press.catalogue(c.feeds, time.Hour))
			w.settle.Files.Rules = []string{pipeline.BuiltinName}
			d := startDaemon(t, w.settle)
			p := startPrometheus(t, t.TempDir(), fmt.Sprintf(`global: {scrape_interval: 1s}
scrape_configs: [{job_name: monitor, static_configs: [{targets: ["%s"]}]}]`, d.target()))
			p.is(t, fmt.Sprintf(`sum(monitor_feeds) == %d and (count(monitor_feed_info) or vector(0)) == %d and on () count_over_time(up{job="monitor"}[1m]) > 8`, c.feeds, c.apart))
			number := func(expr string) float64 {
				got, err := p.query(expr)
				if err != nil || len(got) != 1 {
					t.Fatalf("%s: %v, %v", expr, got, err)
				}
				v, err := strconv.ParseFloat(got[0].Value[1].(string), 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			series, took := number(`scrape_samples_scraped{job="monitor"}`), number(`min_over_time(scrape_duration_seconds{job="monitor"}[10s])`)
			if most := c.apart*perFeed + rest; int(series) > most {
				t.Errorf("%v series, want at most %d", series, most)
			}
			plain, packed := body(t, d.place.HTTP+"/metrics")
			t.Logf("%d feeds: %v series, %d KB (%d KB as sent), scraped in %.0f ms", c.feeds, series, plain>>10, packed>>10, 1e3*took)
		})
	}
}

// body is the size of an answer, and of what is sent to one who takes gzip, as
// Prometheus does.
func body(t *testing.T, url string) (plain, packed int64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	sent := &counter{r: resp.Body}
	z, err := gzip.NewReader(sent)
	if err != nil {
		t.Fatalf("%v; the answer is %q", err, resp.Header.Get("Content-Encoding"))
	}
	if plain, err = io.Copy(io.Discard, z); err != nil {
		t.Fatal(err)
	}
	return plain, sent.n
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
