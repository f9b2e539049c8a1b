package poll

import (
	"fmt"
	"strings"
	"time"
)

// Event tells of a feed, not of its items (design.md 4.4: the data of
// newsmonitor.feed.<event>.v1). Text is a sentence or two for people and says
// what to do. URL is the configured one; NewURL is the only text that a
// server had a hand in: an absolute http(s) address in plain ASCII.
type Event struct {
	Feed        string    `json:"feed"`
	Event       string    `json:"event"` // one of Events
	State       string    `json:"state"`
	Was         string    `json:"was,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	Reason      string    `json:"reason,omitempty"`
	Text        string    `json:"text"`
	Failures    int       `json:"failures"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastNewItem time.Time `json:"last_new_item,omitzero"`
	URL         string    `json:"url,omitempty"`
	NewURL      string    `json:"new_url,omitempty"`
}

// States of a feed.
const (
	StatePending  = "pending"  // never answered yet
	StateOK       = "ok"       //
	StateFailing  = "failing"  // the last poll failed
	StateSilent   = "silent"   // answers, but has had no news for longer than is usual
	StateGone     = "gone"     // said 410 and meant it
	StateDisabled = "disabled" // not watched; the catalogue says why
)

// AllStates in the order of the manual.
var AllStates = []string{StatePending, StateOK, StateFailing, StateSilent, StateGone, StateDisabled}

// Kinds of events.
const (
	EventFailing   = "failing"
	EventSilent    = "silent"
	EventGone      = "gone"
	EventRecovered = "recovered"
	EventMoved     = "moved"
	EventFlood     = "flood"
	EventGap       = "gap"
)

// Events are the kinds; each is a token of a subject.
var Events = []string{EventFailing, EventSilent, EventGone, EventRecovered, EventMoved, EventFlood, EventGap}

// event describes a feed as st has it.
func event(id, kind string, st State, was, text string) Event {
	return Event{Feed: id, Event: kind, State: st.State, Was: was, Since: st.Since, Reason: st.Reason, Text: text,
		Failures: st.Failures, LastSuccess: st.LastSuccess, LastNewItem: st.LastNew, URL: st.URL, NewURL: st.NewURL}
}

// sentence makes one of a clause: capital, full stop.
func sentence(clause string) string {
	if clause == "" {
		return ""
	}
	return strings.ToUpper(clause[:1]) + clause[1:] + "."
}

func failingText(st State) string {
	return strings.TrimSpace(sentence(st.Error) + " " + Advice(st.Reason, st.Status))
}

func goneText(st State) string {
	return fmt.Sprintf("The publisher says that the feed is gone for good (status 410, %d times). "+
		"We ask once a week; look for its new address, or disable it with a reason.", st.Gone)
}

func recoveredText(was State, now time.Time) string {
	return fmt.Sprintf("Answers again after %s and %d failed polls. Nothing to do; what the feed no longer lists was missed.",
		now.Sub(was.Since).Round(time.Second), was.Failures)
}

func movedText(st State) string {
	elsewhere := ""
	if hostOf(st.URL) != hostOf(st.NewURL) {
		elsewhere = ", on another host"
	}
	return fmt.Sprintf("The server says that the feed has moved for good to %s%s. Check that it is the same publisher and change the url in feeds.yaml.",
		st.NewURL, elsewhere)
}

func silentText(r Rhythm, now time.Time) string {
	return fmt.Sprintf("Answers, but its newest item is from %s, %s ago; until then it was never quiet for more than %s. "+
		"Open the publisher's page: if there is news, the feed was left behind, so look for its successor; if not, nothing to do.",
		r.last().Format(time.DateOnly), short(now.Sub(r.last())), short(r.longest()))
}

func floodText(held, listed int) string {
	return fmt.Sprintf("%d of %d listed items are new but old or undated: stored and matched, their alerts are not pushed. "+
		"Look whether the feed was rebuilt or taken over.", held, listed)
}

func gapText(listed int, last time.Time) string {
	return fmt.Sprintf("None of the %d items listed now was listed at the last good poll (%s): items between the two may be missed. "+
		"Look at the publisher's page, and poll more often (every).", listed, last.UTC().Format(time.RFC3339))
}
