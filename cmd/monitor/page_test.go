package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startDemo runs the demonstration and returns where its page is. told ends
// when the story has been told.
func startDemo(t *testing.T, pace string) (url string, told <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--pace", pace}, strings.NewReader(""), w, t.Output())
		_ = w.Close()
	}()
	lines, done := make(chan string), make(chan struct{})
	go func() {
		defer close(lines)
		buf, rest := make([]byte, 4096), ""
		for {
			n, err := out.Read(buf)
			rest += string(buf[:n])
			for {
				l, r, ok := strings.Cut(rest, "\n")
				if !ok {
					break
				}
				rest = r
				select {
				case lines <- l:
				case <-done:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		close(done)
		if code := <-ended; code != 0 {
			t.Errorf("the demo ended with %d", code)
		}
	})
	address := regexp.MustCompile(`page +(http://[^ ]+)/`)
	deadline := time.After(time.Minute)
	for url == "" {
		select {
		case l, ok := <-lines:
			if !ok {
				t.Fatal("the demo ended without saying where its page is")
			}
			if m := address.FindStringSubmatch(l); m != nil {
				url = m[1]
			}
		case <-deadline:
			t.Fatal("the demo did not say where its page is")
		}
	}
	end := make(chan struct{})
	go func() {
		for l := range lines {
			if strings.Contains(l, "The story is told") {
				close(end)
			}
		}
	}()
	return url, end
}

// TestPageWithTheDemo goes through the analysts' page as a person does, with
// the demonstration running behind it.
func TestPageWithTheDemo(t *testing.T) {
	b := openTab(t)
	url, told := startDemo(t, "3") // steps a second apart, polls half of that
	through := newLine(t, strings.TrimPrefix(url, "http://"))
	url = "http://" + through.Addr().String()
	b.do("set the window", chromedp.EmulateViewport(1400, 900))
	b.open(url + "/")

	// A new alert arrives without a reload, and does not move what is read.
	b.until(`document.getElementById("live").textContent === "live"`)
	inPage[bool](b, `window.stayed = true`)
	b.until(`!document.getElementById("pill").hidden`)
	b.keys("n")
	b.until(`document.querySelectorAll(".alert").length > 0 && document.getElementById("pill").hidden`)
	if !inPage[bool](b, `window.stayed === true`) {
		t.Error("the page was loaded again")
	}

	// The connection goes and comes back: nothing is missing, nothing twice.
	through.cut(true)
	b.until(`document.getElementById("live").classList.contains("lost")`)
	select {
	case <-told:
	case <-time.After(2 * time.Minute):
		t.Fatal("the story was not told in two minutes")
	}
	through.cut(false)
	b.until(`!document.getElementById("live").classList.contains("lost")`)
	b.until(fmt.Sprintf(`Number(document.title.match(/\d+/)?.[0] || 0) + document.querySelectorAll(".alert").length >= %d`, b.items(url)))
	if n, want := inPage[int](b, `Number(document.title.match(/\d+/)?.[0] || 0) + document.querySelectorAll(".alert").length`), b.items(url); n != want {
		t.Errorf("%d items after the connection came back, want %d", n, want)
	}
	b.keys("n")
	b.until(fmt.Sprintf(`document.querySelectorAll(".alert").length === %d`, b.items(url)))

	t.Run("list", func(t *testing.T) { b.with(t).list(url) })
	t.Run("desk", func(t *testing.T) { b.with(t).desk(url) })
	t.Run("ask", func(t *testing.T) { b.with(t).ask(url) })
	t.Run("timeline", func(t *testing.T) { b.with(t).timeline(url) })
	t.Run("pictures", func(t *testing.T) { b.with(t).pictures(url) })
	t.Run("axe", func(t *testing.T) { b.with(t).axe(url) })
}

func (b tab) with(t *testing.T) tab { return tab{t, b.ctx} }

// items asks the API how many items have an alert that is not folded.
func (b tab) items(url string) int {
	b.t.Helper()
	return inPage[int](b, fmt.Sprintf(`fetch(%q).then(r => r.json()).then(l => new Set(l.alerts.map(a => a.event.data.item.key)).size)`, url+"/api/v1/alerts?limit=1000"))
}

func (b tab) list(url string) {
	t := b.t
	// One row an item, with its channels as chips.
	items := inPage[[]string](b, `[...document.querySelectorAll(".alert")].map(a => a.dataset.item)`)
	if slices.Sort(items); len(slices.Compact(slices.Clone(items))) != len(items) {
		t.Errorf("an item has two rows: %v", items)
	}
	if n := inPage[int](b, `Math.max(...[...document.querySelectorAll(".alert")].map(a => a.querySelectorAll(".chip").length))`); n < 3 {
		t.Errorf("at most %d channels in a row; the story has items with more", n)
	}
	// Filters work in place, stand in the address and count.
	b.do("open the channels", chromedp.Click(chromedp.CSS(`.menu[data-name=channel] > summary`)))
	want := inPage[int](b, `Number(document.querySelector('.menu input[value=sanctions]').parentElement.querySelector(".n").textContent)`)
	b.do("choose sanctions", chromedp.Click(chromedp.CSS(`.menu input[value=sanctions]`)))
	b.until(`location.search === "?channel=sanctions" && document.querySelectorAll(".alert").length > 0 && document.querySelector(".chosen") !== null`)
	if got := inPage[int](b, `document.querySelectorAll(".alert").length`); got != want {
		t.Errorf("%d rows of sanctions, the menu promised %d", got, want)
	}
	if !inPage[bool](b, `document.querySelector('.menu[data-name=channel]').open && document.activeElement.value === "sanctions"`) {
		t.Error("the menu closed, or the focus went, under the reader's hand")
	}
	b.keys("\x1b") // Escape
	if inPage[bool](b, `document.querySelector('.menu[data-name=channel]').open`) {
		t.Error("Escape does not close the menu")
	}
	b.do("go back", chromedp.NavigateBack())
	b.until(`location.search === "" && !document.querySelector(".chosen")`)

	// The wire's copy of the indictment has no row: it is folded under the
	// ministry's, and opens there.
	indicted := `[...document.querySelectorAll(".alert")].filter(a => a.innerText.includes("Five PLA officers indicted"))`
	if n := inPage[int](b, indicted+`.length`); n != 1 {
		t.Errorf("%d rows of the indictment, want one", n)
	}
	if said := inPage[string](b, indicted+`[0].querySelector(".also").innerText`); !strings.HasPrefix(said, "also: 1 source") || strings.Contains(said, "Harbour") {
		t.Errorf("folded under it: %q", said)
	}
	inPage[bool](b, `(`+indicted+`[0].querySelector(".also > summary").click(), true)`)
	b.until(indicted + `[0].querySelector(".also").innerText.includes("Harbour Newswire")`)

	// The keyboard: down, why, its own page.
	b.keys("j", "e")
	b.until(`document.activeElement.querySelector(".why").open`)
	if inPage[int](b, `document.activeElement.querySelectorAll(".why mark").length`) == 0 {
		t.Error("why marks no word")
	}
	b.keys("?")
	b.until(`document.getElementById("help").open`)
	b.keys("\x1b")
	b.keys("/")
	b.until(`document.activeElement.name === "q"`)
	b.open(url + "/")
	b.keys("j", "p")
	b.until(`location.pathname.startsWith("/alerts/") && document.getElementById("why") && document.querySelector(".cite").textContent.includes("retrieved")`)
	b.open(url + "/?severity=critical&channel=sanctions")
	b.keys("j", "p")
	b.until(`document.getElementById("before") !== null`) // the sanctions came after an attack and its attribution
}

// desk mutes with the keyboard only, and acknowledges.
func (b tab) desk(url string) {
	t := b.t
	b.open(url + "/")
	b.until(`document.getElementById("live").textContent === "live"`)
	if !inPage[bool](b, `document.getElementById("list").dataset.desk === "yes"`) {
		t.Fatal("the daemon keeps no desk")
	}
	b.keys("j", "m")
	b.until(`document.getElementById("desk").open && document.activeElement.name === "scope"`)
	if text := inPage[string](b, `document.getElementById("desk").innerText`); !strings.Contains(text, "every NATS consumer") {
		t.Error("the dialog does not say that consumers lose it too")
	}
	b.tabTo("reason")
	b.keys(strings.Split("Rehearsal", "")...)
	b.tabTo("by")
	b.keys(strings.Split("Dana", "")...)
	b.keys("\r")
	b.until(`!document.getElementById("desk").open && document.querySelectorAll("#mutes li").length === 1`)
	if text := inPage[string](b, `document.getElementById("mutes").innerText`); !strings.Contains(text, "Dana") || !strings.Contains(text, "Rehearsal") {
		t.Errorf("the list of mutes says %q", text)
	}
	if got := inPage[int](b, fmt.Sprintf(`fetch(%q).then(r => r.json()).then(l => l.mutes.length)`, url+"/api/v1/mutes")); got != 1 {
		t.Errorf("the API tells of %d mutes", got)
	}
	b.keys("j", "a") // the name is known by now
	b.until(`document.querySelectorAll(".alert.acked").length === 1`)
	if text := inPage[string](b, `document.querySelector(".alert.acked .ack").textContent`); !strings.Contains(text, "seen by Dana") {
		t.Errorf("acknowledged: %q", text)
	}
	b.keys("j", "x")
	b.until(`document.getElementById("ackform") !== null && document.querySelector('#ackform [name=verdict][value=not-relevant]').checked`)
	b.keys("\r")
	b.until(`document.getElementById("testform") !== null`)
	if yaml := inPage[string](b, `document.querySelector("#testform pre").textContent`); !strings.Contains(yaml, "- {fires: false, title: ") {
		t.Errorf("the test to copy: %s", yaml)
	}
	b.do("close", chromedp.Click(chromedp.CSS("#testform .cancel")))
	b.until(`!document.getElementById("desk").open`)
	b.do("unmute", chromedp.Click(chromedp.CSS("#mutes button")))
	b.until(`document.querySelectorAll("#mutes li").length === 0`)

	// Hidden in this browser only.
	n := inPage[int](b, `document.querySelectorAll("#list li:not([hidden]) > .alert").length`)
	b.keys("j", "m")
	b.until(`document.querySelector("#desk .hide-me") !== null`)
	b.do("hide", chromedp.Click(chromedp.CSS("#desk .hide-me")))
	b.until(fmt.Sprintf(`document.querySelectorAll("#list li:not([hidden]) > .alert").length < %d`, n))
	b.do("show again", chromedp.Click(chromedp.CSS("#hidden-note button")))
	b.until(fmt.Sprintf(`document.querySelectorAll("#list li:not([hidden]) > .alert").length === %d`, n))
}

// tabTo goes on with the Tab key until a field has the focus.
func (b tab) tabTo(name string) {
	b.t.Helper()
	for range 20 {
		b.keys("\t")
		if inPage[string](b, `document.activeElement.name || ""`) == name {
			return
		}
	}
	b.t.Fatalf("the Tab key does not lead to %s", name)
}

// ask finds a query, corrects an error in it, and copies a rule.
func (b tab) ask(url string) {
	t := b.t
	b.open(url + "/ask")
	if inPage[bool](b, `document.getElementById("q").disabled`) {
		t.Fatal("the daemon answers no questions")
	}
	b.do("ask with an error", chromedp.SendKeys(chromedp.ID("q"), `sanction* AND korea* OR (treasury`), chromedp.Click(chromedp.CSS("#ask-query button")))
	b.until(`document.querySelector(".wrong mark.bad") !== null`)
	if inPage[string](b, `document.getElementById("q").value`) == "" {
		t.Error("what was typed is gone")
	}
	inPage[bool](b, `(document.getElementById("q").value = "", true)`)
	b.do("correct it", chromedp.SendKeys(chromedp.ID("q"), `sanction* AND (korea* OR treasury)`), chromedp.Click(chromedp.CSS("#ask-query button")))
	b.until(`document.querySelectorAll(".found > li").length > 0 && document.querySelectorAll(".found mark").length > 0`)
	if inPage[int](b, `document.querySelectorAll(".found .chip.critical").length`) == 0 {
		t.Error("what was raised already is not shown")
	}
	b.do("tick one", chromedp.Click(chromedp.CSS(`.found input[name=hit]`)), chromedp.Click(chromedp.CSS("#as-rule button")))
	b.until(`document.getElementById("rule-yaml") !== null`)
	yaml := inPage[string](b, `document.getElementById("rule-yaml").textContent`)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "asked.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"check", "--feeds", "builtin", "--rules", dir}, strings.NewReader(""), &out, &out); code != 0 {
		t.Errorf("monitor check ends with %d on the copied rule:\n%s\n%s", code, out.String(), yaml)
	}
	b.open(url + "/ask?why=Treasury+imposes+sanctions")
	b.until(`document.getElementById("reason") !== null`)
}

// timeline holds the demo's six steps against their lanes.
func (b tab) timeline(url string) {
	t := b.t
	b.open(url + "/timeline")
	b.until(`document.querySelectorAll(".lane").length >= 6`)
	at := -1.0
	for _, step := range []struct{ channel, title string }{
		{"indictment", "Five PLA officers indicted"}, {"dialogue-suspension", "外交部发言人"}, {"incident", "Sony Pictures shuts down"},
		{"attribution", "FBI"}, {"sanctions", "Treasury imposes sanctions on three"}, {"dialogue-resumption", "agree to open"},
	} {
		x := inPage[float64](b, fmt.Sprintf(`(() => {
			const row = [...document.querySelectorAll(".grid-table tbody tr")].find(r => r.innerText.includes(%q) && [...r.querySelectorAll("a.chip")].some(c => c.textContent.trim() === %q));
			const chip = row && [...row.querySelectorAll("a.chip")].find(c => c.textContent.trim() === %q);
			const dot = chip && document.querySelector('.lane[data-channel="%s"] a[data-alerts~="' + chip.getAttribute("href").split("/").pop() + '"] circle');
			return dot ? Number(dot.getAttribute("cx")) : -1;
		})()`, step.title, step.channel, step.channel, step.channel))
		if x <= at {
			t.Errorf("%s (%s) stands at %v, the step before at %v", step.channel, step.title, x, at)
		}
		at = x
	}
}

// addresses are every page there is.
func (b tab) addresses(url string) map[string]string {
	b.t.Helper()
	id := inPage[string](b, fmt.Sprintf(`fetch(%q).then(r => r.json()).then(l => l.alerts[0].event.data.id)`, url+"/api/v1/alerts?channel=sanctions&severity=critical&limit=1"))
	return map[string]string{"list": "/", "filtered": "/?state=US&state=CN&severity=critical", "nothing": "/?channel=norms&severity=critical", "alert": "/alerts/" + id,
		"timeline": "/timeline", "ask": "/ask", "answer": "/ask?q=hack*+AND+(korea*+OR+chin*)&rule=yes", "wrong": "/ask?q=hack*+AND+(korea*", "why": "/ask?why=Treasury+imposes+sanctions",
		"rules": "/rules", "sources": "/sources", "mute": "/desk/mute?alert=" + id, "ack": "/desk/ack?alert=" + id, "test": "/desk/test?alert=" + id, "missing": "/nowhere"}
}

// pictures takes every page at three widths, light and dark, where somebody
// wants to look at them; else it only sees that nothing is too wide.
func (b tab) pictures(url string) {
	widths, shades := []int64{320, 800, 1400}, []bool{false, true}
	if os.Getenv("NEWSMONITOR_SHOTS") == "" {
		widths, shades = widths[:1], shades[:1]
	}
	for name, path := range b.addresses(url) {
		for _, width := range widths {
			for _, dark := range shades {
				b.dark(dark)
				b.do("set the window", chromedp.EmulateViewport(width, 900))
				b.open(url + path)
				shade := "light"
				if dark {
					shade = "dark"
				}
				b.shoot(fmt.Sprintf("%s-%d-%s", name, width, shade))
				if wide := inPage[int64](b, `document.documentElement.scrollWidth`); wide > width {
					b.t.Errorf("%s is %d wide on a screen of %d", path, wide, width)
				}
			}
		}
	}
	b.dark(false)
	if file := os.Getenv("NEWSMONITOR_PICTURE"); file != "" { // deploy/page.png, for the README
		b.do("set the window", chromedp.EmulateViewport(1200, 1050))
		b.open(url + "/")
		b.until(`document.getElementById("live").textContent === "live"`)
		inPage[bool](b, `(document.querySelectorAll(".why")[2].open = true)`)
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(file, png, 0o644)
		}
		if err != nil {
			b.t.Errorf("picture for the README: %v", err)
		}
	}
}

// axe holds every page against the rules of axe-core, which .ci/run installs.
func (b tab) axe(url string) {
	file := os.Getenv("NEWSMONITOR_AXE")
	if file == "" {
		b.t.Skip("NEWSMONITOR_AXE names no axe.min.js; .ci/run installs it")
	}
	script, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, path := range b.addresses(url) {
		for _, dark := range []bool{false, true} { // light and narrow, dark and wide with everything open that opens
			width := int64(320)
			if dark {
				width = 1400
			}
			b.dark(dark)
			b.do("set the window", chromedp.EmulateViewport(width, 900))
			b.open(url + path)
			if dark {
				inPage[bool](b, `(document.querySelectorAll("details:not([name])").forEach(d => { d.open = true; }), true)`)
			}
			inPage[bool](b, string(script)+"\n;true")
			found := inPage[[]string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary)))`)
			for _, f := range found {
				b.t.Errorf("%s at %d, dark %v: %s", name, width, dark, f)
			}
		}
	}
	b.dark(false)
}
