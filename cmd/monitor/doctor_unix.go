//go:build linux || darwin

package main

import (
	"fmt"
	"syscall"
)

// freeBytes is what an ordinary user may still write.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

func examineDescriptors() finding {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return finding{"files-open", warning, err.Error(), ""}
	}
	f := finding{"files-open", fine, fmt.Sprintf("up to %d files and connections at a time", l.Cur), ""}
	if l.Cur < 1024 {
		f.Verdict, f.Hint = warning, "ulimit -n 8192, or LimitNOFILE=8192 in the unit"
	}
	return f
}
