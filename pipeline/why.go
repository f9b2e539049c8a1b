package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/stream"
	"newsmonitor/pipeline/web"
)

// Verdicts on a link or title, from the one that says most to the one that
// says least.
const (
	verdictRaised     = "raised"
	verdictMuted      = "muted"
	verdictFolded     = "folded"
	verdictHeld       = "held"
	verdictNoMatch    = "no-match"
	verdictNotSeen    = "not-seen"
	verdictNotWatched = "not-watched"
)

var verdicts = []string{verdictRaised, verdictMuted, verdictFolded, verdictHeld, verdictNoMatch, verdictNotSeen, verdictNotWatched}

// why explains what became of a link or a title.
func (q *inquiry) why(ctx context.Context, words string) (web.Reason, error) {
	words = strings.Join(strings.Fields(words), " ")
	out := web.Reason{Query: words, Items: []web.ReasonItem{}}
	found, back, err := q.lookUp(ctx, words)
	if err != nil {
		return out, err
	}
	if len(found) == 0 {
		out.Verdict, out.Text = q.unseen(ctx, words, back)
		return out, nil
	}
	for _, f := range found {
		it, err := q.became(ctx, f.seq, f.item)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, it)
	}
	best := out.Items[0]
	for _, it := range out.Items[1:] {
		if slices.Index(verdicts, it.Verdict) < slices.Index(verdicts, best.Verdict) {
			best = it
		}
	}
	out.Verdict, out.Text = best.Verdict, best.Text
	if n := len(out.Items); n > 1 {
		out.Text += fmt.Sprintf(" (%d stored items are meant; of each see below.)", n)
	}
	return out, nil
}

type lookedFor struct {
	seq  uint64
	item feed.Item
}

// lookUp finds the stored items that a link or title means, the newest first
// and of each the newest revision, and says how far back it looked.
func (q *inquiry) lookUp(ctx context.Context, words string) (out []lookedFor, back time.Time, err error) {
	var wanted func([]byte) bool
	means := func(it feed.Item) bool { return strings.Contains(strings.ToLower(it.Title), strings.ToLower(words)) }
	if u := asLink(words); u != nil {
		link := feed.Canonical(words)
		if path := []byte(u.EscapedPath()); len(path) > 1 {
			wanted = func(b []byte) bool { return bytes.Contains(b, path) }
		}
		means = func(it feed.Item) bool { return feed.Canonical(it.Link) == link || feed.Canonical(it.GUID) == link }
	}
	archive := q.store.Archive()
	if back, err = archive.First(ctx); err != nil {
		return nil, back, err
	}
	seen := map[string]bool{}
	end := time.Now().Add(askingTime)
	err = archive.Newest(ctx, time.Time{}, wanted, func(seq uint64, it feed.Item) error {
		if time.Now().After(end) {
			back = it.Fetched
			return stream.ErrEnough
		}
		if key := it.Feed + "/" + it.Key; !seen[key] && means(it) {
			seen[key] = true
			out = append(out, lookedFor{seq, it})
			if len(out) == maxLookedFor {
				return stream.ErrEnough
			}
		}
		return nil
	})
	return out, back, err
}

func asLink(words string) *url.URL {
	if u, err := url.Parse(words); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return u
	}
	return nil
}

// unseen explains what is not stored.
func (q *inquiry) unseen(ctx context.Context, words string, back time.Time) (verdict, text string) {
	since := "nothing is stored yet"
	if !back.IsZero() {
		since = "items are stored since " + minute(back)
	}
	u := asLink(words)
	if u == nil {
		return verdictNotSeen, "No stored item has this in its title; " + since + "."
	}
	host := site(u.Host)
	var watched, off []string
	states := map[string]poll.Status{}
	if q.states != nil {
		for _, st := range q.states(ctx) {
			states[st.Feed.ID] = st
		}
	}
	for _, f := range q.config().Feeds {
		fu, err := url.Parse(f.URL)
		switch {
		case err != nil || f.URL == "" || !sameSite(site(fu.Host), host):
		case f.Disabled != "":
			off = append(off, f.ID+" ("+f.Disabled+")")
		default:
			watched = append(watched, f.ID+stateText(states[f.ID]))
		}
	}
	switch {
	case len(watched) > 0:
		return verdictNotSeen, fmt.Sprintf("Not in what we read of %s; %s. What a feed did not list while we asked, or listed under another link, is not seen.", host, since) +
			" Its feeds: " + listed(watched) + "."
	case len(off) > 0:
		return verdictNotWatched, fmt.Sprintf("The feeds of %s are not watched: %s.", host, listed(off))
	}
	return verdictNotWatched, fmt.Sprintf("No feed of the catalogue comes from %s.", host)
}

func stateText(st poll.Status) string {
	switch {
	case st.Feed.ID == "":
		return ""
	case st.LastSuccess.IsZero():
		return " (" + st.State + ", never read)"
	case st.State == poll.StateOK:
		return " (last read " + minute(st.LastSuccess) + ")"
	}
	return fmt.Sprintf(" (%s since %s, last read %s)", st.State, minute(st.Since), minute(st.LastSuccess))
}

func site(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	return strings.TrimPrefix(host, "www.")
}

// sameSite: feeds often live on another host of the publisher's.
func sameSite(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) && strings.Contains(b, ".") || strings.HasSuffix(b, "."+a) && strings.Contains(a, ".")
}

func listed(s []string) string {
	const most = 8
	if len(s) > most {
		return strings.Join(s[:most], ", ") + fmt.Sprintf(" and %d more", len(s)-most)
	}
	return strings.Join(s, ", ")
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// became says what happened to one stored item.
func (q *inquiry) became(ctx context.Context, seq uint64, it feed.Item) (web.ReasonItem, error) {
	out := web.ReasonItem{Feed: it.Feed, Key: it.Key, Title: it.Title, Link: it.Link, Fetched: it.Fetched, Held: it.Held,
		Raised: []web.RaisedAs{}, Sent: []string{}, Nearest: []web.NearestRule{}}
	events, err := q.alertsOf(ctx, it)
	if err != nil {
		return out, err
	}
	var raised, folded []alert.Stored
	told := map[string]bool{} // channels
	for _, st := range events {
		out.Raised = append(out.Raised, raisedAs(st))
		told[st.Event.Data.Channel] = true
		if st.Folded {
			folded = append(folded, st)
		} else {
			raised = append(raised, st)
		}
	}
	set := q.config().Rules
	now := set.Match(it)
	matches := map[string]bool{}
	for _, h := range now.Channels {
		matches[h.Channel] = true
	}
	for _, ch := range set.Channels() {
		if told[ch.Slug] || matches[ch.Slug] {
			continue
		}
		if near := set.Nearest(ch.Slug, it); len(near) > 0 {
			out.Nearest = append(out.Nearest, web.NearestRule{Channel: ch.Slug, Rule: near[0].Rule, Failed: near[0].Clause})
		}
	}
	switch {
	case len(raised) > 0:
		out.Verdict, out.Text = verdictRaised, q.raisedText(raised, &out)
	case len(folded) > 0:
		out.Verdict, out.Text = foldedText(folded[0].Event)
	default:
		out.Verdict, out.Text = verdictNoMatch, q.unmatchedText(ctx, seq, now, set, it)
	}
	return out, nil
}

func (q *inquiry) raisedText(raised []alert.Stored, out *web.ReasonItem) string {
	var in, waits []string
	for _, st := range raised {
		in = append(in, fmt.Sprintf("%s (%s)", st.Event.Data.Channel, st.Event.Severity))
		if q.passed == nil {
			continue
		}
		sent, not := q.passed(st)
		out.Sent, waits = append(out.Sent, sent...), append(waits, not...)
	}
	slices.Sort(out.Sent)
	slices.Sort(waits)
	out.Sent, waits = slices.Compact(out.Sent), slices.Compact(waits)
	text := fmt.Sprintf("Raised %s in %s", minute(raised[0].Event.Time), strings.Join(in, ", "))
	switch {
	case raised[0].Event.Data.Backlog:
		text += "; it came with the feed's first poll, so it is not pushed"
	case len(out.Sent) > 0:
		text += "; sent to " + listed(out.Sent)
	case q.passed != nil && len(waits) == 0:
		text += "; no destination takes it"
	}
	if len(waits) > 0 {
		text += "; waiting for " + listed(waits)
	}
	return text + "."
}

// foldedText says why an alert was stored and not pushed.
func foldedText(e alert.Event) (verdict, text string) {
	d := e.Data
	where := fmt.Sprintf("an alert in %s (%s) was stored %s and not pushed", d.Channel, e.Severity, minute(e.Time))
	f := alert.Fold{}
	if d.Folded != nil {
		f = *d.Folded
	}
	switch f.Reason {
	case alert.FoldStory:
		under := ""
		if len(d.Story.Also) > 0 {
			first := d.Story.Also[0]
			under = fmt.Sprintf(" under %q of %s", first.Title, first.Feed)
		}
		return verdictFolded, fmt.Sprintf("Folded%s: it repeats a story; %s.", under, where)
	case alert.FoldMute:
		return verdictMuted, fmt.Sprintf("Muted by %s until %s: %s.", f.By, minute(f.Until), where)
	case alert.FoldFlood:
		return verdictHeld, fmt.Sprintf("Held, as the feed brought many old items at a time: %s.", where)
	}
	return verdictHeld, fmt.Sprintf("Held, as it was old when the feed was first read: %s.", where)
}

// unmatchedText explains why nothing at all was stored of an item's alerts.
func (q *inquiry) unmatchedText(ctx context.Context, seq uint64, now rule.Result, set *rule.Set, it feed.Item) string {
	if q.judged != nil {
		if last, ok := q.judged(ctx); ok && last < seq {
			return fmt.Sprintf("Fetched %s and not judged yet: the rules are %d items behind.", minute(it.Fetched), seq-last)
		}
	}
	if len(now.Channels) > 0 {
		h := now.Channels[0]
		return fmt.Sprintf("No rule matched it when it was fetched, %s; today's rules would raise it in %s (%s), by %s. Rules do not look back: monitor replay does.",
			minute(it.Fetched), h.Channel, h.Severity, h.Rules[0].ID)
	}
	var best rule.Near
	for _, ch := range set.Channels() {
		if near := set.Nearest(ch.Slug, it); len(near) > 0 && near[0].Share > best.Share {
			best = near[0]
		}
	}
	text := fmt.Sprintf("No rule matches it (fetched %s).", minute(it.Fetched))
	if best.Rule != "" {
		text += fmt.Sprintf(" The nearest, %s, fails at %s.", best.Rule, best.Clause)
	}
	return text
}
