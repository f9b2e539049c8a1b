package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// showAlert prints one event for people: when, how severe, what about, who
// said it, the words that matched, where.
func showAlert(w io.Writer, st style, e alert.Event) {
	d := e.Data
	what := d.Channel
	switch {
	case e.Type == alert.Updated:
		what += " (was " + string(d.Was) + ")"
	case d.Folded != nil:
		what += " (folded: " + d.Folded.Reason + ")"
	case d.Backlog:
		what += " (backlog)"
	}
	fmt.Fprintf(w, "%s  %s  %s\n", st.faint(e.Time.Local().Format("15:04:05")), st.severity(string(e.Severity)), st.bold(what))
	fmt.Fprintf(w, "    %s\n", marked(st, d, "title", d.Item.Title))
	who := d.Source.Title
	if who == "" {
		who = d.Item.Feed
	}
	parts := []string{safe(who)}
	if d.Voice != nil {
		parts = append(parts, "voice: "+safe(d.Voice.Title))
	}
	tier := d.Source.Tier
	if d.Voice != nil && d.Voice.Tier != "" {
		tier = d.Voice.Tier
	}
	parts = append(parts, tier)
	if len(d.States) > 0 {
		parts = append(parts, strings.Join(d.States, " "))
	}
	fmt.Fprintf(w, "    %s\n", st.faint(strings.Join(parts, " · ")))
	if len(d.Rules) > 0 {
		if line := because(st, d.Rules[0]); line != "" {
			fmt.Fprintf(w, "    %s\n", line)
		}
		var ids []string
		for _, r := range d.Rules {
			ids = append(ids, r.ID)
		}
		fmt.Fprintf(w, "    %s\n", st.faint("rules: "+strings.Join(ids, ", ")))
	}
	if d.Item.Link != "" {
		fmt.Fprintf(w, "    %s\n", st.faint(safe(d.Item.Link)))
	}
}

// because shows the passage outside the title that says best why a rule
// matched, with its words marked; "" when the title says it all.
func because(st style, r rule.Match) string {
	var words []string
	outside := false
	for _, e := range r.Evidence {
		outside = outside || e.Field != "title"
		if e.Text != "" && !slices.Contains(words, e.Text) {
			words = append(words, e.Text)
		}
	}
	if !outside {
		return ""
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // North Korean before Korean
	var b strings.Builder
	for text := r.Snippet; text != ""; {
		at, word := len(text), ""
		for _, w := range words {
			if i := wordIndex(text, w); i >= 0 && i < at {
				at, word = i, w
			}
		}
		b.WriteString(safe(text[:at]) + st.mark(safe(word)))
		text = text[at+len(word):]
	}
	return b.String()
}

// wordIndex is strings.Index that finds no Latin word inside another.
func wordIndex(text, word string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return -1
		}
		i += from
		end := i + len(word)
		if (i == 0 || !letter(text[i-1]) || !letter(word[0])) && (end == len(text) || !letter(text[end]) || !letter(word[len(word)-1])) {
			return i
		}
		from = i + 1
	}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// marked returns a field's text with the matched words marked.
func marked(st style, d alert.Data, field, text string) string {
	var spans []rule.Evidence
	for _, r := range d.Rules {
		for _, e := range r.Evidence {
			if e.Field == field && 0 <= e.Start && e.Start < e.End && e.End <= len(text) {
				spans = append(spans, e)
			}
		}
	}
	slices.SortFunc(spans, func(a, b rule.Evidence) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if s.Start < at {
			continue // inside the one before
		}
		b.WriteString(safe(text[at:s.Start]) + st.mark(safe(text[s.Start:s.End])))
		at = s.End
	}
	return b.String() + safe(text[at:])
}

func first[T any](s []T, n int) []T { return s[:min(n, len(s))] }

func head(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
