package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"newsmonitor/pipeline"
)

// What the survey says of a feed's window, in its notes: how many items a
// document shows, and how many come a day.
var (
	surveyWindow = regexp.MustCompile(`(\d+) (?:items|entries|rows)\b`)
	surveyRate   = regexp.MustCompile(`(?:(\d+)-)?(\d+)\+? (?:posts|items|stories) a day`)
	surveyHours  = regexp.MustCompile(`at least every (\d+) h`)
)

// usualWindow is what a feed shows where the survey does not say: what the
// common publishing systems show unless told otherwise.
const usualWindow = 10

// busyRate is items a day in the busiest hours of a feed of which the survey
// says no rate: one each ten minutes.
const busyRate = 24 * 6

// TestIntervals: no feed loses an item between two polls, not even when it
// brings twice what is usual: the interval is at most half of the time in which
// the window of the survey rolls over.
func TestIntervals(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../../../shared/feeds-survey.csv")
	if err != nil {
		t.Skip("needs ../shared/feeds-survey.csv beside the project, which only its makers have")
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	id, note := -1, -1
	for i, name := range rows[0] {
		switch name {
		case "id":
			id = i
		case "note":
			note = i
		}
	}
	if id < 0 || note < 0 {
		t.Fatalf("the survey has the columns %q, want id and note among them", rows[0])
	}
	notes := map[string]string{}
	for _, r := range rows[1:] {
		notes[r[id]] = r[note]
	}
	c, err := pipeline.Files{Feeds: []string{filepath.Join("..", "..", "feeds.yaml")}, Rules: []string{"builtin"}, Builtin: builtin}.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, f := range c.Feeds {
		text, surveyed := notes[f.ID]
		if f.Disabled != "" || !surveyed {
			continue
		}
		window, rate := usualWindow, busyRate
		if m := surveyWindow.FindStringSubmatch(text); m != nil && m[1] != "0" {
			window, _ = strconv.Atoi(m[1])
			told++
		} else if surveyRate.FindStringSubmatch(text) == nil {
			continue // nothing is known
		}
		if m := surveyRate.FindStringSubmatch(text); m != nil {
			if rate, _ = strconv.Atoi(m[2]); rate == 0 {
				continue
			}
		}
		rolls := time.Duration(float64(window) / float64(rate) * float64(24*time.Hour))
		if m := surveyHours.FindStringSubmatch(text); m != nil {
			hours, _ := strconv.Atoi(m[1])
			rolls = min(rolls, time.Duration(hours)*time.Hour)
		}
		if f.Every > rolls/2 {
			t.Errorf("%s is asked each %v, but its %d items may roll over in %v: half of that is the most", f.ID, f.Every, window, rolls)
		}
	}
	if told < 30 {
		t.Errorf("the survey tells the window of %d watched feeds, want the 30 and more that it had", told)
	}
}
