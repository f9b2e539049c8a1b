package notify

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

const (
	firstRetry   = time.Second
	slowestRetry = 5 * time.Minute
	// A receiver that refuses will go on to do so until somebody changes
	// something; nothing is lost meanwhile.
	firstRefused   = 30 * time.Second
	slowestRefused = 30 * time.Minute
	messageTries   = 3 // of a message that the receiver finds wrong, before it is passed over
)

// send tries until the receiver has acknowledged the post, or finds it wrong
// for good (delivered is false then), or ctx ends.
func (p *pusher) send(ctx context.Context, r *reader, msg post) (delivered bool, err error) {
	select {
	case p.sending <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-p.sending }()
	for tries, wait := 1, time.Duration(0); ; tries++ {
		err := p.attempt(ctx, msg)
		if err == nil {
			p.delivered(msg)
			return true, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		f := asFault(err)
		if p.failed(f) {
			if err := r.remember(ctx); err != nil {
				return false, err
			}
		}
		if f.message && tries >= messageTries {
			p.pass(msg, f)
			return false, nil
		}
		least, most := firstRetry, slowestRetry
		if errors.Is(f, ErrRefused) && !f.message {
			least, most = firstRefused, slowestRefused
		}
		wait = min(max(2*wait, least), most)
		pauseFor := max(wait+rand.N(wait/5+1), f.after)
		if !pause(ctx, pauseFor) {
			return false, ctx.Err()
		}
	}
}

// attempt turns a panic into a refusal of the message: trying it for ever
// would hold up all that follow.
func (p *pusher) attempt(ctx context.Context, msg post) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if p.cfg.Panicked != nil {
				p.cfg.Panicked("notify "+p.d.Name, r, debug.Stack())
			}
			err = &fault{reason: "refused", text: "a fault of ours: see the log", refused: true, message: true}
		}
	}()
	return p.sender.send(ctx, msg)
}

func (p *pusher) delivered(msg post) {
	p.limiter.sent(time.Now())
	p.metrics.sent(p.d)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.failingSince.IsZero() {
		p.cfg.Log.Info("a destination works again", "destination", p.d.Name, "lasted", time.Since(p.failingSince).Round(time.Second))
	}
	p.lastDelivered, p.failingSince = time.Now(), time.Time{}
	p.cfg.Log.Debug("pushed", "destination", p.d.Name, "kind", msg.kind, "message", msg.id)
}

// failed tells whether the fault is news.
func (p *pusher) failed(f *fault) bool {
	p.metrics.failure(p.d, f.reason)
	p.mu.Lock()
	defer p.mu.Unlock()
	news := p.failingSince.IsZero() || p.lastError != f.text
	if news {
		p.cfg.Log.Warn("a destination does not take its alerts; they wait", "destination", p.d.Name, "error", f.text)
	}
	if p.failingSince.IsZero() {
		p.failingSince = time.Now()
	}
	p.lastError = f.text
	return news
}

// pass gives a message up, aloud.
func (p *pusher) pass(msg post, f *fault) {
	p.mu.Lock()
	p.passed++
	p.mu.Unlock()
	p.cfg.Log.Error("a destination finds a message wrong; it is passed over", "destination", p.d.Name, "message", msg.id, "error", f.text)
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// until sleeps to a moment on the wall clock, which may be set meanwhile.
func until(ctx context.Context, at time.Time) bool {
	for {
		left := at.Sub(time.Now().Round(0))
		if left <= 0 {
			return ctx.Err() == nil
		}
		if !pause(ctx, min(left, atMost)) {
			return false
		}
	}
}
