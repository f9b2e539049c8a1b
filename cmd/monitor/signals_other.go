//go:build !unix

package main

import "os"

// hangup asks for a reload, where there is such a signal.
var hangup []os.Signal

// ignorePipe is for systems that end a program that writes to a closed pipe.
func ignorePipe() {}
