package stream

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Administration is what the administrator of an external NATS needs to know.
type Administration struct {
	// Definitions of the streams, and of the streams below the buckets, as the
	// JetStream API takes them: one object each, with a name.
	Definitions []json.RawMessage
	Daemon      Permissions
	Reader      Permissions // within the readers' account
	Accounts    string      // configuration of a nats-server: both accounts, exports and imports
}

// Permissions are the subjects that somebody may use.
type Permissions struct {
	Publish   []string `json:"publish"`
	Subscribe []string `json:"subscribe"`
}

// Administer makes it from the options; it asks no server.
func Administer(o Options) (Administration, error) {
	s := &Store{opts: o, names: newNames(o.Prefix), level: 2}
	replicas := max(1, o.Replicas)
	var a Administration
	define := func(c jetstream.StreamConfig) error {
		b, err := marshal(c)
		a.Definitions = append(a.Definitions, b)
		return err
	}
	for _, c := range s.streamConfigs(replicas) {
		if err := define(c); err != nil {
			return a, err
		}
	}
	buckets := append(s.bucketConfigs(replicas), s.leasesConfig(replicas))
	for _, c := range buckets {
		// What is made once by hand must survive a restart of the server.
		c.Storage = jetstream.FileStorage
		if err := define(bucketStream(c)); err != nil {
			return a, err
		}
	}
	a.Daemon, a.Reader = s.daemonPermissions(), readerPermissions(s.names)
	a.Accounts = s.accounts(a)
	return a, nil
}

// bucketStream is the stream below a bucket, as the client makes it.
func bucketStream(c jetstream.KeyValueConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + c.Bucket, Description: c.Description, Subjects: []string{"$KV." + c.Bucket + ".>"},
		MaxMsgsPerSubject: 1, MaxBytes: c.MaxBytes, MaxMsgs: -1, MaxConsumers: -1, MaxMsgSize: -1, Duplicates: 2 * time.Minute,
		Storage: c.Storage, Replicas: c.Replicas, Discard: jetstream.DiscardNew, DenyDelete: true,
		AllowRollup: true, AllowDirect: true, AllowMsgTTL: c.LimitMarkerTTL > 0, SubjectDeleteMarkerTTL: c.LimitMarkerTTL, Metadata: c.Metadata,
	}
}

// daemonPermissions are what the daemon uses and nothing else.
func (s *Store) daemonPermissions() Permissions {
	n := s.names
	p := Permissions{
		Publish:   []string{"in." + n.prefix + ".>", n.prefix + ".feeds.>", n.prefix + ".desk.>", "$JS.API.INFO"},
		Subscribe: []string{inboxPrefix + ".>"},
	}
	grant := func(st string, api ...string) {
		api = append(api, "STREAM.INFO.%s")
		if s.opts.Manage {
			api = append(api, "STREAM.CREATE.%s")
		}
		for _, a := range api {
			p.Publish = append(p.Publish, "$JS.API."+fmt.Sprintf(a, st))
		}
	}
	for _, st := range []string{n.items, n.alerts} {
		grant(st, "DIRECT.GET.%s", "DIRECT.GET.%s.>", "CONSUMER.CREATE.%s.>", "CONSUMER.INFO.%s.>", "CONSUMER.DELETE.%s.>", "CONSUMER.MSG.NEXT.%s.>")
	}
	for _, b := range []string{n.feeds, n.readers, n.leases, n.desk} {
		p.Publish = append(p.Publish, "$KV."+b+".>")
	}
	for _, st := range []string{"KV_" + n.feeds, "KV_" + n.readers, "KV_" + n.leases, "KV_" + n.desk} { // these are watched, or listed
		grant(st, "DIRECT.GET.%s.>", "CONSUMER.CREATE.%s.>", "CONSUMER.DELETE.%s.>")
		p.Publish = append(p.Publish, "$JS.FC."+st+".>")
	}
	for _, st := range s.kept() {
		p.Publish = append(p.Publish, "$JS.API.STREAM.SNAPSHOT."+st, "$JS.SNAPSHOT.ACK."+st+".>") // for backups
		if s.opts.Manage {
			p.Publish = append(p.Publish, "$JS.API.STREAM.UPDATE."+st)
		}
	}
	for _, st := range []string{n.items, n.alerts} {
		p.Subscribe = append(p.Subscribe, createSubject+"."+st+".>")
	}
	return p
}

// accounts is the configuration for an external server, by the same reasons as
// the embedded one's (see access.go). The passwords come from the server's
// environment, so that the file holds none.
func (s *Store) accounts(a Administration) string {
	exports, imports := sharing(s.names, "NEWSMONITOR")
	list := func(subjects []string) string {
		b, _ := marshal(subjects)
		return strings.ReplaceAll(string(b), `","`, "\",\n        \"")
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# For nats-server: include this file, and start the server with JetStream and
# NEWSMONITOR_PASSWORD and NEWSREADER_PASSWORD in its environment (bcrypt or plain).
# The daemon: --nats nats://newsmonitor:PASSWORD@HOST:4222 (or tls://)
accounts {
  NEWSMONITOR {
    jetstream: enabled
    users: [{
      user: newsmonitor, password: $NEWSMONITOR_PASSWORD
      permissions: {
        publish: {allow: %s}
        subscribe: {allow: %s}
        allow_responses: true # answers to readers who ask for a consumer
      }
    }]
    exports: [
      %s
    ]
  }
  NEWSREADERS {
    users: [{
      user: newsreader, password: $NEWSREADER_PASSWORD
      permissions: {
        publish: {allow: %s}
        subscribe: {allow: %s}
      }
    }]
    imports: [
      %s
    ]
  }
}
`, list(a.Daemon.Publish), list(a.Daemon.Subscribe), strings.Join(exports, "\n      "),
		list(a.Reader.Publish), list(a.Reader.Subscribe), strings.Join(imports, "\n      "))
	return b.String()
}
