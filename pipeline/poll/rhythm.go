package poll

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"newsmonitor/pipeline/feed"
)

const (
	autoLeast    = 5 * time.Minute // bounds of every: auto (design.md 4.2)
	autoMost     = 6 * time.Hour
	autoEnough   = 5                   // arrivals before anything is learned
	maxArrivals  = 64                  // remembered
	sameArrival  = 10 * time.Minute    // items closer than this came together
	calendarDays = 64                  // bits of Rhythm.Days
	quietLeast   = 4 * 24 * time.Hour  // no feed is silent before that: weekends, holidays
	quietYoung   = 14 * 24 * time.Hour // nor one that we know for less than this, before that
	quietTimes   = 4                   // times its longest gap so far
)

// Rhythm is when a feed had news: what `every: auto` and silence are judged
// by. It is small because each of 100,000 feeds has one.
type Rhythm struct {
	Arrivals []uint32 `json:"arrivals,omitempty"` // minutes since 1970, ascending, the last 64; items close together count once
	Days     uint64   `json:"days,omitempty"`     // bit n: something came on Day-n
	Day      int32    `json:"day,omitempty"`      // days since 1970 that bit 0 stands for
}

// arrived adds when new items came, in any order. The document's date says
// when, if it is credible: not after we fetched it, and for later polls not
// before the last one.
func (r Rhythm) arrived(times []time.Time) Rhythm {
	if len(times) == 0 {
		return r
	}
	minutes := slices.Clone(r.Arrivals)
	for _, t := range times {
		if t.Unix() < 60 {
			continue
		}
		minutes = append(minutes, uint32(min(t.Unix()/60, 1<<32-1)))
		r.mark(int32(min(t.Unix()/86400, 1<<31-1)))
	}
	slices.Sort(minutes)
	r.Arrivals = minutes[:0]
	for _, m := range minutes {
		if n := len(r.Arrivals); n > 0 && time.Duration(m-r.Arrivals[n-1])*time.Minute < sameArrival {
			continue
		}
		r.Arrivals = append(r.Arrivals, m)
	}
	if extra := len(r.Arrivals) - maxArrivals; extra > 0 {
		r.Arrivals = r.Arrivals[extra:]
	}
	r.Arrivals = slices.Clip(slices.Clone(r.Arrivals))
	return r
}

func (r *Rhythm) mark(day int32) {
	switch ahead := int64(day) - int64(r.Day); {
	case ahead >= calendarDays:
		r.Days, r.Day = 1, day
	case ahead > 0:
		r.Days, r.Day = r.Days<<ahead|1, day
	case -ahead < calendarDays:
		r.Days |= 1 << -ahead
	}
}

// until forgets what a clock that was ahead noted after now.
func (r Rhythm) until(now time.Time) Rhythm {
	n := len(r.Arrivals)
	for n > 0 && r.at(n-1).After(now) {
		n--
	}
	r.Arrivals = r.Arrivals[:n:n]
	if today := int32(min(now.Unix()/86400, 1<<31-1)); r.Day > today {
		r.Days, r.Day = r.Days>>min(int64(r.Day)-int64(today), calendarDays), today
	}
	return r
}

func (r Rhythm) at(i int) time.Time { return time.Unix(int64(r.Arrivals[i])*60, 0).UTC() }

// last is when something last came, zero if nothing ever did.
func (r Rhythm) last() time.Time {
	if len(r.Arrivals) == 0 {
		return time.Time{}
	}
	return r.at(len(r.Arrivals) - 1)
}

// longest is the longest that the feed was quiet between two arrivals. The
// calendar knows the weekends of a feed whose arrivals reach back two days.
func (r Rhythm) longest() time.Duration {
	var gap time.Duration
	for i := 1; i < len(r.Arrivals); i++ {
		gap = max(gap, r.at(i).Sub(r.at(i-1)))
	}
	for days := r.Days >> bits.TrailingZeros64(r.Days|1<<63); days != 0; {
		days >>= 1
		run := bits.TrailingZeros64(days)
		if days == 0 {
			break
		}
		days >>= run
		gap = max(gap, time.Duration(run+1)*24*time.Hour)
	}
	return gap
}

// usual is the median gap between arrivals, 0 while we know too few.
func (r Rhythm) usual() time.Duration {
	n := len(r.Arrivals)
	if n < autoEnough {
		return 0
	}
	gaps := make([]time.Duration, 0, maxArrivals)
	for i := 1; i < n; i++ {
		gaps = append(gaps, r.at(i).Sub(r.at(i-1)))
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// silentAfter is how long the feed may be quiet before it counts as silent,
// 0 while we do not know its rhythm.
func (r Rhythm) silentAfter() time.Duration {
	n := len(r.Arrivals)
	if n < autoEnough {
		return 0
	}
	least := quietLeast
	if r.at(n-1).Sub(r.at(0)) < quietYoung && bits.OnesCount64(r.Days) < 10 {
		least = quietYoung
	}
	return max(quietTimes*r.longest(), least)
}

// learned is the interval that `every: auto` stands for at now, and why in a
// clause. It is a pure function of the rhythm: an eighth of the mean gap, up
// to four times shorter in the hours (UTC) when the feed usually has news and
// up to four times longer outside of them. It ends early where better hours
// begin, so that a long night does not reach into the morning.
func (r Rhythm) learned(now time.Time, start time.Duration) (time.Duration, string) {
	n := len(r.Arrivals)
	start = min(max(start, autoLeast), autoMost)
	if n < autoEnough {
		return start, fmt.Sprintf("auto: not enough news yet to learn from (%d of %d arrivals)", n, autoEnough)
	}
	first := r.at(0)
	span := max(now.Sub(first), time.Hour)
	mean := span / time.Duration(n)
	base := min(max(mean/8, autoLeast/4), 4*autoMost)
	var hours [24]float64
	for i := range n {
		h := r.at(i).Hour()
		for _, d := range []int{23, 0, 1} {
			hours[(h+d)%24] += 8 / float64(n) // 1 where news is spread evenly
		}
	}
	if n < 3*autoEnough {
		for h := range hours {
			hours[h] = 1 // too few to know its hours
		}
	}
	due, at := 0.0, now.UTC()
	for at.Sub(now) < autoMost {
		pace := min(max(hours[at.Hour()], 0.25), 4)
		step := at.Truncate(time.Hour).Add(time.Hour).Sub(at)
		if more := pace * float64(step) / float64(base); due+more >= 1 {
			at = at.Add(time.Duration((1 - due) * float64(base) / pace))
			break
		} else {
			due += more
		}
		at = at.Add(step)
	}
	every := min(max(at.Sub(now).Round(time.Second), autoLeast), autoMost)
	why := fmt.Sprintf("auto: %d arrivals since %s, one in %s on average", n, first.Format(time.DateOnly), short(mean))
	switch pace := hours[now.UTC().Hour()]; {
	case pace >= 1.5:
		why += "; its usual hour now, so more often"
	case pace <= 0.5:
		why += "; not its usual hour now, so less often"
	}
	return every, why
}

// short is a duration for people: two units at most.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 3*day:
		return fmt.Sprintf("%d days", d.Round(day)/day)
	case d >= 3*time.Hour:
		return fmt.Sprintf("%d hours", d.Round(time.Hour)/time.Hour)
	case d >= 3*time.Minute:
		return fmt.Sprintf("%d minutes", d.Round(time.Minute)/time.Minute)
	}
	return d.Round(time.Second).String()
}

// arrivals is when the new items of a document came.
func arrivals(drafts []Draft, last, fetched time.Time) (times []time.Time) {
	for _, d := range drafts {
		if d.After > 0 {
			continue // an edit is no news
		}
		at := fetched
		if date := dated(d.Item); !date.IsZero() && !date.After(fetched) && (last.IsZero() || date.After(last)) {
			at = date
		}
		times = append(times, at)
	}
	return times
}

// Interval is how often the feed is wanted, within our floor. For
// `every: auto` it follows what was learned.
func (p Pace) Interval(f feed.Feed, r Rhythm, now time.Time) time.Duration {
	every := positive(f.Every, usualInterval)
	if f.Auto {
		every, _ = r.learned(now, every)
	}
	return max(every, p.Min)
}
