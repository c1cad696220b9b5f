//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cores says who runs where: the proxies on one core, everything else on the others.
type cores struct {
	proxy         int
	proxies, rest unix.CPUSet
}

// findCores divides the cores that this process may use. The proxies get the last: interrupts prefer the first.
func findCores() (cores, error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return cores{}, fmt.Errorf("asking for the cores: %w", err)
	}
	c := cores{rest: all}
	for i := range 64 * len(all) {
		if all.IsSet(i) {
			c.proxy = i
		}
	}
	c.proxies.Set(c.proxy)
	if all.Count() > 1 {
		c.rest.Clear(c.proxy)
	}
	return c, nil
}

// String says who runs where.
func (c cores) String() string {
	if c.rest == c.proxies {
		return "all of it on one: believe no requests a second, and no latency"
	}
	return fmt.Sprintf("proxies on core %d, load and service on the others", c.proxy)
}

// leave moves this process, and what it starts from now on, away from the proxies' core.
func (c cores) leave() error {
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &c.rest); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("leaving the proxies' core: %w", err)
		}
	}
	return nil
}

// goFirst puts a process before what else the machine does, where that is allowed, and returns what puts it back. The
// kernel shares the cores between sessions (autogroups) before it looks at a process's own priority.
func goFirst(pid int) (back func()) {
	group := fmt.Sprintf("/proc/%d/autogroup", pid)
	set := func(nice int) { _ = os.WriteFile(group, strconv.AppendInt(nil, int64(nice), 10), 0) }
	set(-15)
	return func() { set(0) }
}

// onProxies runs start on the proxies' core: what it starts inherits the place.
func (c cores) onProxies(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &c.proxies); err != nil {
		return fmt.Errorf("going to the proxies' core: %w", err)
	}
	err := start()
	return errors.Join(err, unix.SchedSetaffinity(0, &c.rest))
}

// tree returns the process and all that descend from it: nginx and HAProxy are a master and its workers.
func tree(pid int) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		for _, list := range lists {
			children, _ := os.ReadFile(list) // the thread may have ended
			for _, child := range bytes.Fields(children) {
				if id, err := strconv.Atoi(string(child)); err == nil {
					pids = append(pids, id)
				}
			}
		}
	}
	return pids
}

// cpuTime is how long a process tree has run on a core, in the kernel and outside, by the scheduler's own clock.
func cpuTime(pid int) (time.Duration, error) {
	var sum time.Duration
	for _, id := range tree(pid) {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", id))
		for _, stat := range stats {
			text, err := os.ReadFile(stat)
			if err != nil {
				continue // the thread has ended
			}
			run, _, _ := bytes.Cut(text, []byte(" "))
			ns, err := strconv.ParseInt(string(run), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading %s: %w", stat, err)
			}
			sum += time.Duration(ns)
		}
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has ended, or the kernel keeps no schedstat", pid)
	}
	return sum, nil
}

// memory is what a process tree holds, in bytes. What its processes share counts once.
func memory(pid int) (int64, error) {
	var sum int64
	for _, id := range tree(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", id))
		if err != nil {
			continue // a worker that has ended meanwhile
		}
		kb, err := parsePSS(text)
		if err != nil {
			return 0, err
		}
		sum += kb << 10
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return sum, nil
}

// parsePSS finds the proportional set size, in KiB, in the text of smaps_rollup.
func parsePSS(text []byte) (int64, error) {
	for line := range bytes.Lines(text) {
		if value, found := bytes.CutPrefix(line, []byte("Pss:")); found {
			return strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		}
	}
	return 0, errors.New("smaps_rollup has no Pss")
}

// raiseFiles raises the number of files that this process and its children may open, as far as it may.
func raiseFiles() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("asking how many files may be open: %w", err)
	}
	const wanted = 65536
	more := unix.Rlimit{Cur: wanted, Max: max(wanted, limit.Max)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &more) == nil {
		return wanted, nil
	}
	limit.Cur = min(limit.Max, wanted)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("raising how many files may be open: %w", err)
	}
	return limit.Cur, nil
}
