package pipeline

import (
	"context"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
)

//go:embed canary.yaml
var canaryFiles embed.FS

// canary is the self-test: a document of our own goes the way of every other,
// from the parser through ITEMS and the rules to the stored alert. Traffic is
// low and a quiet day looks like a broken daemon; this tells them apart. Each
// replica sends its own, whoever of them raises.
type canary struct {
	every time.Duration
	rules *rule.Set
	last  prometheus.Gauge
	done  atomic.Pointer[time.Time] // the last success; nil before the first
}

func newCanary(every time.Duration, reg prometheus.Registerer) (*canary, error) {
	set, problems := rule.Load(rule.Dir{Name: "canary", FS: canaryFiles})
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, errs
	}
	return &canary{every: every, rules: set, last: promauto.With(reg).NewGauge(prometheus.GaugeOpts{
		Name: "monitor_canary_last_success_timestamp_seconds",
		Help: "When a self-test of this process last became a stored alert; 0 before the first."})}, nil
}

// matchCanary judges the self-test's item: also by the rules of the moment,
// whose verdict is dropped, as a rule on which the matcher hangs must show.
func (m *Monitor) matchCanary(it feed.Item) rule.Result {
	m.config.Load().Rules.Match(it)
	return m.canary.rules.Match(it)
}

// sing runs the self-test until ctx ends.
func (m *Monitor) sing(ctx context.Context) error {
	if m.canary.every <= 0 {
		return nil
	}
	tick := time.NewTicker(m.canary.every)
	defer tick.Stop()
	for failing := false; ; {
		at := time.Now()
		err := m.selfTest(ctx, at)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			now := time.Now()
			m.canary.last.Set(float64(now.UnixMilli()) / 1e3)
			m.canary.done.Store(&now)
			if failing {
				m.log.Info("the self-test succeeds again")
			}
		case !failing:
			m.log.Warn("the self-test fails: alerts may not be raised", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// selfTest sends one document and waits until its alert is stored.
func (m *Monitor) selfTest(ctx context.Context, at time.Time) error {
	// Longer than a takeover of the raiser, so that one failure is one fault.
	ctx, cancel := context.WithTimeout(ctx, max(m.canary.every, time.Second)*3/2)
	defer cancel()
	it, err := canaryItem(m.settings.Owner, at)
	if err != nil {
		return err
	}
	if _, err := m.store.Items().Append(ctx, []poll.Draft{{Item: it}}); err != nil {
		return err
	}
	id := alert.ID(alert.Canary, it.Key)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		st, err := m.store.Alerts().Last(ctx, alert.Canary, it.Feed, id)
		if err == nil && st.Sequence > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the item is stored and its alert is not: the raiser is held up"), err)
		case <-time.After(wait):
		}
	}
}

// canaryItem reads the self-test's document as a server would send it.
func canaryItem(owner string, at time.Time) (feed.Item, error) {
	f := feed.Feed{ID: feed.Canary, Title: "Self-test", Kind: "media", Tier: "non-authoritative", Language: "en", Identity: "guid"}
	type item struct {
		GUID        string `xml:"guid"`
		Title       string `xml:"title"`
		Description string `xml:"description"`
		PubDate     string `xml:"pubDate"`
	}
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"rss"`
		Version string   `xml:"version,attr"`
		Title   string   `xml:"channel>title"`
		Item    item     `xml:"channel>item"`
	}{Version: "2.0", Title: f.Title, Item: item{GUID: owner + "-" + strconv.FormatInt(at.UnixNano(), 36),
		Title: "Self-test of newsmonitor", Description: "Nobody has published this.", PubDate: at.UTC().Format(time.RFC1123Z)}})
	if err != nil {
		return feed.Item{}, fmt.Errorf("make the self-test's document: %w", err)
	}
	parsed, err := feed.Parse(feed.Document{Feed: f, Body: body, ContentType: "application/rss+xml", Fetched: at})
	if err != nil {
		return feed.Item{}, fmt.Errorf("parse the self-test's document: %w", err)
	}
	if len(parsed.Items) != 1 || parsed.Items[0].Key == "" {
		return feed.Item{}, fmt.Errorf("parse the self-test's document: %d items", len(parsed.Items))
	}
	it := parsed.Items[0]
	it.Fetched = at
	return it, nil
}
