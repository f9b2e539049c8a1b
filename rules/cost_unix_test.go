//go:build unix

package rules_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"newsmonitor/pipeline/feed"
	"newsmonitor/pipeline/rule"
	"newsmonitor/pipeline/rule/engine"
)

// ordinary is items of about 5 KB each, strung together from those of the
// labelled ones that have no theme: prose as it comes, in one language, of
// which none raises anything.
func ordinary(tb testing.TB, set *rule.Set, language string) []feed.Item {
	tb.Helper()
	b, err := os.ReadFile("../cmd/monitor/testdata/fresh.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	var out []feed.Item
	var it feed.Item
	for line := range bytes.Lines(b) {
		var l struct {
			Title, Summary, Body, Lang string
			Themes                     []string
		}
		if err := json.Unmarshal(line, &l); err != nil {
			tb.Fatal(err)
		}
		if !strings.HasPrefix(l.Lang, language) || l.Themes[0] != "none" {
			continue
		}
		was := it
		if it.Title == "" {
			it.Title = l.Title
		}
		it.Content += l.Title + ". " + l.Summary + "\n" + l.Body + "\n\n"
		if len(set.Match(it).Channels) > 0 {
			it = was
			continue
		}
		if len(it.Content) >= 4500 {
			out = append(out, it)
			it = feed.Item{}
		}
	}
	if len(out) == 0 {
		tb.Fatalf("no text of 5 KB in %s", language)
	}
	return out
}

// BenchmarkCost is what an item of 5 KB costs, in CPU time: read (which knows of
// no rule), matched by the shipped rules without a hit, and with one that is
// explained. The second should stay below 8 times the first.
func BenchmarkCost(b *testing.B) {
	set, problems := loaded()
	if set == nil {
		b.Fatal(problems)
	}
	hit := map[string]string{
		"en": "Treasury sanctions three North Korean banks over the theft of tokens by hackers",
		"zh": "美国财政部制裁三家朝鲜银行，指其替黑客洗钱",
	}
	for _, language := range []string{"en", "zh"} {
		items := ordinary(b, set, language)
		run := func(name string, do func(i int)) {
			b.Run(fmt.Sprintf("%s/%s", language, name), func(b *testing.B) {
				i := 0
				before := used()
				for b.Loop() {
					do(i % len(items))
					i++
				}
				b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
		it := &engine.Item{}
		run("read", func(i int) {
			texts := [engine.Fields]string{items[i].Title, "", items[i].Content}
			it.Read(&texts)
		})
		run("quiet", func(i int) { set.Match(items[i]) })
		run("hit", func(i int) {
			x := items[i]
			x.Title = hit[language]
			if len(set.Match(x).Channels) == 0 {
				b.Fatalf("%q raises nothing", x.Title)
			}
		})
	}
}

// TestCost holds the shipped rules to that: the least of many rounds, as other
// work on the machine only adds. With NEWSMONITOR_LONG=1.
func TestCost(t *testing.T) {
	if os.Getenv("NEWSMONITOR_LONG") == "" {
		t.Skip("measures time: NEWSMONITOR_LONG=1")
	}
	set := load(t)
	for _, language := range []string{"en", "zh"} {
		items := ordinary(t, set, language)
		least := func(do func(i int)) time.Duration {
			var best time.Duration
			for round := range 50 {
				before := used()
				for range 200 {
					for i := range items {
						do(i)
					}
				}
				if took := used() - before; round == 0 || took < best {
					best = took
				}
			}
			return best
		}
		it := &engine.Item{}
		read := least(func(i int) {
			texts := [engine.Fields]string{items[i].Title, "", items[i].Content}
			it.Read(&texts)
		})
		quiet := least(func(i int) { set.Match(items[i]) })
		ratio := float64(quiet) / float64(read)
		t.Logf("%s: %.1f times reading", language, ratio)
		if ratio > 8 {
			t.Errorf("%s: an item without a hit costs %.1f times what reading it does, want at most 8", language, ratio)
		}
	}
}

// used is the CPU time of this process, which other work on the machine does
// not lengthen.
func used() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
