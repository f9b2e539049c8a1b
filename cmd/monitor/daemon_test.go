package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"newsmonitor/pipeline/alert"
)

// process is the program as a user runs it.
type process struct {
	*exec.Cmd
	lines chan string // of stderr
}

func startProcess(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return startProgram(t, "monitor", dir, args...)
}

func startProgram(t *testing.T, program, dir string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return start(t, cmd)
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd, make(chan string, 10000)}
	out, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// says waits for a line of the log.
func (p *process) says(t *testing.T, what string) string {
	t.Helper()
	return p.saysAfter(t, what, nil)
}

// saysAfter also keeps the lines that it passes.
func (p *process) saysAfter(t *testing.T, what string, all *[]string) string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the program ended without saying %q", what)
			}
			if all != nil {
				*all = append(*all, line)
			}
			if strings.Contains(line, what) {
				return line
			}
		case <-deadline:
			t.Fatalf("the program does not say %q", what)
		}
	}
}

const noFeeds = `feeds:
  - {id: none, title: None, kind: think-tank, tier: non-authoritative, country: US, language: en, disabled: no feed}
`

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestStopsOnSignal: SIGHUP reloads; SIGTERM and Ctrl-C end the daemon within
// 10 s, exit 0.
func TestStopsOnSignal(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs signals, which Windows has not")
	}
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "feeds.yaml"), noFeeds)
			p := startProcess(t, dir, "--nats-listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--rules", "builtin")
			if line := p.says(t, "newsmonitor runs"); !strings.Contains(line, "feeds=[feeds.yaml] rules=[builtin]") {
				t.Errorf("the log does not say which copies run: %s", line)
			}
			if err := p.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			p.says(t, "reload asked for")
			p.says(t, "reloaded")
			at := time.Now()
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("ended with %v, want exit code 0", err)
			}
			if took := time.Since(at); took > 10*time.Second {
				t.Errorf("took %v to end", took)
			}
		})
	}
}

// TestDemo: the whole story as a newcomer sees it, faster: all main channels,
// quiet on what is ordinary, low on what is recalled, and nothing left behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir, tmp := t.TempDir(), t.TempDir()
	cmd := exec.Command("monitor", "demo", "--pace", "6", "--end")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+tmp, "NO_COLOR=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	for _, want := range []string{"critical  indictment", "critical  attribution", "critical  sanctions", "critical  dialogue-resumption",
		"dialogue-suspension", "denial", "news.alerts.>", "/metrics", "The story is told", "nothing is kept", "[起诉]"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the demo does not show %q:\n%s", want, out)
		}
	}
	for _, folder := range []string{dir, tmp} {
		if left, _ := os.ReadDir(folder); len(left) > 0 {
			t.Errorf("the demo leaves %v behind", left)
		}
	}
}

// TestKilled: whatever a feed showed is alerted exactly once, though the
// daemon is killed at any moment of its work.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var mu sync.Mutex
	var items []string
	asked := make(chan struct{}, 10000)
	add := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		items = append(items, fmt.Sprintf("<item><guid>%d</guid><title>Sanctions, part %d</title><pubDate>%s</pubDate></item>", n, n, time.Now().UTC().Format(time.RFC1123Z)))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(w, "<rss><channel><title>T</title>"+strings.Join(items, "")+"</channel></rss>")
		asked <- struct{}{}
	}))
	defer srv.Close()
	write(t, filepath.Join(dir, "feeds.yaml"), fmt.Sprintf(`feeds: [{id: f, title: F, url: "%s/f.xml", kind: ministry, tier: authoritative, country: US, language: en, every: 100ms}]`, srv.URL))
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rules", "s.yaml"), `{channel: s, title: S, rules: [{id: s, title: S, severity: low, match: sanctions,
  tests: [{fires: true, title: Sanctions}, {fires: false, title: Talks}]}]}`)
	args := []string{"--allow-net", "127.0.0.0/8", "--min-interval", "50ms", "--host-gap", "0s", "--nats-listen", "off", "--http", "off", "--backlog", "all"}

	n := 0
	for round := range 6 {
		for range 15 { // enough for a batch
			add(n)
			n++
		}
		p := startProcess(t, dir, args...)
		for range 1 + round%2 {
			<-asked
		}
		// Between 0 and 20 ms after the answer: while it is parsed, appended,
		// raised or remembered.
		<-time.After(time.Duration(round*4) * time.Millisecond)
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		for len(asked) > 0 {
			<-asked
		}
	}
	once := exec.Command("monitor", append(args, "--once")...)
	once.Dir = dir
	if out, err := once.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	list := exec.Command("monitor", "alerts", "--json", "--server", "http://127.0.0.1:1")
	list.Dir = dir
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(out)) {
		var e alert.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type != alert.Raised {
			t.Errorf("%s is %s", e.Data.Item.Title, e.Type)
		}
		seen[e.Data.Item.Title]++
	}
	for i := range n {
		if title := fmt.Sprintf("Sanctions, part %d", i); seen[title] != 1 {
			t.Errorf("%q was alerted %d times", title, seen[title])
		}
	}
	if len(seen) != n {
		t.Errorf("%d alerts, want %d", len(seen), n)
	}
}
