//go:build unix

package feed

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used of the processors. Unlike a clock it
// does not count the time of others.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
