package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// launch starts a program and tells how it ended. The program is asked to end (SIGTERM) when the command is gone, even
// by SIGKILL: it would hold its port, and nobody would be sent there. The kernel does that when the thread ends that
// started the program, so that one is kept until the program has ended.
func launch(program *exec.Cmd) (exited chan error, err error) {
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := program.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		exited <- program.Wait()
	}()
	return exited, <-started
}
