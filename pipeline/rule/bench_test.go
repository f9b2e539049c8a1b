package rule

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"newsmonitor/pipeline/feed"
)

// article is n bytes of synthetic text: words of Zipf-like frequency.
func article(n int) string {
	var b strings.Builder
	x := uint32(7)
	for b.Len() < n {
		x = x*1664525 + 1013904223
		r := x >> 8 % 1000
		fmt.Fprintf(&b, "w%d ", r*r/4000)
		switch {
		case x>>20%17 == 0:
			b.WriteString("sanctions. ")
		case x>>20%90 == 0:
			b.WriteString("制裁中国企业。\n")
		}
	}
	return b.String()[:n-n%3]
}

func benchSet(b *testing.B, n int) *Set {
	var rules strings.Builder
	rules.WriteString("channel: x\ntitle: T\nrules:\n")
	for i := range n {
		fmt.Fprintf(&rules, "  - id: r%d\n    title: T\n    severity: low\n    match: (w%d OR \"w%d w%d\" OR sanction* OR 制裁) NEAR/10 (@states OR w%d) AND NOT title:w%d\n    tests: [{fires: true, title: x}, {fires: false, title: x}]\n",
			i, i*3, i, i+1, i*7, i)
	}
	s, p := Load(dir("x.yaml", rules.String(), "lists/states.yaml", someStates))
	if len(p.Errors()) > 0 {
		b.Fatal(p)
	}
	return s
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct{ rules, bytes int }{{50, 5_000}, {100, 48_000}} {
		b.Run(fmt.Sprintf("rules=%d/bytes=%d", c.rules, c.bytes), func(b *testing.B) {
			s := benchSet(b, c.rules)
			it := feed.Item{Title: "sanctions on Iran", Content: article(c.bytes)}
			b.ReportAllocs()
			for b.Loop() {
				s.Match(it)
			}
		})
	}
}

// BenchmarkShipped measures the project's own rules.
func BenchmarkShipped(b *testing.B) {
	d := Dir{Name: "rules", FS: os.DirFS("../../rules")}
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			Load(d)
		}
	})
	s, _ := Load(d)
	for _, n := range []int{200, 5_000, 48_000} {
		b.Run(fmt.Sprintf("match/bytes=%d", n), func(b *testing.B) {
			it := feed.Item{Title: "US sanctions on Iran", Content: article(n)}
			for b.Loop() {
				s.Match(it)
			}
		})
	}
}

// BenchmarkShippedReal is what the shipped rules cost on real items, by what
// they hit: the whole of it, and the tokeniser alone.
func BenchmarkShippedReal(b *testing.B) {
	s := shipped(b)
	var quiet, hit []feed.Item
	for _, it := range realItems(b) {
		if len(s.Match(it).Channels) > 0 {
			hit = append(hit, it)
		} else {
			quiet = append(quiet, it)
		}
	}
	for _, c := range []struct {
		name  string
		items []feed.Item
	}{{"no-hit", quiet}, {"hits", hit}} {
		size := 0
		for _, it := range c.items {
			size += len(it.Title) + len(it.Summary) + len(it.Content)
		}
		for name, do := range map[string]func(r *reader, it *feed.Item){
			"tokens": func(r *reader, it *feed.Item) { r.texts = textsOf(it); r.item.Read(&r.texts) },
			"match":  func(_ *reader, it *feed.Item) { s.Match(*it) },
		} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				r := &reader{}
				b.ReportAllocs()
				for b.Loop() {
					for i := range c.items {
						do(r, &c.items[i])
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size)*5000, "ns/5KB")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(c.items)), "ns/item")
			})
		}
	}
}
