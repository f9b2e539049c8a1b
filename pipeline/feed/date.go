package feed

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Values of Item.Quality.
const (
	declared = "declared" // the document says it, zone and all
	inferred = "inferred" // day and month could be swapped, or no zone is known
	missing  = "missing"
)

// Years outside of these are mistakes: 1970 is a zero, 9999 a "never".
const (
	firstYear = 1995
	lastYear  = 2100
)

// dater reads the dates of one document.
type dater struct {
	layout  string // of feeds.yaml, tried before all else
	country string // of the feed: its zone stands in where a date has none
	monthly bool   // the document writes 12/31/2026
	certain bool   // it does, or it certainly does not: some day is above 12
}

// learn finds out whether slashed dates begin with the day or the month: one
// day above 12 settles it for the whole document.
func (d *dater) learn(drafts []draft) {
	for _, i := range drafts {
		for _, s := range i.published {
			if !strings.ContainsAny(s, "/.") {
				continue // the pattern is dear, and most dates have none
			}
			m := slashed.FindStringSubmatch(s)
			if m == nil {
				continue
			}
			a, _ := strconv.Atoi(m[1])
			b, _ := strconv.Atoi(m[2])
			if a > 12 && b <= 12 {
				d.monthly, d.certain = false, true
				return
			}
			if b > 12 && a <= 12 {
				d.monthly, d.certain = true, true
				return
			}
		}
	}
}

var slashed = regexp.MustCompile(`(?:^|[^\d])(\d{1,2})[/.](\d{1,2})[/.]\d{2,4}(?:[^\d]|$)`)

// of dates an item. A document that only says when an entry was updated dates
// it by that, as a guess.
func (d *dater) of(i *draft) (published, updated time.Time, quality string) {
	quality = missing
	for _, s := range i.published {
		if t, q := d.read(s); q != missing {
			published, quality = t, q
			break
		}
	}
	for _, s := range i.updated {
		if t, q := d.read(s); q != missing {
			updated = t
			break
		}
	}
	if quality == missing && !updated.IsZero() && when(draft{published: i.published}) == "" {
		published, quality = updated, inferred
	}
	return published, updated, quality
}

// read reads one date as served.
func (d *dater) read(s string) (time.Time, string) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 120 {
		return time.Time{}, missing
	}
	if d.layout != "" {
		if t, err := time.Parse(d.layout, s); err == nil {
			return sane(t, declared)
		}
	}
	for _, layout := range []string{time.RFC3339, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return sane(t, declared)
		}
	}
	if t, q, ok := d.numeric(s); ok {
		return sane(t, q)
	}
	return d.words(s)
}

func sane(t time.Time, quality string) (time.Time, string) {
	t = t.UTC().Truncate(time.Millisecond)
	if t.Year() < firstYear || t.Year() > lastYear {
		return time.Time{}, missing
	}
	return t, quality
}

// numeric reads dates without any separator: seconds or milliseconds since
// 1970, 20260727, 20260727153000.
func (d *dater) numeric(s string) (time.Time, string, bool) {
	whole, _, _ := strings.Cut(s, ".")
	for _, c := range whole {
		if c < '0' || c > '9' {
			return time.Time{}, "", false
		}
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, "", false
	}
	switch len(whole) {
	case 9, 10:
		return time.Unix(n, 0), declared, true
	case 13:
		return time.UnixMilli(n), declared, true
	case 8, 12, 14:
		t, err := time.ParseInLocation("20060102150405"[:len(whole)], whole, d.zone())
		return t, inferred, err == nil
	}
	return time.Time{}, "", false
}

var (
	eastAsian = regexp.MustCompile(`(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日号號일]?`)
	eastTime  = regexp.MustCompile(`(\d{1,2})\s*[时時시点點]\s*(?:(\d{1,2})\s*[分분]?)?\s*(?:(\d{1,2})\s*[秒초])?`)
	clock     = regexp.MustCompile(`(?:^|[^\d:])(\d{1,2})[:h](\d{1,2})(?::(\d{1,2}))?(?:[.,](\d+))?\s*(am|pm|a\.m\.|p\.m\.|a|p)?(?:[^\w:.]|$|z|[a-z])`)
	clockT    = regexp.MustCompile(`(\d)t(\d{1,2}(?::\d|\d{2}))`)
	offset    = regexp.MustCompile(`(?:gmt|utc|ut|z)?\s*([+-]|−)\s*(\d{1,2}):?(\d{2})?(?:\s|$|\(|\[)`)
	isoDate   = regexp.MustCompile(`^\s*(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[\sz+]|$)`)
	ordinal   = regexp.MustCompile(`^\s*(\d{4})-?(\d{3})(?:[\sz+-]|$)`)
	yearFirst = regexp.MustCompile(`(?:^|[^\d])(\d{4})[-/.]\s?(\d{1,2})[-/.]\s?(\d{1,2})(?:[^\d]|$)`)
	yearLast  = regexp.MustCompile(`(?:^|[^\d])(\d{1,2})([-/.])\s?(\d{1,2})[-/.]\s?(\d{4}|\d{2})(?:[^\d]|$)`)
	wordOrNum = regexp.MustCompile(`\d+|[^\d\s,./()\[\]:;|+·-]+`)
)

// words reads everything else: names of months in the languages of the
// publishers we know, zones by name, times anywhere.
func (d *dater) words(s string) (time.Time, string) {
	s = strings.ToLower(strings.ReplaceAll(s, "\u00a0", " "))
	quality := declared
	var hour, minute, second, nano int
	evening, morning := strings.Contains(s, "下午") || strings.Contains(s, "오후") || strings.Contains(s, "午後") || strings.Contains(s, "晚上"),
		strings.Contains(s, "上午") || strings.Contains(s, "오전") || strings.Contains(s, "午前")
	zoneOfScript := time.Duration(-1)
	if strings.ContainsAny(s, "년월오") {
		zoneOfScript = 9 * time.Hour
	}
	hasTime := false
	year, month, day := 0, 0, 0

	if m := eastAsian.FindStringSubmatchIndex(s); m != nil {
		year, month, day = atoi(s[m[2]:m[3]]), atoi(s[m[4]:m[5]]), atoi(s[m[6]:m[7]])
		s = s[:m[0]] + " " + s[m[1]:]
		if m := eastTime.FindStringSubmatchIndex(s); m != nil {
			hasTime, hour = true, atoi(s[m[2]:m[3]])
			if m[4] >= 0 {
				minute = atoi(s[m[4]:m[5]])
			}
			if m[6] >= 0 {
				second = atoi(s[m[6]:m[7]])
			}
			s = s[:m[0]] + " " + s[m[1]:]
		}
	}
	s = clockT.ReplaceAllString(s, "$1 $2")
	if m := clock.FindStringSubmatchIndex(s); m != nil && !hasTime {
		hour, minute = atoi(s[m[2]:m[3]]), atoi(s[m[4]:m[5]])
		end := m[5]
		if m[6] >= 0 {
			second, end = atoi(s[m[6]:m[7]]), m[7]
		}
		if m[8] >= 0 {
			frac := (s[m[8]:m[9]] + "000")[:3]
			nano, end = atoi(frac)*int(time.Millisecond), m[9]
		}
		if m[10] >= 0 {
			switch s[m[10]] {
			case 'p':
				evening = true
			case 'a':
				morning = true
			}
			end = m[11]
		}
		s = s[:m[2]] + " @ " + s[end:]
	}
	if (evening || morning) && hour > 12 {
		evening, morning = false, false
	}
	if evening && hour < 12 {
		hour += 12
	}
	if morning && hour == 12 {
		hour = 0
	}

	var zone time.Duration
	zoned := false
	if i := strings.IndexByte(s, '@'); i >= 0 {
		if m := offset.FindStringSubmatchIndex(s[i:] + " "); m != nil {
			tail := s[i:] + " "
			h, min := atoi(tail[m[4]:m[5]]), 0
			if m[6] >= 0 {
				min = atoi(tail[m[6]:m[7]])
			} else if m[5]-m[4] == 2 && h > 14 { // +930
				h, min = h/10, h%10*10
			}
			if h <= 15 && min < 60 {
				zone, zoned = time.Duration(h)*time.Hour+time.Duration(min)*time.Minute, true
				if tail[m[2]] != '+' {
					zone = -zone
				}
				s = s[:i] + " " + tail[:m[0]] + " " + tail[m[1]:]
			}
		}
	}

	ambiguous := false
	if year == 0 {
		switch {
		case ordinal.MatchString(s):
			m := ordinal.FindStringSubmatch(s)
			n := atoi(m[2])
			if n < 1 || n > 366 {
				return time.Time{}, missing
			}
			year = atoi(m[1])
			t := time.Date(year, 1, n, 0, 0, 0, 0, time.UTC)
			month, day = int(t.Month()), t.Day()
		case isoDate.MatchString(s):
			m := isoDate.FindStringSubmatchIndex(s)
			year, month, day = atoi(s[m[2]:m[3]]), 1, 1
			if m[4] >= 0 {
				month = atoi(s[m[4]:m[5]])
			}
			if m[6] >= 0 {
				day = atoi(s[m[6]:m[7]])
			}
			s = s[m[3]:]
		case yearFirst.MatchString(s):
			m := yearFirst.FindStringSubmatch(s)
			year, month, day = atoi(m[1]), atoi(m[2]), atoi(m[3])
		case yearLast.MatchString(s):
			m := yearLast.FindStringSubmatch(s)
			day, month, year = atoi(m[1]), atoi(m[3]), century(m[4])
			switch {
			case m[2] == "." || day > 12: // 31.12.2026
			case month > 12 || d.certain && d.monthly:
				day, month = month, day
			case d.certain || day == month:
			default:
				ambiguous = true
				if d.country == "US" {
					day, month = month, day
				}
			}
			if len(m[4]) == 2 {
				ambiguous = true
			}
		}
	}

	var numbers []string
	strange := false
	monthWord, after := 0, false // after the time of day, where zones stand
	for _, w := range wordOrNum.FindAllString(s, -1) {
		if w[0] >= '0' && w[0] <= '9' {
			numbers = append(numbers, w)
			continue
		}
		if w == "@" {
			after = true
			continue
		}
		if n := months[w]; n != 0 && (monthWord == 0 || len(numbers) > 0) {
			monthWord = n // "Mar, 24 Set": the weekday comes before the day
			continue
		}
		if off, ok := zones[w]; ok && !zoned {
			if w == "cst" && zoneOf[d.country] == 8*time.Hour {
				off = 8 * time.Hour
			}
			zone, zoned = off, true
			continue
		}
		if after && unknownZone(w) {
			strange = true
		}
	}
	if year == 0 {
		if monthWord == 0 {
			return time.Time{}, missing
		}
		month = monthWord
		for _, n := range numbers {
			v := atoi(n)
			switch {
			case len(n) == 4 && year == 0:
				year = v
			case len(n) <= 2 && v >= 1 && v <= 31 && day == 0:
				day = v
			case len(n) == 2 && year == 0:
				year = century(n)
			}
		}
		if day == 0 && len(numbers) <= 1 { // "July 2026"
			day, ambiguous = 1, true
		}
	}
	if month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 61 || year == 0 {
		return time.Time{}, missing
	}
	if hour == 24 && (minute > 0 || second > 0) {
		return time.Time{}, missing
	}
	if second > 59 { // leap seconds
		second = 59
	}
	switch {
	case zoned:
	case zoneOfScript >= 0:
		zone, quality = zoneOfScript, inferred
	default:
		zone, quality = zoneOf[d.country], inferred
	}
	if ambiguous || strange && !zoned {
		quality = inferred
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	if t.Day() != day && hour != 24 { // 31 June
		return time.Time{}, missing
	}
	return sane(t.Add(-zone), quality)
}

func (d *dater) zone() *time.Location {
	if off := zoneOf[d.country]; off != 0 {
		return time.FixedZone("", int(off/time.Second))
	}
	return time.UTC
}

func unknownZone(w string) bool {
	return len(w) >= 2 && len(w) <= 5 && !strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' })
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// century completes a year of two digits as RFC 2822 (4.3) does, with the
// turn at 70 as POSIX has it.
func century(s string) int {
	n := atoi(s)
	switch {
	case len(s) > 2:
		return n
	case n < 70:
		return 2000 + n
	}
	return 1900 + n
}
