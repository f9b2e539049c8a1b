package pipeline

import (
	"context"
	"time"
)

const (
	channelsEvery = 10 * time.Minute
	channelsSpan  = 60 * 24 * time.Hour // that a channel's usual gap is judged by
	sameNews      = time.Hour           // alerts closer than this are one piece of news
	gapsEnough    = 5                   // pieces of news, and
	gapsSpan      = 7 * 24 * time.Hour  // the time that they are spread over, before there is a usual gap
)

// channels tells the metrics until ctx ends when each channel last raised an
// alert and what gap is usual for it: a channel that falls silent may have lost
// its feeds or its rules.
func (m *Monitor) channels(ctx context.Context) error {
	tick := time.NewTicker(channelsEvery)
	defer tick.Stop()
	for {
		if err := m.observeChannels(ctx, time.Now()); err != nil && ctx.Err() == nil {
			m.log.Debug("the channels' usual gaps are not known", "error", err) // /readyz tells of the store
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *Monitor) observeChannels(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	times, err := m.store.Alerts().Times(ctx, now.Add(-channelsSpan))
	if err != nil {
		return err
	}
	known, _ := slugs(m.config.Load())
	for _, channel := range known {
		if at := times[channel]; len(at) > 0 {
			m.raiser.Metrics.Channel(channel, at[len(at)-1], usualGap(at))
		}
	}
	return nil
}

// usualGap is the mean time between pieces of news, 0 while too few are known.
// The mean and not the median: news comes in bursts.
func usualGap(at []time.Time) time.Duration {
	var last time.Time
	n := 0
	for _, t := range at {
		if n == 0 || t.Sub(last) >= sameNews {
			n++
		}
		last = t
	}
	span := last.Sub(at[0])
	if n < gapsEnough || span < gapsSpan {
		return 0
	}
	return span / time.Duration(n-1)
}
