package notify

import (
	"slices"
	"strings"
	"unicode/utf8"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// passage is the sentence that shows best why the alert was raised: the
// strongest rule's snippet, else the beginning of the summary, with the words
// of the evidence marked. Empty when it would only say the title again.
func passage(d *alert.Data) []part {
	text, rules := "", d.Rules
	if len(d.Rules) > 0 {
		text, rules = d.Rules[0].Snippet, d.Rules[:1] // the words of every rule would mark half the sentence
	}
	if strings.Trim(text, "… ") == "" || strings.Contains(d.Item.Title, strings.Trim(text, "… ")) {
		text = clip(d.Item.Summary, 300)
	}
	if strings.Trim(text, "… ") == "" || text == d.Item.Title {
		return nil
	}
	return clean(mark(text, rules))
}

// mark finds the evidence in a passage by its words and their neighbours: the
// passage was cut from a field, so that offsets do not hold in it.
func mark(text string, rules []rule.Match) []part {
	type span struct{ start, end int }
	var spans []span
	text = strings.ReplaceAll(text, "\n", " ")
	for _, m := range rules {
		for _, e := range m.Evidence {
			if e.Field != "summary" && e.Field != "content" && e.Field != "title" || e.Text == "" {
				continue
			}
			if at, ok := locate(text, e); ok {
				spans = append(spans, span{at, at + len(e.Text)})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var out []part
	at := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		for i++; i < len(spans) && spans[i].start <= s.end; i++ {
			s.end = max(s.end, spans[i].end)
		}
		if s.start > at {
			out = append(out, part{Text: text[at:s.start]})
		}
		out = append(out, part{text[s.start:s.end], true})
		at = s.end
	}
	if at < len(text) {
		out = append(out, part{Text: text[at:]})
	}
	return out
}

// locate finds where evidence stands in a passage: where its neighbours on
// both sides agree as far as the passage reaches.
func locate(text string, e rule.Evidence) (int, bool) {
	word := strings.ReplaceAll(e.Text, "\n", " ")
	before, after := neighbour(e.Before), neighbour(e.After)
	for from := 0; from < len(text); {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return 0, false
		}
		at := from + i
		left, right := neighbour(text[:at]), neighbour(text[at+len(word):])
		n, m := min(len(left), len(before)), min(len(right), len(after))
		if left[len(left)-n:] == before[len(before)-n:] && right[:m] == after[:m] && whole(text, at, at+len(word)) {
			return at, true
		}
		from = at + len(word)
	}
	return 0, false
}

func neighbour(s string) string { return strings.Trim(strings.ReplaceAll(s, "\n", " "), "… ") }

func whole(text string, start, end int) bool {
	return utf8.RuneStart(text[start]) && (end == len(text) || utf8.RuneStart(text[end]))
}

// clean takes out of each part what a medium could obey; blanks at its ends
// are kept, because they stand between the parts.
func clean(parts []part) []part {
	out := parts[:0]
	for _, p := range parts {
		text := oneLine(p.Text, 1000)
		if strings.TrimLeft(p.Text, " \t\n") != p.Text {
			text = " " + text
		}
		if strings.TrimRight(p.Text, " \t\n") != p.Text && strings.TrimSpace(text) != "" {
			text += " "
		}
		if text != "" {
			out = append(out, part{text, p.Mark})
		}
	}
	return out
}
