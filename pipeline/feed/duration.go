package feed

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads durations as people write them here: Go's form plus d
// for days of 24 hours and w for weeks, largest unit first or not: "90d",
// "1w2d", "1h30m".
func ParseDuration(s string) (time.Duration, error) {
	rest, negative := strings.TrimSpace(s), false
	if rest == "" {
		return 0, errors.New("an empty duration")
	}
	if rest == "0" {
		return 0, nil
	}
	if rest[0] == '-' || rest[0] == '+' {
		negative, rest = rest[0] == '-', rest[1:]
	}
	var sum time.Duration
	bad := fmt.Errorf("%q is not a duration such as 15m, 12h, 90d or 2w", cut(s, 40))
	if rest == "" {
		return 0, bad
	}
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i <= 0 {
			return 0, bad
		}
		number := rest[:i]
		rest = rest[i:]
		if j := strings.IndexFunc(rest, func(r rune) bool { return r == '.' || r >= '0' && r <= '9' }); j >= 0 {
			i = j
		} else {
			i = len(rest)
		}
		unit := rest[:i]
		rest = rest[i:]
		var part time.Duration
		switch unit {
		case "d", "w":
			f, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return 0, bad
			}
			hours := 24.0
			if unit == "w" {
				hours *= 7
			}
			f *= hours * float64(time.Hour)
			if f >= math.MaxInt64 {
				return 0, fmt.Errorf("%q is longer than 292 years", cut(s, 40))
			}
			part = time.Duration(f)
		default:
			d, err := time.ParseDuration(number + unit)
			if err != nil {
				return 0, bad
			}
			part = d
		}
		if sum > math.MaxInt64-part {
			return 0, fmt.Errorf("%q is longer than 292 years", cut(s, 40))
		}
		sum += part
	}
	if negative {
		sum = -sum
	}
	return sum, nil
}

// FormatDuration writes d so that ParseDuration reads it back, in the largest
// units that divide it.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d > 0 && d%(7*day) == 0:
		return fmt.Sprintf("%dw", d/(7*day))
	case d > 0 && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// cut shortens s to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
