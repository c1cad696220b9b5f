package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// scriptMachine is a program that registers itself: "fairlead register -- machine-app NAME ADDRESS".
type scriptMachine struct {
	cmd   *exec.Cmd
	input io.Closer // the program ends with it, whoever started it
	log   *os.File
	ended chan struct{}
}

// registerMachine runs "fairlead register" with a program that answers with its name.
func registerMachine(c *call) error {
	if len(c.args) < 2 {
		return usage("register NAME INSTANCE FLAG…")
	}
	name := c.args[0]
	address, err := freeAddress(c.address)
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(address)
	args := append([]string{c.args[1], "register", "--host", host, "--port", port}, c.args[2:]...)
	args = append(args, "--", "machine-app", name, address, filepath.Join(c.dir, name+".sick"))
	m := &scriptMachine{ended: make(chan struct{})}
	if m.cmd, err = c.program(context.Background(), args); err != nil {
		return err
	}
	input, output, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = input.Close() }() // the process has its own
	m.cmd.Stdin, m.input = input, output
	if m.log, err = os.Create(filepath.Join(c.dir, name+".log")); err != nil {
		return err
	}
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		return err
	}
	go func() { _ = m.cmd.Wait(); close(m.ended) }()
	c.machines[name] = m
	c.ts.Setenv(envName(name), address)
	return nil
}

// freeAddress returns an address that nobody has, as far as can be known.
func freeAddress(at string) (string, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (m *scriptMachine) close() {
	_ = m.cmd.Process.Kill()
	<-m.ended
	_ = errors.Join(m.input.Close(), m.log.Close())
}

// signalMachine sends a signal to the command, not to its program.
func signalMachine(c *call) error {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": os.Kill}
	if len(c.args) != 2 || c.machines[c.args[0]] == nil || signals[c.args[1]] == nil {
		return usage("signal NAME TERM|HUP|KILL")
	}
	return c.machines[c.args[0]].cmd.Process.Signal(signals[c.args[1]])
}

// endedMachine waits until the command has ended, and tells its exit code.
func endedMachine(c *call) error {
	if len(c.args) != 1 || c.machines[c.args[0]] == nil {
		return usage("ended NAME")
	}
	m := c.machines[c.args[0]]
	select {
	case <-m.ended:
		fmt.Fprintln(&c.stdout, m.cmd.ProcessState.ExitCode())
		return nil
	case <-time.After(scriptTimeout):
		return errors.New("it does not end")
	}
}

// machineApp is the program: it answers with its name, is unwell while a file is there, and tells of signals.
func machineApp() {
	name, address, sick := os.Args[1], os.Args[2], os.Args[3]
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(sick); err == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", name)
		fmt.Fprintf(w, "%s: %s %s PORT=%s\n", name, r.Method, r.URL.Path, os.Getenv("PORT"))
	})
	server := &http.Server{Addr: address, Handler: mux}
	var once sync.Once
	end := func(code int) {
		once.Do(func() {
			_ = server.Shutdown(context.Background())
			os.Exit(code)
		})
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for s := range signals {
			fmt.Println("program:", strings.ToLower(s.String()))
			if s == syscall.SIGTERM {
				end(7)
			}
		}
	}()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end(9)
	}()
	fmt.Println(server.ListenAndServe())
	select {}
}
