//go:build !unix

package feed

import "time"

var started = time.Now()

// cpuTime is the time of the clock where processors are not counted.
func cpuTime() time.Duration { return time.Since(started) }
