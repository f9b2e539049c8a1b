package notify

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/problem"
)

// times reads quiet hours, digest and limit.
func (l *loader) times(i int, w writtenDestination, d *Destination, zone *time.Location) {
	here := func(keys ...any) []any { return append([]any{"destinations", i}, keys...) }
	clockAt := func(s string, keys ...any) minute {
		m, err := parseMinute(s)
		if err != nil {
			l.at(here(keys...), "write it in quotes: \"07:30\"", "%s is not a time of the day", problem.Quote(s))
		}
		return m
	}
	days := func(words []string, keys ...any) (out []time.Weekday) {
		for j, s := range words {
			day, ok := weekdays[strings.ToLower(s)]
			if !ok {
				l.at(here(append(keys, j)...), "mon, tue, wed, thu, fri, sat, sun", "%s is no day of the week", problem.Quote(s))
			}
			out = append(out, day)
		}
		return out
	}
	if q := w.Quiet; q != nil {
		d.quiet = &quiet{from: clockAt(q.From, "quiet", "from"), to: clockAt(q.To, "quiet", "to"),
			zone: l.zone(q.Zone, zone, here("quiet", "zone")...), days: days(q.Days, "quiet", "days"), criticalWaits: q.Critical == "waits"}
		if d.quiet.from == d.quiet.to && (len(q.Days) == 0 || len(q.Days) > 6) && q.From != "" {
			l.at(here("quiet"), "use disabled: REASON to switch a destination off", "quiet hours that never end")
		}
		if q.Critical != "" && q.Critical != "passes" && q.Critical != "waits" {
			l.at(here("quiet", "critical"), "passes or waits", "critical %s is neither", problem.Quote(q.Critical))
		}
		if w.Digest != nil {
			l.at(here("quiet"), "a digest comes at its hours only", "a destination with a digest needs no quiet hours")
		}
	}
	if g := w.Digest; g != nil {
		d.digest = &schedule{zone: l.zone(g.Zone, zone, here("digest", "zone")...), days: days(g.Days, "digest", "days")}
		if len(g.At) == 0 {
			l.at(here("digest"), "at: [\"07:30\"]", "digest says no hour")
		}
		if len(g.At) > 24 {
			l.at(here("digest", "at"), "", "more than 24 digests a day")
		}
		for j, s := range g.At {
			d.digest.at = append(d.digest.at, clockAt(s, "digest", "at", j))
		}
		slices.Sort(d.digest.at)
		d.digest.at = slices.Compact(d.digest.at)
		d.zone = d.digest.zone
	}
	switch {
	case w.Limit != nil:
		per, err := feed.ParseDuration(w.Limit.Per)
		if err != nil || per < time.Second || per > 7*24*time.Hour {
			l.at(here("limit", "per"), "for instance 10m, up to 7d", "per %s is not a span of time", problem.Quote(w.Limit.Per))
		}
		if w.Limit.Messages < 1 || w.Limit.Messages > 10_000 {
			l.at(here("limit", "messages"), "1 to 10000", "%d messages is not a limit", w.Limit.Messages)
		}
		d.limit, d.limitPer = w.Limit.Messages, per
		if w.Digest != nil {
			l.at(here("limit"), "", "a digest needs no limit")
		}
	case w.Service != "webhook": // people; programs take all they get
		d.limit, d.limitPer = 20, 10*time.Minute
	}
}

func (l *loader) zone(name string, otherwise *time.Location, path ...any) *time.Location {
	if name == "" {
		return otherwise
	}
	z, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		l.at(path, "a name of the IANA database: Europe/Berlin, America/New_York, UTC", "%s is no time zone", problem.Quote(name))
		return otherwise
	}
	return z
}

// secret reads where a value lives, and tries whether it is there.
func (l *loader) secret(i int, key string, plain bool) secret {
	path := []any{"destinations", i, key}
	if !problem.Has(problem.Find(l.root, path[:2]...), key) {
		return secret{}
	}
	form := fmt.Sprintf("write %s: {env: NAME}, or {file: PATH}", key)
	n := problem.Find(l.root, path...)
	s := secret{dir: filepath.Dir(l.file)}
	switch {
	case n.Kind == yaml.ScalarNode && plain:
		s.plain = n.Value
		if u, err := url.Parse(n.Value); err == nil && u.User != nil {
			l.at(path, form, "%s holds a password; secrets stay out of files that people share", key)
		}
	case n.Kind != yaml.MappingNode:
		l.at(path, form, "%s holds its value; secrets stay out of files that people share", key)
		return secret{}
	default:
		for j := 0; j+1 < len(n.Content); j += 2 {
			k, v := n.Content[j], problem.Find(n.Content[j+1])
			switch {
			case v.Kind != yaml.ScalarNode || v.Value == "":
				l.list = append(l.list, problem.At(l.file, k, "%s: %s needs a value", key, problem.Quote(k.Value)).WithHint("%s", form))
			case k.Value == "env":
				s.env = v.Value
			case k.Value == "file":
				s.file = v.Value
			default:
				l.list = append(l.list, problem.At(l.file, k, "unknown key %s", problem.Quote(k.Value)).WithHint("%s", form))
			}
		}
		switch {
		case s.env != "" && s.file != "":
			l.at(path, form, "%s has both env and file", key)
			return secret{}
		case s.env != "" && !envForm.MatchString(s.env):
			l.at(path, "letters, digits and _", "%s: %s is not the name of an environment variable", key, problem.Quote(s.env))
			return secret{}
		}
	}
	if !s.given() {
		l.at(path, form, "%s says nothing", key)
		return s
	}
	if _, err := s.read(); err != nil {
		l.at(path, "the daemon reads it at each send: it must be there for its user too", "%s: %v", key, err)
	}
	return s
}
