package rule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// benchRules are files of n rules of three to six terms each.
func benchRules(n int) Dir {
	g := rand.New(rand.NewPCG(1, 1))
	word := func() string { return fmt.Sprintf("w%dx", int(200*math.Pow(235, g.Float64()))) }
	return worstRules(n, func(i int) string {
		s := fmt.Sprintf(`("%s %s" OR %s) AND (%s NEAR/10 %s)`, word(), word(), word(), word(), word())
		if i%4 == 0 {
			s += " AND NOT " + word()
		}
		return s
	})
}

// BenchmarkResident is what a set keeps in memory, files, tests and all that
// explains included; engine.BenchmarkResident is the part that matches.
func BenchmarkResident(b *testing.B) {
	const rules = 20_000
	d := benchRules(rules)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		s, _ := Load(d)
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if len(s.rules) != rules {
			b.Fatal(len(s.rules))
		}
		runtime.KeepAlive(s)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/rules, "B/rule")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/rules, "us/rule")
}
