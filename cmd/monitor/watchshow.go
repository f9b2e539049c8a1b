package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"newsmonitor/pipeline/alert"
)

// watched prints an item with all its channels: when, how severe, what; the
// title with its words marked and its link behind it; who said it; why.
func watched(w io.Writer, st style, e alert.Event) {
	d := e.Data
	var more []string
	for _, c := range d.Channels {
		if c != d.Channel && slug(c) {
			more = append(more, c)
		}
	}
	what := st.bold(d.Channel)
	if len(more) > 0 {
		what += st.faint(" + " + strings.Join(more, ", "))
	}
	if e.Type == alert.Updated {
		what += st.faint(" (was " + string(d.Was) + ")")
	}
	fmt.Fprintf(w, "%s  %s  %s\n", st.faint(e.Time.Local().Format("15:04:05")), st.severity(string(e.Severity)), what)
	title, linked := st.link(d.Item.Link, marked(st, d, "title", d.Item.Title))
	fmt.Fprintf(w, "    %s\n", title)
	who := d.Source.Title
	if who == "" {
		who = d.Item.Feed
	}
	parts := []string{safe(who)}
	tier := d.Source.Tier
	if d.Voice != nil {
		parts = append(parts, "voice: "+safe(d.Voice.Title))
		if d.Voice.Tier != "" {
			tier = d.Voice.Tier
		}
	}
	parts = append(parts, safe(tier))
	if len(d.States) > 0 {
		parts = append(parts, safe(strings.Join(d.States, " ")))
	}
	fmt.Fprintf(w, "    %s\n", st.faint(strings.Join(parts, " · ")))
	if n := len(d.Story.Also); n > 0 {
		fmt.Fprintf(w, "    %s\n", st.faint("also: "+alsoText(d.Story.Also)))
	}
	if len(d.Rules) > 0 {
		if line := because(st, d.Rules[0]); line != "" {
			fmt.Fprintf(w, "    %s\n", line)
		}
		fmt.Fprintf(w, "    %s\n", st.faint("rule: "+safe(d.Rules[0].ID)))
	}
	if d.Item.Link != "" && !linked {
		fmt.Fprintf(w, "    %s\n", st.faint(safe(d.Item.Link)))
	}
}

// alsoText names the other carriers of a story.
func alsoText(also []alert.Carrier) string {
	feeds, seen := []string{}, map[string]bool{}
	for _, c := range also {
		if !seen[c.Feed] {
			seen[c.Feed] = true
			feeds = append(feeds, safe(c.Feed))
		}
	}
	if len(feeds) > 3 {
		return strings.Join(feeds[:3], ", ") + fmt.Sprintf(" and %d more", len(feeds)-3)
	}
	return strings.Join(feeds, ", ")
}

const maxLink = 2000 // bytes; terminals stop about there

// link puts a web address behind a text (OSC 8), on a terminal and when the
// address holds nothing but printable ASCII: it stands inside an escape
// sequence, which nothing of a feed may end. The second result is false when
// the reader has to be shown the address.
func (s style) link(to, text string) (string, bool) {
	if !s.on || to == "" || len(to) > maxLink {
		return text, false
	}
	for i := range len(to) {
		if to[i] <= ' ' || to[i] >= 0x7f {
			return text, false
		}
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return text, false
	}
	return "\x1b]8;;" + to + "\x1b\\" + text + "\x1b]8;;\x1b\\", true
}
