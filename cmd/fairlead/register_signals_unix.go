//go:build unix

package main

import (
	"os"
	"syscall"
)

// passedOn are the signals that a registered program gets as they come.
func passedOn() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
}
