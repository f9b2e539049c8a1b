package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"newsmonitor/pipeline/feed"
)

//go:embed static
var files embed.FS

// assets are the files of static/ that are served; the rest are templates.
var assets = map[string]string{
	"app.css":  "text/css; charset=utf-8",
	"app.js":   "text/javascript; charset=utf-8",
	"icon.svg": "image/svg+xml",
}

// pages are the templates, and the assets' hashes, which the pages name so
// that a browser takes the new file after an upgrade.
type pages struct {
	list, alert, sources, login, error    *template.Template
	mute, ack, test, timeline, ask, rules *template.Template
	assets                                map[string][]byte
	hashes                                map[string]string
}

func newPages() (*pages, error) {
	p := &pages{assets: map[string][]byte{}, hashes: map[string]string{}}
	for name := range assets {
		b, err := files.ReadFile("static/" + name)
		if err != nil {
			return nil, fmt.Errorf("read page files: %w", err)
		}
		sum := sha256.Sum256(b)
		p.assets[name], p.hashes[name] = b, hex.EncodeToString(sum[:6])
	}
	base, err := template.New("base.html").Funcs(template.FuncMap{
		"asset":   func(name string) string { return "/static/" + name + "?v=" + p.hashes[name] },
		"region":  feed.CountryName,
		"plural":  plural,
		"number":  number,
		"clip":    clip,
		"weblink": webLink,
		"words":   words,
	}).ParseFS(files, "static/base.html", "static/item.html", "static/desk.html")
	if err != nil {
		return nil, fmt.Errorf("parse page templates: %w", err)
	}
	for name, to := range map[string]**template.Template{"list.html": &p.list, "alert.html": &p.alert,
		"sources.html": &p.sources, "login.html": &p.login, "error.html": &p.error, "mute.html": &p.mute, "ack.html": &p.ack, "test.html": &p.test,
		"timeline.html": &p.timeline, "ask.html": &p.ask, "rules.html": &p.rules} {
		t, err := base.Clone()
		if err == nil {
			*to, err = t.ParseFS(files, "static/"+name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse page template %s: %w", name, err)
		}
	}
	return p, nil
}

// render writes a whole page or an error, never half of one.
func (s *Server) render(w http.ResponseWriter, t *template.Template, status int, view any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return fmt.Errorf("render %s: %w", t.Name(), err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

func (s *Server) static(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	b, ok := s.pages.assets[name]
	if !ok {
		return errNotFound
	}
	h := w.Header()
	h.Set("Content-Type", assets[path.Base(name)])
	h.Set("ETag", `"`+s.pages.hashes[name]+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == s.pages.hashes[name] {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	return nil
}

// when is a moment for people: Text says how long ago, the rest exactly.
type when struct {
	Machine string // RFC 3339
	Exact   string
	Text    string
}

func newWhen(t, now time.Time) when {
	if t.IsZero() {
		return when{}
	}
	t = t.UTC()
	return when{t.Format(time.RFC3339), t.Format("Mon 2 Jan 2006 15:04:05 UTC"), relative(t, now)}
}

// relative is what the script on the page says too; change both.
func relative(t, now time.Time) string {
	d, ahead := now.Sub(t), false
	if d < 0 {
		d, ahead = -d, true
	}
	var text string
	switch {
	case d < 45*time.Second:
		return "now"
	case d < 90*time.Minute:
		text = strconv.Itoa(max(1, int(d.Round(time.Minute)/time.Minute))) + " min"
	case d < 36*time.Hour:
		text = strconv.Itoa(int(d.Round(time.Hour)/time.Hour)) + " h"
	case d < 100*24*time.Hour:
		text = strconv.Itoa(int(d.Round(24*time.Hour)/(24*time.Hour))) + " d"
	default:
		return t.Format("2 Jan 2006")
	}
	if ahead {
		return "in " + text
	}
	return text + " ago"
}

func dayLabel(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	label := t.Format("Monday 2 January")
	if t.Year() != now.Year() {
		label = t.Format("Monday 2 January 2006")
	}
	switch t.Format(time.DateOnly) {
	case now.Format(time.DateOnly):
		return "Today, " + label
	case now.AddDate(0, 0, -1).Format(time.DateOnly):
		return "Yesterday, " + label
	}
	return label
}

func interval(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Round(time.Minute)/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d.Round(time.Hour)/time.Hour)) + " h"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return number(n) + " " + one
	}
	return number(n) + " " + many
}

// number groups thousands.
func number(n int) string {
	s := strconv.Itoa(n)
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}
