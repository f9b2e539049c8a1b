package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"newsmonitor/pipeline/rule/query"
)

// noLists is for queries without any.
type noLists struct{}

func (noLists) Entries(string) ([]*query.Node, bool) { return nil, false }

// plainStems knows no language, and Chinese characters by sight.
type plainStems struct{}

func (plainStems) Odds(words []string) float64 {
	p := 1.5
	for _, w := range words {
		if w[0] >= 0xE3 && len(w) == 3 {
			p *= 0.1
		} else {
			p *= usual
		}
	}
	return max(p, 0.0002)
}

func (plainStems) Language(string) string    { return "en" }
func (plainStems) Stem(_, raw string) string { return raw }

// tongue makes text and queries of one kind of language, after Zipf: word r
// stands there in proportion to r^-1.07.
type tongue struct {
	*rand.Rand
	words  []string
	weight []float64 // cumulative
	join   string
	stop   string
	line   []string // text from which phrases are taken
}

func english(seed uint64) *tongue {
	t := &tongue{Rand: rand.New(rand.NewPCG(seed, 2)), join: " ", stop: ". "}
	consonants, vowels := strings.Fields("b c d f g h j k l m n p r s t v w z ch st tr pl"), strings.Fields("a e i o u ai ou ea")
	seen := map[string]bool{}
	for len(t.words) < 47_000 {
		var w strings.Builder
		for range 1 + t.IntN(3) {
			w.WriteString(consonants[t.IntN(len(consonants))] + vowels[t.IntN(len(vowels))])
		}
		if t.IntN(2) == 0 {
			w.WriteString(consonants[t.IntN(len(consonants))])
		}
		if s := w.String(); !seen[s] && len(s) > 1 {
			seen[s] = true
			t.words = append(t.words, s)
		}
	}
	t.finish()
	return t
}

// chinese has words of one to four characters, made of 3,500 whose own
// frequencies fall as those of Chinese do.
func chinese(seed uint64) *tongue {
	t := &tongue{Rand: rand.New(rand.NewPCG(seed, 3)), stop: "。"}
	runes := []rune("的一是在不了有和人这中大为上个国我以要他时来用们")
	for r := rune(0x4E00); len(runes) < 3500; r += 5 {
		runes = append(runes, r)
	}
	seen := map[string]bool{}
	for len(t.words) < 30_000 {
		var w []rune
		for range []int{1, 2, 2, 2, 2, 2, 3, 4}[t.IntN(8)] {
			w = append(w, runes[int(float64(len(runes))*math.Pow(t.Float64(), 2.5))])
		}
		if s := string(w); !seen[s] {
			seen[s] = true
			t.words = append(t.words, s)
		}
	}
	t.finish()
	return t
}

func (t *tongue) finish() {
	sum := 0.0
	for i := range t.words {
		sum += math.Pow(float64(i+3), -1.07)
		t.weight = append(t.weight, sum)
	}
	for range 200_000 {
		t.line = append(t.line, t.word())
	}
}

func (t *tongue) word() string {
	x := t.Float64() * t.weight[len(t.weight)-1]
	low, high := 0, len(t.weight)-1
	for low < high {
		if m := (low + high) / 2; t.weight[m] < x {
			low = m + 1
		} else {
			high = m
		}
	}
	return t.words[low]
}

// text is some n bytes.
func (t *tongue) text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(t.word())
		if i%17 == 16 {
			b.WriteString(t.stop)
		} else {
			b.WriteString(t.join)
		}
	}
	return b.String()
}

// term is a word of a rule: ranks 200 to all, as many of each power of ten.
func (t *tongue) term() string {
	r := 200 * math.Pow(float64(len(t.words))/200, t.Float64())
	return t.words[min(int(r), len(t.words)-1)]
}

// phrase is two or three words that stand side by side in such text.
func (t *tongue) phrase() string {
	for {
		i := t.IntN(len(t.line) - 3)
		w := t.line[i : i+2+t.IntN(2)]
		if s := strings.Join(w, " "); len(s) > 8 {
			return `"` + s + `"`
		}
	}
}

func (t *tongue) rule() string {
	var s string
	switch t.IntN(4) {
	case 0:
		s = fmt.Sprintf("%s AND (%s OR %s) AND %s", t.phrase(), t.term(), t.term(), t.term())
	case 1:
		s = fmt.Sprintf("(%s NEAR/10 %s) AND (%s OR %s OR %s)", t.term(), t.term(), t.term(), t.phrase(), t.term())
	case 2:
		s = fmt.Sprintf("(%s OR %s OR %s) AND (%s NEAR/10 %s)", t.phrase(), t.term(), t.term(), t.term(), t.term())
	case 3:
		s = fmt.Sprintf("(%s OR %s) AND %s", t.phrase(), t.phrase(), t.term())
	}
	if t.IntN(4) == 0 {
		s += " AND NOT " + t.term()
	}
	return s
}

func parse(tb testing.TB, s string) *query.Node {
	tb.Helper()
	n, errs := query.Parse(s)
	for _, e := range errs {
		if !e.Warning {
			tb.Fatalf("%s: %v %s", s, e, e.Hint)
		}
	}
	return n
}

func program(tb testing.TB, t *tongue, rules int) *Program {
	b := NewBuilder(plainStems{})
	for range rules {
		b.Add(Rules, b.Query(parse(tb, t.rule()), noLists{}))
	}
	return b.Program()
}

// usage reports the CPU time from here to the call of what it returns, as the
// machine may be doing other things.
func usage(b *testing.B) func() {
	runtime.LockOSThread()
	start := cpuTime()
	return func() {
		if t := cpuTime() - start; t > 0 {
			b.ReportMetric(float64(t.Nanoseconds())/float64(b.N), "cpu-ns/op")
		}
		runtime.UnlockOSThread()
	}
}

func benchmarkMatch(b *testing.B, make func(uint64) *tongue, sizes ...int) {
	t := make(1)
	var texts [32][Fields]string
	for i := range texts {
		texts[i][Title] = t.text(80)
		texts[i][Content] = t.text(5000)
	}
	for _, n := range sizes {
		t.Rand = rand.New(rand.NewPCG(7, 7))
		p := program(b, t, n)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			m, it := p.NewMatcher(), &Item{}
			var hits []uint32
			total, posts, evals := 0, 0, 0
			for i := range texts {
				it.Read(&texts[i])
				m.Load(it)
				hits = m.Match(Rules, nil, hits[:0])
				total += len(hits)
				posts += m.postsN
				evals += m.evals
			}
			b.ReportAllocs()
			i := 0
			used := usage(b)
			for b.Loop() {
				it.Read(&texts[i%len(texts)])
				m.Load(it)
				hits = m.Match(Rules, nil, hits[:0])
				i++
			}
			used()
			b.ReportMetric(float64(total)/float64(len(texts)), "hits/item")
			b.ReportMetric(float64(posts)/float64(len(texts)), "posts/item")
			b.ReportMetric(float64(evals)/float64(len(texts)), "evals/item")
		})
	}
}

// BenchmarkMatch: items of 5 KB at ever more rules. The time at 100,000 must
// stay below 6 times that at 100.
func BenchmarkMatch(b *testing.B) { benchmarkMatch(b, english, 100, 1_000, 10_000, 100_000) }

// BenchmarkMatchChinese: the time at 100,000 must stay below 8 times that at
// 1,000.
func BenchmarkMatchChinese(b *testing.B) { benchmarkMatch(b, chinese, 100, 1_000, 10_000, 100_000) }

// BenchmarkRead is the part that does not know of rules.
func BenchmarkRead(b *testing.B) {
	for name, make := range map[string]func(uint64) *tongue{"en": english, "zh": chinese} {
		b.Run(name, func(b *testing.B) {
			texts := [Fields]string{Content: make(1).text(5000)}
			it := &Item{}
			b.SetBytes(int64(len(texts[Content])))
			b.ReportAllocs()
			used := usage(b)
			for b.Loop() {
				it.Read(&texts)
			}
			used()
		})
	}
}

// BenchmarkRegexp is the same kind of rules as Go regular expressions, four
// words or phrases each: the baseline.
func BenchmarkRegexp(b *testing.B) {
	t := english(1)
	s := t.text(5000)
	const rules = 20
	var all []*regexp.Regexp
	for range rules {
		for _, w := range []string{strings.Trim(t.phrase(), `"`), t.term(), t.term(), t.term()} {
			all = append(all, regexp.MustCompile(`(?i)\b`+regexp.QuoteMeta(w)+`\b`))
		}
	}
	n := 0
	used := usage(b)
	for b.Loop() {
		for _, r := range all {
			if r.MatchString(s) {
				n++
			}
		}
	}
	used()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rules, "ns/rule")
}

// BenchmarkCompile is the cost of one of 10,000 rules, parsing not included.
func BenchmarkCompile(b *testing.B) {
	t := english(1)
	const rules = 10_000
	var parsed []*query.Node
	for range rules {
		parsed = append(parsed, parse(b, t.rule()))
	}
	b.ReportAllocs()
	used := usage(b)
	for b.Loop() {
		x := NewBuilder(plainStems{})
		for _, n := range parsed {
			x.Add(Rules, x.Query(n, noLists{}))
		}
		x.Program()
	}
	used()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rules, "ns/rule")
}

// BenchmarkResident is what 100,000 rules keep in memory.
func BenchmarkResident(b *testing.B) {
	for name, make := range map[string]func(uint64) *tongue{"en": english, "zh": chinese} {
		b.Run(name, func(b *testing.B) {
			t := make(1)
			var before, after, scratch runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				p := program(b, t, 100_000)
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&after)
				m := p.NewMatcher()
				runtime.ReadMemStats(&scratch)
				runtime.KeepAlive(p)
				runtime.KeepAlive(m)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
			b.ReportMetric(float64(scratch.HeapAlloc-after.HeapAlloc)/1e6, "MB/worker")
		})
	}
}
