package web

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"newsmonitor/pipeline/rule"
)

// browser opens a headless chromium, or skips.
func browser(t *testing.T) context.Context {
	t.Helper()
	found := slices.ContainsFunc([]string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"},
		func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if !found || testing.Short() {
		t.Skip("needs chromium; .ci/run installs it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox) // CI runs as root
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("evaluate %s: %v", js, err)
	}
	return v
}

// until waits for the page to bring something about.
func until(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](js, chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		t.Fatalf("wait for %s: %v", js, err)
	}
}

func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	const bad = `<script>document.title="owned"</script><img src=x onerror="document.title='owned'">`
	const headline = "Treasury sanctions two hackers"
	log := newMemory(
		made{title: bad, link: "javascript:document.title='owned'"}.stored(),
		made{title: headline, rules: []rule.Match{{ID: "r", Title: "Persons are designated", Severity: rule.High,
			Evidence: []rule.Evidence{mark("title", headline, "sanctions")}}}}.stored(),
		made{title: "外交部发言人答记者问", language: "zh-Hans", feed: "cn-mfa", country: "CN"}.stored(),
	)
	ctx := browser(t)
	_, url := start(t, Config{Alerts: log, Now: time.Now})
	messages := chromedp.Console(ctx)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(320, 900), chromedp.Navigate(url+"/")); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, `document.getElementById("live").textContent === "live"`)

	if got := eval[int](t, ctx, `document.querySelectorAll(".alert").length`); got != 3 {
		t.Errorf("%d alerts, want 3", got)
	}
	if got := eval[string](t, ctx, `document.querySelector("h3 mark").textContent`); got != "sanctions" {
		t.Errorf("marked: %q", got)
	}
	if got := eval[string](t, ctx, `[...document.querySelectorAll("h3")].at(-1).textContent`); got != bad {
		t.Errorf("the hostile title is %q", got)
	}
	if got := eval[int](t, ctx, `[...document.querySelectorAll("h3")].at(-1).querySelectorAll("a").length`); got != 0 {
		t.Error("the hostile link can be followed")
	}
	if got := eval[string](t, ctx, `document.querySelector("h3").lang`); got != "zh-Hans" {
		t.Errorf("lang = %q", got)
	}
	if got := eval[int](t, ctx, `document.documentElement.scrollWidth`); got > 320 {
		t.Errorf("the page is %d wide on a screen of 320", got)
	}

	// A live alert waits behind the pill; the list does not move.
	at := eval[float64](t, ctx, `document.querySelector(".alert").getBoundingClientRect().top`)
	log.append(made{title: "Live one"}.stored())
	until(t, ctx, `!document.getElementById("pill").hidden`)
	if got := eval[string](t, ctx, `document.getElementById("pill").textContent`); got != "1 new" {
		t.Errorf("the pill says %q", got)
	}
	if got := eval[float64](t, ctx, `document.querySelector(".alert").getBoundingClientRect().top`); got != at {
		t.Errorf("the list moved from %v to %v", at, got)
	}
	if got := eval[int](t, ctx, `document.querySelectorAll(".alert").length`); got != 3 {
		t.Errorf("%d alerts before the pill is pressed", got)
	}
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.ID("pill"))); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, `document.querySelectorAll(".alert").length === 4`)
	if got := eval[string](t, ctx, `document.querySelector("h3").textContent`); got != "Live one" {
		t.Errorf("first is %q", got)
	}

	// Keys.
	if err := chromedp.Do(ctx, chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("j")); err != nil {
		t.Fatal(err)
	}
	if got := eval[string](t, ctx, `document.activeElement.querySelector("h3").textContent`); got != headline {
		t.Errorf("j j k j leads from the first to %q", got)
	}
	if err := chromedp.Do(ctx, chromedp.KeyEvent("e")); err != nil {
		t.Fatal(err)
	}
	if !eval[bool](t, ctx, `document.activeElement.querySelector(".why").open`) {
		t.Error("e does not open why")
	}

	if got := eval[string](t, ctx, `document.title`); !strings.Contains(got, "newsmonitor") {
		t.Errorf("title %q", got)
	}
	eval[bool](t, ctx, `console.log("end of test"), true`)
	for m, err := range messages {
		if err != nil {
			t.Fatalf("read the console: %v", err)
		}
		if m.Text == "end of test" {
			break
		}
		if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleWarning {
			t.Errorf("console: %s", m)
		}
	}
}
