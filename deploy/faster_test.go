package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// faster is how much faster everything goes in the tests of made faults than in
// a shipped deployment: every duration of the shipped rules and of the shipped
// scrape is divided by it, and so are the self-test's and the feeds' intervals.
const faster = 30

// muchFaster is for what takes the better part of a day. Prometheus looks less
// often than that would make it, which can only make an alert late: a scrape
// that takes longer than its interval is a failed one.
const muchFaster = 360

// patience is how long an alert may take on a busy machine; most take seconds.
const patience = 5 * time.Minute

var (
	inBrackets = regexp.MustCompile(`\[(\d+)([smhd])\]`)
	inFields   = regexp.MustCompile(`\b(for|interval|scrape_interval|evaluation_interval): (\d+)([smhd])`)
	inSeconds  = regexp.MustCompile(`(\d+) # s`)
	unit       = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
)

// scaled is a shipped file of Prometheus with all durations divided by factor.
func scaled(text string, factor int) string {
	hurry := func(number, u string, least time.Duration) string {
		n, _ := strconv.Atoi(number)
		return fmt.Sprintf("%dms", max(time.Duration(n)*unit[u]/time.Duration(factor), least).Milliseconds())
	}
	look := 15 * time.Second / time.Duration(factor)
	if factor > faster {
		look = 2 * time.Second
	}
	text = inBrackets.ReplaceAllStringFunc(text, func(s string) string {
		m := inBrackets.FindStringSubmatch(s)
		return "[" + hurry(m[1], m[2], 4*look) + "]" // a rate needs two samples
	})
	text = inFields.ReplaceAllStringFunc(text, func(s string) string {
		m := inFields.FindStringSubmatch(s)
		least := look
		if m[1] == "for" {
			least = 0
		}
		return m[1] + ": " + hurry(m[2], m[3], least)
	})
	return inSeconds.ReplaceAllStringFunc(text, func(s string) string {
		n, _ := strconv.ParseFloat(inSeconds.FindStringSubmatch(s)[1], 64)
		return fmt.Sprintf("%g # s", n/float64(factor))
	})
}

// TestScaled: nothing of the shipped files keeps its own pace.
func TestScaled(t *testing.T) {
	t.Parallel()
	left := regexp.MustCompile(`\[\d+[smhd]\]|: \d+[smhd]\b`)
	for _, name := range []string{"monitor.recording.yml", "monitor.alerts.yml", "prometheus.yml"} {
		was := read(t, "prometheus/"+name)
		now := scaled(was, faster)
		if m := left.FindAllString(now, -1); len(m) > 0 {
			t.Errorf("%s keeps %v", name, m)
		}
		if a, b := strings.Count(was, "# s"), strings.Count(now, "# s"); len(left.FindAllString(was, -1)) == 0 || a != b {
			t.Errorf("%s has nothing to scale, or lost it (%d and %d numbers of seconds)", name, a, b)
		}
	}
	for text, want := range map[string]string{
		"rate(x[6h])": "rate(x[720000ms])", "for: 15m": "for: 30000ms", "scrape_interval: 15s": "scrape_interval: 500ms", "> 300 # s": "> 10 # s",
	} {
		if got := scaled(text, faster); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := scaled("interval: 15s, for: 6h, x[5m]", muchFaster); got != "interval: 2000ms, for: 60000ms, x[8000ms]" {
		t.Errorf("much faster is %q", got)
	}
}

// silent leaves out the Alertmanager, which nobody runs here.
func silent(config string) string {
	return strings.Replace(config, "- targets: [127.0.0.1:9093]", "- targets: []", 1)
}

// watchman is a Prometheus with the shipped rules, faster.
func watchman(t *testing.T, factor int, targets ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"monitor.recording.yml", "monitor.alerts.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(scaled(read(t, "prometheus/"+name), factor)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := strings.Replace(silent(scaled(read(t, "prometheus/prometheus.yml"), factor)), "127.0.0.1:8080", strings.Join(targets, ", "), 1)
	return startPrometheus(t, dir, config, "--query.lookback-delta=10s")
}

// firing lists the alerts that fire now.
func (p *prometheus) firing(t *testing.T) (out []string) {
	t.Helper()
	got, err := p.query(`ALERTS{alertstate="firing"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range got {
		out = append(out, s.Metric["alertname"])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fires waits until all of these alerts fire; each may do so in its own time.
// TestEveryAlertIsMadeToFire reads the names, which are therefore written out.
func (p *prometheus) fires(t *testing.T, names ...string) {
	t.Helper()
	begun, missing := time.Now(), slices.Clone(names)
	for deadline := begun.Add(patience); len(missing) > 0; {
		for _, n := range p.firing(t) {
			if i := slices.Index(missing, n); i >= 0 {
				t.Logf("%s fires after %v", n, time.Since(begun).Round(time.Second))
				missing = slices.Delete(missing, i, i+1)
			}
		}
		if time.Now().After(deadline) {
			t.Errorf("after %v these do not fire: %v (those that do: %v)", patience, missing, p.firing(t))
			return
		}
		<-time.After(200 * time.Millisecond)
	}
}

// quiet waits until none of these alerts fires any more.
func (p *prometheus) quiet(t *testing.T, names ...string) {
	t.Helper()
	left := func() []string {
		return slices.DeleteFunc(p.firing(t), func(n string) bool { return !slices.Contains(names, n) })
	}
	for deadline := time.Now().Add(patience); len(left()) > 0; {
		if time.Now().After(deadline) {
			t.Errorf("after %v these still fire: %v", patience, left())
			return
		}
		<-time.After(200 * time.Millisecond)
	}
}

// is waits until an expression is true.
func (p *prometheus) is(t *testing.T, expr string) {
	t.Helper()
	until(t, patience, expr, func() bool {
		got, err := p.query(expr)
		return err == nil && len(got) > 0
	})
}
