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

	"github.com/nats-io/nats.go/jetstream"
)

// names of everything that we keep, by subject prefix. With a prefix other
// than news the streams and buckets carry it, so that several deployments can
// share a server.
type names struct{ prefix, items, alerts, feeds, readers, leases, desk string }

func newNames(prefix string) names {
	up := ""
	if prefix == "" {
		prefix = "news"
	}
	if prefix != "news" {
		up = strings.ToUpper(strings.ReplaceAll(prefix, "-", "_")) + "_"
	}
	return names{prefix: prefix, items: up + "ITEMS", alerts: up + "ALERTS", feeds: up + "FEEDS", readers: up + "READERS", leases: up + "LEASES", desk: up + "DESK"}
}

// noIDs is the window in which the server looks for message ids that came
// before. We set none, and each start would read as much of the stream for them.
const noIDs = time.Second

// The streams take private ingest subjects, transform them to the public ones
// and republish those: a message that a stream refuses would otherwise still
// reach everybody who listens to its subject. (Ingest below the prefix is
// refused by the server as a cycle.)
func (s *Store) streamConfigs(replicas int) []jetstream.StreamConfig {
	n, o := s.names, s.opts
	config := func(name, what string, share int64, keep time.Duration, perSubject int64, families ...string) jetstream.StreamConfig {
		var subjects []string
		for _, f := range families {
			subjects = append(subjects, "in."+n.prefix+"."+f+".>")
		}
		return jetstream.StreamConfig{
			Name: name, Description: what, Subjects: subjects,
			SubjectTransform:  &jetstream.SubjectTransformConfig{Source: "in." + n.prefix + ".>", Destination: n.prefix + ".>"},
			RePublish:         &jetstream.RePublish{Source: n.prefix + ".>", Destination: n.prefix + ".>"},
			MaxMsgsPerSubject: perSubject, MaxAge: keep, MaxBytes: o.MaxStore * share / 100,
			Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage, Replicas: replicas,
			AllowDirect: true, AllowMsgTTL: true, AllowAtomicPublish: s.level >= 2, Metadata: s.opts.marked(),
			Duplicates: noIDs,
		}
	}
	return []jetstream.StreamConfig{
		config(n.items, "newsmonitor: every item revision, in the order of its arrival", 60, o.KeepItems, 8, "items"),
		config(n.alerts, "newsmonitor: every alert once", 30, o.KeepAlerts, 1, "alerts", "folded", "canary"),
	}
}

func (s *Store) bucketConfigs(replicas int) []jetstream.KeyValueConfig {
	n := s.names
	return []jetstream.KeyValueConfig{
		{Bucket: n.feeds, Description: "newsmonitor: what is remembered of each feed", History: 1,
			MaxBytes: s.opts.MaxStore * 5 / 100, Storage: jetstream.FileStorage, Replicas: replicas, Metadata: s.opts.marked()},
		{Bucket: n.readers, Description: "newsmonitor: how far each reader got", History: 1,
			MaxBytes: s.opts.MaxStore / 100, Storage: jetstream.FileStorage, Replicas: replicas, Metadata: s.opts.marked()},
		{Bucket: n.desk, Description: "newsmonitor: mutes and acknowledgements", History: 1, LimitMarkerTTL: markerTTL,
			MaxBytes: s.opts.MaxStore / 100, Storage: jetstream.FileStorage, Replicas: replicas, Metadata: s.opts.marked()},
	}
}

// ensurePatience is how long a start waits for a cluster that has no leader,
// of its own or of a stream.
const ensurePatience = 30 * time.Second

// patient asks again what nobody answers: servers say nothing of a stream that
// has no leader yet, as one that another process is just making, and the
// question is not kept for later.
func (s *Store) patient(ctx context.Context, ask func() error) error {
	for began := time.Now(); ; {
		err := ask()
		if err == nil || !leaderless(err) || ctx.Err() != nil || time.Since(began) > ensurePatience {
			return err
		}
		s.log.Warn("NATS does not answer yet; the start waits", "error", err)
		if !pause(ctx, 500*time.Millisecond) {
			return err
		}
	}
}

// ensure makes sure of all streams and buckets.
func (s *Store) ensure(ctx context.Context) error {
	return s.patient(ctx, func() error { return s.ensureAll(ctx) })
}

// ensureAll reads each stream and bucket first, and makes what is missing. What is
// there and differs in something that a promise needs is an error with what it
// has and what we want; other limits are ours to change if we made the stream.
// Without a deadline of ctx each question has the client's own, 5 s.
func (s *Store) ensureAll(ctx context.Context) error {
	ctx, end := s.trouble.during(ctx)
	defer end()
	info, err := s.js.AccountInfo(ctx)
	if err != nil {
		return s.explain("ask for JetStream", err)
	}
	s.level = info.API.Level
	if s.level < 1 {
		return fmt.Errorf("NATS at %s is too old: nats-server 2.11 or newer is needed", s.where())
	}
	replicas := s.replicas()
	var streams []jetstream.Stream
	for _, want := range s.streamConfigs(replicas) {
		st, err := s.ensureStream(ctx, want)
		if err != nil {
			return err
		}
		streams = append(streams, st)
	}
	s.items, s.alerts = streams[0], streams[1]
	var buckets []jetstream.KeyValue
	for _, want := range s.bucketConfigs(replicas) {
		kv, err := s.js.KeyValue(ctx, want.Bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			if err := s.mayCreate("bucket "+want.Bucket, want); err != nil {
				return err
			}
			kv, err = s.js.CreateKeyValue(ctx, want)
			if s.single(err) {
				want.Replicas = 1
				kv, err = s.js.CreateKeyValue(ctx, want)
			}
			if err := s.created("bucket "+want.Bucket, want, err); err != nil {
				return err
			}
		}
		if err != nil {
			return s.explain("open bucket "+want.Bucket, err)
		}
		if err := s.promisedBucket(ctx, kv, want); err != nil {
			return err
		}
		if err := s.limitBucket(ctx, want); err != nil {
			return err
		}
		buckets = append(buckets, kv)
	}
	s.feeds, s.readers, s.desk = buckets[0], buckets[1], buckets[2]
	if err := s.ensureLeases(ctx); err != nil {
		return err
	}
	return s.guardConsumers()
}

// replicas of what we create: three where the cluster has them, so that it can
// lose a server.
func (s *Store) replicas() int {
	switch {
	case s.server != nil:
		return 1
	case s.opts.Replicas > 0:
		return s.opts.Replicas
	case s.nc.ConnectedClusterName() != "" && len(s.nc.Servers()) >= 3:
		return 3
	}
	return 1
}

// single says whether a definition was refused for its copies, and nobody
// asked for so many: then one must do.
func (s *Store) single(err error) bool {
	var api *jetstream.APIError
	if s.opts.Replicas > 0 || !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case 10005, 10074: // no suitable peers; copies need a cluster
		s.log.Warn("NATS cannot keep three copies: one it is", "error", err)
		return true
	}
	return false
}

// mayCreate says no with the definition that the administrator needs.
func (s *Store) mayCreate(what string, definition any) error {
	if s.server != nil || s.opts.Manage {
		return nil
	}
	return s.cannotCreate(what, "--nats-manage is never", definition)
}

func (s *Store) cannotCreate(what, why string, definition any) error {
	if kv, ok := definition.(jetstream.KeyValueConfig); ok {
		kv.Storage = jetstream.FileStorage // what is made once by hand must survive a restart of the server
		definition = bucketStream(kv)
	}
	b, err := marshal(definition)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, b, "", "  "); err != nil {
		return err
	}
	return fmt.Errorf("%s is missing at %s and %s; the administrator can create it from this (monitor nats config prints all):\n%s", what, s.where(), why, &text)
}

// created turns a refusal to create into the definition for somebody who may.
func (s *Store) created(what string, definition any, err error) error {
	if why := s.trouble.permission(); err != nil && why != "" {
		return s.cannotCreate(what, "we may not create it ("+why+")", definition)
	}
	if err != nil {
		return s.explain("create "+what, err)
	}
	return nil
}

func (s *Store) ensureStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	st, err := s.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := s.mayCreate("stream "+want.Name, want); err != nil {
			return nil, err
		}
		st, err = s.js.CreateStream(ctx, want)
		if s.single(err) {
			want.Replicas = 1
			st, err = s.js.CreateStream(ctx, want)
		}
		if err := s.created("stream "+want.Name, want, err); err != nil {
			return nil, err
		}
		return st, nil
	}
	if err != nil {
		return nil, s.explain("read stream "+want.Name, err)
	}
	have := st.CachedInfo().Config
	if diff := promised(have, want); len(diff) > 0 {
		return nil, fmt.Errorf("stream %s at %s cannot keep our promises:\n    %s\n    another program made it so, or a person did: take another --subject-prefix, or have it changed to what `monitor nats config` prints",
			want.Name, s.where(), strings.Join(diff, "\n    "))
	}
	return s.limit(ctx, st, want)
}

// promisedBucket compares what the compare-and-set of states and places rests
// on.
func (s *Store) promisedBucket(ctx context.Context, kv jetstream.KeyValue, want jetstream.KeyValueConfig) error {
	status, err := kv.Status(ctx)
	if err != nil {
		return s.explain("read bucket "+want.Bucket, err)
	}
	have := status.Config()
	var diff []string
	if have.Storage != want.Storage {
		diff = append(diff, fmt.Sprintf("storage: have %v, want %v", have.Storage, want.Storage))
	}
	if have.TTL != 0 {
		diff = append(diff, fmt.Sprintf("TTL: have %v, want none", have.TTL))
	}
	if want.LimitMarkerTTL > 0 && status.LimitMarkerTTL() <= 0 {
		diff = append(diff, fmt.Sprintf("limit marker TTL: have none, want %v", want.LimitMarkerTTL))
	}
	if len(diff) > 0 {
		return fmt.Errorf("bucket %s at %s cannot keep our promises:\n    %s", want.Bucket, s.where(), strings.Join(diff, "\n    "))
	}
	return nil
}

// promised compares what once-only alerts rest on, field by field.
func promised(have, want jetstream.StreamConfig) (diff []string) {
	field := func(name string, h, w any) {
		if hs, ws := fmt.Sprint(h), fmt.Sprint(w); hs != ws {
			diff = append(diff, fmt.Sprintf("%s: have %s, want %s", name, hs, ws))
		}
	}
	sorted := func(s []string) []string { return slices.Sorted(slices.Values(s)) }
	field("subjects", sorted(have.Subjects), sorted(want.Subjects))
	transform := func(t *jetstream.SubjectTransformConfig) string {
		if t == nil {
			return "none"
		}
		return t.Source + " to " + t.Destination
	}
	field("subject transform", transform(have.SubjectTransform), transform(want.SubjectTransform))
	republish := func(r *jetstream.RePublish) string {
		if r == nil {
			return "none"
		}
		return fmt.Sprintf("%s to %s, headers only %t", r.Source, r.Destination, r.HeadersOnly)
	}
	field("republish", republish(have.RePublish), republish(want.RePublish))
	field("messages per subject", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	field("discard", have.Discard, want.Discard)
	field("storage", have.Storage, want.Storage)
	field("direct reads", have.AllowDirect, want.AllowDirect)
	return diff
}
