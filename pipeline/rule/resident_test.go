package rule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
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

// BenchmarkResident is what a set keeps in memory that was loaded from files,
// and what loading takes; engine.BenchmarkResident is the part that matches.
// Tests and all that explains is on the shelf, or read again when asked for.
func BenchmarkResident(b *testing.B) {
	for _, rules := range []int{20_000, 100_000} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			d := onDisk(b, benchRules(rules))
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				s, problems := Load(d)
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&after)
				if len(s.rules) != rules || len(problems.Errors()) > 0 {
					b.Fatal(len(s.rules), problems.Errors())
				}
				runtime.KeepAlive(s)
			}
			kept := float64(after.HeapAlloc) - float64(before.HeapAlloc)
			b.ReportMetric(kept/1e6, "MB")
			b.ReportMetric(kept/float64(rules), "B/rule")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(rules), "us/rule")
		})
	}
}

// onDisk writes a directory to the disk.
func onDisk(b *testing.B, d Dir) Dir {
	root := b.TempDir()
	if err := os.CopyFS(root, d.FS); err != nil {
		b.Fatal(err)
	}
	return Dir{Name: d.Name, FS: os.DirFS(root)}
}
