package deploy_test

import (
	"encoding/json"
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

// TestPackage builds the package, installs it in a folder of its own, and asks
// the installed program.
func TestPackage(t *testing.T) {
	t.Parallel()
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("builds and packs for a minute: NEWSMONITOR_LONG=1")
	}
	tool(t, "dpkg-deb", "dpkg")
	dist, root := t.TempDir(), t.TempDir()
	if out, err := exec.Command("./package/build", dist, "linux/amd64").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	check := exec.Command("sha256sum", "-c", "--quiet", "SHA256SUMS")
	check.Dir = dist
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("the checksums are wrong: %v\n%s", err, out)
	}
	boms, _ := filepath.Glob(dist + "/*.cdx.json")
	var bom struct {
		BomFormat  string
		Components []struct{ Name, Version string }
	}
	if len(boms) != 1 || json.Unmarshal([]byte(read(t, boms[0])), &bom) != nil || bom.BomFormat != "CycloneDX" || len(bom.Components) < 20 {
		t.Errorf("bill of materials %v has %d components", boms, len(bom.Components))
	}
	debs, _ := filepath.Glob(dist + "/*.deb")
	if len(debs) != 1 {
		t.Fatalf("%d packages", len(debs))
	}
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(filepath.Join(root, "usr/bin/monitor"), "check")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the installed program: %v\n%s", err, out)
	}
	for _, f := range []string{"lib/systemd/system/monitor.service", "etc/newsmonitor/environment", "usr/share/doc/newsmonitor/RUNBOOK.md", "usr/share/doc/newsmonitor/copyright"} {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			t.Error(err)
		}
	}
}
