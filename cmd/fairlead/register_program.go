package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// registered is a program that is registered while it lives and is well.
type registered struct {
	lease    *lease
	isWell   probe
	interval time.Duration
	drain    time.Duration
	errs     io.Writer

	program *exec.Cmd  // nil: it runs elsewhere
	exited  chan error // how it ended
}

// start starts the program. It has the command's own input, output and errors.
func (r *registered) start(program []string, port uint16) error {
	r.program = exec.Command(program[0], program[1:]...)
	r.program.Stdin, r.program.Stdout, r.program.Stderr = os.Stdin, os.Stdout, os.Stderr
	r.program.Env = environment(port)
	var err error
	if r.exited, err = launch(r.program); err != nil {
		return fmt.Errorf("starting %s: %w", program[0], err)
	}
	return nil
}

// run keeps the registration true until the program ends, or a signal asks for that.
func (r *registered) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // signals are seen to here
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, append(passedOn(), os.Interrupt, syscall.SIGTERM)...)
	defer signal.Stop(signals)

	checked, stop := context.WithCancel(ctx)
	defer stop()
	health := make(chan error)
	background.Go(func() { r.lease.run(ctx) })
	background.Go(func() {
		r.isWell.watch(checked, r.interval, func(why error) {
			select {
			case health <- why:
			case <-checked.Done():
			}
		})
	})
	for {
		select {
		case why := <-health:
			r.report(why)
		case err := <-r.exited:
			r.end(ctx)
			return codeOf(err)
		case s := <-signals:
			if s != os.Interrupt && s != syscall.SIGTERM {
				r.signal(s)
				continue
			}
			stop()
			return r.stop(ctx, s, signals)
		}
	}
}

// report tells the instance whether the program is well. It waits for nothing: what comes next may be a signal.
func (r *registered) report(why error) {
	state := ready
	if why != nil {
		say(r.errs, "it is not well: %s", printable(why.Error()))
		state = notReady
	}
	r.lease.become(state)
}

// stop drains the program, then ends it.
func (r *registered) stop(ctx context.Context, s os.Signal, signals <-chan os.Signal) error {
	wait(ctx, r.lease.become(draining))
	select {
	case <-time.After(r.drain):
	case err := <-r.exited:
		r.end(ctx)
		return codeOf(err)
	case <-signals: // in a hurry
	}
	r.end(ctx) // while the port is still this program's
	if r.program == nil {
		return nil
	}
	r.signal(s)
	for {
		select {
		case err := <-r.exited:
			return codeOf(err)
		case s := <-signals:
			r.signal(s)
		}
	}
}

// end takes the registration away, if the instance is there to be asked.
func (r *registered) end(ctx context.Context) {
	wait(ctx, r.lease.become(absent))
}

// wait waits until something is done, but not longer than one call of the instance takes.
func wait(ctx context.Context, done <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// signal passes a signal on. A program that has just ended needs none.
func (r *registered) signal(s os.Signal) {
	if r.program == nil {
		return
	}
	if err := r.program.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		say(r.errs, "passing on the signal %v: %v", s, err)
	}
}

// exitCode ends the command with the code of the program that it ran.
type exitCode int

// Error is part of error.
func (c exitCode) Error() string { return fmt.Sprintf("the program ended with code %d", int(c)) }

// codeOf returns how a program ended; nil: well.
func codeOf(err error) error {
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	code := ended.ExitCode()
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && code < 0 { // a signal ended it
		code = 128 + int(status.Signal())
	}
	return exitCode(code)
}
