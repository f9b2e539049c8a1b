package web

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// part is a piece of text; the template escapes it and sets mark around what
// made a rule match.
type part struct {
	Text string
	Mark bool
	List string // the shared list that the word came from
}

// span is a marked place, in bytes, half-open.
type span struct {
	start, end int
	list       string
}

// parts cuts text at its spans. Spans that overlap become one; one that does
// not fit the text is left out, because an event may come from an older
// version or another writer.
func parts(text string, spans []span) []part {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s span) bool {
		return s.start < 0 || s.end > len(text) || s.start >= s.end || !boundary(text, s.start) || !boundary(text, s.end)
	})
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var out []part
	at := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		for i++; i < len(spans) && spans[i].start < s.end; i++ {
			s.end = max(s.end, spans[i].end)
		}
		if s.start > at {
			out = append(out, part{Text: text[at:s.start]})
		}
		out = append(out, part{text[s.start:s.end], true, s.list})
		at = s.end
	}
	if at < len(text) {
		out = append(out, part{Text: text[at:]})
	}
	return out
}

func boundary(text string, i int) bool { return i == len(text) || utf8.RuneStart(text[i]) }

// markField marks the evidence of one of the item's fields, of which text is
// the beginning.
func markField(text, field string, rules []rule.Match) []part {
	var spans []span
	for _, m := range rules {
		for _, e := range m.Evidence {
			if e.Field == field && e.Start >= 0 && e.Start < e.End && e.End <= len(text) && text[e.Start:e.End] == e.Text {
				spans = append(spans, span{e.Start, e.End, e.List})
			}
		}
	}
	return parts(text, spans)
}

// passage is what stands below the title: the rule's snippet, else the
// beginning of the summary. Empty when that would only say the title again.
func passage(d alert.Data) []part {
	text := ""
	if len(d.Rules) > 0 {
		text = d.Rules[0].Snippet
	}
	if text == "" || strings.Contains(d.Item.Title, strings.Trim(text, "… ")) {
		text = d.Item.Summary
	}
	if text == "" || text == d.Item.Title {
		return nil
	}
	return markPassage(text, d)
}

// markPassage finds the evidence in a passage that was cut from a field. Where
// the field is in the event its offsets decide; where it is not (content),
// the words around the evidence do.
func markPassage(text string, d alert.Data) []part {
	var spans []span
	base := strings.Index(d.Item.Summary, strings.Trim(text, "… "))
	lead := len(text) - len(strings.TrimLeft(text, "… "))
	for _, m := range d.Rules {
		for _, e := range m.Evidence {
			switch at := e.Start - base + lead; {
			case e.Text == "":
			case e.Field == "summary" && base >= 0:
				if at >= 0 && at+len(e.Text) <= len(text) && text[at:at+len(e.Text)] == e.Text {
					spans = append(spans, span{at, at + len(e.Text), e.List})
				}
			case e.Field == "summary" || e.Field == "content":
				if at, ok := locate(text, e); ok {
					spans = append(spans, span{at, at + len(e.Text), e.List})
				}
			}
		}
	}
	return parts(text, spans)
}

// locate finds where evidence stands in a passage by its neighbours on both
// sides, as far as the passage reaches.
func locate(text string, e rule.Evidence) (at int, ok bool) {
	text, before, after := oneLine(text), strings.Trim(oneLine(e.Before), "… "), strings.Trim(oneLine(e.After), "… ")
	word := oneLine(e.Text)
	for from := 0; from < len(text); {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return 0, false
		}
		at := from + i
		left := strings.Trim(text[:at], "… ")
		right := strings.Trim(text[at+len(word):], "… ")
		n, m := min(len(left), len(before)), min(len(right), len(after))
		if left[len(left)-n:] == before[len(before)-n:] && right[:m] == after[:m] {
			return at, true
		}
		from = at + len(word)
	}
	return 0, false
}

// oneLine keeps offsets: a line end and a blank are both one byte.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }

// webLink returns the link if it is one that a browser may follow, else "":
// only the web's own schemes, with a host.
func webLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return u.String()
}
