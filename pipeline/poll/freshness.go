package poll

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest caps every wish of a server: nobody can make us go away for longer
// than a day by one header.
const longest = 24 * time.Hour

// retryAfter reads Retry-After (RFC 9110, 10.2.3) in seconds or as a date. A
// date counts from the server's own clock when it tells it. Nonsense is 0.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if d, ok := seconds(v); ok {
		return d
	}
	if t, err := http.ParseTime(v); err == nil {
		return clip(t.Sub(serverTime(h, now)))
	}
	return 0
}

// freshFor is how long the answer stays fresh (RFC 9111, 4.2): max-age less
// Age, else Expires less Date. no-store and no-cache mean no wish at all.
func freshFor(h http.Header, now time.Time) time.Duration {
	var maxAge time.Duration
	var said bool
	for _, line := range h.Values("Cache-Control") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				if d, ok := seconds(strings.Trim(strings.TrimSpace(value), `"`)); ok && !said {
					maxAge, said = d, true
				}
			}
		}
	}
	if said {
		age, _ := seconds(strings.TrimSpace(h.Get("Age")))
		return clip(maxAge - age)
	}
	if t, err := http.ParseTime(h.Get("Expires")); err == nil {
		return clip(t.Sub(serverTime(h, now)))
	}
	return 0
}

// serverTime is the server's clock if it tells it: Expires and Retry-After
// are written by that clock, which may be days off ours.
func serverTime(h http.Header, now time.Time) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return now
}

// seconds reads delta-seconds. Digits only; what overflows is the cap.
func seconds(v string) (time.Duration, bool) {
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 10, 62)
	if err != nil || n > uint64(longest/time.Second) {
		return longest, true
	}
	return time.Duration(n) * time.Second, true
}

func clip(d time.Duration) time.Duration { return min(max(d, 0), longest) }
