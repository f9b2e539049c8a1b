package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
)

// post is what one send brings: one alert, several that waited together, a
// digest or a test. The id is the same at each attempt, so that a receiver can
// drop what it has.
type post struct {
	id       string
	kind     string // alert, collected, digest, held, test
	headline string // of everything but a single alert
	messages []message
	more     int      // alerts that are only counted
	mutes    []string // one line each, before the messages: what is held back, by whom and until when
	notes    []string // one line each: what was not pushed, and why
	event    *alert.Event
	page     string
	at       time.Time
}

// message is an alert for people.
type message struct {
	alert    string // id
	story    string // id of the story's first alert
	severity rule.Severity
	was      rule.Severity // of an update
	channels []string      // strongest first
	title    string
	who      string // who speaks, tier, country
	passage  []part // the sentence that matched
	when     string
	link     string   // of the item, safe to follow; empty without one
	page     string   // of the alert on our page; empty without one
	also     []string // who told it before, one line each
	language string
}

// part is a piece of a passage; Mark is set on the words that made a rule match.
type part struct {
	Text string
	Mark bool
}

const (
	maxTitle = 300 // characters of a title in a message
	maxLink  = 800 // bytes; a longer one is left to the page
)

// newMessage says of an alert what a person needs to decide whether to look.
func newMessage(e *alert.Event, d *Destination) message {
	data := &e.Data
	m := message{
		alert: data.ID, story: data.Story.ID, severity: e.Severity, was: data.Was, title: clip(oneLine(data.Item.Title, 2000), maxTitle),
		who: who(data), passage: passage(data), when: when(data, e.Time, d.zone), link: webLink(data.Item.Link),
		language: data.Item.Language,
	}
	if m.title == "" {
		m.title = "(without a title)"
	}
	m.channels = []string{data.Channel}
	for _, c := range data.Channels {
		if !slices.Contains(m.channels, c) && d.takesChannel(c) && !d.perChannel {
			m.channels = append(m.channels, c)
		}
	}
	if d.page != "" {
		m.page = d.page + "/alerts/" + url.PathEscape(data.ID)
	}
	for i, c := range first(data.Story.Also, 3) {
		word := "also: "
		if i == 0 && e.Type != alert.Updated {
			word = "also now; told before: " // it was raised for who speaks: not news to everybody
		}
		m.also = append(m.also, word+clip(oneLine(cmp.Or(c.Title, c.Feed), 400), 120)+" ("+oneLine(c.Feed, 60)+")")
	}
	if n := len(data.Story.Also) - 3; n > 0 {
		m.also = append(m.also, fmt.Sprintf("and %d more sources", n))
	}
	return m
}

// head is "HIGH (was medium) · sanctions, attribution".
func (m *message) head() string {
	s := strings.ToUpper(string(m.severity))
	if m.was != "" {
		s += " (raised from " + string(m.was) + ")"
	}
	return s + " · " + strings.Join(m.channels, ", ")
}

// who is who speaks: the voice where one was recognised, else the publisher.
func who(d *alert.Data) string {
	name, tier, country := cmp.Or(d.Source.Title, d.Source.ID), d.Source.Tier, d.Source.Country
	out := []string{oneLine(name, 120)}
	if v := d.Voice; v != nil && v.ID != "" {
		tier, country = cmp.Or(v.Tier, tier), cmp.Or(v.Country, country)
		how := "in "
		if v.Reported {
			how = "reported by "
		}
		out = []string{oneLine(v.Title, 120), how + oneLine(name, 120)}
	}
	if tier != "" {
		out = append(out, oneLine(tier, 40))
	}
	if country != "" {
		out = append(out, feed.CountryName(oneLine(country, 20)))
	}
	return strings.Join(out, " · ")
}

// when is the time that the item declares, and how much later we told.
func when(d *alert.Data, raised time.Time, zone *time.Location) string {
	const form = "Mon 2 Jan 2006, 15:04 MST"
	published := d.Item.Published
	if published.IsZero() {
		return "undated, seen " + raised.In(zone).Format(form)
	}
	s := published.In(zone).Format(form)
	if late := raised.Sub(published); late >= time.Hour {
		s += ", seen " + span(late) + " later"
	}
	return s
}

func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// webLink returns the link if people may follow it, else "".
func webLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || len(link) > maxLink {
		return ""
	}
	s := u.String()
	if strings.ContainsAny(s, "<>\"' \\|^`{}()[]*") { // what some medium takes for its own
		s = strings.NewReplacer("<", "%3C", ">", "%3E", `"`, "%22", "'", "%27", " ", "%20", `\`, "%5C", "|", "%7C", "^", "%5E", "`", "%60",
			"{", "%7B", "}", "%7D", "(", "%28", ")", "%29", "[", "%5B", "]", "%5D", "*", "%2A").Replace(s)
	}
	return s
}

// oneLine takes out of a stranger's text what a terminal, a header or the
// direction of other people's text would obey, and cuts it.
func oneLine(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x061C, r == 0xFEFF, r == utf8.RuneError,
			r >= 0xE0000 && r <= 0xE007F, r >= 0xFFF9 && r <= 0xFFFB:
			return -1
		}
		return r
	}, s)
	return clip(s, n)
}

// clip shortens to n characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:max(0, n-1)]), " ") + "…"
}

// digestID is the identity of a post that holds several alerts.
func digestID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// strongest sorts messages for a reader who stops half-way.
func strongest(ms []message) {
	slices.SortStableFunc(ms, func(a, b message) int { return cmp.Compare(b.severity.Rank(), a.severity.Rank()) })
}
