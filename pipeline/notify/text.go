package notify

import (
	"fmt"
	"html"
	"strings"
)

// markup is how a medium writes; escape makes a stranger's text harmless in it.
type markup struct {
	escape       func(string) string
	bold         [2]string
	mark         [2]string
	link         func(text, url string) string // text is escaped
	newline      string
	bullet       string
	limit        int  // bytes of one message, with room to spare
	titleIsALink bool // the title itself carries the link
}

func htmlLink(text, url string) string {
	return `<a href="` + html.EscapeString(url) + `">` + text + `</a>`
}

var (
	plainMarkup = markup{
		escape: func(s string) string { return s }, mark: [2]string{"«", "»"}, newline: "\n", bullet: "- ", limit: 1800,
		link: func(text, url string) string { return text + " " + url },
	}
	// slackMarkup: &, < and > are all that Slack obeys in a text; a formatting
	// character in somebody's words gets a word joiner, so that it pairs with
	// nothing.
	slackMarkup = markup{
		escape: func(s string) string {
			return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "\u2060*\u2060", "_", "\u2060_\u2060", "~", "\u2060~\u2060", "`", "\u2060`\u2060").Replace(s)
		},
		bold: [2]string{"*", "*"}, mark: [2]string{"*", "*"}, newline: "\n", bullet: "• ", limit: 3500, titleIsALink: true,
		link: func(text, url string) string {
			return "<" + strings.NewReplacer("&", "&amp;").Replace(url) + "|" + strings.ReplaceAll(text, "|", "¦") + ">"
		},
	}
	// markdownMarkup is ntfy's.
	markdownMarkup = markup{
		escape: escapeMarkdown, bold: [2]string{"**", "**"}, mark: [2]string{"**", "**"}, newline: "\n\n", bullet: "- ", limit: 3000,
		link: func(text, url string) string { return "[" + text + "](" + url + ")" },
	}
	// telegramMarkup: parse_mode HTML knows a handful of elements and keeps line ends.
	telegramMarkup = markup{
		escape: func(s string) string { // a name in somebody's words calls nobody
			return strings.ReplaceAll(html.EscapeString(s), "@", "@\u200b")
		},
		bold: [2]string{"<b>", "</b>"}, mark: [2]string{"<b>", "</b>"}, newline: "\n", bullet: "• ", limit: 3500,
		link: htmlLink, titleIsALink: true,
	}
	// matrixMarkup is org.matrix.custom.html.
	matrixMarkup = markup{
		escape: html.EscapeString, bold: [2]string{"<b>", "</b>"}, mark: [2]string{`<span data-mx-bg-color="#fff3a3" data-mx-color="#000000">`, "</span>"},
		newline: "<br>", bullet: "• ", limit: 20000, link: htmlLink, titleIsALink: true,
	}
)

// escapeMarkdown puts a backslash before every mark that Markdown may obey.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for i, r := range s {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~-", r) && (r != '-' || i == 0) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// write says the post in a medium's own markup.
func (m markup) write(p post) string {
	var lines []string
	strong := func(s string) string { return m.bold[0] + s + m.bold[1] }
	switch {
	case p.kind == "alert" && len(p.messages) == 1:
		lines = m.one(&p.messages[0])
	default:
		lines = append(lines, strong(m.escape(p.headline)))
		left, shown := m.limit-len(p.headline)-400, 0
		for i := range p.messages {
			line := m.brief(&p.messages[i])
			if left -= len(line); left < 0 {
				break
			}
			lines = append(lines, line)
			shown++
		}
		if more := p.more + len(p.messages) - shown; more > 0 {
			text := fmt.Sprintf("and %d more", more)
			if p.page != "" {
				text = m.link(text, p.page+"/")
			}
			lines = append(lines, text)
		}
	}
	for _, n := range p.notes {
		lines = append(lines, m.escape(n))
	}
	return strings.Join(lines, m.newline)
}

// one is an alert alone: what, who, why, when, where, and how to have less.
func (m markup) one(a *message) []string {
	strong := func(s string) string { return m.bold[0] + s + m.bold[1] }
	title := m.escape(a.title)
	linked := a.link != "" && m.titleIsALink
	if linked {
		title = m.link(title, a.link)
	}
	lines := []string{strong(m.escape(a.head())), title, m.escape(a.who)}
	if p := m.passage(a); p != "" {
		lines = append(lines, p)
	}
	lines = append(lines, m.escape(a.when))
	if a.link != "" && !linked {
		lines = append(lines, strings.TrimSpace(m.link("", a.link)))
		if m.escape("*") != "*" { // a medium of its own: a name for the link
			lines[len(lines)-1] = m.link("Read it", a.link)
		}
	}
	for _, s := range a.also {
		lines = append(lines, m.escape(s))
	}
	return append(lines, m.mute(a))
}

func (m markup) mute(a *message) string {
	if a.page == "" {
		return m.escape("To have less: narrow this destination's channels or raise its severity.")
	}
	text := "Why, and mute"
	if m.bold[0] == "" { // plain text: the address follows
		text += ":"
	}
	return m.link(text, a.page)
}

func (m markup) passage(a *message) string {
	var b strings.Builder
	for _, p := range a.passage {
		if p.Mark {
			b.WriteString(m.mark[0] + m.escape(p.Text) + m.mark[1])
		} else {
			b.WriteString(m.escape(p.Text))
		}
	}
	return b.String()
}

// brief is an alert among others: one line.
func (m markup) brief(a *message) string {
	to := a.link
	if to == "" {
		to = a.page
	}
	title := m.escape(clip(a.title, 160))
	if to != "" {
		title = m.link(title, to)
	}
	return m.bullet + m.escape(a.head()+": ") + title + m.escape(" ("+clip(a.who, 120)+")")
}
