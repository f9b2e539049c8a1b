package alert

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"newsmonitor/pipeline/rule"
)

// Limits of what the desk may ask for.
const (
	MaxMute   = 30 * 24 * time.Hour
	MaxMutes  = 200 // active ones
	maxName   = 80  // runes
	maxReason = 300
	maxNote   = 500
)

var (
	ErrNotAccepted = errors.New("not accepted") // what the desk asked for breaks a rule of the form; the error says which
	ErrNoMute      = errors.New("there is no such mute")
	ErrNoAlert     = errors.New("there is no such alert")
)

func notAccepted(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotAccepted, fmt.Sprintf(format, args...))
}

var (
	slug   = regexp.MustCompile(`^[a-z0-9-]{1,60}$`)
	digest = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// ValidID says whether s can be the id of an alert.
func ValidID(s string) bool { return digest.MatchString(s) }

// Check says what is wrong with a mute that somebody asks for now, or nil. Id
// and At are not looked at.
func (m Mute) Check(now time.Time) error {
	kind, value := m.Scope.Is()
	set := 0
	for _, v := range []string{m.Scope.Rule, m.Scope.Feed, m.Scope.Channel, m.Scope.Story} {
		if v != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return notAccepted("a mute needs exactly one of rule, feed, channel and story; this one has %d", set)
	case kind == "story" && !digest.MatchString(value):
		return notAccepted("a story is named by 32 hexadecimal digits")
	case kind != "story" && !slug.MatchString(value):
		return notAccepted("a %s is named by lower-case letters, digits and hyphens", kind)
	case !m.Until.After(now):
		return notAccepted("the end of the mute has passed")
	case m.Until.After(now.Add(MaxMute + time.Minute)): // a minute for clocks and for the request's way
		return notAccepted("a mute lasts at most %d days", int(MaxMute.Hours()/24))
	}
	if err := words("name", m.By, 1, maxName); err != nil {
		return err
	}
	return words("reason", m.Reason, 1, maxReason)
}

// Check says what is wrong with an acknowledgement, or nil.
func (a Ack) Check() error {
	if a.Verdict != VerdictSeen && a.Verdict != VerdictNotRelevant {
		return notAccepted("a verdict is %s or %s", VerdictSeen, VerdictNotRelevant)
	}
	if err := words("name", a.By, 1, maxName); err != nil {
		return err
	}
	return words("note", a.Note, 0, maxNote)
}

// CheckName says what is wrong with the name of whoever changes something.
func CheckName(by string) error { return words("name", by, 1, maxName) }

// words checks a line that a person wrote: it goes to pages, terminals and
// chats, so nothing that is not seen may be in it.
func words(what, s string, least, most int) error {
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s), strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return notAccepted("the %s may hold one line of visible characters only", what)
	case n < least, least > 0 && strings.TrimSpace(s) == "":
		return notAccepted("a %s is needed", what)
	case n > most:
		return notAccepted("the %s has %d characters, at most %d are allowed", what, n, most)
	}
	return nil
}

// Is says which field is set, and to what.
func (s Scope) Is() (kind, value string) {
	switch {
	case s.Rule != "":
		return "rule", s.Rule
	case s.Feed != "":
		return "feed", s.Feed
	case s.Channel != "":
		return "channel", s.Channel
	}
	return "story", s.Story
}

// muteSkew is how far the clocks of replicas may lie apart.
const muteSkew = 5 * time.Minute

// Active says whether the mute is in force. One that is yet to be made was made
// by a clock that was ahead: until its end it would last for longer than anybody
// asked for.
func (m Mute) Active(now time.Time) bool {
	return now.Before(m.Until) && !m.At.After(now.Add(muteSkew))
}

// holds says whether the mute is about an alert. A muted rule holds an alert
// back only if no other rule calls for it.
func (m Mute) holds(e Event) bool {
	d := e.Data
	if e.Severity == rule.Critical && !m.Critical {
		return false
	}
	switch kind, value := m.Scope.Is(); kind {
	case "feed":
		return d.Item.Feed == value
	case "channel":
		return d.Channel == value
	case "story":
		return d.Story.ID == value
	default:
		for _, r := range d.Rules {
			if r.ID != value {
				return false
			}
		}
		return len(d.Rules) > 0
	}
}
