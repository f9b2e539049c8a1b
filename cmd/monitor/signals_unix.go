//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// hangup asks for a reload.
var hangup = []os.Signal{syscall.SIGHUP}

// ignorePipe makes writing to a closed pipe an error instead of the end.
func ignorePipe() { signal.Ignore(syscall.SIGPIPE) }
