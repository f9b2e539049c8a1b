// Package deploy_test holds what stands beside the binary against the binary:
// rules, dashboards, units, schemas and the commands of the runbook.
package deploy_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
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

// TestEachAlertHasItsTests: one of promtool's cases looks at it just before it
// fires, just after and at recovery.
func TestEachAlertHasItsTests(t *testing.T) {
	t.Parallel()
	var file struct {
		Every string `yaml:"evaluation_interval"`
		Tests []struct {
			Name  string
			Looks []struct {
				Alert string `yaml:"alertname"`
				At    string `yaml:"eval_time"`
				Want  []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/monitor.tests.yml")), &file); err != nil {
		t.Fatal(err)
	}
	duration := func(s string) time.Duration {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	step, whole := duration(file.Every), map[string]bool{}
	for _, c := range file.Tests {
		quietAt, firesAt := map[string]time.Duration{}, map[string]time.Duration{}
		for _, l := range c.Looks {
			fires, was := firesAt[l.Alert]
			switch at := duration(l.At); {
			case len(l.Want) > 0:
				firesAt[l.Alert] = at
			case !was:
				quietAt[l.Alert] = at
			case at > fires && fires-quietAt[l.Alert] <= step:
				whole[l.Alert] = true
			}
		}
	}
	for _, name := range alertNames(t) {
		if !whole[name] {
			t.Errorf("no case of %s looks at most %v before it fires, then when it fires, then at recovery", name, step)
		}
	}
}

// alertNames are those of the shipped rules.
func alertNames(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, "prometheus/monitor.alerts.yml"), -1) {
		names = append(names, m[1])
	}
	if len(names) < 20 {
		t.Fatalf("only %d alerts found", len(names))
	}
	return names
}

// TestRunbook: each alert has its section and a severity that we know; only what users lose wakes somebody.
func TestRunbook(t *testing.T) {
	t.Parallel()
	rules, runbook := read(t, "prometheus/monitor.alerts.yml"), read(t, "RUNBOOK.md")
	wake := map[string]bool{"MonitorDown": true, "MonitorCanaryLate": true, "MonitorFeedsFreshnessLow": true, "MonitorLatencyBurnFast": true, "MonitorNotifyStuck": true}
	names := alertNames(t)
	for _, block := range strings.Split(rules, "- alert: ")[1:] {
		name, _, _ := strings.Cut(block, "\n")
		if !strings.Contains(runbook, "\n### "+name+"\n") {
			t.Errorf("%s has no section in the runbook", name)
		}
		if want := "runbook_url: deploy/RUNBOOK.md#" + strings.ToLower(name) + "\n"; !strings.Contains(block, want) {
			t.Errorf("%s does not lead to its section", name)
		}
		severity := regexp.MustCompile(`severity: (\w+)`).FindStringSubmatch(block)
		if severity == nil || (severity[1] == "critical") != wake[name] {
			t.Errorf("%s is %v; critical are only %v", name, severity, wake)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Monitor\w+)$`).FindAllStringSubmatch(runbook, -1) {
		if !slices.Contains(names, m[1]) {
			t.Errorf("the runbook explains %s, which does not exist", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#(\w+)\)`).FindAllStringSubmatch(runbook, -1) {
		if !strings.Contains(strings.ToLower(runbook), "\n### "+m[1]+"\n") {
			t.Errorf("the runbook's link #%s leads nowhere", m[1])
		}
	}
}
