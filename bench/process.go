//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that was started. It leads a session and a process group, so that all of it is found again at
// the end, and is killed when this program dies without a chance to.
type process struct {
	cmd    *exec.Cmd
	output tail
	ended  chan struct{}
	once   sync.Once
}

// startProcess starts a program. Where it dies later, its last words are in output.
func startProcess(dir string, env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	goFirst(p.pid())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end, and ends its whole group when it has not after a second.
func (p *process) stop() {
	p.once.Do(func() { // a number may become another process's
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(time.Second):
		}
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL) // workers that outlive their master, too
		<-p.ended
	})
}

// runToEnd runs a program and returns what it said.
func runToEnd(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Start()
	if err == nil {
		goFirst(cmd.Process.Pid)
		err = cmd.Wait()
	}
	if err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("%s: %w: %s", name, err, lastLine(text.Bytes())))
	}
	return text.Bytes(), nil
}

func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// tail keeps the end of what a process says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write is part of io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 4 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - most; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(b), nil
}

// String returns it, on one line each.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
