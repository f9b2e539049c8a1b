package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

const (
	overLimit     = time.Minute      // over the limit there is one message in this time, with all that came
	betweenBursts = 5 * time.Second  // and in this time when one of them is critical
	heldLine      = 5 * time.Minute  // after the first of a first poll's alerts: a line says how many
	readAhead     = 256              // alerts of one read
	maxCollected  = 2000             // alerts of one message that are kept to be shown; the rest is counted
	atMost        = time.Minute      // longest sleep by the clock on the wall, which may be set
	saveTimeout   = 10 * time.Second // of a place, after a send that cannot be undone
)

// pusher works for one destination.
type pusher struct {
	cfg     Config
	d       *Destination
	sender  sender
	metrics *metrics
	limiter limiter
	sending chan struct{} // holds one: one message at a time, though the quiet hours have a reader of their own

	mu            sync.Mutex
	places        map[string]uint64 // of the readers that are owned now
	idle          map[string]bool   // of them, those that have done all there is
	lastDelivered time.Time
	lastError     string
	failingSince  time.Time
	passed        int
}

func newPusher(cfg Config, d *Destination, m *metrics) *pusher {
	p := &pusher{cfg: cfg, d: d, metrics: m, places: map[string]uint64{}, idle: map[string]bool{}, sending: make(chan struct{}, 1), limiter: limiter{n: d.limit, per: d.limitPer}}
	p.sender = newSender(d, time.Now)
	return p
}

// run works until ctx ends.
func (p *pusher) run(ctx context.Context) {
	if p.d.Disabled != "" {
		<-ctx.Done()
		return
	}
	var all sync.WaitGroup
	for name, work := range p.readers() {
		all.Go(func() { p.keep(ctx, name, work) })
	}
	all.Wait()
}

// readers are the destination's places: what waits for the end of the quiet
// hours has its own, so that a critical alert can pass it.
func (p *pusher) readers() map[string]func(context.Context, *reader) error {
	name := "notify-" + p.d.Name
	if p.d.digest != nil {
		return map[string]func(context.Context, *reader) error{name: p.digests}
	}
	rs := map[string]func(context.Context, *reader) error{name: p.atOnce}
	if p.d.quiet != nil {
		rs[name+"-quiet"] = p.afterQuiet // names have at most 40 characters and a reader's 60
	}
	return rs
}

// keep does the work of one reader whenever this process owns it.
func (p *pusher) keep(ctx context.Context, name string, work func(context.Context, *reader) error) {
	said := ""
	for ctx.Err() == nil {
		r, kept, err := own(ctx, p.cfg.Alerts, name)
		if err == nil {
			r.moved = func(seq uint64) { p.place(name, seq) }
			r.moved(r.seq)
			r.fill = p.fill
			p.recall(kept)
			err = work(ctx, r)
			r.release(ctx)
			p.forget(name)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			p.cfg.Log.Warn("a destination's reader starts again from its place", "reader", name, "error", err)
		}
		pause(ctx, time.Second)
	}
}

// atOnce sends each alert as it comes.
func (p *pusher) atOnce(ctx context.Context, r *reader) error {
	seen := newTold()
	for {
		batch, err := p.next(ctx, r, true)
		if err != nil {
			return err
		}
		for i := range batch {
			st := &batch[i]
			if st.Sequence <= r.seq {
				continue // done with others
			}
			if r.held.add(p.d, st) || !p.d.takes(&st.Event) || p.d.waits(&st.Event) {
				r.pass(st.Sequence)
				continue
			}
			told, err := p.told(ctx, st, seen)
			if err != nil {
				return err
			}
			if told {
				r.pass(st.Sequence)
				continue
			}
			if err := p.deliver(ctx, r, st, seen); err != nil {
				return err
			}
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
}

// next reads on, and waits until there is something; atOnce says meanwhile how
// many were held back.
func (p *pusher) next(ctx context.Context, r *reader, atOnce bool) ([]alert.Stored, error) {
	for {
		batch, err := p.cfg.Alerts.After(ctx, r.seq, readAhead)
		if err != nil || len(batch) > 0 {
			return batch, err
		}
		wait, cancel := ctx, context.CancelFunc(func() {})
		due := atOnce && r.held.Backlog > 0 && !p.d.machine()
		if due {
			say := r.held.Since.Add(heldLine)
			if p.d.quiet != nil && p.d.quiet.covers(say) {
				say = p.d.quiet.ends(say)
			}
			wait, cancel = context.WithDeadline(ctx, say)
		}
		if err := r.flush(ctx); err != nil {
			cancel()
			return nil, err
		}
		p.rest(r.name, true)
		err = p.cfg.Alerts.Wait(wait, r.seq)
		p.rest(r.name, false)
		late := due && wait.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case late:
			line := post{id: digestID(p.d.Name, "held", fmt.Sprint(r.seq)), kind: "held", headline: r.held.line(), page: p.d.page, at: time.Now()}
			if _, err := p.send(ctx, r, line); err != nil {
				return nil, err
			}
			r.held = heldCount{}
			if err := r.save(ctx, r.seq, time.Time{}); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		}
	}
}

// deliver sends an alert, or, over the limit, all that wait.
func (p *pusher) deliver(ctx context.Context, r *reader, st *alert.Stored, seen *told) error {
	if p.d.machine() {
		if wait := p.limiter.wait(time.Now()); !pause(ctx, wait) {
			return ctx.Err()
		}
	} else if p.limiter.wait(time.Now()) > 0 {
		return p.collect(ctx, r, seen)
	}
	msg := post{id: st.Event.ID, kind: "alert", event: &st.Event, messages: []message{newMessage(&st.Event, p.d)}, page: p.d.page, at: time.Now()}
	if line := r.held.line(); line != "" {
		msg.notes = append(msg.notes, line)
	}
	if _, err := p.send(ctx, r, msg); err != nil {
		return err
	}
	seen.add(&st.Event)
	r.held = heldCount{}
	return r.save(ctx, st.Sequence, time.Time{})
}

// collect waits until the limit has room again, though never longer than
// overLimit, and puts all that came meanwhile into one message.
func (p *pusher) collect(ctx context.Context, r *reader, seen *told) error {
	begin := time.Now()
	for {
		c, err := p.gather(ctx, r.seq, seen, func(e *alert.Event) bool { return !p.d.waits(e) })
		if err != nil {
			return err
		}
		waited := time.Since(begin)
		if waited >= overLimit || p.limiter.wait(time.Now()) == 0 || c.critical && p.limiter.since(time.Now()) >= betweenBursts {
			return p.sendCollected(ctx, r, c, "", seen)
		}
		if !pause(ctx, min(time.Second, overLimit-waited)) {
			return ctx.Err()
		}
	}
}

// collected is what goes into one message.
type collected struct {
	events   []alert.Event // to be shown
	more     int
	through  uint64
	held     heldCount
	critical bool
}

// gather reads all that is stored after a sequence and for which ok holds.
func (p *pusher) gather(ctx context.Context, after uint64, seen *told, ok func(*alert.Event) bool) (collected, error) {
	c := collected{through: after}
	inside := newTold() // of this message
	for {
		batch, err := p.cfg.Alerts.After(ctx, c.through, readAhead)
		if err != nil || len(batch) == 0 {
			return c, err
		}
		for i := range batch {
			st := &batch[i]
			c.through = st.Sequence
			if c.held.add(p.d, st) || !p.d.takes(&st.Event) || !ok(&st.Event) || inside.has(&st.Event) {
				continue
			}
			told, err := p.told(ctx, st, seen)
			if err != nil {
				return c, err
			}
			if told {
				continue
			}
			inside.add(&st.Event)
			c.critical = c.critical || st.Event.Severity == rule.Critical
			if len(c.events) == maxCollected {
				c.more++
				continue
			}
			c.events = append(c.events, st.Event)
		}
	}
}

func (p *pusher) sendCollected(ctx context.Context, r *reader, c collected, headline string, seen *told) error {
	c.held.join(&r.held)
	if len(c.events) > 0 {
		if _, err := p.send(ctx, r, p.collection(c, headline)); err != nil {
			return err
		}
		for i := range c.events {
			seen.add(&c.events[i])
		}
		c.held = heldCount{}
	}
	r.held = c.held
	return r.save(ctx, c.through, time.Time{})
}

// collection is one message of several alerts; of one, it is that alert.
func (p *pusher) collection(c collected, headline string) post {
	out := post{kind: "collected", headline: headline, more: c.more, page: p.d.page, at: time.Now()}
	ids := []string{p.d.Name, "collected"}
	for i := range c.events {
		out.messages = append(out.messages, newMessage(&c.events[i], p.d))
		ids = append(ids, c.events[i].ID)
	}
	if line := c.held.line(); line != "" {
		out.notes = append(out.notes, line)
	}
	if len(c.events) == 1 {
		out.kind, out.id, out.event = "alert", c.events[0].ID, &c.events[0]
		return out
	}
	strongest(out.messages)
	out.id = digestID(ids...)
	if headline == "" {
		out.headline = fmt.Sprintf("%d alerts", len(c.events)+c.more)
	}
	return out
}

// afterQuiet sends what came in the quiet hours when they end.
func (p *pusher) afterQuiet(ctx context.Context, r *reader) error {
	seen := newTold()
	for {
		batch, err := p.next(ctx, r, false)
		if err != nil {
			return err
		}
		for i := range batch {
			st := &batch[i]
			if st.Sequence <= r.seq {
				continue
			}
			if heldBack(st) || !p.d.takes(&st.Event) || !p.d.waits(&st.Event) {
				r.pass(st.Sequence)
				continue
			}
			if err := r.flush(ctx); err != nil {
				return err
			}
			if !until(ctx, p.d.quiet.ends(st.Event.Time)) {
				return ctx.Err()
			}
			if err := p.morning(ctx, r, st, seen); err != nil {
				return err
			}
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
}

func (p *pusher) morning(ctx context.Context, r *reader, st *alert.Stored, seen *told) error {
	if p.d.machine() {
		told, err := p.told(ctx, st, seen)
		if err != nil || told {
			r.pass(st.Sequence)
			return err
		}
		return p.deliver(ctx, r, st, seen)
	}
	now := time.Now()
	c, err := p.gather(ctx, r.seq, seen, func(e *alert.Event) bool { return p.d.waits(e) && !p.d.quiet.ends(e.Time).After(now) })
	if err != nil {
		return err
	}
	c.held = heldCount{} // the other reader says it
	return p.sendCollected(ctx, r, c, fmt.Sprintf("%d alerts from the quiet hours", len(c.events)+c.more), seen)
}

func (p *pusher) place(name string, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[name] = seq
}

// rest notes whether a reader has done all that is stored.
func (p *pusher) rest(name string, idle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if idle {
		p.idle[name] = true
	} else {
		delete(p.idle, name)
	}
}

// fill puts into a reader's note what the destination said last.
func (p *pusher) fill(n *note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.Delivered, n.Failing, n.Error = p.lastDelivered, p.failingSince, p.lastError
}

// recall takes from a note what another process, or an earlier one, was told.
func (p *pusher) recall(n note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Delivered.After(p.lastDelivered) || p.lastDelivered.IsZero() && p.failingSince.IsZero() {
		p.lastDelivered, p.failingSince, p.lastError = n.Delivered, n.Failing, n.Error
	}
}

func (p *pusher) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.places, name)
	delete(p.idle, name)
}

// test is a post that says what it is.
func (p *pusher) test() post {
	now := time.Now().UTC().Truncate(time.Millisecond)
	id := digestID(p.d.Name, "test", now.String())
	e := &alert.Event{SpecVersion: "1.0", ID: id, Type: alert.Raised, Source: "/newsmonitor/test/feeds/test", Subject: "test", Time: now,
		DataContentType: "application/json", DataSchema: alert.SchemaURI, Severity: rule.Low}
	e.Data = alert.Data{ID: alert.ID("test", id), Channel: "test", Channels: []string{"test"}, Severity: rule.Low, States: []string{},
		Story: alert.Story{ID: alert.ID("test", id), Lead: true, Also: []alert.Carrier{}}, Rules: []rule.Match{}, Cut: []string{},
		Item: alert.Item{Feed: "test", Key: id, Revision: "test", Title: "Test of destination " + p.d.Name,
			Summary: "This is a test of newsmonitor. No feed said anything.", Authors: []string{}, Published: now, Quality: "declared", Fetched: now}}
	e.Data.Source.ID, e.Data.Source.Title, e.Data.Source.Tags = "test", "newsmonitor", []string{}
	m := newMessage(e, p.d)
	m.page = p.d.page // there is no alert to show
	if m.page != "" {
		m.page += "/"
	}
	return post{id: id, kind: "alert", event: e, messages: []message{m}, page: p.d.page, at: now}
}
