package pipeline_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"newsmonitor/pipeline"
	"newsmonitor/pipeline/alert"
)

// hook is a receiver of webhooks.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	titles []string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e alert.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.titles = append(h.titles, e.Data.Item.Title)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.titles)
}

// TestOncePushes: a run that ends waits for those who push at once, and says
// who has not taken all.
func TestOncePushes(t *testing.T) {
	t.Parallel()
	w, h := newWorld(t), newHook(t)
	w.write(t, "notify.yaml", fmt.Sprintf(`destinations:
  - {name: hook, service: webhook, url: "%s"}
  - {name: daily, service: webhook, url: "%s", disabled: "for the tests"}
`, h.URL, h.URL))
	s := w.settings()
	s.HTTP, s.NATSListen = "off", "off"
	s.Files.Notify = filepath.Join(w.dir, "notify.yaml")
	once := func() pipeline.Summary {
		t.Helper()
		m, err := pipeline.Open(t.Context(), s, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		sum, err := m.Once(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	w.pub.publish("1", "Sanctions on North Korea") // the first poll's: never pushed
	once()
	w.pub.publish("2", "New sanctions on North Korea")
	if sum := once(); sum.Alerts != 1 || len(sum.Unpushed) > 0 {
		t.Errorf("the second run: %+v", sum)
	}
	if got := h.got(); !slices.Equal(got, []string{"New sanctions on North Korea"}) {
		t.Errorf("pushed: %q", got)
	}
}

// TestPushTest: the daemon sends a test message when it is asked to by its own
// people, and says what the receiver said.
func TestPushTest(t *testing.T) {
	t.Parallel()
	w, h := newWorld(t), newHook(t)
	w.write(t, "notify.yaml", fmt.Sprintf(`destinations:
  - {name: hook, service: webhook, url: "%s"}
  - {name: gone, service: webhook, url: "%s"}
`, h.URL, w.pub.URL+"/secret-path"))
	w.pub.down = true
	s := w.settings()
	s.Files.Notify = filepath.Join(w.dir, "notify.yaml")
	d := start(t, s)
	ask := func(name, site string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.place.HTTP+"/api/v1/destinations/"+name+"/test", nil)
		if err != nil {
			t.Fatal(err)
		}
		if site != "" {
			req.Header.Set("Origin", site)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, c := range []struct {
		name, site string
		code       int
		text       string
	}{
		{"hook", "", 200, `{"name":"hook","service":"webhook"}`},
		{"gone", "", 502, "gone (webhook): it answers 503"},
		{"hok", "", 404, `did you mean \"hook\"?`},
		{"hook", "https://elsewhere.example", 403, ""},
	} {
		code, text := ask(c.name, c.site)
		if code != c.code || !strings.Contains(text, c.text) || strings.Contains(text, "secret-path") {
			t.Errorf("%s from %q: %d %s, want %d %s", c.name, c.site, code, text, c.code, c.text)
		}
	}
	if got := h.got(); !slices.Equal(got, []string{"Test of destination hook"}) {
		t.Errorf("received: %q", got)
	}
}
