package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRunbookCommands runs every command of the runbook as it stands there,
// but for those marked "not run" with a reason.
func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	bash := tool(t, "bash", "bash")
	tool(t, "curl", "curl")
	dir, bin := t.TempDir(), filepath.Dir(built(t))
	s := demoSettings(t, hook(t))
	told, feeds := story(t, 10)
	s.Files.Extra = told.Feeds(feeds)
	d := startDaemon(t, s)
	until(t, time.Minute, "the daemon has raised an alert", func() bool {
		return regexp.MustCompile(`monitor_alerts_total\{[^}]*\} [1-9]`).MatchString(get(t, d.place.HTTP+"/metrics"))
	})
	blocks := regexp.MustCompile("(?m)(<!-- not run: ([^>]+) -->\n)?^```sh\n((?s:.*?))^```$").FindAllStringSubmatch(read(t, "RUNBOOK.md"), -1)
	ran := map[string]bool{}
	for _, b := range blocks {
		if b[1] != "" || ran[b[3]] {
			continue
		}
		ran[b[3]] = true
		for _, line := range strings.Split(strings.TrimSpace(b[3]), "\n") {
			cmd := exec.Command(bash, "-o", "pipefail", "-ec", strings.ReplaceAll(line, "http://127.0.0.1:8080", d.place.HTTP))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MONITOR_SERVER="+d.place.HTTP,
				"MONITOR_NATS_LISTEN=127.0.0.1:0", "MONITOR_HTTP=127.0.0.1:0", "MONITOR_SAMPLE=0", "NO_COLOR=1")
			if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 && !strings.Contains(line, "backup") {
				t.Errorf("%s: %v\n%.2000s", line, err, out)
			}
		}
	}
	if len(ran) < 12 {
		t.Errorf("only %d of %d blocks were run", len(ran), len(blocks))
	}
}
