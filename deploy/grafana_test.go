package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

type dashboard struct {
	UID, Title    string
	Tags          []string
	SchemaVersion int
	Editable      bool
	Annotations   struct{ List []struct{ Expr string } }
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Label, Type, AllValue string
	Multi, IncludeAll           bool
	Refresh                     int
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               struct{ UID string }
	Targets                  []struct {
		RefID, Expr string
		Datasource  struct{ UID string }
	}
	FieldConfig struct {
		Defaults struct {
			Unit, NoValue string
			Links         []link
		}
		Overrides []struct {
			Properties []struct {
				ID    string
				Value []link
			}
		}
	}
	Panels []panel
}

type link struct{ Title, URL string }

// links are where a click leads.
func (p panel) links() []link {
	out := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			out = append(out, property.Value...)
		}
	}
	return out
}

// drill is such a link: to the dashboard of feeds or channels, for one of them.
var drill = regexp.MustCompile(`^/d/newsmonitor-(\w+)s\?var-(\w+)=\$`)

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("found %d dashboards (%v), want 3", len(files), err)
	}
	out := map[string]dashboard{}
	for _, f := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(read(t, f)), &d); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[filepath.Base(f)] = d
	}
	return out
}

// flat lists all panels with queries, also those in collapsed rows.
func (d dashboard) flat() (out []panel) {
	for _, p := range d.Panels {
		if p.Type == "row" {
			out = append(out, p.Panels...)
			continue
		}
		out = append(out, p)
	}
	return out
}

// TestDashboardsAreGenerated: the committed files are what gen writes.
func TestDashboardsAreGenerated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "./grafana/gen", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name := range dashboards(t) {
		if read(t, filepath.Join(dir, name)) != read(t, filepath.Join("grafana/dashboards", name)) {
			t.Errorf("%s is not what deploy/grafana/gen writes: go run ./deploy/grafana/gen deploy/grafana/dashboards", name)
		}
	}
}

var (
	selector = regexp.MustCompile(`\b((?:monitor|go|process)_[a-z_]+)(\{[^}]*\})?`)
	units    = []string{"s", "short", "percentunit", "bytes", "reqps", "cps", "wps"}
)

// TestDashboardsAreClean is what Grafana's own linter asks for, and that panels
// do not lie over each other.
func TestDashboardsAreClean(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	for name, d := range dashboards(t) {
		if d.UID == "" || uids[d.UID] != "" || d.Editable || d.SchemaVersion != 42 || !slices.Contains(d.Tags, "newsmonitor") {
			t.Errorf("%s: uid %q, editable %t, schema %d, tags %v", name, d.UID, d.Editable, d.SchemaVersion, d.Tags)
		}
		uids[d.UID] = name
		vars := map[string]variable{}
		for _, v := range d.Templating.List {
			vars[v.Name] = v
			if v.Type == "query" && (!v.Multi || !v.IncludeAll || v.AllValue != ".+" || v.Refresh != 2 || v.Label == "") {
				t.Errorf("%s: variable %s is %+v", name, v.Name, v)
			}
		}
		if vars["datasource"].Type != "datasource" || vars["datasource"].Label != "Data source" || vars["job"].Label != "Job" || vars["instance"].Label != "Instance" {
			t.Errorf("%s: variables datasource, job and instance are %+v", name, vars)
		}
		ids := map[int]bool{}
		taken := map[[2]int]string{}
		place := func(p panel) {
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", name, p.ID)
			}
			ids[p.ID] = true
			g := p.GridPos
			if g.X < 0 || g.W < 1 || g.X+g.W > 24 || g.H < 1 {
				t.Errorf("%s: %q stands at %+v", name, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %q lies over %q", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
		for _, p := range d.Panels {
			place(p)
			for _, inner := range p.Panels {
				place(inner)
			}
		}
		for _, p := range d.flat() {
			if slices.Contains(errorOnly, p.Title) && p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("%s: %q does not say why it is empty", name, p.Title)
			}
			for _, l := range p.links() {
				if m := drill.FindStringSubmatch(l.URL); m == nil || m[1] != m[2] || !slices.Contains([]string{"feed", "channel"}, m[1]) {
					t.Errorf("%s: %q leads to %s", name, p.Title, l.URL)
				}
			}
			if p.Title == "" || p.Description == "" || !slices.Contains(units, p.FieldConfig.Defaults.Unit) || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q has description %q, unit %q, data source %q, %d queries", name, p.Title, p.Description, p.FieldConfig.Defaults.Unit, p.Datasource.UID, len(p.Targets))
			}
			for _, q := range p.Targets {
				if q.Datasource.UID != "${datasource}" {
					t.Errorf("%s: %q asks %q", name, p.Title, q.Datasource.UID)
				}
				for _, m := range selector.FindAllStringSubmatch(q.Expr, -1) {
					if !strings.Contains(m[2], `job=~"$job"`) || !strings.Contains(m[2], `instance=~"$instance"`) {
						t.Errorf("%s: %q does not select %s by job and instance", name, p.Title, m[1])
					}
					if strings.HasSuffix(m[1], "_total") && !regexp.MustCompile(`(rate|increase)\(`+regexp.QuoteMeta(m[0])).MatchString(q.Expr) && !strings.Contains(m[1], "panics") {
						t.Errorf("%s: %q shows the counter %s as it is", name, p.Title, m[1])
					}
				}
			}
		}
	}
	order := []string{"Canary age", "Fresh feeds", "Last alert", "Undelivered", "Bad config"}
	for board, titles := range map[string][]string{"overview.json": {"Fresh feeds"}, "feeds.json": {"Stalest first", "Failures in a row"}, "channels.json": {"Quiet for", "In usual gaps"}} {
		for _, p := range dashboards(t)[board].flat() {
			if slices.Contains(titles, p.Title) && len(p.links()) == 0 {
				t.Errorf("%s: %q leads to nothing closer", board, p.Title)
			}
		}
	}
	for _, title := range errorOnly {
		if !slices.ContainsFunc(slices.Collect(maps.Values(dashboards(t))), func(d dashboard) bool {
			return slices.ContainsFunc(d.flat(), func(p panel) bool { return p.Title == title })
		}) {
			t.Errorf("no panel is called %q", title)
		}
	}
	for i, p := range dashboards(t)["overview.json"].Panels[1:6] {
		if p.Title != order[i] || p.GridPos.Y != 1 {
			t.Errorf("panel %d of the overview is %q in line %d, want %q in line 1", i+1, p.Title, p.GridPos.Y, order[i])
		}
	}
	for _, f := range []string{"grafana/provisioning/datasources/prometheus.yml", "grafana/provisioning/dashboards/newsmonitor.yml"} {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(read(t, f)), &v); err != nil || v["apiVersion"] != 1 {
			t.Errorf("%s: %v, %v", f, v["apiVersion"], err)
		}
	}
}

// absentWhenEmpty are metrics that a healthy daemon does not show.
var absentWhenEmpty = []string{"monitor_reader_oldest_timestamp_seconds", "monitor_notify_oldest_timestamp_seconds",
	"monitor_notify_oldest_critical_timestamp_seconds", "monitor_channel_usual_gap_seconds", "monitor_rule_over_budget"}

// errorOnly are the panels that show nothing while all is well, and say so.
var errorOnly = []string{"Alerts of operations", "Oldest undelivered", "Failed deliveries", "Failed polls, by reason", "Failed writes, by reason",
	"Readers behind", "Failures in a row", "Documents mended, by damage", "In usual gaps"}

// TestPanels: every metric that dashboards, rules, README and runbook name is
// one that the daemon has, every one that it has is named somewhere, and each
// panel shows something when a real Prometheus scrapes the demo.
func TestPanels(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus", "prometheus")
	s := demoSettings(t, hook(t))
	told, at := story(t, 3)
	s.Files.Extra = told.Feeds(at)
	d := startDaemon(t, s)
	target := strings.TrimPrefix(d.place.HTTP, "http://")
	p := startPrometheus(t, t.TempDir(), fmt.Sprintf(`global: {scrape_interval: 1s}
scrape_configs: [{job_name: monitor, static_configs: [{targets: ["%s"]}]}]`, target))

	until(t, time.Minute, "an alert is counted", func() bool {
		got, err := p.query(`sum(monitor_alerts_total) > 0`)
		return err == nil && len(got) == 1
	})
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(get(t, d.place.HTTP+"/metrics"), -1) {
		known[m[1]] = true
		if m[2] == "histogram" {
			known[m[1]+"_bucket"], known[m[1]+"_sum"], known[m[1]+"_count"] = true, true, true
		}
	}
	for _, name := range absentWhenEmpty {
		if exec.Command("grep", "-rqF", `"`+name+`"`, "../pipeline", "--include=*.go").Run() != nil {
			t.Errorf("no room has %s", name)
		}
		known[name] = true
	}
	var everything strings.Builder
	for _, f := range []string{"prometheus/monitor.recording.yml", "prometheus/monitor.alerts.yml", "RUNBOOK.md", "../README.md"} {
		text := read(t, f)
		everything.WriteString(text)
		for _, m := range regexp.MustCompile(`(?:^|[^:\w])(monitor_[a-z0-9_]+)`).FindAllStringSubmatch(text, -1) {
			prefix := strings.HasSuffix(f, ".md") && slices.ContainsFunc(keys(known), func(k string) bool { return strings.HasPrefix(k, m[1]) })
			if !known[m[1]] && !prefix {
				t.Errorf("%s names %s, which the daemon does not have", f, m[1])
			}
		}
	}
	replace := strings.NewReplacer("$__rate_interval", "10s", "$__range", "5m", "$job", "monitor", "$instance", ".+", "$feed", ".+", "$channel", ".+")
	for name, board := range dashboards(t) {
		for _, a := range board.Annotations.List {
			if _, err := p.query(replace.Replace(a.Expr)); err != nil {
				t.Errorf("%s: annotation: %v", name, err)
			}
		}
		for _, pa := range board.flat() {
			for _, q := range pa.Targets {
				everything.WriteString(q.Expr)
				for _, m := range selector.FindAllStringSubmatch(q.Expr, -1) {
					if !known[m[1]] {
						t.Errorf("%s: %q asks for %s, which the daemon does not have", name, pa.Title, m[1])
					}
				}
				expr := replace.Replace(q.Expr)
				var got []sample
				var err error
				mayBeEmpty := slices.Contains(errorOnly, pa.Title)
				for deadline := time.Now().Add(30 * time.Second); ; {
					if got, err = p.query(expr); err != nil || len(got) > 0 || mayBeEmpty || time.Now().After(deadline) {
						break
					}
					<-time.After(time.Second)
				}
				if err != nil || len(got) == 0 && !mayBeEmpty {
					t.Errorf("%s: %q shows nothing (%v): %s", name, pa.Title, err, expr)
				}
			}
		}
	}
	// What is measured and shown nowhere is a cost without a use.
	unused := []string{"monitor_http_request_duration_seconds", "monitor_nats_reconnects_total", "monitor_polls_dropped_total", "monitor_append_conflicts_total",
		"monitor_jetstream_stream_messages", "monitor_config_last_reload_success_timestamp_seconds", "monitor_alert_pipeline_duration_seconds"}
	for name := range known {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "monitor_") && !strings.Contains(everything.String(), base) && !slices.Contains(unused, base) {
			t.Errorf("%s is in no dashboard, rule or runbook", name)
		}
	}
	series, err := p.query(`scrape_samples_scraped{job="monitor"}`)
	size := len(get(t, d.place.HTTP+"/metrics"))
	if err == nil && len(series) == 1 {
		t.Logf("%v series, %d bytes a scrape", series[0].Value[1], size)
	}
}

func keys(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}
