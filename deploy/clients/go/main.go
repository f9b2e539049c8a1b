// Command go prints every alert of newsmonitor once, and after a stop goes on
// where it was. Copy it, and put your own work in the place of show.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	server  = flag.String("server", "nats://127.0.0.1:4222", "where the monitor, or your cluster, listens")
	stream  = flag.String("stream", "ALERTS", "the stream to read")
	subject = flag.String("subject", "news.alerts.>", "which alerts, as news.alerts.sanctions.> or news.alerts.*.critical.>")
	state   = flag.String("state", "alerts.state", "the file that says how far we got")
	raw     = flag.Bool("json", false, "print each event as it is, one a line")
)

// place is how far we got. It is saved after the work on an alert is done: who
// is killed in between does that alert again, and never misses one.
type place struct {
	Stream time.Time `json:"stream"` // when the stream was made: a new one counts from 1 again
	Seq    uint64    `json:"seq"`    // of the last alert done
	IDs    []string  `json:"ids"`    // of the last 1,000 events done
}

func main() {
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	at, err := load()
	if err != nil {
		log.Fatal(err)
	}
	nc, err := nats.Connect(*server, nats.MaxReconnects(-1), nats.ReconnectWait(time.Second))
	if err != nil {
		log.Fatalf("connect to NATS: %v", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	for {
		err := follow(ctx, js, &at)
		if ctx.Err() != nil {
			return
		}
		log.Printf("%v; going on after alert %d", err, at.Seq)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// follow takes what is stored after our place, then what comes, until the
// connection breaks.
func follow(ctx context.Context, js jetstream.JetStream, at *place) error {
	s, err := js.Stream(ctx, *stream)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", *stream, err)
	}
	if i := s.CachedInfo(); !at.Stream.Equal(i.Created) || at.Seq > i.State.LastSeq {
		at.Stream, at.Seq = i.Created, 0 // our sequence is of another stream; the ids tell what we had
	}
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{*subject}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: at.Seq + 1})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", *stream, err)
	}
	msgs, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", *stream, err)
	}
	defer msgs.Stop()
	js.Conn().SetReconnectHandler(func(*nats.Conn) { msgs.Stop() })
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
			return errors.New("connected again")
		} else if err != nil {
			return fmt.Errorf("read stream %s: %w", *stream, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		var e event
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			log.Fatalf("alert %d: %v", meta.Sequence.Stream, err)
		}
		if !slices.Contains(at.IDs, e.ID) {
			show(e, m.Data())
			at.IDs = append(at.IDs, e.ID)
			at.IDs = at.IDs[max(0, len(at.IDs)-1000):]
		}
		at.Seq = meta.Sequence.Stream
		if err := save(*at); err != nil {
			log.Fatal(err)
		}
	}
}

// event holds the fields that we print; deploy/schemas/alert.v1.json has all.
type event struct {
	ID       string `json:"id"`
	Channel  string `json:"subject"`
	Severity string `json:"severity"`
	Data     struct {
		Item struct {
			Title string `json:"title"`
			Link  string `json:"link"`
		} `json:"item"`
	} `json:"data"`
}

func show(e event, whole []byte) {
	line := string(whole)
	if !*raw {
		line = strings.TrimSpace(fmt.Sprintf("%-8s %-19s %s  %s", e.Severity, e.Channel, printable(e.Data.Item.Title), printable(e.Data.Item.Link)))
	}
	if _, err := fmt.Println(line); err != nil {
		log.Fatal(err)
	}
}

// printable keeps what a stranger wrote from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

func load() (at place, err error) {
	b, err := os.ReadFile(*state)
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil // the first run begins with the first alert
	}
	if err == nil {
		err = json.Unmarshal(b, &at)
	}
	if err != nil {
		err = fmt.Errorf("state %s: %w (without the file we begin with the first alert)", *state, err)
	}
	return at, err
}

func save(at place) error {
	b, err := json.Marshal(at)
	if err == nil {
		err = os.WriteFile(*state+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(*state+".new", *state)
	}
	if err != nil {
		return fmt.Errorf("state %s: %w", *state, err)
	}
	return nil
}
