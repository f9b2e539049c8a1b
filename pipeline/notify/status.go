package notify

import (
	"context"
	"fmt"
	"time"

	"newsmonitor/pipeline/alert"
)

// States of a destination.
const (
	StateOK       = "ok"
	StateWaiting  = "waiting" // for its hour
	StateFailing  = "failing"
	StateDisabled = "disabled"
	StateStandby  = "standing by" // another process serves it, or it starts
)

// Status is a destination for the sources page, /api/v1/status and `monitor
// status`. It holds no secret.
type Status struct {
	Name          string    `json:"name"`
	Service       string    `json:"service"`
	State         string    `json:"state"`
	LastDelivered time.Time `json:"last_delivered,omitzero"`
	Undelivered   int       `json:"undelivered"`          // alerts that it takes and has not acknowledged
	More          bool      `json:"more,omitempty"`       // at least so many
	LastError     string    `json:"last_error,omitempty"` // in words
	FailingSince  time.Time `json:"failing_since,omitzero"`
	Passed        int       `json:"passed,omitempty"` // messages that it found wrong
	Next          time.Time `json:"next,omitzero"`    // digest, or end of the quiet hours
	Text          string    `json:"text"`             // a sentence
}

const maxUndelivered = 1000 // that are counted

func (p *pusher) status(ctx context.Context) Status {
	now := time.Now()
	p.mu.Lock()
	s := Status{Name: p.d.Name, Service: p.d.Service, State: StateOK, LastDelivered: p.lastDelivered, LastError: p.lastError,
		FailingSince: p.failingSince, Passed: p.passed}
	at := map[string]uint64{}
	for k, v := range p.places {
		at[k] = v
	}
	p.mu.Unlock()
	switch {
	case p.d.Disabled != "":
		s.State, s.Text = StateDisabled, "not used: "+oneLine(p.d.Disabled, 200)
		return s
	case !s.FailingSince.IsZero():
		s.State = StateFailing
	case len(at) == 0:
		s.State, s.Text = StateStandby, "standing by: another process serves it"
		return s
	case p.d.digest != nil:
		s.State, s.Next = StateWaiting, p.d.digest.next(now)
	case p.d.quiet != nil && p.d.quiet.covers(now):
		s.State, s.Next = StateWaiting, p.d.quiet.ends(now)
	}
	for name, seq := range at {
		n, more := p.undelivered(ctx, name, seq, func(*alert.Event) {})
		s.Undelivered += n
		s.More = s.More || more
	}
	s.Text = s.sentence()
	return s
}

// undelivered shows the alerts after a place that the reader there will send,
// and counts them. Several of one item count once as far as they stand
// together.
func (p *pusher) undelivered(ctx context.Context, reader string, seq uint64, show func(*alert.Event)) (n int, more bool) {
	atOnce := reader == "notify-"+p.d.Name && p.d.digest == nil
	inside := newTold()
	for read := 0; read < 4*maxUndelivered; {
		batch, err := p.cfg.Alerts.After(ctx, seq, readAhead)
		if err != nil || len(batch) == 0 {
			return n, err != nil
		}
		read += len(batch)
		for i := range batch {
			st := &batch[i]
			seq = st.Sequence
			if heldBack(st) || !p.d.takes(&st.Event) || p.d.quiet != nil && p.d.waits(&st.Event) == atOnce || inside.has(&st.Event) && !p.d.perChannel {
				continue
			}
			inside.add(&st.Event)
			show(&st.Event)
			if n++; n == maxUndelivered {
				return n, true
			}
		}
	}
	return n, true
}

func (s *Status) sentence() string {
	last := "nothing delivered yet"
	if !s.LastDelivered.IsZero() {
		last = "last delivered " + s.LastDelivered.UTC().Format("2 Jan 15:04 UTC")
	}
	more := ""
	if s.More {
		more = "at least "
	}
	switch s.State {
	case StateFailing:
		return fmt.Sprintf("Failing since %s: %s. %s%d waiting; %s.", s.FailingSince.UTC().Format("2 Jan 15:04 UTC"), s.LastError, more, s.Undelivered, last)
	case StateWaiting:
		return fmt.Sprintf("Next at %s; %s%d waiting; %s.", s.Next.Format("2 Jan 15:04 MST"), more, s.Undelivered, last)
	}
	return fmt.Sprintf("Working; %s%d waiting; %s.", more, s.Undelivered, last)
}
