package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
)

// duration is a flag's time: Go's form, and d and w for days and weeks.
type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	v, err := feed.ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = duration(v)
	return nil
}

// backlog is a duration, or all.
type backlog time.Duration

func (b *backlog) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "all":
		*b = backlog(poll.BacklogAll)
	case "0":
		*b = 0
	default:
		v, err := feed.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%w, or all", err)
		}
		*b = backlog(v)
	}
	return nil
}

// size is a number of bytes: 8GiB, 500MB, 1048576.
type size int64

var units = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

func (s *size) UnmarshalText(b []byte) error {
	for _, u := range units {
		number, ok := strings.CutSuffix(string(b), u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v <= 0 || math.IsNaN(v) || v*u.bytes > 1<<62 {
			break
		}
		*s = size(v * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size: write 8MiB, 500MB or a number of bytes", b)
}

// bytesText is a size for people.
func bytesText(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// ago is how long ago something was, for people.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < 0:
		return "in " + short(-d)
	case d < time.Second:
		return "now"
	}
	return short(d) + " ago"
}

func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// safe makes a stranger's text fit for a terminal line: what a feed wrote must
// not move the cursor, and must not read from right to left by force.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e || r == 0x200f, r == 0xfeff:
			return -1
		}
		return r
	}, s)
}

// style paints for people; without a terminal, or with NO_COLOR, it does not.
type style struct{ on bool }

func styleFor(w any) style {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return style{}
	}
	info, err := f.Stat()
	return style{err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(t string) string  { return s.paint("1", t) }
func (s style) faint(t string) string { return s.paint("2", t) }

// mark shows matched words: inverted on a terminal, in brackets elsewhere.
func (s style) mark(t string) string {
	if t == "" {
		return ""
	}
	if s.on {
		return s.paint("1;33", t)
	}
	return "[" + t + "]"
}

func (s style) severity(name string) string {
	code := map[string]string{"critical": "1;97;41", "high": "1;31", "medium": "33", "low": "2"}[name]
	return s.paint(code, name)
}
