// Command gen writes the dashboards for Grafana, from dashboards.go to the
// folder that it is given. A test holds the committed files against it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type dashboard struct {
	File, UID, Title, About string
	Vars                    []variable
	Rows                    []row
}

type variable struct{ Name, Label, Query string }

type row struct {
	Title     string
	Collapsed bool
	Panels    []panel
}

type panel struct {
	Title, About string
	Kind         string // stat, lines, bars or table
	Unit         string
	W, H         int
	Steps        []step // thresholds
	Empty        string // why the panel may be empty when all is well
	Leads        string // to what a click leads: the feed or the channel that was clicked, in its dashboard
	Q            []query
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type query struct{ Expr, Legend string }

type object = map[string]any

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FOLDER")
		os.Exit(2)
	}
	for _, d := range all {
		b, err := json.MarshalIndent(d.json(), "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], d.File+".json"), append(b, '\n'), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

var source = object{"type": "prometheus", "uid": "${datasource}"}

func (d dashboard) json() object {
	var panels []object
	id, y := 0, 0
	for _, r := range d.Rows {
		id++
		head := object{"id": id, "type": "row", "title": r.Title, "collapsed": r.Collapsed, "gridPos": grid(0, y, 24, 1), "panels": []object{}}
		y++
		var inside []object
		x, tallest := 0, 0
		for _, p := range r.Panels {
			if x+p.W > 24 {
				x, y, tallest = 0, y+tallest, 0
			}
			id++
			inside = append(inside, p.json(id, grid(x, y, p.W, p.H)))
			x, tallest = x+p.W, max(tallest, p.H)
		}
		y += tallest
		if r.Collapsed {
			head["panels"] = inside
			panels = append(panels, head)
			continue
		}
		panels = append(append(panels, head), inside...)
	}
	return object{
		"uid": d.UID, "title": d.Title, "description": d.About, "tags": []string{"newsmonitor"}, "schemaVersion": 42, "version": 1,
		"editable": false, "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "time": object{"from": "now-24h", "to": "now"},
		"links": []object{{"type": "dashboards", "title": "newsmonitor", "tags": []string{"newsmonitor"}, "asDropdown": false,
			"includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": ""}},
		"annotations": object{"list": []object{{"name": "Reloads", "enable": true, "iconColor": "blue", "datasource": source,
			"expr":        subst(`changes(monitor_config_last_reload_success_timestamp_seconds{$sel}[1m]) > 0`),
			"titleFormat": "Feeds and rules were loaded", "step": "60s"}}},
		"templating": object{"list": d.variables()},
		"panels":     panels,
	}
}

func grid(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

func (d dashboard) variables() []object {
	list := []object{{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}}
	vars := append([]variable{{"job", "Job", "label_values(monitor_build_info, job)"},
		{"instance", "Instance", `label_values(monitor_build_info{job=~"$job"}, instance)`}}, d.Vars...)
	for _, v := range vars {
		list = append(list, object{"name": v.Name, "label": v.Label, "type": "query", "datasource": source, "definition": v.Query,
			"query": object{"query": v.Query, "refId": v.Name}, "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".+",
			"current": object{"text": "All", "value": "$__all"}})
	}
	return list
}

// drillDown leads to the dashboard of feeds or channels, which shows one of them.
func drillDown(word, what, which string) []object {
	return []object{{"title": "Show " + word + " " + what, "url": "/d/newsmonitor-" + what + "s?var-" + what + "=" + which + "&${datasource:queryparam}&${job:queryparam}&${__url_time_range}"}}
}

func subst(expr string) string {
	return strings.NewReplacer("$oneFeed", oneFeed, "$oneChannel", oneChannel, "$sel", sel).Replace(expr)
}

func (p panel) json(id int, at object) object {
	steps := p.Steps
	if steps == nil {
		steps = []step{{"text", nil}}
	}
	var targets []object
	for i, q := range p.Q {
		t := object{"refId": string(rune('A' + i)), "datasource": source, "expr": subst(q.Expr), "legendFormat": q.Legend}
		if p.Kind == "stat" || p.Kind == "table" {
			t["instant"], t["range"] = true, false
		}
		if p.Kind == "table" {
			t["format"] = "table"
		}
		targets = append(targets, t)
	}
	defaults := object{"unit": p.Unit, "thresholds": object{"mode": "absolute", "steps": steps}}
	if p.Empty != "" {
		defaults["noValue"] = p.Empty
	}
	overrides := []object{}
	switch {
	case p.Leads == "":
	case p.Kind == "table":
		overrides = append(overrides, object{"matcher": object{"id": "byName", "options": p.Leads},
			"properties": []object{{"id": "links", "value": drillDown("this", p.Leads, "${__value.raw}")}}})
	case p.Kind == "stat":
		defaults["links"] = drillDown("each", p.Leads, "$__all")
	default:
		defaults["links"] = drillDown("this", p.Leads, "${__field.labels."+p.Leads+"}")
	}
	out := object{"id": id, "title": p.Title, "description": p.About, "gridPos": at, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": overrides}}
	switch p.Kind {
	case "stat":
		out["type"] = "stat"
		out["options"] = object{"colorMode": "background", "graphMode": "none", "reduceOptions": object{"calcs": []string{"lastNotNull"}}}
	case "table":
		out["type"] = "table"
		out["transformations"] = []object{{"id": "organize", "options": object{"excludeByName": object{"Time": true}}}}
	default:
		out["type"] = "timeseries"
		custom := object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
		if p.Kind == "bars" {
			custom = object{"drawStyle": "bars", "fillOpacity": 70, "stacking": object{"mode": "normal"}}
		}
		if p.Steps != nil {
			custom["thresholdsStyle"] = object{"mode": "dashed"}
		}
		defaults["custom"], defaults["min"] = custom, 0
		out["options"] = object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	}
	return out
}
