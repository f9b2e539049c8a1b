package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// runDesk runs a desk until the test ends.
func runDesk(t *testing.T, s *Store) *Desk {
	t.Helper()
	d := s.Desk("test")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return d
}

// until polls a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !ok() {
		if !pause(ctx, 10*time.Millisecond) {
			t.Fatalf("%s: not in 30 s", what)
		}
	}
}

func mutes(t *testing.T, d *Desk) []Muted {
	t.Helper()
	m, err := d.Mutes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func someMute(scope alert.Scope) alert.Mute {
	return alert.Mute{Scope: scope, Until: time.Now().Add(time.Hour), By: "A. Nalyst", Reason: "known"}
}

// TestDesk: what one process decides the other knows, live and after a
// restart, and a mute that is over is gone.
func TestDesk(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	stores := [2]*Store{}
	var desks [2]*Desk
	for i := range stores {
		o := options(t)
		o.URL, o.Manage, o.Owner = x.ns.ClientURL(), true, []string{"a", "b"}[i]
		stores[i] = open(t, o)
		desks[i] = runDesk(t, stores[i])
	}
	live, err := stores[1].nc.SubscribeSync("news.desk.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := stores[1].nc.Flush(); err != nil {
		t.Fatal(err)
	}
	m, err := desks[0].Mute(t.Context(), someMute(alert.Scope{Feed: "mfa"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := mutes(t, desks[0]); len(got) != 1 || got[0].Mute != m || m.ID == "" || m.At.IsZero() {
		t.Errorf("who muted sees %+v, want %+v", got, m)
	}
	until(t, "the other process sees the mute", func() bool { return len(mutes(t, desks[1])) == 1 })
	if got := mutes(t, desks[1])[0].Mute; got != m {
		t.Errorf("the other process sees %+v, want %+v", got, m)
	}

	e := event("i1", rule.Medium, alert.Folded)
	e.Data.Folded = &alert.Fold{Reason: alert.FoldMute, By: m.By, Until: m.Until, Mute: m.ID}
	if _, err := stores[0].Alerts().Append(t.Context(), e, 0); err != nil {
		t.Fatal(err)
	}
	until(t, "what it held is counted", func() bool { return mutes(t, desks[1])[0].Held == 1 })

	if err := desks[1].Ack(t.Context(), e.Data.ID, alert.Ack{By: "B", Verdict: alert.VerdictNotRelevant, Note: "a seminar"}); err != nil {
		t.Fatal(err)
	}
	until(t, "the acknowledgement is known", func() bool { a, ok := desks[0].Acked(e.Data.ID); return ok && a.Note == "a seminar" && !a.At.IsZero() })
	if err := desks[1].Ack(t.Context(), strings.Repeat("0", 32), alert.Ack{By: "B", Verdict: alert.VerdictSeen}); !errors.Is(err, alert.ErrNoAlert) {
		t.Errorf("an acknowledgement of nothing: %v", err)
	}
	if err := desks[1].Ack(t.Context(), "*", alert.Ack{By: "B", Verdict: alert.VerdictSeen}); !errors.Is(err, alert.ErrNoAlert) {
		t.Errorf("an acknowledgement of everything: %v", err)
	}

	if again := runDesk(t, stores[0]); len(mutes(t, again)) != 1 {
		t.Errorf("after a restart: %+v", mutes(t, again))
	} else if _, ok := again.Acked(e.Data.ID); !ok {
		t.Error("the acknowledgement is gone after a restart")
	} else {
		until(t, "what was held is counted again", func() bool { return mutes(t, again)[0].Held == 1 })
	}

	if err := desks[1].Unmute(t.Context(), m.ID, "B"); err != nil {
		t.Fatal(err)
	}
	until(t, "the mute is over for all", func() bool { return len(mutes(t, desks[0])) == 0 })
	if err := desks[0].Unmute(t.Context(), m.ID, "B"); !errors.Is(err, alert.ErrNoMute) {
		t.Errorf("ended twice: %v", err)
	}
	for _, want := range []string{"mute", "ack", "unmute"} {
		msg, err := live.NextMsg(30 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var ce struct{ Type string }
		if err := json.Unmarshal(msg.Data, &ce); err != nil || msg.Subject != "news.desk."+want || ce.Type != "newsmonitor.desk."+want+".v1" || !authentic(msg) {
			t.Errorf("%s %s %v, want %s", msg.Subject, msg.Data, err, want)
		}
	}
}

// TestMuteEnds: the key goes by itself.
func TestMuteEnds(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	d := runDesk(t, s)
	if _, err := d.Mutes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.put(t.Context(), muteKey+"x", alert.Mute{ID: "x", Until: time.Now().Add(time.Hour)}, time.Second); err != nil {
		t.Fatal(err)
	}
	if len(mutes(t, d)) != 1 {
		t.Fatal("not taken into the copy")
	}
	until(t, "the key's time to live", func() bool { return len(mutes(t, d)) == 0 })
	if _, err := s.desk.Get(t.Context(), muteKey+"x"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("the key is still there: %v", err)
	}
}

// TestDeskLimits: the number is bounded, and readers cannot write.
func TestDeskLimits(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	d := runDesk(t, s)
	if _, err := d.Mutes(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	for i := range alert.MaxMutes {
		id := strings.Repeat("i", i+1)
		d.mutes[id] = alert.Mute{ID: id, Until: time.Now().Add(time.Hour)}
	}
	d.mu.Unlock()
	if _, err := d.Mute(t.Context(), someMute(alert.Scope{Feed: "mfa"})); !errors.Is(err, alert.ErrNotAccepted) {
		t.Errorf("one more than are allowed: %v", err)
	}
	nc := anonymous(t, s)
	b, _ := json.Marshal(alert.Mute{ID: "evil", Scope: alert.Scope{Channel: "sanctions"}, Until: time.Now().Add(time.Hour)})
	for _, subject := range []string{"$KV.DESK.mute.evil", "news.desk.mute"} {
		_ = nc.Publish(subject, b)
	}
	if _, err := nc.Request("$JS.API.STREAM.MSG.GET.KV_DESK", []byte(`{"last_by_subj":"$KV.DESK.>"}`), 200*time.Millisecond); err == nil {
		t.Error("a reader reads the bucket")
	}
	if _, err := s.desk.Get(t.Context(), muteKey+"evil"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("a reader wrote a mute: %v", err)
	}
}

// TestDeskBackup: mutes and acknowledgements are in a backup.
func TestDeskBackup(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	d := runDesk(t, s)
	m, err := d.Mute(t.Context(), someMute(alert.Scope{Channel: "sanctions"}))
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := s.Backup(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Dir = filepath.Join(o.Dir, "new")
	if err := Restore(t.Context(), o, &file); err != nil {
		t.Fatal(err)
	}
	o.Registry = prometheus.NewRegistry()
	if got := mutes(t, runDesk(t, open(t, o))); len(got) != 1 || got[0].Mute != m {
		t.Errorf("restored: %+v, want %+v", got, m)
	}
}

// TestDeskCatchesUp: a copy that missed a change reads anew.
func TestDeskCatchesUp(t *testing.T) {
	t.Parallel()
	x := startExternal(t)
	o := options(t)
	o.URL, o.Manage = x.ns.ClientURL(), true
	s := open(t, o)
	d := runDesk(t, s)
	if _, err := d.Mute(t.Context(), someMute(alert.Scope{Feed: "mfa"})); err != nil {
		t.Fatal(err)
	}
	x.stop()
	x.start(t)
	nc, err := nats.Connect(x.ns.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	b, _ := json.Marshal(alert.Mute{ID: "other", Scope: alert.Scope{Feed: "mnd"}, Until: time.Now().Add(time.Hour)})
	until(t, "the server takes the mute", func() bool {
		_, err := nc.Request("$KV.DESK.mute.other", b, time.Second)
		return err == nil
	})
	until(t, "the copy has it", func() bool { return len(mutes(t, d)) == 2 })
}
