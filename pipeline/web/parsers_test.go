package web

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"newsmonitor/pipeline/rule"
)

// said is what another parser makes of a feed of ours.
type said struct {
	Format string `json:"format"`
	Wrong  string `json:"wrong"` // what the parser complains of
	Items  []struct {
		ID, Title, Link, Body string
	} `json:"items"`
}

// feedparserScript reads a document from its input with Universal Feed Parser.
const feedparserScript = `
import feedparser, json, sys
d = feedparser.parse(sys.stdin.buffer.read())
json.dump({"format": d.version, "wrong": str(d.get("bozo_exception", "")) if d.bozo else "",
  "items": [{"id": e.get("id", ""), "title": e.get("title", ""), "link": e.get("link", ""),
    "body": e.content[0].value if "content" in e else ""} for e in d.entries]}, sys.stdout)`

// feedsmithScript does so with feedsmith.
const feedsmithScript = `
const { parseFeed } = require('feedsmith');
const { format, feed } = parseFeed(require('fs').readFileSync(0, 'utf8'));
const items = (feed.items ?? feed.entries ?? []).map((e) => ({ id: e.id ?? '', title: typeof e.title === 'string' ? e.title : e.title?.value ?? '',
  link: e.url ?? e.links?.[0]?.href ?? '', body: e.content_html ?? e.content?.value ?? e.content ?? '' }));
process.stdout.write(JSON.stringify({ format, wrong: '', items }));`

// feedparserPython is a Python that has the parser.
func feedparserPython(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import feedparser").Run() == nil {
			return p
		}
	}
	t.Skip("needs Universal Feed Parser; .ci/run installs it (Debian's package python3-feedparser)")
	return ""
}

// TestOtherParsers: two parsers that share nothing with ours read each feed
// without a complaint and find the same items.
func TestOtherParsers(t *testing.T) {
	t.Parallel()
	log := newMemory(hostileStored().stored(), made{title: "网络安全 & <b>制裁</b>", channel: "denial", severity: rule.Low, country: "CN",
		link: "https://mfa.example/1?a=b&c=d", at: noon.Add(-2 * time.Hour)}.stored(), made{title: "no link", link: "javascript:alert(1)"}.stored())
	_, base := start(t, Config{Alerts: log})
	type parser struct {
		name string
		run  func(t *testing.T, b []byte) *exec.Cmd
		json bool // reads JSON Feed too
	}
	for _, p := range []parser{
		{"feedparser", func(t *testing.T, _ []byte) *exec.Cmd {
			return exec.Command(feedparserPython(t), "-c", feedparserScript)
		}, false},
		{"feedsmith", func(t *testing.T, _ []byte) *exec.Cmd {
			modules := filepath.Join(os.Getenv("NEWSMONITOR_NODE_MODULES"), "node_modules")
			if _, err := os.Stat(filepath.Join(modules, "feedsmith")); err != nil {
				t.Skip("$NEWSMONITOR_NODE_MODULES names no folder with node_modules/feedsmith: npm install --prefix DIR feedsmith@3.0.1")
			}
			cmd := exec.Command("node", "-e", feedsmithScript)
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			return cmd
		}, true},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for path, format := range map[string]string{"/channels/all.atom": "atom", "/channels/sanctions.atom": "atom", "/channels/all.json": "json"} {
				if format == "json" && !p.json {
					continue
				}
				_, _, b := fetchFeed(t, base+path, "")
				cmd := p.run(t, b)
				cmd.Stdin = bytes.NewReader(b)
				var complaint bytes.Buffer
				cmd.Stderr = &complaint
				out, err := cmd.Output()
				var got said
				if err == nil {
					err = json.Unmarshal(out, &got)
				}
				if err != nil || got.Wrong != "" {
					t.Errorf("%s: %v %s %s", path, err, got.Wrong, complaint.String())
					continue
				}
				want := 3
				if path == "/channels/sanctions.atom" {
					want = 2
				}
				if !strings.HasPrefix(got.Format, format) || len(got.Items) != want {
					t.Errorf("%s: %s with %d items, want %s with %d", path, got.Format, len(got.Items), format, want)
				}
				for _, it := range got.Items {
					if it.ID == "" || it.Title == "" || it.Link == "" || it.Body == "" {
						t.Errorf("%s: an item is not whole: %+v", path, it)
					}
				}
			}
		})
	}
}
