package stream

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"newsmonitor/pipeline/alert"
)

// Desk is KV DESK: what people at the desk decided, mutes and acknowledgements.
// A watch keeps a copy in memory, so that judging an alert asks nobody. Keys
// end by their own time to live: a mute when it is over, an acknowledgement
// when its alert is not kept any more.
type Desk struct {
	s        *Store
	instance string
	check    time.Duration // how often the copy is compared with the bucket

	mu    sync.Mutex // guards what follows
	mutes map[string]alert.Mute
	acks  map[string]alert.Ack
	seen  uint64         // last revision that the watch showed
	held  map[string]int // alerts that each mute folded

	known chan struct{} // closed once the copy holds all that there is
	first sync.Once
}

// Desk opens the desk's copy; Run fills it.
func (s *Store) Desk(instance string) *Desk {
	return &Desk{s: s, instance: instance, check: deskCheck, mutes: map[string]alert.Mute{}, acks: map[string]alert.Ack{}, held: map[string]int{}, known: make(chan struct{})}
}

const (
	muteKey = "mute."
	ackKey  = "ack."

	// muteLag is how much longer than itself a mute is kept: the clocks of
	// replicas and server differ.
	muteLag   = time.Minute
	deskCheck = 30 * time.Second
)

// Run keeps the copy until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { d.again(ctx, "the desk's mutes", d.follow); return nil })
	g.Go(func() error { d.again(ctx, "what mutes held back", d.count); return nil })
	return g.Wait()
}

// again does work anew that was interrupted.
func (d *Desk) again(ctx context.Context, what string, work func(context.Context) error) {
	for said := false; ctx.Err() == nil; {
		start := time.Now()
		err := work(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(start) > time.Minute {
			said = false
		}
		if err != nil && !said {
			d.s.log.Warn("reading is interrupted and tried again", "kind", what, "error", err)
			said = true
		}
		pause(ctx, time.Second)
	}
}

// follow watches the bucket. It returns nil when the watch fell behind.
func (d *Desk) follow(ctx context.Context) error {
	before, err := d.last(ctx)
	if err != nil {
		return err
	}
	w, err := d.s.desk.WatchAll(ctx)
	if err != nil {
		return d.s.explain("watch bucket "+d.s.names.desk, err)
	}
	defer func() { _ = w.Stop() }()
	fresh := &Desk{s: d.s, mutes: map[string]alert.Mute{}, acks: map[string]alert.Ack{}} // replaces the copy once it is whole: what went while we were away is not in it
	into := fresh
	whole := func() {
		d.mu.Lock()
		d.mutes, d.acks, d.seen = fresh.mutes, fresh.acks, max(fresh.seen, before) // the last may be a mark that went since
		d.mu.Unlock()
		into = d
		d.first.Do(func() { close(d.known) })
	}
	tick := time.NewTicker(d.check)
	defer tick.Stop()
	behind, listed := uint64(0), -1
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			last, err := d.last(ctx)
			if err != nil {
				return err
			}
			if into != d {
				// The server counts what it cannot read as yet to come. Judging
				// must not wait for that.
				if n := len(fresh.mutes) + len(fresh.acks); n != listed {
					listed = n
					continue
				}
				d.s.log.Error("a mute or an acknowledgement cannot be read: the disk holds other bytes than were written; the others are in force", "stream", "KV_"+d.s.names.desk)
				whole()
			}
			d.mu.Lock()
			seen := d.seen
			d.mu.Unlock()
			if last == seen {
				behind = 0
				continue
			}
			if behind == last && into == d {
				return nil // it was there a whole tick ago: the watch is dead, or the bucket another
			}
			behind = last
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("the watch ended")
			case e != nil:
				into.note(e.Key(), e.Operation() == jetstream.KeyValuePut, e.Value(), e.Revision())
			default:
				whole()
			}
		}
	}
}

// last revision of the bucket.
func (d *Desk) last(ctx context.Context) (uint64, error) {
	status, err := d.s.desk.Status(ctx)
	if err != nil {
		return 0, d.s.explain("read bucket "+d.s.names.desk, err)
	}
	st, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return 0, fmt.Errorf("read bucket %s: no stream below it", d.s.names.desk)
	}
	return st.StreamInfo().State.LastSeq, nil
}

// note takes a change of the bucket into the copy.
func (d *Desk) note(key string, put bool, value []byte, revision uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = max(d.seen, revision)
	if id, ok := strings.CutPrefix(key, muteKey); ok {
		var m alert.Mute
		if put && json.Unmarshal(value, &m) == nil && m.ID == id {
			d.mutes[id] = m
			return
		}
		delete(d.mutes, id)
	}
	if id, ok := strings.CutPrefix(key, ackKey); ok {
		var a alert.Ack
		if put && json.Unmarshal(value, &a) == nil {
			d.acks[id] = a
			return
		}
		delete(d.acks, id)
	}
}

// count follows what is folded, for the number that each mute held back. It
// begins as far back as a mute can last.
func (d *Desk) count(ctx context.Context) error {
	_, last, err := d.s.Alerts().Bounds(ctx)
	if err != nil {
		return err
	}
	held := map[string]int{}
	note := func(m jetstream.Msg, seq uint64) {
		if id := m.Headers().Get("Nm-Mute"); id != "" {
			held[id]++
		}
		last = max(last, seq)
	}
	folded := []string{d.s.names.prefix + ".folded.>"}
	if err := heads(ctx, d.s.alerts, time.Now().Add(-alert.MaxMute-time.Hour), folded, func(m jetstream.Msg, seq uint64) error {
		note(m, seq)
		return nil
	}); err != nil {
		return err
	}
	d.mu.Lock()
	d.held = held
	d.mu.Unlock()
	return d.s.follow(ctx, d.s.alerts, last, folded, func(m jetstream.Msg, seq uint64) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		note(m, seq)
		return nil
	})
}

// Muted is an active mute and the number of alerts that it folded.
type Muted struct {
	alert.Mute
	Held int
}

// Mutes lists the active mutes, the next to end first, once they are known.
func (d *Desk) Mutes(ctx context.Context) ([]Muted, error) {
	select {
	case <-d.known:
	case <-ctx.Done():
		return nil, fmt.Errorf("read the mutes: %w", ctx.Err())
	}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []Muted{}
	for id, m := range d.mutes {
		if m.Active(now) {
			out = append(out, Muted{m, d.held[id]})
		}
	}
	slices.SortFunc(out, func(a, b Muted) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Acked returns what somebody said of an alert.
func (d *Desk) Acked(alertID string) (alert.Ack, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.acks[alertID]
	return a, ok
}

// Mute begins now. The id is given here.
func (d *Desk) Mute(ctx context.Context, m alert.Mute) (alert.Mute, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := time.Now().UTC().Truncate(time.Millisecond)
	if err := m.Check(now); err != nil {
		return alert.Mute{}, err
	}
	active, err := d.Mutes(ctx)
	if err != nil {
		return alert.Mute{}, err
	}
	if len(active) >= alert.MaxMutes {
		return alert.Mute{}, fmt.Errorf("%w: %d mutes are active already: end some first", alert.ErrNotAccepted, len(active))
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return alert.Mute{}, err
	}
	m.ID, m.At, m.Until = hex.EncodeToString(id[:]), now, m.Until.UTC().Truncate(time.Second)
	if err := d.put(ctx, muteKey+m.ID, m, time.Until(m.Until)+muteLag); err != nil {
		return alert.Mute{}, err
	}
	d.tell("mute", m.ID, m)
	return m, nil
}

// Unmute ends a mute before its time.
func (d *Desk) Unmute(ctx context.Context, id, by string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := alert.CheckName(by); err != nil {
		return err
	}
	active, err := d.Mutes(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(active, func(m Muted) bool { return m.ID == id })
	if i < 0 {
		return alert.ErrNoMute
	}
	if err := d.s.desk.Purge(ctx, muteKey+id, jetstream.PurgeTTL(markerTTL)); err != nil {
		return d.s.explain("end mute "+id, err)
	}
	d.mu.Lock()
	delete(d.mutes, id)
	d.mu.Unlock()
	d.tell("unmute", id, struct {
		alert.Mute
		Ended   time.Time `json:"ended"`
		EndedBy string    `json:"ended_by"`
	}{active[i].Mute, time.Now().UTC().Truncate(time.Millisecond), by})
	return nil
}

// Ack files somebody's word on an alert; the last one counts.
func (d *Desk) Ack(ctx context.Context, alertID string, a alert.Ack) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := a.Check(); err != nil {
		return err
	}
	if !alert.ValidID(alertID) {
		return alert.ErrNoAlert
	}
	_, err := d.s.alerts.GetLastMsgForSubject(ctx, d.s.names.prefix+".*.*.*.*."+alertID)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return alert.ErrNoAlert
	}
	if err != nil {
		return d.s.explain("read alert "+alertID, err)
	}
	a.At = time.Now().UTC().Truncate(time.Millisecond)
	if err := d.put(ctx, ackKey+alertID, a, d.s.opts.KeepAlerts); err != nil {
		return err
	}
	d.tell("ack", alertID, struct {
		Alert string `json:"alert"`
		alert.Ack
	}{alertID, a})
	return nil
}

// put writes a key that ends by itself, if keep is not 0, and takes it into the
// copy, so that who wrote it reads it. (The client's Put knows no time to live.)
func (d *Desk) put(ctx context.Context, key string, v any, keep time.Duration) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	var opts []jetstream.PublishOpt
	if keep > 0 {
		opts = append(opts, jetstream.WithMsgTTL(keep.Round(time.Second)+time.Second))
	}
	_, err = d.s.js.PublishMsg(ctx, &nats.Msg{Subject: "$KV." + d.s.names.desk + "." + key, Data: b}, opts...)
	if err != nil {
		return d.s.explain("write "+key+" to bucket "+d.s.names.desk, err)
	}
	select {
	case <-d.known:
		d.note(key, true, b, 0) // its revision comes by the watch
	default:
	}
	return nil
}

// tell says live what was decided, as a CloudEvent. Whoever was away reads the
// state from the API.
func (d *Desk) tell(what, id string, v any) {
	now := time.Now().UTC()
	subject := d.s.names.prefix + ".desk." + what
	b, err := marshal(map[string]any{
		"specversion": "1.0", "id": alert.ID(what+"."+id, now.Format(time.RFC3339Nano)), "type": "newsmonitor.desk." + what + ".v1",
		"source": "/newsmonitor/" + d.instance + "/desk", "subject": id, "time": now, "datacontenttype": "application/json", "data": v,
	})
	if err != nil {
		d.s.log.Error("a decision of the desk cannot be encoded", "kind", what, "error", err)
		return
	}
	m := nats.NewMsg(subject)
	m.Header.Set("Content-Type", alert.ContentType)
	m.Header.Set("Nats-Subject", subject) // as the stream's republished messages have: it is ours
	m.Data = b
	if err := d.s.nc.PublishMsg(m); err != nil {
		d.s.log.Warn("a decision of the desk could not be published", "kind", what, "error", err)
	}
}

// heads gives fn the headers of a stream's messages from a time to its present
// end.
func heads(ctx context.Context, st jetstream.Stream, since time.Time, filter []string, fn func(jetstream.Msg, uint64) error) error {
	return spanOf(ctx, st, jetstream.OrderedConsumerConfig{HeadersOnly: true,
		FilterSubjects: filter, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}, nil, fn)
}
