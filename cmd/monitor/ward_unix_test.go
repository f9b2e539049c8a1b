//go:build unix

package main

import (
	"os"
	"sync"
	"testing"
	"time"
)

// drain keeps a process whose log nobody reads from being held up by it.
func (p *process) drain() {
	go func() {
		for range p.lines {
		}
	}()
}

func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// ward is a daemon under a supervisor, which starts it again when it ends.
type ward struct {
	mu      sync.Mutex
	p       *process
	stopped bool
}

func (w *press) supervise(t *testing.T, args ...string) *ward {
	return supervise(t, func() *process { return w.run(t, args...) })
}

func supervise(t *testing.T, start func() *process) *ward {
	d := &ward{p: start()}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			for range d.p.lines { // until it ends
			}
			_ = d.p.Wait()
			<-time.After(100 * time.Millisecond)
			d.mu.Lock()
			if d.stopped {
				d.mu.Unlock()
				return
			}
			d.p = start()
			d.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		d.mu.Lock()
		d.stopped = true
		_ = d.p.Process.Kill()
		d.mu.Unlock()
		done.Wait()
	})
	return d
}

func (d *ward) signal(s os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.p.Process.Signal(s)
}
