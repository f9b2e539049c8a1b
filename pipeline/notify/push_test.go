package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"newsmonitor/pipeline/alert"
	"newsmonitor/pipeline/rule"
)

// TestGroups: an item is told once with its channels, strongest first; what is
// held back is counted in one line; an update says what changed.
func TestGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		play(t, &Destination{channels: []string{"sanctions", "denial"}}, r, func(m *memory) {
			m.append(raised("one", "attribution,sanctions,denial", rule.Critical)) // not our channel
			m.append(raised("one", "attribution,*sanctions,denial", rule.High), raised("one", "attribution,sanctions,*denial", rule.Medium))
			m.append(folded(raised("two", "sanctions", rule.High), alert.FoldStory), folded(raised("three", "norms", rule.High), alert.FoldStory))
			backlog := raised("four", "sanctions", rule.High)
			backlog.Data.Backlog = true
			m.append(backlog, raised("five", "denial", rule.Low)) // too low
			m.append(raised("six", "denial", rule.Medium))
			m.append(updated(raised("six", "denial", rule.Medium), rule.High))
		})
		want(t, r, "HIGH · sanctions, denial: one", "MEDIUM · denial: six", "HIGH (raised from medium) · denial: six")
		if notes := r.posts[1].notes; !slices.Equal(notes, []string{"Stored and not pushed: 1 from feeds' first polls, 1 that repeat a story."}) {
			t.Errorf("notes %q", notes)
		}
	})
}

// TestGroupsAfterRestart: what was told before a restart is looked up.
func TestGroupsAfterRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		play(t, &Destination{}, r, func(m *memory) {
			m.append(raised("one", "sanctions,denial", rule.High))
			m.append(folded(raised("two", "sanctions,denial", rule.High), alert.FoldMute))
		})
		m := newMemory()
		m.append(raised("one", "sanctions,denial", rule.High), folded(raised("two", "sanctions,denial", rule.High), alert.FoldMute))
		m.places["notify-desk"] = memoryPlace{seq: 2}
		p := newPusher(Config{Alerts: m, Log: slog.New(slog.DiscardHandler)}, &Destination{Name: "desk", Service: "slack", zone: time.UTC, severity: rule.Medium}, newMetrics(nil))
		again := &receiver{}
		p.sender = again
		ctx, stop := context.WithCancel(t.Context())
		go p.run(ctx)
		m.append(raised("one", "sanctions,*denial", rule.High), raised("two", "sanctions,*denial", rule.High))
		synctest.Wait()
		stop()
		want(t, again, "HIGH · denial, sanctions: two") // its stronger channel was muted, so nobody heard of it
	})
}

// TestFirstPolls: a flood of a first poll is one line, five minutes later.
func TestFirstPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		play(t, &Destination{}, r, func(m *memory) {
			for i := range 40 {
				e := raised(fmt.Sprint("old ", i), "sanctions", rule.High)
				e.Data.Backlog = true
				m.append(e)
			}
			time.Sleep(10 * time.Minute)
		})
		want(t, r, "held: Stored and not pushed: 40 from feeds' first polls. 0+0")
	})
}

// TestLimit: over the limit there is one message a minute with all that came,
// sooner when one is critical, and nothing is lost.
func TestLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		play(t, &Destination{limit: 2, limitPer: time.Hour}, r, func(m *memory) {
			for i := range 17 {
				m.append(raised(fmt.Sprint("item ", i), "sanctions", rule.High))
			}
			time.Sleep(2 * time.Minute)
			m.append(raised("bad", "sanctions", rule.Medium), raised("worse", "sanctions", rule.Critical))
			time.Sleep(6 * time.Second)
		})
		want(t, r, "HIGH · sanctions: item 0", "HIGH · sanctions: item 1", "collected: 15 alerts 15+0", "collected: 2 alerts 2+0")
		if m := r.posts[3].messages[0]; m.title != "worse" {
			t.Errorf("the first of the last message is %q, want the critical one", m.title)
		}
		short := plainMarkup
		short.limit = 700
		if text := short.write(r.posts[2]); !strings.HasSuffix(text, "more") || !strings.Contains(text, "\nand 1") {
			t.Errorf("a short medium does not say how many more:\n%s", text)
		}
	})
}

// TestQuietHours: what comes at night waits for the morning, in one message;
// what is critical does not wait.
func TestQuietHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the clock begins at midnight UTC, 2000-01-01
		berlin, _ := time.LoadLocation("Europe/Berlin")
		r := &receiver{}
		q := &quiet{from: 22 * 60, to: 7 * 60, zone: berlin}
		play(t, &Destination{quiet: q}, r, func(m *memory) {
			m.append(raised("one", "sanctions", rule.High), raised("two", "sanctions", rule.Critical))
			time.Sleep(2 * time.Hour)
			m.append(raised("three", "sanctions", rule.Medium), raised("two", "sanctions,*denial", rule.High))
			time.Sleep(5 * time.Hour)
			m.append(raised("four", "sanctions", rule.Medium))
		})
		want(t, r, "CRITICAL · sanctions: two", "collected: 2 alerts from the quiet hours 2+0", "MEDIUM · sanctions: four")
		if at := r.times[1].In(berlin).Format("15:04"); at != "07:00" {
			t.Errorf("the morning's message came at %s", at)
		}
	})
}

// TestRetries: a receiver's verdict decides; each alert arrives once and in
// order, and only a message that is wrong in itself is passed over.
func TestRetries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault fault
		until int // attempts that fail
		after time.Duration
		want  []string
	}{
		{"busy", fault{reason: "busy", after: time.Hour}, 1, time.Hour, []string{"HIGH · sanctions: one", "HIGH · sanctions: two"}},
		{"away", fault{reason: "unavailable"}, 4, 15 * time.Second, []string{"HIGH · sanctions: one", "HIGH · sanctions: two"}},
		{"refuses", fault{reason: "refused", refused: true}, 3, 3 * time.Minute, []string{"HIGH · sanctions: one", "HIGH · sanctions: two"}},
		{"wrong", fault{reason: "refused", refused: true, message: true}, 3, 0, []string{"HIGH · sanctions: two"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				r := &receiver{fail: func(n int, _ post) error {
					if n <= c.until {
						f := c.fault
						f.text = "no"
						return &f
					}
					return nil
				}}
				p := play(t, &Destination{}, r, func(m *memory) {
					m.append(raised("one", "sanctions", rule.High), raised("two", "sanctions", rule.High))
					time.Sleep(2 * time.Hour)
				})
				want(t, r, c.want...)
				if got := r.times[0].Sub(begin); got < c.after {
					t.Errorf("delivered after %v, want at least %v", got, c.after)
				}
				if got := testutil.ToFloat64(p.metrics.failures.WithLabelValues("desk", c.fault.reason)); int(got) != c.until {
					t.Errorf("%v failures counted, want %d", got, c.until)
				}
			})
		})
	}
}

// TestPanic: a fault of ours costs one message.
func TestPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{fail: func(_ int, p post) error {
			if p.messages[0].title == "one" {
				panic("hunter2")
			}
			return nil
		}}
		play(t, &Destination{}, r, func(m *memory) {
			m.append(raised("one", "sanctions", rule.High), raised("two", "sanctions", rule.High))
			time.Sleep(time.Minute)
		})
		want(t, r, "HIGH · sanctions: two")
		if len(r.panics) != messageTries || r.panics[0] != "notify desk" {
			t.Errorf("told of panics at %v, want one a try", r.panics)
		}
	})
}

// TestFenced: who lost the reader stops at the next save and takes the place
// that is there.
func TestFenced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		play(t, &Destination{}, r, func(m *memory) {
			m.mu.Lock()
			p := m.places["notify-desk"]
			p.version, p.seq = p.version+5, 1
			m.places["notify-desk"] = p
			m.mu.Unlock()
			m.append(raised("one", "sanctions", rule.High), raised("two", "sanctions", rule.High))
			time.Sleep(time.Minute)
		})
		// "one" was sent before the save that told; the other process has done it
		// too, which only its own stopping could have prevented.
		want(t, r, "HIGH · sanctions: one", "HIGH · sanctions: two")
	})
}

// TestDigest: at its hour on the wall clock across both changes of the clock,
// once each, also when there is nothing to say.
func TestDigest(t *testing.T) {
	t.Parallel()
	berlin, _ := time.LoadLocation("Europe/Berlin")
	for _, c := range []struct {
		name string
		from time.Time
		at   []minute
		want []string
	}{
		{"into summer", time.Date(2000, 3, 25, 0, 0, 0, 0, berlin), []minute{7*60 + 30}, []string{"25 Mar 07:30 CET", "26 Mar 07:30 CEST", "27 Mar 07:30 CEST"}},
		{"into winter", time.Date(2000, 10, 28, 0, 0, 0, 0, berlin), []minute{7*60 + 30}, []string{"28 Oct 07:30 CEST", "29 Oct 07:30 CET", "30 Oct 07:30 CET"}},
		{"an hour that is not", time.Date(2000, 3, 25, 0, 0, 0, 0, berlin), []minute{2*60 + 30}, []string{"25 Mar 02:30 CET", "26 Mar 03:30 CEST", "27 Mar 02:30 CEST"}},
		{"an hour twice", time.Date(2000, 10, 28, 0, 0, 0, 0, berlin), []minute{2*60 + 30}, []string{"28 Oct 02:30 CEST", "29 Oct 02:30 CET", "30 Oct 02:30 CET"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(c.from))
				r := &receiver{}
				play(t, &Destination{Service: "mail", digest: &schedule{at: c.at, zone: berlin}}, r, func(m *memory) {
					time.Sleep(30 * time.Hour)
					m.append(raised("one", "sanctions", rule.High), raised("one", "sanctions,*denial", rule.High), raised("two", "denial", rule.Critical))
					time.Sleep(time.Until(c.from.AddDate(0, 0, 3)))
				})
				var got []string
				for _, at := range r.times {
					got = append(got, at.In(berlin).Format("2 Jan 15:04 MST"))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("digests at %v, want %v", got, c.want)
				}
				for i, n := range []int{0, 2, 0} {
					if i == 1 && c.at[0] < 6*60 {
						n = 0 // it came after the second night's letter
					} else if i == 2 && c.at[0] < 6*60 {
						n = 2
					}
					p := r.posts[i]
					if len(p.messages) != n || !slices.Contains(p.notes, "118 of 121 feeds read; silent: mfa; failing: x, y.") {
						t.Errorf("digest %d has %d alerts (want %d), notes %q", i, len(p.messages), n, p.notes)
					}
					if n == 0 && !strings.Contains(p.headline, "nothing new") {
						t.Errorf("an empty digest says %q", p.headline)
					}
					if n == 2 && p.messages[0].title != "two" {
						t.Errorf("the strongest is not first: %q", p.messages[0].title)
					}
				}
			})
		})
	}
}

// TestDigestAfterStop: hours that passed while nothing ran give one late
// letter, and an hour that is done is not done again.
func TestDigestAfterStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		d := &Destination{Name: "desk", Service: "mail", zone: time.UTC, severity: rule.Medium, digest: &schedule{at: []minute{7 * 60}, zone: time.UTC}}
		r := &receiver{}
		life := func(span time.Duration) {
			p := newPusher(Config{Alerts: m, Log: slog.New(slog.DiscardHandler)}, d, newMetrics(nil))
			p.sender = r
			ctx, stop := context.WithTimeout(t.Context(), span)
			defer stop()
			p.run(ctx)
		}
		life(7*time.Hour + time.Second) // 07:00:01
		life(time.Minute)
		m.append(raised("one", "sanctions", rule.High))
		time.Sleep(72 * time.Hour)
		life(time.Minute)
		life(time.Minute)
		if n := len(r.posts); n != 2 || len(r.posts[1].messages) != 1 {
			t.Errorf("%d letters: %v; want the first day's and one late one with the alert", n, r.said())
		}
	})
}

// TestUpdate: destinations change while the stage runs; those that stay are
// not disturbed.
func TestUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		reg := prometheus.NewPedanticRegistry()
		n := New(Config{Alerts: m, Log: slog.New(slog.DiscardHandler), Registerer: reg})
		dest := func(name string) *Destination {
			return &Destination{Name: name, Service: "slack", zone: time.UTC, severity: rule.Medium, Disabled: map[bool]string{true: "off"}[name == "c"]}
		}
		n.Update([]*Destination{dest("a"), dest("b"), dest("c")})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		synctest.Wait()
		before := n.running[0]
		n.Update([]*Destination{dest("a"), dest("d")})
		synctest.Wait()
		var names []string
		for _, s := range n.Status(ctx) {
			names = append(names, s.Name+" "+s.State)
		}
		if !slices.Equal(names, []string{"a ok", "d ok"}) || n.running[0] != before {
			t.Errorf("after the update: %v, a kept running: %v", names, n.running[0] == before)
		}
		if c := testutil.CollectAndCount(n.metrics.failures); c != 2*len(reasons) {
			t.Errorf("%d series of failures, want %d", c, 2*len(reasons))
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestStatus says in words how a destination does.
func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{fail: func(n int, _ post) error {
			if n == 1 {
				return nil
			}
			return &fault{reason: "unavailable", text: "it answers 503"}
		}}
		m := newMemory()
		p := newPusher(Config{Alerts: m, Log: slog.New(slog.DiscardHandler)}, &Destination{Name: "desk", Service: "slack", zone: time.UTC, severity: rule.Medium}, newMetrics(nil))
		p.sender = r
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.run(ctx)
		synctest.Wait()
		m.append(raised("one", "sanctions", rule.High))
		synctest.Wait()
		m.append(raised("two", "sanctions", rule.High), raised("two", "sanctions,*denial", rule.High), raised("three", "sanctions", rule.Low), raised("four", "sanctions", rule.High))
		synctest.Wait()
		s := p.status(ctx)
		if want := "Failing since 1 Jan 00:00 UTC: it answers 503. 2 waiting; last delivered 1 Jan 00:00 UTC."; s.Text != want || s.State != StateFailing {
			t.Errorf("status %q %q, want %q", s.State, s.Text, want)
		}
		stop()
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	if !errors.Is(&fault{refused: true}, ErrRefused) || errors.Is(&fault{}, ErrRefused) {
		t.Error("refused is not told apart")
	}
}
