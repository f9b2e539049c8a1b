package alert

import (
	"context"
	"errors"
	"fmt"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// Canary is the feed and the channel of the self-test.
const Canary = feed.Canary

// canary raises the self-test's item: matched and appended as any other, but
// without what looks at other alerts (stories, mutes), and counted apart.
func (r *Raiser) canary(ctx context.Context, it feed.Item) error {
	hits := r.Match(it).Channels
	if len(hits) == 0 {
		return nil // whoever waits for it says so
	}
	if err := r.raiseCanary(ctx, it, hits[0]); err != nil {
		return fmt.Errorf("raise the canary %s: %w", it.Key, err)
	}
	return nil
}

func (r *Raiser) raiseCanary(ctx context.Context, it feed.Item, h rule.Hit) error {
	id := ID(Canary, it.Key)
	last, err := r.Outbox.Last(ctx, Canary, it.Feed, id)
	if err != nil || last.Sequence > 0 {
		return err
	}
	now := r.Now().UTC()
	e := Event{
		SpecVersion: "1.0", ID: EventID(id, Raised, h.Severity), Type: Raised,
		Source: "/newsmonitor/" + r.Instance + "/feeds/" + it.Feed, Subject: Canary,
		Time: now, DataContentType: "application/json", DataSchema: SchemaURI, Severity: h.Severity,
		Data: Data{
			ID: id, Channel: Canary, Channels: []string{Canary}, Severity: h.Severity, Score: h.Score, States: []string{},
			Story: Story{ID: id, Lead: true, Also: []Carrier{}},
			Item: Item{Feed: it.Feed, Key: it.Key, Revision: it.Revision, Title: it.Title, Summary: it.Summary,
				Authors: []string{}, Published: it.Published, Quality: it.Quality, Fetched: it.Fetched},
			Source: it.Source, Rules: h.Rules, Cut: []string{},
		},
	}
	_, err = r.Outbox.Append(ctx, e, 0)
	if errors.Is(err, ErrAhead) {
		return nil // it is there: a canary says nothing new
	}
	if err != nil {
		return err
	}
	r.Metrics.canary(r.Now().Sub(it.Fetched))
	return nil
}
