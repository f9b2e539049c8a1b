package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestUnit: the unit has no mistake, and next to no rights.
func TestUnit(t *testing.T) {
	t.Parallel()
	analyze := tool(t, "systemd-analyze", "systemd")
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=15", "systemd/monitor.service").CombinedOutput()
	if err != nil {
		t.Errorf("exposure above 1.5: %v\n%s", err, out)
	}
	if m := regexp.MustCompile(`exposure level for \S+: ([\d.]+)`).FindSubmatch(out); m == nil {
		t.Errorf("no exposure level in %s", out)
	} else if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 1.5 {
		t.Errorf("exposure %s, want 1.5 or less", m[1])
	}
	// The program is not installed here; verify wants one that is.
	unit := filepath.Join(t.TempDir(), "monitor.service")
	text := strings.Replace(read(t, "systemd/monitor.service"), "/usr/bin/monitor run", "/bin/true run", 1)
	text = regexp.MustCompile(`(?m)^Documentation=.*$`).ReplaceAllString(text, "Documentation=file:/etc/hostname")
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "monitor.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
