package notify

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"newsmonitor/pipeline/rule"
)

// sink is a mail server on loopback that keeps what it gets.
type sink struct {
	addr  string
	mu    sync.Mutex
	mails []string
	rcpt  []string
	login string

	answers map[string]string // to a verb, instead of the usual
	tls     *tls.Config       // offers STARTTLS
	auth    string            // mechanisms
	hang    bool              // after DATA
}

func startSink(t *testing.T, s *sink) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *sink) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	say := func(line string) { _, _ = fmt.Fprintf(c, "%s\r\n", line) }
	say("220 sink")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb, arg, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if a, ok := s.answers[verb+" "+arg]; ok {
			say(a)
			continue
		}
		if a, ok := s.answers[verb]; ok {
			say(a)
			continue
		}
		switch verb {
		case "EHLO":
			out := []string{"sink"}
			if _, secure := c.(*tls.Conn); s.tls != nil && !secure {
				out = append(out, "STARTTLS")
			}
			if s.auth != "" {
				out = append(out, "AUTH "+s.auth)
			}
			for i, o := range out {
				sep := "-"
				if i == len(out)-1 {
					sep = " "
				}
				say("250" + sep + o)
			}
		case "STARTTLS":
			say("220 go")
			secure := tls.Server(c, s.tls)
			if secure.Handshake() != nil {
				return
			}
			c, in = secure, bufio.NewReader(secure)
		case "AUTH":
			mech, first, _ := strings.Cut(arg, " ")
			words := []string{first}
			if mech == "LOGIN" {
				words = nil
				for _, q := range []string{"VXNlcm5hbWU6", "UGFzc3dvcmQ6"} {
					say("334 " + q)
					w, _ := in.ReadString('\n')
					words = append(words, strings.TrimSpace(w))
				}
			}
			s.mu.Lock()
			s.login = mech
			for _, w := range words {
				b, _ := base64.StdEncoding.DecodeString(w)
				s.login += " " + strings.ReplaceAll(string(b), "\x00", " ")
			}
			s.mu.Unlock()
			say("235 welcome")
		case "RCPT":
			s.mu.Lock()
			s.rcpt = append(s.rcpt, arg)
			s.mu.Unlock()
			say("250 ok")
		case "DATA":
			say("354 go")
			var b strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(l, "."))
			}
			if s.hang {
				_, _ = io.Copy(io.Discard, in)
				return
			}
			s.mu.Lock()
			s.mails = append(s.mails, b.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *sink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func desk(addr string) *Destination {
	return &Destination{Name: "desk", Service: "mail", server: addr, tls: "none", zone: time.UTC, severity: rule.Medium,
		from: &mail.Address{Name: "Möwe", Address: "monitor@example.org"}, to: []*mail.Address{{Address: "a@example.org"}, {Address: "b@example.org"}}}
}

func hostilePost(d *Destination) post {
	e := hostile()
	return post{id: e.ID, kind: "alert", event: &e, messages: []message{newMessage(&e, d)}, at: e.Time}
}

// TestLetter: a letter that any mail program reads: both parts say the same,
// a stranger's words make no header, and the id stays at each attempt.
func TestLetter(t *testing.T) {
	t.Parallel()
	s := startSink(t, &sink{})
	d := desk(s.addr)
	m := &mailer{d: d, now: time.Now}
	p := hostilePost(d)
	for range 2 {
		if err := m.send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, raw := range s.all() {
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > 998 || strings.Contains(line, "\n") {
				t.Errorf("a line that RFC 5322 does not allow: %q", line)
			}
		}
		msg, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		h := msg.Header
		ids = append(ids, h.Get("Message-ID"))
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil || !strings.HasPrefix(subject, "[critical] Ministry *bold*") || h.Get("Bcc") != "" {
			t.Errorf("subject %q, %v", subject, err)
		}
		if u := h.Get("List-Unsubscribe"); u != "<mailto:monitor@example.org?subject=unsubscribe%20desk>" {
			t.Errorf("List-Unsubscribe %q", u)
		}
		if from, err := h.AddressList("From"); err != nil || from[0].Name != "Möwe" || strings.Contains(h.Get("To"), "a@example.org") {
			t.Errorf("From %v, To %q, %v", from, h.Get("To"), err)
		}
		if _, err := h.Date(); err != nil {
			t.Error(err)
		}
		_, params, err := mime.ParseMediaType(h.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(msg.Body, params["boundary"])
		for _, want := range []struct{ typ, has string }{
			{"text/plain", "«imposes sanctions» <b>on</b>"}, {"text/html", "imposes sanctions</mark> &lt;b&gt;on"}} {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(quotedprintable.NewReader(part))
			if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want.typ) || !bytes.Contains(b, []byte(want.has)) {
				t.Errorf("part %v: %v\n%s", part.Header, err, b)
			}
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] || !strings.HasPrefix(ids[0], "<"+p.id) {
		t.Errorf("ids %q", ids)
	}
	if len(s.rcpt) != 4 {
		t.Errorf("recipients %q", s.rcpt)
	}
}

// TestMailServers: each way in which a mail server misbehaves has its words.
func TestMailServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		sink    *sink
		want    string
		reason  string
		refused bool
	}{
		{"takes", &sink{}, "", "", false},
		{"one reader unknown", &sink{answers: map[string]string{"RCPT TO:<a@example.org>": "550 no such user"}}, "", "", false},
		{"all readers unknown", &sink{answers: map[string]string{"RCPT": "550 no such user"}}, "the mail server answers 550: no such user", "refused", true},
		{"greylisted", &sink{answers: map[string]string{"RCPT": "451 later"}}, "the mail server answers 451: later", "busy", false},
		{"spam", &sink{answers: map[string]string{"DATA": "554 no\x1b[31m spam"}}, "the mail server answers 554: no [31m spam", "refused", true},
		{"hangs", &sink{hang: true}, "no answer in time", "timeout", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startSink(t, &sink{answers: c.sink.answers, hang: c.sink.hang})
			m := &mailer{d: desk(s.addr), now: time.Now, timeout: 5 * time.Second}
			if c.reason == "timeout" {
				m.timeout = 300 * time.Millisecond
			}
			err := m.send(t.Context(), hostilePost(m.d))
			if c.want == "" {
				if err != nil || len(s.all()) != 1 {
					t.Errorf("send: %v, %d letters", err, len(s.all()))
				}
				return
			}
			if err == nil || err.Error() != c.want || asFault(err).reason != c.reason || errors.Is(err, ErrRefused) != c.refused {
				t.Errorf("send: %+v, want %q", err, c.want)
			}
		})
	}
}

// TestMailSecurity: a password goes over TLS only, by whichever of the two
// ways a server has, and is in no message.
func TestMailSecurity(t *testing.T) {
	t.Parallel()
	settings, roots := certificate(t)
	for _, c := range []struct{ auth, want string }{
		{"PLAIN LOGIN", "PLAIN  monitor " + hunter}, {"LOGIN", "LOGIN monitor " + hunter}} {
		s := startSink(t, &sink{tls: settings, auth: c.auth})
		d := desk(strings.Replace(s.addr, "127.0.0.1", "localhost", 1))
		d.tls, d.user, d.password = "starttls", "monitor", secretFile(t, hunter)
		if err := (&mailer{d: d, now: time.Now, roots: roots}).send(t.Context(), hostilePost(d)); err != nil || s.login != c.want {
			t.Errorf("AUTH %s: %v, login %q", c.auth, err, s.login)
		}
		if err := (&mailer{d: d, now: time.Now}).send(t.Context(), hostilePost(d)); err == nil || asFault(err).reason != "tls" {
			t.Errorf("an unknown certificate: %v", err)
		}
	}
	s := startSink(t, &sink{auth: "PLAIN"})
	d := desk(s.addr)
	d.tls, d.user, d.password = "starttls", "monitor", secretFile(t, hunter)
	if err := (&mailer{d: d, now: time.Now}).send(t.Context(), hostilePost(d)); err == nil || !strings.Contains(err.Error(), "no STARTTLS") || s.login != "" {
		t.Errorf("without TLS: %v, login %q", err, s.login)
	}
	s = startSink(t, &sink{answers: map[string]string{"AUTH": "535 wrong " + hunter}, auth: "PLAIN"})
	d = desk(s.addr)
	d.user, d.password = "monitor", secretFile(t, hunter)
	if err := (&mailer{d: d, now: time.Now}).send(t.Context(), hostilePost(d)); err == nil || strings.Contains(err.Error(), hunter) || !errors.Is(err, ErrRefused) {
		t.Errorf("a wrong password: %v", err)
	}
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
