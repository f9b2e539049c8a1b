// Package deploy_test holds what stands beside the binary against the binary:
// rules, dashboards, units, schemas and the commands of the runbook.
package deploy_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// tool returns a program that a test needs, or skips.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s; .ci/run installs it (Debian's package %s)", name, debian)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPrometheusRules: the rules are clean, and each alert fires just after
// its time, not just before, and ends at recovery.
func TestPrometheusRules(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool", "prometheus")
	for _, args := range [][]string{
		{"check", "config", "--lint=all", "--lint-fatal", "prometheus/prometheus.yml"},
		{"check", "rules", "--lint=all", "--lint-fatal", "prometheus/monitor.recording.yml", "prometheus/monitor.alerts.yml"},
		{"test", "rules", "prometheus/monitor.tests.yml"},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestAlertmanager checks who hears what.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	amtool := tool(t, "amtool", "prometheus-alertmanager")
	for severity, want := range map[string]string{"critical": "pager", "warning": "tickets", "info": "nobody"} {
		out, err := exec.Command(amtool, "config", "routes", "test", "--config.file=prometheus/alertmanager.yml", "severity="+severity).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s goes to %q (%v), want %s", severity, got, err, want)
		}
	}
}

// TestRunbook: each alert has its section, its tests and a severity that we
// know; only what users lose wakes somebody.
func TestRunbook(t *testing.T) {
	t.Parallel()
	rules, runbook, tests := read(t, "prometheus/monitor.alerts.yml"), read(t, "RUNBOOK.md"), read(t, "prometheus/monitor.tests.yml")
	wake := map[string]bool{"MonitorDown": true, "MonitorCanaryLate": true, "MonitorFeedsFreshnessLow": true, "MonitorLatencyBurnFast": true, "MonitorNotifyStuck": true}
	names := map[string]bool{}
	for _, block := range strings.Split(rules, "- alert: ")[1:] {
		name, _, _ := strings.Cut(block, "\n")
		names[name] = true
		if !strings.Contains(runbook, "\n### "+name+"\n") {
			t.Errorf("%s has no section in the runbook", name)
		}
		if want := "runbook_url: deploy/RUNBOOK.md#" + strings.ToLower(name) + "\n"; !strings.Contains(block, want) {
			t.Errorf("%s does not lead to its section", name)
		}
		if n := strings.Count(tests, "alertname: "+name+"\n") + strings.Count(tests, "alertname: "+name+","); n < 3 {
			t.Errorf("%s has %d tests, want before, after and recovery", name, n)
		}
		severity := regexp.MustCompile(`severity: (\w+)`).FindStringSubmatch(block)
		if severity == nil || (severity[1] == "critical") != wake[name] {
			t.Errorf("%s is %v; critical are only %v", name, severity, wake)
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d alerts found", len(names))
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Monitor\w+)$`).FindAllStringSubmatch(runbook, -1) {
		if !names[m[1]] {
			t.Errorf("the runbook explains %s, which does not exist", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#(\w+)\)`).FindAllStringSubmatch(runbook, -1) {
		if !strings.Contains(strings.ToLower(runbook), "\n### "+m[1]+"\n") {
			t.Errorf("the runbook's link #%s leads nowhere", m[1])
		}
	}
}
