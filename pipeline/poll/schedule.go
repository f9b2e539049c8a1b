package poll

import (
	"slices"
	"time"
)

const (
	usualInterval = 15 * time.Minute   // when feeds.yaml is silent
	probeGone     = 7 * 24 * time.Hour // a feed that said 410 is asked once a week
	goneAfter     = 3                  // answers 410: the first and two confirmations
	startRate     = 20                 // first polls a second, all hosts together
	longFailure   = 30 * 24 * time.Hour
)

// Pace turns what happened into the time of the next request. It is a pure
// function but for Random, which returns [0,1). Jitter makes a request later,
// never earlier.
type Pace struct {
	Min    time.Duration
	Random func() float64
}

// Success is when to ask after a good answer: after the interval, or later if
// the server or the document wishes so. notBefore is that wish alone.
func (p Pace) Success(now time.Time, every, fresh time.Duration, w Wish) (due, notBefore time.Time) {
	wish := max(clip(fresh), clip(w.TTL))
	if wish > 0 {
		notBefore = now.Add(wish)
	}
	jitter := p.jitter(every / 10)
	due = now.Add(max(every, wish) + jitter)
	if open := w.open(due); open.After(due) {
		due = open.Add(jitter)
		notBefore = open
	}
	return due, notBefore
}

// Failure is when to ask after failures in a row. Each wait is one and a half
// to two and a half times the one before, anywhere in between: the jitter is
// as wide as the step, so that feeds that failed together come apart for
// good, and yet each gap is longer than the last. It never gives up: once a
// day at most, after a month of failure once a week.
func (p Pace) Failure(now time.Time, every time.Duration, f Failing) (due, notBefore time.Time) {
	limit := longest
	switch {
	case f.For > longFailure:
		limit = probeGone
	case f.Brief:
		limit = longest / 4
	}
	wait := every + p.jitter(every/2)
	if f.Times > 1 {
		// What a Retry-After made of the last wait must not be doubled too.
		most := every + every/2
		for range min(f.Times-2, 32) {
			most = min(most*5/2, limit)
		}
		last := min(max(f.Waited, every), most)
		wait = last*3/2 + p.jitter(last)
	}
	if retry := clip(f.RetryAfter); retry > 0 {
		notBefore = now.Add(retry)
		wait = max(wait, retry+p.jitter(every/10))
	}
	return now.Add(max(min(wait, max(limit, clip(f.RetryAfter))), every)), notBefore
}

// Failing is what the wait after a failure depends on.
type Failing struct {
	Times      int           // in a row, this one included
	For        time.Duration // since the feed last answered well
	Waited     time.Duration // before this poll
	RetryAfter time.Duration // the server's wish, 0 without
	Brief      bool          // the kind that usually passes soon
}

// Gone is when to ask after so many answers 410. The first could be a slip,
// so it is confirmed twice, hours apart, before the feed counts as gone.
func (p Pace) Gone(now time.Time, every time.Duration, times int) time.Time {
	if times >= goneAfter {
		return now.Add(probeGone + p.jitter(longest))
	}
	return now.Add(max(min(16*every, longest), every) + p.jitter(every/10))
}

// Start spreads feeds that are all due when we begin, new ones or those that
// came due while we were not there: over n/20 s, but within the interval. i
// counts them from 0.
func (p Pace) Start(now time.Time, every time.Duration, i, n int) time.Time {
	window := min(every, time.Duration(n)*time.Second/startRate)
	return now.Add(window * time.Duration(i) / time.Duration(max(n, 1)))
}

// Saved checks a due time that was stored: a clock that was wrong when it was
// written must not send a feed away for years.
func (p Pace) Saved(now time.Time, every time.Duration, s State) time.Time {
	limit := max(every+every/5, longest+longest/10)
	if s.State == StateGone || s.Failures > 0 && now.Sub(s.LastSuccess) > longFailure {
		limit = probeGone + longest
	}
	if s.NextDue.Sub(now) > limit {
		return now.Add(every + p.jitter(every/10))
	}
	return s.NextDue
}

func (p Pace) jitter(d time.Duration) time.Duration {
	return time.Duration(p.Random() * float64(d))
}

// open is the first moment from t on that the document's skipHours and
// skipDays leave open, a day later at most. Lists that leave nothing open are
// nonsense and ignored.
func (w Wish) open(t time.Time) time.Time {
	if len(w.SkipHours) == 0 && len(w.SkipDays) == 0 {
		return t
	}
	at := t.UTC()
	for range 7 * 24 {
		if !slices.Contains(w.SkipHours, at.Hour()) && !slices.Contains(w.SkipDays, at.Weekday()) {
			if at.Sub(t) > longest {
				return t.Add(longest)
			}
			return t.Add(at.Sub(t))
		}
		at = at.Truncate(time.Hour).Add(time.Hour)
	}
	return t
}
