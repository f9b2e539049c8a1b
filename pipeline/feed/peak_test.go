package feed

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// TestPeak holds a feed of 15 MB to 150 MB above idle, all that the heap holds
// between two collections included.
func TestPeak(t *testing.T) {
	if testing.Short() || slowdown > 1 {
		t.Skip("reads 15 MB and more; the race detector would be measured as well; .ci/run runs it without")
	}
	for _, shape := range []struct {
		name string
		make func() []byte // one at a time: what the heap holds lets it grow as much again
	}{
		{"rss", func() []byte { return benchRSS(5000, 18) }},
		{"atom", func() []byte { return benchAtom(4500, 18) }},
		{"json", func() []byte { return benchJSON(5000, 17) }},
		{"rss in windows-1251", func() []byte {
			return append([]byte(`<?xml version="1.0" encoding="windows-1251"?>`), benchRSS(5000, 18)[38:]...)
		}},
	} {
		doc := shape.make()
		var peak uint64
		for try := range 3 { // the least: the collector may be late while others use the machine
			heap := peakOf(func() {
				if p, err := Parse(Document{Body: doc, URL: "https://example.org/feed", Feed: Feed{ID: "x"}}); err != nil || len(p.Items) < 4500 {
					t.Errorf("%s: %v", shape.name, err)
				}
			})
			if try == 0 || heap < peak {
				peak = heap
			}
			if peak < 150<<20 {
				break
			}
		}
		t.Logf("%s: %d MB for a document of %d MB", shape.name, peak>>20, len(doc)>>20)
		if peak > 150<<20 {
			t.Errorf("%s: %d MB above idle for a document of %d MB", shape.name, peak>>20, len(doc)>>20)
		}
	}
}

// peakOf returns the most bytes that the heap held during f, over what it held
// before.
func peakOf(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	idle := read()
	var peak uint64
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				peak = max(peak, read())
			}
		}
	})
	f()
	close(done)
	wg.Wait()
	return max(peak, idle) - idle
}
