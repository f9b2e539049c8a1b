package poll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"newsmonitor/pipeline/feed"
)

// The cases of the reliability list, 161 of them. Each is a scene (a world
// with a clock of its own), a live one (real sockets on loopback), a row of
// elsewhere, or this test fails.

const lastCase = 161

// scene runs a case in a bubble. Its name begins with case-NNN.
func scene(t *testing.T, name string, f func(w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { f(newWorld(t)) })
	})
}

// live runs a case over real sockets.
func live(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		f(t)
	})
}

// elsewhere says of the cases that are not poll's where they are kept, and of
// those that are done otherwise or not at all, why.
var elsewhere = map[int]struct{ room, why string }{
	34: {"pipeline", "there is no poll-now command (design.md 4.1); --once asks each feed once and obeys Retry-After: TestOnce, here TestOnceDoesNotSitOutAHostsWish"},
	42: {"pipeline/feed", "two feeds with one url are refused by the catalogue: TestCatalogueProblems"},
	44: {"pipeline", "a reload with a wrong file keeps the last good one: TestReload"},
	87: {"pipeline/feed", "depth is limited where documents are read"},
	86: {"pipeline/feed", "entities are never expanded"},
	89: {"pipeline/feed", "bytes before the root"}, 90: {"pipeline/feed", "text before the declaration"},
	91: {"pipeline/feed", "charsets"}, 92: {"pipeline/feed", "charsets"}, 93: {"pipeline/feed", "charsets"},
	94: {"pipeline/feed", "control characters"}, 95: {"pipeline/feed", "entities"}, 96: {"pipeline/feed", "whole items of a broken document"},
	97:  {"pipeline/feed", "namespaces"},
	101: {"pipeline/feed", "RDF and JSON Feed"}, 102: {"pipeline/feed", "fields are cut at limits"},
	115: {"pipeline/alert", "stories join the same text of several feeds: TestStory"},
	117: {"pipeline/web", "the page's content security policy: TestPageInABrowser, TestHostileTextStaysText"}, 118: {"pipeline/feed", "links are http(s) or absent"},
	119: {"cmd/monitor", "escape codes in terminal output: TestScripts (feeds.txtar)"},
	122: {"pipeline/stream", "subjects are made of checked slugs and hashes: TestForging"}, 123: {"pipeline/feed", "ids are slugs: TestCatalogueProblems"},
	124: {"pipeline/web", "CSV export quotes formulas: TestDefuse"}, 125: {"pipeline/rule", "no regular expressions in rules: TestQueryLanguage"},
	126: {"pipeline/web", "origins and Host headers: TestGuard"}, 127: {"pipeline/web", "metrics are public by design (4.5), pprof is not served: TestGuard"},
	128: {"cmd/monitor", "kill -9 at random: TestKilled, TestCrash; poll's share is case 138"}, 129: {"pipeline/stream", "SyncAlways, and damage that a loss of power leaves: TestDamage"},
	131: {"pipeline/stream", "an append is repeated with its expected sequence; no message ids (design.md 3): TestAppendOnce"},
	132: {"cmd/monitor", "a full stream refuses, and poll waits as in case 130: TestFullStream; an item too large is cut: TestSmallServer of pipeline/stream"}, 133: {"pipeline/stream", "a full disk: TestDiskFull"},
	134: {"pipeline/stream", "a damaged store: TestDamage"}, 135: {"pipeline/stream", "a store that cannot be written: TestOpenErrors"}, 136: {"pipeline/stream", "the lock of the data folder: TestOpenErrors"},
	137: {"pipeline/web", "slow readers are cut and resume: TestSlowClientIsCut"},
	144: {"pipeline/web", "page and API show the class: TestSourcesPage; its words are poll's: TestEveryReasonSaysWhatToDo"},
	146: {"pipeline/web", "livez and readyz: TestHealthSaysWhy"}, 147: {"pipeline", "the canary of design.md 4.4: TestCanary"},
	149: {"cmd/monitor", "feeds read uses the same fetcher and parser: TestScripts (feeds.txtar)"},
	150: {"pipeline/poll", "WebSub is not offered: a hub is one more party to trust, and polling is needed all the same"},
	151: {"pipeline/poll", "WebSub is not offered"}, 152: {"pipeline/poll", "WebSub is not offered"}, 153: {"pipeline/poll", "WebSub is not offered"},
	154: {"pipeline/poll", "WebSub is not offered"}, 155: {"pipeline/poll", "WebSub is not offered"}, 156: {"pipeline/poll", "WebSub is not offered"},
	158: {"pipeline/poll", "prev-archive is not followed: a gap is told instead (case 113)"},
	159: {"pipeline/poll", "24 hours of wall time do not fit a test; the simulated week is the same faults at the same rate"},
	160: {"pipeline/feed", "FuzzParse and FuzzMend; poll's are FuzzDecode and FuzzNewness"},
	161: {"pipeline/poll", "how the tests are run: go test -race"},
}

// differs says where a case is kept, but design.md wants something else than
// the list does: design.md wins.
var differs = map[int]string{
	17:  "the cap is a constant, a day; capping is not logged",
	20:  "the class of 429 is rate_limited, of 503 http_5xx (design.md 4.7)",
	22:  "gaps grow by 1.5 to 2.5 up to a day, then stay",
	27:  "confirmed twice hours apart, then weekly",
	29:  "skipHours and skipDays are honoured, up to a day",
	36:  "spread over n/20 s (design.md 4.2), so at most 40 a second whatever the interval",
	32:  "every below the floor (--min-interval) is raised to it",
	40:  "with NEWSMONITOR_LONG only",
	72:  "br and zstd are asked for (issue 5), so their bombs are too_large; a chain of encodings is encoding",
	79:  "net/http refuses a head with control characters in a value: class protocol, and its Retry-After is not read",
	99:  "classes html_page and not_a_feed",
	110: "only old or undated items are held (design.md 4.1); fresh ones never are",
	112: "all are published, none is held if freshly dated",
	116: "the backlog rules of design.md 4.1",
	142: "spread over the smaller of the interval and n/20 s (design.md 4.2)",
}

// keeps tells whether a test of a room names the case, or all tests that the
// reason names are there or here.
func keeps(t *testing.T, room string, n int, why string) bool {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{filepath.Join("..", "..", room), "."} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if dir != "." && strings.Contains(string(b), fmt.Sprintf("case-%03d", n)) {
				return true
			}
			all.Write(b)
		}
	}
	named := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(why, -1)
	for _, name := range named {
		if other := strings.Contains(why, name+" of "); !other && !strings.Contains(all.String(), "func "+name+"(") {
			return false
		}
	}
	return len(named) > 0
}

func TestEveryCaseHasItsPlace(t *testing.T) {
	t.Parallel()
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[int]string{}
	number := regexp.MustCompile(`^"case-(\d{3}) `)
	for _, name := range tests {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if m := number.FindStringSubmatch(l.Value); m != nil {
					n, _ := strconv.Atoi(m[1])
					kept[n] = name
				}
			}
			return true
		})
	}
	for n := 1; n <= lastCase; n++ {
		e, other := elsewhere[n]
		switch {
		case kept[n] == "" && !other:
			t.Errorf("case %d is neither a test here nor in the table of those kept elsewhere", n)
		case kept[n] != "" && other:
			t.Errorf("case %d is tested in %s and yet said to be elsewhere", n, kept[n])
		case other && e.room != "pipeline/poll":
			if !keeps(t, e.room, n, e.why) {
				t.Errorf("case %d is said to be kept in %s (%s): no test there names its number, and none of the tests named is there", n, e.room, e.why)
			}
		}
	}
	for n := range differs {
		if kept[n] == "" {
			t.Errorf("case %d differs from the list but is not kept here", n)
		}
	}
}

// publisher is a well-behaved server of one feed that can grow: version n has
// n items and the validators of version n.
type publisher struct {
	items    int
	header   func(version int) http.Header // validators; nil: an ETag
	pretend  bool                          // validators are given and ignored
	prologue string                        // lines before the items
}

func (s *publisher) document() string {
	var b strings.Builder
	b.WriteString(s.prologue)
	for i := s.items; i > max(s.items-20, 0); i-- {
		fmt.Fprintf(&b, "%d|http://x.test/%d|Item %d||text\n", i, i, i)
	}
	return b.String()
}

func (s *publisher) validators() http.Header {
	if s.header != nil {
		return s.header(s.items)
	}
	return h("ETag", fmt.Sprintf(`"v%d"`, s.items))
}

func (s *publisher) answer(r *http.Request, _ int) (int, http.Header, string) {
	head := s.validators()
	match, since := r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")
	fresh := match != "" && match == head.Get("ETag") || match == "" && since != "" && since == head.Get("Last-Modified")
	if fresh && !s.pretend {
		return 304, head, ""
	}
	return 200, head, s.document()
}

// one is the feed of most scenes.
func one(every time.Duration) feed.Feed { return aFeed("x", "http://x.test/feed", every) }

// gaps are the times between a feed's requests.
func (w *world) gaps(url string) (gaps []time.Duration) {
	var last time.Time
	for _, r := range w.site.seen() {
		if r.url != url {
			continue
		}
		if !last.IsZero() {
			gaps = append(gaps, r.at.Sub(last))
		}
		last = r.at
	}
	return gaps
}

// conditional counts requests with and without validators.
func (w *world) conditional() (with, without int) {
	for _, r := range w.site.seen() {
		if r.etag != "" || r.since != "" {
			with++
		} else {
			without++
		}
	}
	return with, without
}

// published wants each title to stand in the store exactly so often.
func (w *world) published(times int, titles ...string) {
	w.Helper()
	w.memory.mu.Lock()
	defer w.memory.mu.Unlock()
	count := map[string]int{}
	for _, revisions := range w.memory.stored {
		for _, s := range revisions {
			count[s.item.Title]++
		}
	}
	for _, title := range titles {
		if count[title] != times {
			w.Errorf("%q is stored %d times, want %d", title, count[title], times)
		}
	}
}

// reasonIs wants the feed's last failure to be of a class.
func (w *world) reasonIs(id, want string) {
	w.Helper()
	if st := w.memory.state(id); st.Reason != want {
		w.Errorf("reason %q (%s), want %q", st.Reason, st.Error, want)
	}
}

// kill runs a poller for a while and ends it as kill -9 does: nothing that it
// still has in mind is written.
func (w *world) kill(p *Poller, after time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(after) // bubble time
	w.memory.mu.Lock()
	w.memory.failing = 1 << 30
	w.memory.mu.Unlock()
	cancel()
	if err := <-done; err != nil {
		w.Error(err)
	}
	w.memory.mu.Lock()
	w.memory.failing = 0
	w.memory.mu.Unlock()
}

var anyLoopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// trust starts a server, with TLS or without, and returns what a fetcher needs
// to believe it.
func trust(t *testing.T, s *httptest.Server, withTLS bool) *tls.Config {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	if !withTLS {
		s.Start()
		return nil
	}
	s.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
