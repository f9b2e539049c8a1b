package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"newsmonitor/pipeline/alert"
)

const (
	heartbeat    = 15 * time.Second // a comment, so that a dead connection is noticed at both ends
	writeTimeout = 10 * time.Second // for one event; a client slower than that is cut
	resetEvents  = 100              // that follow a reset
	replayBatch  = 500
)

// streamAlerts sends alerts as they come, as server-sent events whose id is
// the stream's sequence. Last-Event-ID, or after, resumes. A sequence that the
// log does not reach gets an event "reset" (what the client has is of no use)
// and then the newest alerts, in order. Each event is a list's entry.
func (s *Server) streamAlerts(w http.ResponseWriter, r *http.Request) error {
	f, err := s.parseFilter(r.URL.Query(), "after")
	if err != nil {
		return err
	}
	after, resume, err := resumeFrom(r)
	if err != nil {
		return err
	}
	first, last, err := s.cfg.Alerts.Last(r.Context())
	if err != nil {
		return s.unreadable(err)
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	c := s.tail.subscribe()
	if c == nil {
		w.Header().Set("Retry-After", "30")
		return refuse(http.StatusServiceUnavailable, "%d live readers are connected already; try again later", maxClients)
	}
	defer s.tail.unsubscribe(c)

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	out := &sse{w: w, rc: http.NewResponseController(w)}
	w.WriteHeader(http.StatusOK)

	// Subscribed first, so everything above sent reaches c. While the log is
	// still being read, what is old comes that way too: a new client skips it.
	sent := s.index.newest()
	if !resume {
		sent = max(sent, last)
	}
	var missed []uint64
	switch {
	case !resume:
		err = out.raw("retry: 2000\n\n")
	case after > max(last, sent) || after+1 < first:
		err = out.raw(fmt.Sprintf("retry: 2000\n\nevent: reset\ndata: {\"first\":%d,\"last\":%d}\n\n", first, last))
		hits, _ := s.index.list(f, cursor{snapshot: sent}, resetEvents)
		for i := len(hits) - 1; i >= 0; i-- {
			missed = append(missed, hits[i].read)
		}
		after = sent
	default:
		err = out.raw("retry: 2000\n\n")
	}
	if err == nil {
		err = s.replay(r, out, f, missed)
	}
	for resume && err == nil {
		missed = s.index.between(f, after, sent, replayBatch)
		if len(missed) == 0 {
			break
		}
		after = missed[len(missed)-1]
		err = s.replay(r, out, f, missed)
	}
	if err == nil {
		err = s.live(r, out, f, c, max(sent, after))
	}
	if err != nil {
		s.log.Debug("live stream ended", "error", err)
	}
	return nil // the status is out; the client sees the end and resumes
}

func (s *Server) live(r *http.Request, out *sse, f *filter, c *client, sent uint64) error {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-s.closing:
			return nil
		case <-c.cut:
			return fmt.Errorf("client is %d events behind", clientBuffer)
		case <-tick.C:
			if err := out.raw(": still here\n\n"); err != nil {
				return err
			}
		case st := <-c.events:
			if st.Sequence <= sent || !s.index.matches(f, st.Sequence) || (f.query != nil && !f.query(st.Event)) {
				continue
			}
			if err := out.raw(st.message(s.message)); err != nil {
				return err
			}
		}
	}
}

// replay sends stored events; one that has aged out meanwhile is passed.
func (s *Server) replay(r *http.Request, out *sse, f *filter, sequences []uint64) error {
	for _, seq := range sequences {
		select {
		case <-s.closing:
			return errors.New("shutting down")
		default:
		}
		st, err := s.cfg.Alerts.Get(r.Context(), seq)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return err
		}
		if f.query != nil && !f.query(st.Event) {
			continue
		}
		if err := out.raw(s.message(st)); err != nil {
			return err
		}
	}
	return nil
}

// message is a list's entry as a server-sent event.
func (s *Server) message(st alert.Stored) string {
	b, err := json.Marshal(s.entry(st)) // one line: JSON escapes line ends
	if err != nil {
		s.log.Error("encode a live alert", "sequence", st.Sequence, "error", err)
		return ""
	}
	return "id: " + strconv.FormatUint(st.Sequence, 10) + "\ndata: " + string(b) + "\n\n"
}

// resumeFrom prefers the header: a browser that reconnects repeats the URL
// with its old after.
func resumeFrom(r *http.Request) (after uint64, ok bool, err error) {
	w := r.Header.Get("Last-Event-ID")
	if w == "" {
		w = last(r.URL.Query(), "after")
	}
	if w == "" {
		return 0, false, nil
	}
	after, err = strconv.ParseUint(w, 10, 64)
	if err != nil {
		return 0, false, refuse(http.StatusBadRequest, "after %q: it is a sequence, as the events' id", clip(w, 40))
	}
	return min(after, math.MaxUint64-1), true, nil
}

// sse writes with a deadline for each event instead of one for the whole
// answer.
type sse struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (o *sse) raw(text string) error {
	if err := o.rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	return o.rc.Flush()
}
