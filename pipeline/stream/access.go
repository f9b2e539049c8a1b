package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"newsmonitor/pipeline/problem"
)

// Who may do what on the embedded server. MONITOR owns the streams; only the
// daemon is in it. PUBLIC, where everybody else on loopback lands, imports the
// subjects to listen to and the requests that a reading consumer needs. One
// account with permissions would not do: a reply subject is not checked, so
// any allowed request could be made to answer into our ingest subjects.
//
// CONSUMER.CREATE is the one request that names a subject of MONITOR in its
// body (deliver_subject), so it goes to the daemon (see guardConsumers), which
// passes on pull consumers only.

// createSubject is where PUBLIC's CONSUMER.CREATE requests arrive in MONITOR.
const createSubject = "monitor.consumer.create"

// readable lists the subjects that readers may listen to.
func (n names) readable() []string {
	p := n.prefix
	return []string{p + ".alerts.>", p + ".folded.>", p + ".items.>", p + ".feeds.>", p + ".desk.>", p + ".canary.>"}
}

// sharing lists what the daemon's account gives to readers, and how they take
// it.
func sharing(n names, from string) (exports, imports []string) {
	for _, s := range n.readable() {
		exports = append(exports, fmt.Sprintf("{stream: %q}", s))
		imports = append(imports, fmt.Sprintf("{stream: {account: %s, subject: %q}}", from, s))
	}
	service := func(subject, responses string) {
		exports = append(exports, fmt.Sprintf("{service: %q, response_type: %s}", subject, responses))
		imports = append(imports, fmt.Sprintf("{service: {account: %s, subject: %q}}", from, subject))
	}
	service("$JS.API.INFO", "singleton")
	for _, st := range []string{n.items, n.alerts} {
		service("$JS.API.STREAM.INFO."+st, "singleton")
		service("$JS.API.CONSUMER.INFO."+st+".>", "singleton")
		service("$JS.API.CONSUMER.DELETE."+st+".>", "singleton")
		service("$JS.API.CONSUMER.MSG.NEXT."+st+".>", "stream")
		service("$JS.API.DIRECT.GET."+st, "stream")
		service("$JS.API.DIRECT.GET."+st+".>", "singleton")
		service("$JS.ACK."+st+".>", "singleton")
		to := createSubject + "." + st
		exports = append(exports, fmt.Sprintf("{service: %q}", to+".>"))
		imports = append(imports, fmt.Sprintf("{service: {account: %s, subject: %q}, to: %q}", from, to+".>", "$JS.API.CONSUMER.CREATE."+st+".>"))
	}
	return exports, imports
}

// serverConf is the server's configuration: accounts and TLS.
func serverConf(o Options, n names, daemonKey string) (string, error) {
	exports, imports := sharing(n, "MONITOR")
	users, anybody, err := readers(o, n)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "accounts {\n MONITOR {jetstream: enabled, users: [{nkey: %s}], exports: [\n  %s\n ]}\n", daemonKey, strings.Join(exports, "\n  "))
	fmt.Fprintf(&b, " PUBLIC {users: [%s], imports: [\n  %s\n ]}\n}\n", users, strings.Join(imports, "\n  "))
	if anybody != "" {
		fmt.Fprintf(&b, "no_auth_user: %s\n", anybody)
	}
	if o.TLSCert != "" {
		fmt.Fprintf(&b, "tls {cert_file: %q, key_file: %q}\n", o.TLSCert, o.TLSKey)
	}
	return b.String(), nil
}

// permissions of everybody in PUBLIC. Imports bound them already; this keeps
// readers from talking to each other through our server.
func permissions(n names) string {
	p := readerPermissions(n)
	sub, _ := marshal(p.Subscribe)
	pub, _ := marshal(p.Publish)
	return fmt.Sprintf(`permissions: {subscribe: %s, publish: {allow: %s}}`, sub, pub)
}

func readerPermissions(n names) Permissions {
	return Permissions{Subscribe: []string{n.prefix + ".>", "_INBOX.>"}, Publish: []string{"$JS.API.>", "$JS.ACK.>"}}
}

// readers returns the users of PUBLIC, and which of them is everybody. Without
// --nats-users that is a key of which nobody has the other half, so that no
// login leads there but having none; beyond loopback that is refused.
func readers(o Options, n names) (users, anybody string, err error) {
	if !loopback(o.Listen) && (o.Users == "" || o.TLSCert == "" || o.TLSKey == "") {
		return "", "", fmt.Errorf("--nats-listen %s is open to others: that needs --nats-users, --nats-tls-cert and --nats-tls-key", o.Listen)
	}
	if o.Users == "" {
		key, err := nkeys.CreateUser()
		if err != nil {
			return "", "", fmt.Errorf("make the readers' key: %w", err)
		}
		pub, err := key.PublicKey()
		return fmt.Sprintf("{nkey: %s, %s}", pub, permissions(n)), pub, err
	}
	var f usersFile
	b, err := os.ReadFile(o.Users)
	if err != nil {
		return "", "", fmt.Errorf("read --nats-users: %w", err)
	}
	if _, l := problem.YAML(o.Users, b, &f); len(l.Errors()) > 0 {
		return "", "", l
	}
	var us []string
	for _, u := range f.Users {
		if u.User == "" || u.Password == "" {
			return "", "", fmt.Errorf("%s: each user needs a user and a password", o.Users)
		}
		us = append(us, fmt.Sprintf("{user: %q, password: %q, %s}", u.User, u.Password, permissions(n)))
	}
	if len(us) == 0 {
		return "", "", fmt.Errorf("%s: no users; want users: [{user: NAME, password: BCRYPT-OR-PLAIN}]", o.Users)
	}
	return strings.Join(us, ", "), "", nil
}

// usersFile is the form of --nats-users.
type usersFile struct {
	Users []struct {
		User     string `yaml:"user"`
		Password string `yaml:"password"` // bcrypt ($2a$...) or plain
	} `yaml:"users"`
}

func loopback(listen string) bool {
	if listen == "off" {
		return true
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return true // reported where the address is used
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}

// guardConsumers passes readers' CONSUMER.CREATE requests on to JetStream, but
// for those that would make the server send into MONITOR's own subjects.
// On an external server whose readers have an account of their own it does the
// same; elsewhere nobody asks. One of several replicas answers.
func (s *Store) guardConsumers() error {
	for _, st := range []string{s.names.items, s.names.alerts} {
		if _, err := s.nc.QueueSubscribe(createSubject+"."+st+".>", "newsmonitor", s.passConsumer); err != nil {
			return fmt.Errorf("guard the readers' consumers: %w", err)
		}
	}
	return nil
}

func (s *Store) passConsumer(m *nats.Msg) {
	target, _ := strings.CutPrefix(m.Subject, createSubject+".")
	var req struct {
		Config map[string]any `json:"config"`
	}
	refused := ""
	switch err := json.Unmarshal(m.Data, &req); {
	case err != nil:
		refused = "the request is no JSON"
	case has(req.Config, "deliver_subject"), has(req.Config, "deliver_group"):
		refused = "push consumers are not for readers here: use a pull or an ordered consumer"
	}
	if refused != "" {
		b, _ := json.Marshal(map[string]any{"type": "io.nats.jetstream.api.v1.consumer_create_response",
			"error": map[string]any{"code": 403, "err_code": 0, "description": refused}})
		_ = m.Respond(b)
		return
	}
	b, err := reencode(m.Data)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := s.nc.RequestWithContext(ctx, "$JS.API.CONSUMER.CREATE."+target, b)
	if err != nil {
		if !errors.Is(err, nats.ErrConnectionClosed) {
			s.log.Debug("a reader's consumer was not made", "error", err)
		}
		return
	}
	_ = m.Respond(answer.Data)
}

// reencode writes a JSON object anew, so that what was checked is what is
// passed on: a key given twice has one value from here on. Numbers stay as they
// were written, as nanoseconds do not fit a float.
func reencode(b []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var whole map[string]any
	if err := d.Decode(&whole); err != nil {
		return nil, err
	}
	return json.Marshal(whole)
}

// has looks a key up as the server would: whatever its case.
func has(m map[string]any, key string) bool {
	for k, v := range m {
		if strings.EqualFold(k, key) && v != nil && v != "" {
			return true
		}
	}
	return false
}
