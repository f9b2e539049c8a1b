package poll

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/feed"
)

// gathered is a registry as name{label="value",...} -> value; histograms by
// their count.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := family.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestMetricsStartAtZero(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.poller(aFeed("x", "http://x.test/", time.Hour), feed.Feed{ID: "off", Disabled: "why"})
	all := gathered(t, w.reg)
	for _, want := range []string{
		`monitor_feeds{state="pending"} 1`, `monitor_feeds{state="disabled"} 1`, `monitor_feeds{state="gone"} 0`,
		`monitor_fetch_errors_total{reason="dns"} 0`, `monitor_items_total{outcome="updated"} 0`, `monitor_items_repaired_total{kind="other"} 0`,
		`monitor_fetches_in_flight 0`, `monitor_fetch_concurrency_limit 16`, `monitor_fetch_duration_seconds 0`,
		`monitor_fetch_response_size_bytes 0`, `monitor_schedule_delay_seconds 0`,
	} {
		name, value, _ := strings.Cut(want, " ")
		if got, ok := all[name]; !ok || fmt.Sprint(got) != value {
			t.Errorf("%s is %v (there: %v), want %s", name, got, ok, value)
		}
	}
	if n := len(slices.Collect(mapsKeys(all, "monitor_fetch_errors_total"))); n != len(Reasons) {
		t.Errorf("%d reasons shown, want %d", n, len(Reasons))
	}
}

func mapsKeys(all map[string]float64, prefix string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range all {
			if strings.HasPrefix(k, prefix) && !yield(k) {
				return
			}
		}
	}
}

func TestMetricsOfAFeed(t *testing.T) {
	bubble(t, func(w *world) {
		w.site.set(func(r *http.Request, n int) (int, http.Header, string) {
			switch {
			case r.URL.Host == "bad.test":
				return 404, nil, ""
			case n == 1:
				return 200, h("ETag", `"1"`), "a|http://x.test/a|A||\nb|http://x.test/b|B||"
			case n == 2:
				return 304, nil, ""
			}
			return 200, nil, "a|http://x.test/a|A||edited\nb|http://x.test/b|B||"
		})
		feeds := []feed.Feed{aFeed("x", "http://x.test/", 10*time.Minute), aFeed("bad", "http://bad.test/", 10*time.Minute)}
		p := w.poller(feeds...)
		w.runFor(p, 25*time.Minute)
		all := gathered(t, w.reg)
		for name, want := range map[string]float64{
			`monitor_feed_fetches_total{feed="x",result="success"}`:                                   2,
			`monitor_feed_fetches_total{feed="x",result="not_modified"}`:                              1,
			`monitor_feed_fetches_total{feed="bad",result="error"}`:                                   2,
			`monitor_feed_consecutive_failures{feed="bad"}`:                                           2,
			`monitor_feed_interval_seconds{feed="x"}`:                                                 600,
			`monitor_feed_info{country="",feed="x",kind="ministry",language="",tier="authoritative"}`: 1,
			`monitor_fetch_errors_total{reason="http_4xx"}`:                                           2,
			`monitor_items_total{outcome="new"}`:                                                      2,
			`monitor_items_total{outcome="updated"}`:                                                  1,
			`monitor_items_total{outcome="duplicate"}`:                                                1,
			`monitor_feeds{state="ok"}`:                                                               1,
			`monitor_feeds{state="failing"}`:                                                          1,
			`monitor_feeds{state="pending"}`:                                                          0,
			`monitor_schedule_delay_seconds`:                                                          5,
			`monitor_feed_last_success_timestamp_seconds{feed="bad"}`:                                 0,
			`monitor_feed_last_new_item_timestamp_seconds{feed="x"}`:                                  unix(w.memory.state("x").LastNew),
			`monitor_polls_dropped_total`:                                                             0,
		} {
			if got, ok := all[name]; !ok || got != want {
				t.Errorf("%s = %v (there: %v), want %v", name, got, ok, want)
			}
		}
		p.Update(feeds[:1])
		for name := range gathered(t, w.reg) {
			if strings.Contains(name, `feed="bad"`) {
				t.Errorf("%s is still there after its feed left", name)
			}
		}
		if n := gathered(t, w.reg)[`monitor_feeds{state="failing"}`]; n != 0 {
			t.Errorf("%v failing feeds after the only one left, want 0", n)
		}
		edited := feeds[0]
		edited.Tier = "media"
		p.Update([]feed.Feed{edited})
		if n := len(slices.Collect(mapsKeys(gathered(t, w.reg), "monitor_feed_info"))); n != 1 {
			t.Errorf("%d info series after an edit, want 1", n)
		}
	})
}

func TestFeedMetricsAuto(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flag  string
		feeds int
		want  bool
	}{{"auto", 3, true}, {"auto", autoFeedMetrics + 1, false}, {"on", autoFeedMetrics + 1, true}, {"off", 3, false}} {
		m, err := newMetrics(nil, Options{FeedMetrics: c.flag})
		if err != nil {
			t.Fatal(err)
		}
		if m.catalogue(c.feeds); m.perFeed != c.want {
			t.Errorf("--feed-metrics %s with %d feeds: %v, want %v", c.flag, c.feeds, m.perFeed, c.want)
		}
	}
}

func TestRepairKindsAreBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := newMetrics(reg, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	before := len(gathered(t, reg))
	m.repairs([]string{"charset", "something <b>hostile</b>", "more of it"})
	all := gathered(t, reg)
	if len(all) != before || all[`monitor_items_repaired_total{kind="other"}`] != 2 {
		t.Errorf("a document could add series: %d became %d", before, len(all))
	}
}

func TestEventIsTheContract(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(Event{Feed: "f", Event: "moved", State: "ok", Was: "ok", Since: noon, Reason: "r", Text: "t",
		Failures: 1, LastSuccess: noon, LastNewItem: noon, URL: "u", NewURL: "n"})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"feed", "event", "state", "was", "since", "reason", "text", "failures", "last_success", "last_new_item", "url", "new_url"} {
		if _, ok := got[k]; !ok {
			t.Errorf("no field %q in %s", k, b)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("fields that the contract does not know: %v", got)
	}
}

func TestEveryReasonSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, r := range Reasons {
		if a := Advice(r, 0); !strings.HasSuffix(a, ".") && !strings.HasSuffix(a, "URL") {
			t.Errorf("reason %s: advice %q", r, a)
		}
	}
}

func TestStateSurvivesJSON(t *testing.T) {
	t.Parallel()
	st := State{URL: "u", ETag: `W/"é  x"`, LastModified: "m", Body: "b", Parser: 1, State: StateOK, Since: noon, LastPoll: noon, NextDue: noon,
		Origin: "o", LastFull: noon, NotBefore: noon, Wish: Wish{TTL: time.Hour, SkipHours: []int{1}, SkipDays: []time.Weekday{0}}, Gone: 1, Moved: 2, Status: 404,
		Items: map[string]Known{"k": {GUID: "g", Link: "l", Title: "t", Sequence: 7, Revisions: []string{"r"}, Missed: 1}}}
	b, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(st, back) {
		t.Errorf("%+v came back as %+v (%v)", st, back, err)
	}
	full := State{Items: map[string]Known{}}
	for i := range maxKnown {
		full.Items[hash(32, fmt.Sprint(i), "x")] = Known{GUID: hash(16, "g"), Link: hash(16, "l"), Title: hash(16, "t"), Sequence: 1 << 40,
			Revisions: []string{hash(16, "1"), hash(16, "2")}, Missed: 1}
	}
	if b, _ := json.Marshal(full); len(b) > 1<<20 {
		t.Errorf("a full state is %d bytes, over NATS's message limit of 1 MB", len(b))
	}
}

// TestRealDocument goes through feed.Parse, as the daemon does.
func TestRealDocument(t *testing.T) {
	bubble(t, func(w *world) {
		const rss = `<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><link>http://x.test/</link><ttl>90</ttl>
<item><guid>2</guid><link>/b</link><title>Second &amp; last</title><pubDate>Sat, 01 Jan 2000 00:00:00 GMT</pubDate></item>
<item><guid>1</guid><link>/a</link><title>First</title></item></channel></rss>`
		w.site.set(func(*http.Request, int) (int, http.Header, string) {
			return 200, h("Content-Type", "application/rss+xml"), rss
		})
		p := w.poller(aFeed("x", "http://x.test/feed", 10*time.Minute))
		p.Parse = feed.Parse
		w.runFor(p, 5*time.Hour)
		if n := len(w.site.seen()); n != 4 {
			t.Errorf("%d requests in 5 hours, want one each 90 minutes as the ttl asks", n)
		}
		var got []string
		for _, s := range w.memory.stored {
			it := s[0].item
			got = append(got, strings.Join([]string{it.Feed, it.Title, it.Link, it.Source.ID}, " "))
			if it.Parser != feed.ParserVersion {
				t.Errorf("parser %d", it.Parser)
			}
			if it.Fetched.IsZero() || it.Fetched.Location() != time.UTC {
				t.Errorf("fetched %s", it.Fetched)
			}
		}
		slices.Sort(got)
		if want := []string{"x First http://x.test/a x", "x Second & last http://x.test/b x"}; !slices.Equal(got, want) {
			t.Errorf("stored %q, want %q", got, want)
		}
	})
}
