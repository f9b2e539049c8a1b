package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// chat posts to a chat service that we speak ourselves: these five tell by
// status and body what became of a message, and two of them when to come again.
type chat struct {
	d      *Destination
	client *http.Client
	write  func(d *Destination, p post, address, token string) (request, error)
}

// request is one HTTP request of a chat service.
type request struct {
	method, address string
	body            any
	bearer          string
}

func (c *chat) send(ctx context.Context, p post) error {
	address, err := c.d.url.read()
	if err != nil {
		return secretFault("url", err)
	}
	token, err := c.d.token.read()
	if err != nil {
		return secretFault("token", err)
	}
	r, err := c.write(c.d, p, address, token)
	if err != nil {
		return err
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		return &fault{reason: "refused", text: "the message cannot be encoded", refused: true, message: true}
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if r.bearer != "" {
		h.Set("Authorization", "Bearer "+r.bearer)
	}
	return exchange(ctx, c.client, r.method, r.address, h, body, token, address)
}

// slack is an incoming webhook of Slack.
func slack(_ *Destination, p post, address, _ string) (request, error) {
	return request{http.MethodPost, address, map[string]any{"text": slackMarkup.write(p), "unfurl_links": false, "unfurl_media": false}, ""}, nil
}

// teams is a Workflows webhook of Microsoft Teams with an Adaptive Card: its
// rich text takes words as they are and can highlight some.
func teams(_ *Destination, p post, address, _ string) (request, error) {
	type object = map[string]any
	block := func(text string, more object) object {
		b := object{"type": "RichTextBlock", "inlines": []object{{"type": "TextRun", "text": text}}}
		run := b["inlines"].([]object)[0]
		for k, v := range more {
			run[k] = v
		}
		return b
	}
	open := func(title, to string) object { return object{"type": "Action.OpenUrl", "title": title, "url": to} }
	var body, actions []object
	if p.kind == "alert" && len(p.messages) == 1 {
		m := &p.messages[0]
		color := object{"weight": "Bolder"}
		if m.severity == "critical" || m.severity == "high" {
			color["color"] = "Attention"
		}
		body = append(body, block(m.head(), color), block(m.title, object{"size": "Large", "weight": "Bolder"}), block(m.who, object{"isSubtle": true}))
		var runs []object
		for _, s := range m.passage {
			run := object{"type": "TextRun", "text": s.Text}
			if s.Mark {
				run["highlight"], run["weight"] = true, "Bolder"
			}
			runs = append(runs, run)
		}
		if len(runs) > 0 {
			body = append(body, object{"type": "RichTextBlock", "inlines": runs})
		}
		body = append(body, block(m.when, object{"isSubtle": true}))
		for _, s := range m.also {
			body = append(body, block(s, object{"isSubtle": true}))
		}
		if m.link != "" {
			actions = append(actions, open("Read it", m.link))
		}
		if m.page != "" {
			actions = append(actions, open("Why, and mute", m.page))
		} else {
			body = append(body, block(plainMarkup.mute(m), object{"isSubtle": true}))
		}
		for _, n := range p.notes {
			body = append(body, block(n, object{"isSubtle": true}))
		}
	} else {
		text := plainMarkup
		text.limit = 15000
		for line := range strings.SplitSeq(text.write(p), "\n") {
			body = append(body, block(line, nil))
		}
		if p.page != "" {
			actions = append(actions, open("Open the page", p.page+"/"))
		}
	}
	card := object{"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.4", "body": body}
	if len(actions) > 0 {
		card["actions"] = actions
	}
	return request{http.MethodPost, address, object{"type": "message", "attachments": []object{
		{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}, ""}, nil
}

// matrix sends to a room with the post's id as transaction id: the server
// itself drops a repeat.
func matrix(d *Destination, p post, address, token string) (request, error) {
	to := strings.TrimRight(address, "/") + "/_matrix/client/v3/rooms/" + url.PathEscape(d.room) + "/send/m.room.message/" + p.id
	plain := plainMarkup
	plain.limit = matrixMarkup.limit
	return request{http.MethodPut, to, map[string]any{"msgtype": "m.text", "body": plain.write(p), "format": "org.matrix.custom.html",
		"formatted_body": matrixMarkup.write(p), "m.mentions": map[string]any{}}, token}, nil
}

// ntfy publishes as JSON to the server; the topic is the address's last word.
func ntfy(_ *Destination, p post, address, token string) (request, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return request{}, &fault{reason: "secret", text: "the address is no URL", refused: true}
	}
	path := strings.Trim(u.Path, "/")
	topic := path[strings.LastIndexByte(path, '/')+1:]
	u.Path, u.RawPath = "/"+strings.TrimSuffix(path, topic), ""
	body := map[string]any{"topic": topic, "markdown": true}
	priority := map[string]int{"low": 2, "medium": 3, "high": 4, "critical": 5}
	if p.kind == "alert" && len(p.messages) == 1 {
		m := &p.messages[0]
		lines := markdownMarkup.one(m)[2:] // head and title have a place of their own
		for _, n := range p.notes {
			lines = append(lines, markdownMarkup.escape(n))
		}
		body["title"], body["message"] = clip(m.head()+": "+m.title, 200), strings.Join(lines, "\n\n")
		body["priority"], body["tags"] = priority[string(m.severity)], m.channels
		if m.link != "" {
			body["click"] = m.link
		} else if m.page != "" {
			body["click"] = m.page
		}
	} else {
		body["title"], body["priority"] = p.headline, 3
		text := markdownMarkup
		body["message"] = strings.TrimPrefix(text.write(p), text.bold[0]+text.escape(p.headline)+text.bold[1]+text.newline)
		if len(p.messages) > 0 {
			body["priority"] = priority[string(p.messages[0].severity)]
		}
		if p.page != "" {
			body["click"] = p.page + "/"
		}
	}
	return request{http.MethodPost, u.String(), body, token}, nil
}

// telegram sends through a bot.
func telegram(d *Destination, p post, address, token string) (request, error) {
	if address == "" {
		address = "https://api.telegram.org"
	}
	if strings.ContainsAny(token, "/?#% ") {
		return request{}, &fault{reason: "secret", text: "the token is not a bot's", refused: true}
	}
	return request{http.MethodPost, strings.TrimRight(address, "/") + "/bot" + token + "/sendMessage", map[string]any{
		"chat_id": d.chat, "text": telegramMarkup.write(p), "parse_mode": "HTML", "link_preview_options": map[string]any{"is_disabled": true},
		"disable_notification": p.kind == "alert" && len(p.messages) == 1 && p.messages[0].severity == "low"}, ""}, nil
}

// newSender makes the sender of a destination.
func newSender(d *Destination, now func() time.Time) sender {
	switch d.Service {
	case "webhook":
		return &webhook{d, newClient(), now}
	case "mail":
		return &mailer{d: d, now: now}
	case "shoutrrr":
		return &library{d: d}
	}
	write := map[string]func(*Destination, post, string, string) (request, error){
		"slack": slack, "teams": teams, "matrix": matrix, "ntfy": ntfy, "telegram": telegram}[d.Service]
	return &chat{d, newClient(), write}
}
