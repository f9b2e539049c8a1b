package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/poll"
)

// Items is ITEMS: each revision of each item, in the order of its arrival.
type Items struct{ s *Store }

func (s *Store) Items() *Items { return &Items{s} }

// Append stores item revisions and returns their sequences. It may be repeated
// by anyone at any time: a revision that is there already is left alone.
func (i *Items) Append(ctx context.Context, drafts []poll.Draft) ([]uint64, error) {
	seqs := make([]uint64, 0, len(drafts))
	for len(drafts) > 0 {
		chunk := drafts[:min(len(drafts), batchMax)]
		drafts = drafts[len(chunk):]
		if len(chunk) >= batchFrom && i.s.level >= 2 {
			if got, err := i.batch(ctx, chunk); err == nil {
				seqs = append(seqs, got...)
				continue
			} // a batch fails whole and does not say why: singles do
		}
		for _, d := range chunk {
			seq, err := i.append(ctx, d)
			if err != nil {
				return nil, err
			}
			seqs = append(seqs, seq)
		}
	}
	return seqs, nil
}

func (i *Items) message(d poll.Draft) (msg *nats.Msg, subject string, err error) {
	subject = i.s.names.prefix + ".items." + d.Item.Feed + "." + d.Item.Key
	msg = nats.NewMsg("in." + subject)
	msg.Header.Set("Content-Type", "application/json")
	if d.Item.Feed == feed.Canary {
		msg.Header.Set(jetstream.MsgTTLHeader, canaryTTL)
	}
	// What NATS refuses for its size would never be stored: cut instead.
	limit := i.largest()
	for it := d.Item; ; it = halved(it) {
		if msg.Data, err = marshal(it); err != nil {
			return nil, "", fmt.Errorf("encode item %s of feed %s: %w", d.Item.Key, d.Item.Feed, err)
		}
		if len(msg.Data) <= limit || it.Content == "" && it.Summary == "" && len(it.Authors)+len(it.Categories) == 0 {
			return msg, subject, nil
		}
	}
}

// canaryTTL is how long the self-test's messages are kept.
const canaryTTL = "1h"

const (
	maxItem    = 1000 << 10 // bytes of an encoded item: below the server's 1 MiB, with room for headers
	headerRoom = 2 << 10    // for the subject and the headers of a message
)

// largest is the size of an encoded item that this server and stream take.
func (i *Items) largest() int {
	limit := min(maxItem, int(i.s.nc.MaxPayload())-headerRoom)
	if info := i.s.items.CachedInfo(); info != nil && info.Config.MaxMsgSize > 0 {
		limit = min(limit, int(info.Config.MaxMsgSize)-headerRoom)
	}
	return limit
}

// halved drops the second half of the content, of the summary when there is no
// content, or the lists when there is neither.
func halved(it feed.Item) feed.Item {
	cut := "content"
	switch {
	case it.Content != "":
		it.Content = strings.ToValidUTF8(it.Content[:len(it.Content)/2], "")
	case it.Summary != "":
		it.Summary, cut = strings.ToValidUTF8(it.Summary[:len(it.Summary)/2], ""), "summary"
	default:
		it.Authors, it.Categories, cut = []string{}, []string{}, "authors"
	}
	if !slices.Contains(it.Cut, cut) {
		it.Cut = append(slices.Clone(it.Cut), cut)
	}
	return it
}

func (i *Items) append(ctx context.Context, d poll.Draft) (uint64, error) {
	msg, subject, err := i.message(d)
	if err != nil {
		return 0, err
	}
	ack, err := i.s.publish(ctx, msg, d.After, subject)
	if !wrongLastSequence(err) {
		if err != nil {
			return 0, fmt.Errorf("append item %s of feed %s: %w", d.Item.Key, d.Item.Feed, err)
		}
		return ack.Sequence, nil
	}
	i.s.metrics.conflicts.WithLabelValues("items").Inc()
	// Refused. Either it is ours already, or it aged out, or somebody is ahead.
	last, err := i.s.items.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		if ack, err = i.s.publish(ctx, msg, 0, subject); err == nil {
			return ack.Sequence, nil
		}
		if wrongLastSequence(err) {
			return 0, poll.ErrAhead
		}
	}
	if err != nil {
		return 0, fmt.Errorf("append item %s of feed %s: %w", d.Item.Key, d.Item.Feed, err)
	}
	var stored feed.Item
	if err := json.Unmarshal(last.Data, &stored); err != nil {
		return 0, fmt.Errorf("read item %s of feed %s: %w", d.Item.Key, d.Item.Feed, err)
	}
	if stored.Revision == d.Item.Revision {
		return last.Sequence, nil
	}
	return 0, fmt.Errorf("item %s of feed %s: %w", d.Item.Key, d.Item.Feed, poll.ErrAhead)
}

// Last says what is stored of an item: poll asks when it was refused although
// nobody is ahead.
func (i *Items) Last(ctx context.Context, feedID, key string) (sequence uint64, revision string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := i.s.items.GetLastMsgForSubject(ctx, i.s.names.prefix+".items."+feedID+"."+key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("read item %s of feed %s: %w", key, feedID, err)
	}
	var it feed.Item
	if err := json.Unmarshal(m.Data, &it); err != nil {
		return 0, "", fmt.Errorf("read item %s of feed %s: %w", key, feedID, err)
	}
	return m.Sequence, it.Revision, nil
}

// batch appends all drafts or none.
func (i *Items) batch(ctx context.Context, drafts []poll.Draft) ([]uint64, error) {
	msgs := make([]*nats.Msg, 0, len(drafts))
	for _, d := range drafts {
		msg, subject, err := i.message(d)
		if err != nil {
			return nil, err
		}
		expect(msg, d.After, subject)
		msgs = append(msgs, msg)
	}
	last, err := i.s.batch(ctx, msgs)
	if err != nil {
		return nil, err
	}
	seqs := make([]uint64, len(drafts))
	for j := range seqs {
		seqs[j] = last - uint64(len(drafts)-1-j)
	}
	return seqs, nil
}

// Each gives fn the items and their sequences in stream order, from the named reader's place on,
// until ctx ends. It calls begin when this process takes the reader, and when
// steps are done again of which nobody knows whether they are done.
func (i *Items) Each(ctx context.Context, reader string, begin func(), fn func(context.Context, uint64, feed.Item) error) error {
	return i.s.each(ctx, i.s.items, reader, begin, func(ctx context.Context, m jetstream.Msg) error {
		var it feed.Item
		if err := json.Unmarshal(m.Data(), &it); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return fn(ctx, sequence(m), it)
	})
}

// publish stores a message if the last one that matches the subject filter
// stands at after.
func (s *Store) publish(ctx context.Context, msg *nats.Msg, after uint64, filter string) (*jetstream.PubAck, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ack, err := s.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequenceForSubject(after, filter))
	s.metrics.published(err, start, 1)
	switch {
	case tooLarge(err): // says nothing of the others
		return ack, fmt.Errorf("%w: %w", poll.ErrRefused, err)
	case err != nil && !wrongLastSequence(err):
		err = s.explain("publish", err)
		s.trouble.set(family(msg.Subject), err)
	default:
		s.trouble.set(family(msg.Subject), nil)
	}
	return ack, err
}

// tooLarge says whether a message will never be taken for its size.
func tooLarge(err error) bool {
	var api *jetstream.APIError
	const exceeds = 10054 // message size exceeds maximum allowed
	return errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) && api.ErrorCode == exceeds
}

// family is the kind of thing that an ingest subject takes.
func family(subject string) string { return strings.Split(subject, ".")[2] }

// wrongLastSequence says whether a compare-and-set was refused; streams with
// several copies have a number of their own for that.
func wrongLastSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// marshal is json.Marshal without escapes for HTML: they can make a text six
// times as long, and no page takes our JSON for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Revisions returns the stored revisions of an item, oldest first.
func (i *Items) Revisions(ctx context.Context, feedID, key string) ([]feed.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	fail := func(err error) ([]feed.Item, error) {
		return nil, fmt.Errorf("read the revisions of item %s of feed %s: %w", key, feedID, err)
	}
	c, err := i.s.items.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{i.s.names.prefix + ".items." + feedID + "." + key}})
	if err != nil {
		return fail(err)
	}
	batch, err := c.FetchNoWait(8)
	if err != nil {
		return fail(err)
	}
	var out []feed.Item
	for m := range batch.Messages() {
		var it feed.Item
		if err := json.Unmarshal(m.Data(), &it); err != nil {
			return fail(err)
		}
		out = append(out, it)
	}
	if err := batch.Error(); err != nil {
		return fail(err)
	}
	return out, nil
}
