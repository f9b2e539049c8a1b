package stream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/poll"
)

// Announce tells listeners of news.feeds what happened to a feed, as a
// CloudEvent. It is live only: after a gap, the API has the state of all.
func (s *Store) Announce(_ context.Context, instance string, e poll.Event) {
	now := time.Now().UTC()
	b, err := marshal(map[string]any{
		"specversion": "1.0", "id": alert.ID(e.Feed+"."+e.Event, now.Format(time.RFC3339Nano)),
		"type":   "newsmonitor.feed." + e.Event + ".v1",
		"source": "/newsmonitor/" + instance + "/feeds/" + e.Feed, "subject": e.Feed, "time": now,
		"datacontenttype": "application/json", "data": e,
	})
	if err != nil {
		s.log.Error("a feed event cannot be encoded", "feed", e.Feed, "error", err)
		return
	}
	// Published where nobody but the daemon may, and republished by nothing:
	// the header tells listeners that it is ours, as the stream's does for alerts.
	m := nats.NewMsg(s.names.prefix + ".feeds." + e.Feed + "." + e.Event)
	m.Header.Set("Content-Type", alert.ContentType)
	m.Header.Set("Nats-Subject", m.Subject)
	m.Data = b
	if err := s.nc.PublishMsg(m); err != nil {
		s.log.Warn("a feed event could not be published", "feed", e.Feed, "event", e.Event, "error", err)
	}
}
