package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Handler serves the feeds as they stand at now(), each with its index page and
// a page for every item, so that links lead somewhere. Nothing runs in the
// background: what is there is a function of the clock, start and pace (1 as
// written, 2 twice as fast, 0 everything at once).
//
// Items are dated start plus their offset, not with the day of 2014 or 2015 on
// which the thing happened: the daemon holds back what is older than its
// --backlog, and a story that is told now has to be news now. The real day
// stands in the text.
func (s *Story) Handler(now func() time.Time, start time.Time, pace float64) http.Handler {
	start = start.UTC()
	mux := http.NewServeMux()
	for _, src := range s.Sources {
		mux.HandleFunc("GET "+src.path(), func(w http.ResponseWriter, r *http.Request) {
			t := now()
			base := "" // HTTP/1.0 may not say; relative links will do then
			if r.Host != "" {
				base = "http://" + r.Host
			}
			ch := s.channel(src, base, t, start, pace)
			body, err := formats[src.Format].render(ch)
			if err != nil {
				http.Error(w, "this feed cannot be written", http.StatusInternalServerError)
				return
			}
			serveFeed(w, r, formats[src.Format].contentType, body, ch.updated, t)
		})
	}
	mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) {
		for i, e := range s.Told(now(), start, pace) {
			if r.PathValue("id") == itemID(start, i) {
				page(w, itemPage, map[string]any{"Lang": e.Lang, "Source": s.source(e.Feed).Title, "Event": e, "Paragraphs": e.paragraphs()})
				return
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page(w, indexPage, s.Feeds(""))
	})
	return mux
}

// Serve plays the story on ln from now on until ctx ends, and closes ln.
func (s *Story) Serve(ctx context.Context, ln net.Listener, pace float64) error {
	srv := &http.Server{
		Handler:           s.Handler(time.Now, time.Now(), pace),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		_ = srv.Close() // the documents are small: nobody is halfway through one for long
	})
	err := srv.Serve(ln)
	if !stop() {
		<-stopped
	}
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the demonstration's feeds: %w", err)
}

// serveFeed answers with the body, or with 304. The ETag is strong: the same
// items give the same bytes. Last-Modified is left out in the second in which
// an item has just appeared, when it could not tell two bodies apart (RFC 9110,
// 8.8.2.2).
func serveFeed(w http.ResponseWriter, r *http.Request, contentType string, body []byte, updated, now time.Time) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache") // keep it, but ask each time
	sum := sha256.Sum256(body)
	h.Set("ETag", fmt.Sprintf(`"%x"`, sum[:16]))
	h.Set("X-Content-Type-Options", "nosniff")
	if now.Sub(updated) < time.Second {
		updated = time.Time{}
	}
	http.ServeContent(w, r, "", updated, bytes.NewReader(body))
}

// channel is what a feed holds at a moment, in no format yet.
type channel struct {
	Source
	self, home string
	updated    time.Time // of the newest item, else the start
	items      []item    // newest first
}

type item struct {
	Event
	id, link  string
	published time.Time // whole seconds: what the formats and HTTP dates can say
}

func (s *Story) channel(src Source, base string, now, start time.Time, pace float64) channel {
	ch := channel{Source: src, self: base + src.path(), home: base + "/", updated: start.Truncate(time.Second)}
	for i, e := range s.Told(now, start, pace) {
		if e.Feed != src.ID {
			continue
		}
		id := itemID(start, i)
		it := item{Event: e, id: "urn:newsmonitor:demo:" + id, link: base + "/items/" + id,
			published: start.Add(scale(e.at, pace)).Truncate(time.Second)}
		ch.items = append([]item{it}, ch.items...)
		ch.updated = it.published
	}
	return ch
}

// itemID differs from one demonstration to the next, so that one told again
// into the same data folder is news again.
func itemID(start time.Time, i int) string {
	return strconv.FormatInt(start.Unix(), 10) + "-" + fmt.Sprintf("%02d", i+1)
}

func (s *Story) source(id string) Source {
	for _, src := range s.Sources {
		if src.ID == id {
			return src
		}
	}
	return Source{}
}

var itemPage = template.Must(template.New("item").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><title>{{.Event.Title}}</title></head>
<body><p><a href="/">{{.Source}}</a></p>
<h1>{{.Event.Title}}</h1>
<p><strong>{{.Event.Summary}}</strong></p>
{{range .Paragraphs}}<p>{{.}}</p>
{{end}}<p>{{.Event.Author}}</p></body></html>
`))

var indexPage = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Feeds of the demonstration</title></head>
<body><h1>Feeds of the demonstration</h1>
<p>Invented feeds that tell 2014 and 2015 again, for <code>monitor demo</code>. None of this comes from the offices it names.</p>
<ul>{{range .}}<li><a href="{{.URL}}">{{.Title}}</a></li>
{{end}}</ul></body></html>
`))

func page(w http.ResponseWriter, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		http.Error(w, "this page cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b.Bytes()) // a reader who has left needs no answer
}
