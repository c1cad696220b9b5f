package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// sweep ends what a server that died has left running, the children of every process with a mark in its command line
// and these processes, and takes the mounts below its folder away.
func sweep(mark, folder string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if line, err := os.ReadFile(name); err != nil || !bytes.Contains(line, []byte(mark)) {
			continue
		}
		parent, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
		for _, child := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(child); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = syscall.Kill(parent, syscall.SIGKILL)
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	lines := strings.Split(string(mounts), "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], folder+"/") {
			_ = syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
}

// endHolders ends every process that has a file open below a folder, but for the test.
func endHolders(folder string) {
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, name := range files {
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
		if open, err := os.Readlink(name); err == nil && strings.HasPrefix(open, folder+"/") && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
