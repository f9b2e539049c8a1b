package notify

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

//go:embed letter.html
var letterHTML string

var letterPage = template.Must(template.New("letter").Funcs(template.FuncMap{
	"upper": func(s any) string { return strings.ToUpper(fmt.Sprint(s)) },
	"join":  strings.Join,
	"color": func(s any) template.CSS {
		return map[string]template.CSS{"critical": "#a4001d", "high": "#b34700", "medium": "#6b5900", "low": "#555555"}[fmt.Sprint(s)]
	},
}).Parse(letterHTML))

// section is the part of a letter about one channel.
type section struct {
	Channel  string
	Messages []view
}

// view is a message as the template sees it.
type view struct {
	Severity, Was, Title, Who, When, Link, Page, Lang string
	Channels                                          []string
	Passage                                           []part
	Also                                              []string
}

const maxSections = 500 // messages in one letter; the rest is counted

// compose writes the letter: RFC 5322 with a plain and an HTML part that say
// the same.
func compose(d *Destination, p post, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	multi := multipart.NewWriter(nil)
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	domain := helloName(d)
	header("Date", p.at.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	header("From", d.from.String())
	if len(d.to) == 1 {
		header("To", d.to[0].String())
	} else { // readers of a list do not see each other
		header("To", (&mail.Address{Name: d.Name, Address: d.from.Address}).String())
	}
	header("Subject", encode(subject(p)))
	header("Message-ID", "<"+p.id+"."+d.Name+"@"+domain+">")
	if p.kind == "alert" && len(p.messages) == 1 && p.messages[0].story != "" { // mail programs put a story's letters together
		header("References", "<story."+p.messages[0].story+"@"+domain+">")
	}
	unsubscribe := d.unsubscribe
	if unsubscribe == "" {
		unsubscribe = "mailto:" + d.from.Address + "?subject=unsubscribe%20" + d.Name
	}
	header("List-Unsubscribe", "<"+unsubscribe+">")
	if strings.HasPrefix(unsubscribe, "https:") {
		header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	header("List-ID", "newsmonitor "+d.Name+" <"+d.Name+".newsmonitor."+domain+">")
	header("Auto-Submitted", "auto-generated")
	if p.kind == "alert" && len(p.messages) == 1 && p.messages[0].severity == "critical" {
		header("Importance", "high")
	}
	header("MIME-Version", "1.0")
	header("Content-Type", `multipart/alternative; boundary="`+multi.Boundary()+`"`)
	b.WriteString("\r\n")

	out := multipart.NewWriter(&b)
	if err := out.SetBoundary(multi.Boundary()); err != nil {
		return nil, err
	}
	page, err := letterBody(d, p)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct{ typ, body string }{{"text/plain", letterText(d, p)}, {"text/html", page}} {
		w, err := out.CreatePart(textproto.MIMEHeader{"Content-Type": {part.typ + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(w)
		if _, err := q.Write([]byte(strings.ReplaceAll(part.body, "\n", "\r\n"))); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// encode folds a long header line too: an encoded word has at most 75 bytes.
func encode(s string) string {
	words := mime.QEncoding.Encode("utf-8", s)
	if words == s && len(s) > 60 {
		words = mime.QEncoding.Encode("utf-8", s+"\u200b")
		words = strings.ReplaceAll(words, "=E2=80=8B", "")
	}
	return strings.ReplaceAll(words, "?= =?", "?=\r\n =?")
}

func subject(p post) string {
	if p.kind == "alert" && len(p.messages) == 1 {
		m := &p.messages[0]
		update := ""
		if m.was != "" {
			update = " (was " + string(m.was) + ")"
		}
		return fmt.Sprintf("[%s%s] %s · %s", m.severity, update, clip(m.title, 160), clip(m.who, 80))
	}
	return p.headline
}

// sections puts each message below its strongest channel, the strongest
// channel first.
func sections(p post) (out []section) {
	at := map[string]int{}
	for _, m := range first(p.messages, maxSections) {
		name := m.channels[0]
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, section{Channel: name})
		}
		out[i].Messages = append(out[i].Messages, view{Severity: string(m.severity), Was: string(m.was), Title: m.title, Who: m.who, When: m.when,
			Link: m.link, Page: m.page, Lang: m.language, Channels: m.channels, Passage: m.passage, Also: m.also})
	}
	return out
}

// letterText is the plain part.
func letterText(d *Destination, p post) string {
	var b strings.Builder
	if p.kind != "alert" {
		b.WriteString(p.headline + "\n" + strings.Repeat("=", min(len([]rune(p.headline)), 72)) + "\n\n")
	}
	for _, l := range p.mutes {
		b.WriteString("! " + l + "\n")
	}
	if len(p.mutes) > 0 {
		b.WriteByte('\n')
	}
	for _, s := range sections(p) {
		if p.kind != "alert" {
			b.WriteString(strings.ToUpper(s.Channel) + "\n\n")
		}
		for _, m := range s.Messages {
			head := strings.ToUpper(m.Severity)
			if m.Was != "" {
				head += " (raised from " + m.Was + ")"
			}
			fmt.Fprintf(&b, "[%s] %s\n    %s\n", head, m.Title, m.Who)
			if len(m.Channels) > 1 || p.kind == "alert" {
				fmt.Fprintf(&b, "    %s\n", strings.Join(m.Channels, ", "))
			}
			if len(m.Passage) > 0 {
				b.WriteString("    ")
				for _, w := range m.Passage {
					if w.Mark {
						b.WriteString("«" + w.Text + "»")
					} else {
						b.WriteString(w.Text)
					}
				}
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "    %s\n", m.When)
			if m.Link != "" {
				fmt.Fprintf(&b, "    %s\n", m.Link)
			}
			for _, a := range m.Also {
				fmt.Fprintf(&b, "    %s\n", a)
			}
			if m.Page != "" {
				fmt.Fprintf(&b, "    Why, and mute: %s\n", m.Page)
			}
			b.WriteByte('\n')
		}
	}
	if n := unshown(p); n > 0 {
		fmt.Fprintf(&b, "and %d more\n\n", n)
	}
	for _, n := range p.notes {
		b.WriteString(n + "\n")
	}
	b.WriteString("\n-- \n" + footer(d) + "\n")
	if d.page != "" {
		b.WriteString(d.page + "/\n")
	}
	return b.String()
}

func unshown(p post) int { return p.more + max(0, len(p.messages)-maxSections) }

// footer says whose letter it is and how to have fewer.
func footer(d *Destination) string {
	s := fmt.Sprintf("newsmonitor, destination %s: severity %s and above", d.Name, d.severity)
	if len(d.channels) > 0 {
		s += ", channels " + strings.Join(d.channels, ", ")
	}
	return s + ". To have less, ask for a narrower filter, or unsubscribe."
}

func letterBody(d *Destination, p post) (string, error) {
	var b bytes.Buffer
	err := letterPage.Execute(&b, map[string]any{"Alert": p.kind == "alert", "Headline": p.headline, "Subject": subject(p), "Sections": sections(p),
		"More": unshown(p), "Notes": p.notes, "Mutes": p.mutes, "Footer": footer(d), "Page": d.page})
	return b.String(), err
}
