//go:build !linux

package main

import "os/exec"

// launch starts a program and tells how it ended. Where the command is killed, the program goes on.
func launch(program *exec.Cmd) (exited chan error, err error) {
	if err := program.Start(); err != nil {
		return nil, err
	}
	exited = make(chan error, 1)
	go func() { exited <- program.Wait() }()
	return exited, nil
}
