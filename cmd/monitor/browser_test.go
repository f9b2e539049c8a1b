package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// tab is a page in a headless chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// openTab starts chromium, or skips.
func openTab(t *testing.T) tab {
	t.Helper()
	found := slices.ContainsFunc([]string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"},
		func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if !found || testing.Short() {
		t.Skip("needs chromium; .ci/run installs it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox) // CI runs as root
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return tab{t, ctx}
}

func (b tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b tab) open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

func (b tab) keys(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do("press "+k, chromedp.KeyEvent(k))
	}
}

// until waits for the page to bring something about.
func (b tab) until(js string) {
	b.t.Helper()
	poll := func() error {
		_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](js, chromedp.WithPollingTimeout(30*time.Second)))
		return err
	}
	err := poll()
	for range 5 { // the page went while it was asked
		if err == nil || !strings.Contains(err.Error(), "context") && !strings.Contains(err.Error(), "navigated") && !strings.Contains(err.Error(), "TypeError") {
			break
		}
		err = poll()
	}
	if err != nil {
		b.t.Fatalf("wait for %s: %v\nthe page says: %.600s", js, err, inPage[string](b, `document.body.innerText`))
	}
}

func inPage[T any](b tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", js, err)
	}
	return v
}

// dark chooses what the reader prefers.
func (b tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	b.do("choose "+scheme, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// shoot keeps a picture of the page in NEWSMONITOR_SHOTS, or of nothing but
// that it can be taken.
func (b tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("NEWSMONITOR_SHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Errorf("picture of %s: %v", name, err)
	}
}

// line is a connection to an address that can be cut.
type line struct {
	net.Listener
	to string

	mu   sync.Mutex
	open map[net.Conn]bool
	down bool
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &line{Listener: l, to: to, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.carry(in) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); c.cut(true); wg.Wait() })
	return c
}

func (c *line) carry(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil || !c.hold(in, out) {
		_ = in.Close()
		if err == nil {
			_ = out.Close()
		}
		return
	}
	defer c.drop(in, out)
	var wg sync.WaitGroup
	pipe := func(to, from net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				if _, werr := to.Write(buf[:n]); werr != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_, _ = to.Close(), from.Close()
	}
	wg.Go(func() { pipe(out, in) })
	wg.Go(func() { pipe(in, out) })
	wg.Wait()
}

func (c *line) hold(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return false
	}
	for _, x := range conns {
		c.open[x] = true
	}
	return true
}

func (c *line) drop(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range conns {
		delete(c.open, x)
	}
}

// cut breaks every connection and refuses new ones, until cut(false).
func (c *line) cut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	for x := range c.open {
		if down {
			_ = x.Close()
		}
	}
}
