package engine

import (
	"syscall"
	"time"
	"unsafe"
)

// cpuTime is what this thread has used, which other work on the machine does
// not lengthen; 0 where it cannot be asked for.
func cpuTime() time.Duration {
	const threadCPU = 3 // CLOCK_THREAD_CPUTIME_ID
	var t syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadCPU, uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
