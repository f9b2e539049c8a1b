package pipeline

import (
	"context"
	"time"
)

const (
	clockEvery = 10 * time.Second
	clockJump  = time.Minute // less is a correction
)

// clock says until ctx ends when the time of day jumps: what we wait for goes on
// by the clock that only counts, but mutes and what the streams keep for a time
// end by this one, and what is dated looks wrong. A machine that slept shows the
// same.
func (m *Monitor) clock(ctx context.Context) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for was := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		if by := now.Round(0).Sub(was.Round(0)) - now.Sub(was); by.Abs() >= clockJump {
			m.log.Warn("the clock was set, or the machine slept: the time of day jumped; what is kept for a time, as items and alerts by --keep-items and --keep-alerts, ends by it",
				"jump", by.Round(time.Second))
		}
		was = now
	}
}
