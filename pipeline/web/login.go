package web

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	cookieName   = "newsmonitor"
	cookieAge    = 30 * 24 * time.Hour
	minToken     = 16 // characters: below that guessing has a chance
	maxTokenFile = 64 << 10
)

// secret is one token; a line "read TOKEN" is one that changes nothing.
type secret struct {
	token    []byte
	readOnly bool
}

// tokens are what opens the door, read again when the file changes so that a
// token can be rotated: write the new one below the old one, then take the old
// one out.
type tokens struct {
	file string
	log  *slog.Logger

	mu      sync.Mutex
	mtime   time.Time
	size    int64
	secrets []secret
	broken  bool // the file as it is now cannot be used; the last good one stands
}

func newTokens(file string, log *slog.Logger) (*tokens, error) {
	t := &tokens{file: file, log: log}
	if err := t.load(); err != nil {
		return nil, err
	}
	return t, nil
}

// CheckTokens says what is wrong with a file of tokens.
func CheckTokens(file string) error {
	_, err := newTokens(file, slog.New(slog.DiscardHandler))
	return err
}

func (t *tokens) load() error {
	fi, err := os.Stat(t.file)
	if err != nil {
		return fmt.Errorf("read tokens: %w", err)
	}
	if fi.ModTime().Equal(t.mtime) && fi.Size() == t.size {
		return nil
	}
	if fi.Size() > maxTokenFile {
		return fmt.Errorf("read tokens: %s has %d bytes, %d at most", t.file, fi.Size(), maxTokenFile)
	}
	b, err := os.ReadFile(t.file)
	if err != nil {
		return fmt.Errorf("read tokens: %w", err)
	}
	var secrets []secret
	for n, line := range bytes.Split(b, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		rest, readOnly := bytes.CutPrefix(line, []byte("read "))
		line = bytes.TrimSpace(rest)
		if len(line) < minToken {
			return fmt.Errorf("%s:%d:1: the token has %d characters: use %d or more, for instance from `openssl rand -hex 24`",
				t.file, n+1, len(line), minToken)
		}
		secrets = append(secrets, secret{line, readOnly})
	}
	if len(secrets) == 0 {
		return fmt.Errorf("%s holds no token: put one in, for instance from `openssl rand -hex 24`", t.file)
	}
	t.secrets, t.mtime, t.size = secrets, fi.ModTime(), fi.Size()
	return nil
}

// current returns the tokens of the file as it is now, or the last good ones.
func (t *tokens) current() []secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.load()
	if err != nil && !t.broken {
		t.log.Warn("the token file cannot be used as it is; the last good one stands", "error", err)
	}
	t.broken = err != nil
	return t.secrets
}

// knows compares in constant time, without telling how many tokens there are.
func (t *tokens) knows(secret string) bool {
	known, _ := t.any(func(have []byte) []byte { return have }, secret)
	return known
}

// any also tells whether no token that fits may change something.
func (t *tokens) any(derive func([]byte) []byte, got string) (known, readOnly bool) {
	want, reads, writes := sha256.Sum256([]byte(got)), 0, 0
	for _, have := range t.current() {
		sum := sha256.Sum256(derive(have.token))
		same := subtle.ConstantTimeCompare(sum[:], want[:])
		if have.readOnly {
			reads |= same
		} else {
			writes |= same
		}
	}
	return reads|writes == 1, writes == 0
}

// session is what the cookie holds: who steals it has a session until the
// token is changed, not the token.
func session(token []byte) []byte {
	m := hmac.New(sha256.New, token)
	m.Write([]byte("newsmonitor session v1"))
	return []byte(hex.EncodeToString(m.Sum(nil)))
}

func (t *tokens) admits(r *http.Request) bool {
	known, _ := t.judge(r)
	return known
}

func (t *tokens) readOnly(r *http.Request) bool {
	_, readOnly := t.judge(r)
	return readOnly
}

func (t *tokens) judge(r *http.Request) (known, readOnly bool) {
	if scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return t.any(func(have []byte) []byte { return have }, strings.TrimSpace(secret))
	}
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false, true
	}
	return t.any(session, c.Value)
}

type loginView struct {
	To    string
	Wrong bool
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) error {
	if s.tokens == nil {
		return errNotFound
	}
	return s.render(w, s.pages.login, http.StatusOK, loginView{To: ownPath(r.URL.Query().Get("to"))})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if s.tokens == nil {
		return errNotFound
	}
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil {
		return refuse(http.StatusBadRequest, "the form cannot be read")
	}
	token, to := strings.TrimSpace(r.PostForm.Get("token")), ownPath(r.PostForm.Get("to"))
	if !s.tokens.knows(token) {
		return s.render(w, s.pages.login, http.StatusUnauthorized, loginView{To: to, Wrong: true})
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: string(session([]byte(token))), Path: "/", MaxAge: int(cookieAge.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// ownPath lets a login lead to our own pages only.
func ownPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		return "/"
	}
	return to
}
