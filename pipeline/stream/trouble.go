package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// trouble remembers why writing failed, for /readyz and for the words of
// errors: what a server does not permit it tells on another way than the
// answer, which never comes.
type trouble struct {
	mu        sync.Mutex
	errs      map[string]error // of the last write, by what was written; none when it went well
	violation string           // of permissions, in the server's words
	at        time.Time        // of the violation
	said      map[string]bool
	abort     func() // ends the opening of the store: what is not permitted is never answered
}

// denied notes what the server reports besides its answers, and says whether
// it is news.
func (t *trouble) denied(err error) bool {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if strings.Contains(err.Error(), createSubject) {
		return false // no readers' account here, or one that does not pass its requests on
	}
	t.violation, t.at = err.Error(), time.Now()
	if _, words, ok := strings.Cut(t.violation, nats.ErrPermissionViolation.Error()+": "); ok {
		t.violation = words
	}
	if t.abort != nil {
		t.abort()
	}
	if t.said[t.violation] || len(t.said) >= 100 {
		return false
	}
	if t.said == nil {
		t.said = map[string]bool{}
	}
	t.said[t.violation] = true
	return true
}

// during makes a violation end ctx until the returned function is called.
func (t *trouble) during(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	t.abort = cancel
	t.mu.Unlock()
	return ctx, func() {
		t.mu.Lock()
		t.abort = nil
		t.mu.Unlock()
		cancel()
	}
}

func (t *trouble) set(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		delete(t.errs, what)
	case errors.Is(err, context.Canceled): // we stop; that says nothing of the server
	case t.errs == nil:
		t.errs = map[string]error{what: err}
	default:
		t.errs[what] = err
	}
}

// last is why what we want to write now cannot be written.
func (t *trouble) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(t.errs)) {
		return t.errs[what]
	}
	return nil
}

// permission returns the violation that explains why there was no answer.
func (t *trouble) permission() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) > time.Minute {
		return ""
	}
	return t.violation
}

// full says whether a server refused for want of room.
func full(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case 10002, 10023, 10028, 10047, 10077: // no resources, memory or storage; a limit with discard new
		return true
	}
	return false
}

// leaderless says whether a cluster failed us in a way that ends by itself, when
// it has elected. A refused permission has no answer either, but its own error.
func leaderless(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode == 10008 || api.ErrorCode == 10005 // no leader; too few servers known yet
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
}

// explain says what a failure of NATS means and what to do.
func (s *Store) explain(doing string, err error) error {
	hint := ""
	var api *jetstream.APIError
	silent := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.Canceled)
	switch denied := s.trouble.permission(); {
	case silent && denied != "":
		return fmt.Errorf("%s at %s: not permitted: %s (monitor nats config prints the permissions that the daemon needs)", doing, s.where(), denied)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("NATS at %s has no JetStream for us: enable it in the server (jetstream {}) and for the account", s.where())
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		hint = "nobody there takes it: the stream was deleted, its cluster has no leader, or the account has no JetStream"
	case errors.As(err, &api) && api.ErrorCode == 10077:
		hint = "the stream is full and its settings refuse what is new: raise its limits, or let it drop the oldest (discard: old)"
	case errors.As(err, &api) && api.ErrorCode == 10027:
		hint = "the account may not have more streams: raise its limit, or have the streams of `monitor nats config` made"
	case errors.As(err, &api) && api.ErrorCode == 10074:
		hint = "it is a single server: only a cluster keeps copies, see --nats-replicas"
	case full(err):
		hint = "the server or the account has no room left: give it more, or lower --max-store"
	case s.server == nil && silent:
		hint = "it does not answer in time"
	}
	if hint == "" {
		return fmt.Errorf("%s at %s: %w", doing, s.where(), err)
	}
	return fmt.Errorf("%s at %s: %w (%s)", doing, s.where(), err, hint)
}
