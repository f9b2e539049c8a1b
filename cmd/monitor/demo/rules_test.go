package demo

import (
	"os"
	"slices"
	"testing"

	"newsmonitor/pipeline/rule"
)

// TestRules holds the shipped rules to the story: each event raises its
// channels, an ordinary item raises nothing, the essay only recalls, and an act
// told by the state that acts is critical.
func TestRules(t *testing.T) {
	t.Parallel()
	set, problems := rule.Load(rule.Dir{Name: "rules", FS: os.DirFS("../../../rules")})
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	st := newStage(t)
	st.moveTo(st.Length(1))
	results := map[string]rule.Result{} // by title
	for _, f := range st.Feeds("http://127.0.0.1:1234") {
		for _, it := range st.read(t, f).Items {
			it.Feed, it.Source = f.ID, f.Source()
			results[it.Title] = set.Match(it)
		}
	}
	for _, e := range st.Events {
		got := map[string]rule.Severity{}
		for _, hit := range results[e.Title].Channels {
			got[hit.Channel] = hit.Severity
			if e.Feed == "demo-think-tank" && hit.Severity != "low" {
				t.Errorf("%q only recalls, and raises %s/%s", e.Title, hit.Channel, hit.Severity)
			}
		}
		for _, channel := range e.Raises {
			if _, ok := got[channel]; !ok {
				t.Errorf("%q raises %v, want %s among them", e.Title, got, channel)
			}
		}
		if len(e.Raises) == 0 && len(got) > 0 {
			t.Errorf("%q is ordinary, and raises %v", e.Title, got)
		}
		acts := []string{"demo-us-doj", "demo-us-fbi", "demo-us-treasury"}
		if slices.Contains(acts, e.Feed) && got[e.Raises[0]] != "critical" {
			t.Errorf("%q raises %v, want %s/critical", e.Title, got, e.Raises[0])
		}
	}
}
