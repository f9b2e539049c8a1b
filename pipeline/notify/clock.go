package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minute is a time of the day on a wall clock: minutes after midnight.
type minute int

// parseMinute reads 07:30.
func parseMinute(s string) (minute, error) {
	h, m, ok := strings.Cut(s, ":")
	hour, err1 := strconv.Atoi(h)
	min, err2 := strconv.Atoi(m)
	if !ok || err1 != nil || err2 != nil || len(m) != 2 || hour < 0 || hour > 23 || min < 0 || min > 59 {
		return 0, fmt.Errorf("%q is not a time of the day such as 07:30", clip(s, 20))
	}
	return minute(hour*60 + min), nil
}

func (m minute) String() string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

// on is the moment at which the wall clock of a day shows m. Where the clock
// jumps over m it is the moment one hour off; where it shows m twice, one of
// the two: once a day in any case.
func (m minute) on(year int, month time.Month, day int, zone *time.Location) time.Time {
	return time.Date(year, month, day, int(m)/60, int(m)%60, 0, 0, zone)
}

// weekdays in the words of the file.
var weekdays = map[string]time.Weekday{"mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday,
	"fri": time.Friday, "sat": time.Saturday, "sun": time.Sunday}

// quiet are the hours in which a destination is left alone. Days are those on
// which the hours begin; none means all.
type quiet struct {
	from, to      minute
	zone          *time.Location
	days          []time.Weekday
	criticalWaits bool
}

func (q *quiet) begins(d time.Weekday) bool { return len(q.days) == 0 || slices.Contains(q.days, d) }

// covers tells whether t lies in the quiet hours.
func (q *quiet) covers(t time.Time) bool {
	t = t.In(q.zone)
	m := minute(t.Hour()*60 + t.Minute())
	today, yesterday := t.Weekday(), (t.Weekday()+6)%7
	if q.from < q.to {
		return m >= q.from && m < q.to && q.begins(today)
	}
	return m >= q.from && q.begins(today) || m < q.to && q.begins(yesterday)
}

// ends is the first moment after t outside the quiet hours.
func (q *quiet) ends(t time.Time) time.Time {
	y, mo, d := t.In(q.zone).Date()
	for i := range 9 {
		if end := q.to.on(y, mo, d+i, q.zone); end.After(t) && !q.covers(end) {
			return end
		}
	}
	return t
}

// schedule is when digests go out.
type schedule struct {
	at   []minute // sorted
	zone *time.Location
	days []time.Weekday // none: all
}

// next is the first hour of the schedule after t.
func (s *schedule) next(t time.Time) time.Time { return s.near(t, 1) }

// last is the latest hour of the schedule that is not after t.
func (s *schedule) last(t time.Time) time.Time { return s.near(t, -1) }

func (s *schedule) near(t time.Time, direction int) time.Time {
	y, mo, d := t.In(s.zone).Date()
	var best time.Time
	for i := -1; i <= 8; i++ { // a day earlier: a jump of the clock may move an hour over midnight
		for _, m := range s.at {
			c := m.on(y, mo, d+direction*i, s.zone)
			if len(s.days) > 0 && !slices.Contains(s.days, time.Date(y, mo, d+direction*i, 12, 0, 0, 0, s.zone).Weekday()) {
				continue
			}
			if direction > 0 && c.After(t) && (best.IsZero() || c.Before(best)) {
				best = c
			}
			if direction < 0 && !c.After(t) && c.After(best) {
				best = c
			}
		}
	}
	return best
}
