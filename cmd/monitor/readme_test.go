package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// block returns the indented block of the README that begins with a line.
func block(t *testing.T, readme, begin string) string {
	t.Helper()
	_, rest, ok := strings.Cut(readme, "\n    "+begin+"\n")
	if !ok {
		t.Fatalf("README has no block that begins with %q", begin)
	}
	out := begin + "\n"
	for line := range strings.Lines(rest) {
		text, indented := strings.CutPrefix(line, "    ")
		if !indented {
			break
		}
		out += text
	}
	return out
}

// TestReadme: the feed, the rule and the destinations that the README shows are
// right, so that who copies them begins with something that works.
func TestReadme(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "feeds.yaml"), block(t, string(b), "feeds:"))
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rules", "chips.yaml"), block(t, string(b), "channel: chips"))
	write(t, filepath.Join(dir, "notify.yaml"), block(t, string(b), "page: https://monitor.example.org         # where people open the page; messages link to it"))
	cmd := exec.Command("monitor", "check", "--notify", "notify.yaml")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOOK_SECRET=for the test")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "fine: 1 feeds (1 watched), 1 rules in 1 channels") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestReadmeQuotes: what the README shows of the sample subscribers stands in
// them, and they are run by their own tests.
func TestReadmeQuotes(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "<!-- from ")
	if len(parts) != 3 {
		t.Fatalf("README quotes %d files, want 2", len(parts)-1)
	}
	for _, p := range parts[1:] {
		name, rest, _ := strings.Cut(p, " -->\n\n")
		source, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.Join(strings.Fields(string(source)), " ")
		quote, _, _ := strings.Cut(rest, "\n\n")
		if !strings.Contains(plain, strings.Join(strings.Fields(quote), " ")) {
			t.Errorf("%s does not hold what the README quotes:\n%s", name, quote)
		}
	}
}
