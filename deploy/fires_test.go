package deploy_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestEveryAlertIsMadeToFire: each alert of the shipped rules is waited for by
// a test that makes its fault, and .ci/run runs that test.
func TestEveryAlertIsMadeToFire(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	ran := regexp.MustCompile(`NEWSMONITOR_LONG=1 go test .*-run '([^']+)' \./deploy`).FindStringSubmatch(read(t, "../.ci/run"))
	if ran == nil {
		t.Fatal(".ci/run does not run the long tests")
	}
	made := map[string][]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			test, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(test.Name.Name, "Test") || !regexp.MustCompile(ran[1]).MatchString(test.Name.Name) {
				continue
			}
			ast.Inspect(test, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if s, ok := call.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "fires" {
					return true
				}
				for _, a := range call.Args {
					if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						alert, _ := strconv.Unquote(lit.Value)
						made[alert] = append(made[alert], test.Name.Name)
					}
				}
				return true
			})
		}
	}
	names := alertNames(t)
	for _, name := range names {
		if len(made[name]) == 0 {
			t.Errorf("no test that .ci/run runs makes the fault that %s is for", name)
		}
	}
	for name, tests := range made {
		if !slices.Contains(names, name) {
			t.Errorf("%v wait for %s, which does not exist", tests, name)
		}
	}
}

// TestAlertsFire makes the faults that the alerts are for, with a real
// Prometheus and the shipped rules, all durations divided by faster. Here: a
// destination that hangs, wrong files, a full stream, servers that fail.
func TestAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	w := newFireWorld(t)
	w.settle.MaxStore = 4 << 20
	d := startDaemon(t, w.settle)
	p := watchman(t, faster, d.target())
	p.is(t, `job:monitor_feeds_fresh:ratio == 1`)
	<-time.After(20 * time.Minute / faster)
	if now := p.firing(t); len(now) > 0 {
		t.Errorf("nothing ails it and these fire: %v", now)
	}

	w.hangs.Store(true) // a critical alert that the destination never acknowledges
	w.press.broken.Store(true)
	w.press.large.Store(150 << 10) // and items that fill the stream
	w.press.items.Store(4)
	feeds := w.press.catalogue(5, time.Minute/faster)
	w.write(t, "rules/sanctions.yaml", strings.Replace(sanctionsRule, "match: ", "mach: ", 1))
	w.write(t, "feeds.yaml", strings.Replace(feeds, "- {id", "- {{id", 1))
	p.fires(t, "MonitorNotifyStuck", "MonitorRulesRefused", "MonitorConfigReloadFailed", "MonitorStreamNearlyFull", "MonitorFeedStale")
	for _, shown := range dashboards(t)["overview.json"].flat() {
		if shown.Title == "Alerts of operations" {
			p.is(t, fmt.Sprintf("count(%s) >= 5", strings.ReplaceAll(shown.Targets[0].Expr, "$job", "monitor")))
		}
	}
	w.press.stop()
	p.fires(t, "MonitorFeedsFreshnessLow")

	w.hangs.Store(false)
	w.press.broken.Store(false)
	w.press.start(t)
	w.write(t, "rules/sanctions.yaml", sanctionsRule)
	w.write(t, "feeds.yaml", feeds)
	p.quiet(t, "MonitorNotifyStuck", "MonitorRulesRefused", "MonitorConfigReloadFailed", "MonitorFeedStale", "MonitorFeedsFreshnessLow")
	d.stop()
	p.fires(t, "MonitorDown")
}

// TestStoreAlertsFire: a reader that hangs, and a NATS that stops.
func TestStoreAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	ns := startNATS(t)
	w := newFireWorld(t)
	w.settle.NATS = ns.ClientURL()
	d := startDaemon(t, w.settle)
	p := watchman(t, faster, d.target())
	p.is(t, `sum(monitor_alert_pipeline_duration_seconds_count{canary="true"}) > 5`)

	release := newHung(t, ns.administer(t)).hold(t)
	p.fires(t, "MonitorCanaryLate", "MonitorReaderLag", "MonitorShardsUnheld")
	<-time.After(40 * time.Second) // so many self-tests wait that a month's allowance burns
	release()
	p.fires(t, "MonitorLatencyBurnFast") // the self-tests that waited
	p.quiet(t, "MonitorCanaryLate", "MonitorReaderLag", "MonitorShardsUnheld", "MonitorLatencyBurnFast")

	ns.stop()
	p.fires(t, "MonitorNATSDisconnected", "MonitorCanaryLate", "MonitorPublishErrors")
	ns.start(t)
	p.quiet(t, "MonitorNATSDisconnected", "MonitorCanaryLate", "MonitorPublishErrors")
}

// TestSlowAlertsFire: a raiser that stands still for a while now and then, and
// a host with more feeds than one request a second can read in time. What the
// runbook says to do about that ends it.
func TestSlowAlertsFire(t *testing.T) {
	long(t)
	t.Parallel()
	ns := startNATS(t)
	w := newFireWorld(t)
	w.settle.NATS = ns.ClientURL()
	w.settle.Poll.PerHost, w.settle.Poll.HostGap = 1, time.Second // as shipped
	w.write(t, "feeds.yaml", w.press.catalogue(1, time.Minute/faster))
	d := startDaemon(t, w.settle)
	p := watchman(t, faster, d.target())
	p.is(t, `sum(monitor_alert_pipeline_duration_seconds_count{canary="true"}) > 5`)

	w.write(t, "feeds.yaml", w.press.catalogue(20, time.Minute/faster))
	h := newHung(t, ns.administer(t))
	done, stop := make(chan struct{}), make(chan struct{})
	go func() { // a quarter of the time, so that some self-tests take longer than 5 s
		defer close(done)
		for {
			release := h.hold(t)
			over := false
			for _, d := range []time.Duration{12 * time.Second, 38 * time.Second} {
				select {
				case <-time.After(d):
				case <-stop:
					over = true
				}
				release()
			}
			if over {
				return
			}
		}
	}()
	p.fires(t, "MonitorSchedulerLag", "MonitorLatencyBurnSlow")
	close(stop)
	<-done
	w.write(t, "feeds.yaml", w.press.catalogue(20, 20*time.Minute))
	p.quiet(t, "MonitorSchedulerLag", "MonitorLatencyBurnSlow")
}
