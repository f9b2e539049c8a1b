package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// mailer hands letters to a mail server. A letter keeps its Message-ID at each
// attempt, so that a mailbox shows it once even when the server's answer was
// lost.
type mailer struct {
	d     *Destination
	now   func() time.Time
	roots *x509.CertPool // nil: the system's

	timeout time.Duration // 0: mailTimeout
}

const mailTimeout = time.Minute // a server may look at a letter for a while (RFC 5321, 4.5.3.2)

func (m *mailer) send(ctx context.Context, p post) error {
	password, err := m.d.password.read()
	if err != nil {
		return secretFault("password", err)
	}
	letter, err := compose(m.d, p, m.now())
	if err != nil {
		return &fault{reason: "refused", text: "the letter cannot be written: " + oneLine(err.Error(), 120), refused: true, message: true}
	}
	timeout := m.timeout
	if timeout == 0 {
		timeout = mailTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return smtpFault(m.deliver(ctx, letter, password), password)
}

func (m *mailer) deliver(ctx context.Context, letter []byte, password string) error {
	host, _, err := net.SplitHostPort(m.d.server)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.d.server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends any wait below
	defer stop()
	settings := &tls.Config{ServerName: host, RootCAs: m.roots, MinVersion: tls.VersionTLS12}
	if m.d.tls == "implicit" {
		secure := tls.Client(conn, settings)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if err := c.Hello(helloName(m.d)); err != nil {
		return err
	}
	if m.d.tls == "starttls" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errNoTLS
		}
		if err := c.StartTLS(settings); err != nil {
			return err
		}
	}
	if m.d.user != "" {
		if err := c.Auth(&login{user: m.d.user, password: password, secure: m.d.tls != "none" || loopback(m.d.server)}); err != nil {
			return err
		}
	}
	if err := c.Mail(m.d.from.Address); err != nil {
		return err
	}
	var refused error
	taken := 0
	for _, to := range m.d.to {
		err := c.Rcpt(to.Address)
		var answer *textproto.Error
		if errors.As(err, &answer) && answer.Code/100 == 5 { // the others get theirs
			refused = err
			continue
		}
		if err != nil {
			return err
		}
		taken++
	}
	if taken == 0 {
		return refused
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(letter); err != nil {
		return err
	}
	if err := w.Close(); err != nil { // the server has it only when it says so here
		return err
	}
	_ = c.Quit()
	return nil
}

var errNoTLS = errors.New("the server offers no STARTTLS")

// helloName is what we call ourselves: the sender's domain, never our host.
func helloName(d *Destination) string {
	if _, domain, ok := strings.Cut(d.from.Address, "@"); ok && !strings.ContainsAny(domain, " \r\n") {
		return domain
	}
	return "localhost"
}

// login is AUTH PLAIN, or LOGIN where that is all the server has. It never
// sends a password over a connection that others can read.
type login struct {
	user, password string
	secure         bool
	step           int
	plain          bool
}

func (a *login) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if !a.secure {
		return "", nil, errNoTLS
	}
	a.plain = len(s.Auth) == 0
	for _, m := range s.Auth {
		a.plain = a.plain || strings.EqualFold(m, "PLAIN")
	}
	if a.plain {
		return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
	}
	return "LOGIN", nil, nil
}

func (a *login) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if a.step++; a.plain || a.step > 2 {
		return nil, errors.New("unexpected question of the server")
	}
	return []byte([]string{a.user, a.password}[a.step-1]), nil
}

// smtpFault is the mail server's verdict: 5xx is final for this letter, 4xx
// and everything else is not.
func smtpFault(err error, password string) error {
	var answer *textproto.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoTLS):
		return &fault{reason: "tls", text: errNoTLS.Error() + ": set tls: implicit, or none on a line that nobody else reads", refused: true}
	case errors.As(err, &answer):
		said := scrub(oneLine(answer.Msg, 160), []string{password})
		text := fmt.Sprintf("the mail server answers %d: %s", answer.Code, said)
		switch {
		case answer.Code == 421 || answer.Code == 450 || answer.Code == 451 || answer.Code == 452:
			return &fault{reason: "busy", text: text}
		case answer.Code/100 == 5:
			// 530, 534, 535, 538: the login; the rest is about this letter or its readers.
			return &fault{reason: "refused", text: text, refused: true, message: answer.Code == 552 || answer.Code == 554}
		}
		return &fault{reason: "unavailable", text: text}
	}
	f := transportFault(err)
	if v := asFault(f); v.reason == "timeout" {
		return v
	}
	var cert x509.UnknownAuthorityError
	var name x509.HostnameError
	if errors.As(err, &cert) || errors.As(err, &name) {
		return &fault{reason: "tls", text: "its certificate is not valid: " + oneLine(err.Error(), 160)}
	}
	return f
}
