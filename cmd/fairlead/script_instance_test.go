package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/access"
)

// scriptInstance is an instance of Fairlead, in a process of its own.
type scriptInstance struct {
	name string
	file []byte   // its configuration, with variables
	own  []string // those of them that are its addresses

	cmd    *exec.Cmd
	ending bool // it was asked to end
	exited chan struct{}
	err    error // how it ended, once exited is closed

	mu   sync.Mutex
	open map[string]string // addresses, by variable: WEB, LINK, API
	ca   string
	log  []string // the last lines
}

// usualFile is the configuration of an instance for which the script has none: a cluster's.
const usualFile = `cluster: {name: NAME}
entryPoints: {web: {address: "${WEB}"}}
providers: {file: {directory: routes}}
link: {address: "${LINK}"}
store: {path: data}
api: {address: "${API}"}
metrics: {prometheus: {address: "${METRICS}"}}
`

// startInstanceProcess runs "fairlead serve" and waits until the instance is ready.
func startInstanceProcess(c *call) error {
	if len(c.args) < 1 || len(c.args) > 2 {
		return usage("start NAME [FILE]")
	}
	name := c.args[0]
	i, again := c.instances[name]
	if !again {
		i = &scriptInstance{name: name}
		c.instances[name] = i
	}
	if i.running() {
		return fmt.Errorf("%s is running", name)
	}
	folder := filepath.Join(c.dir, name)
	if err := i.configure(c, folder); err != nil {
		return err
	}
	if err := i.run(c, folder); err != nil {
		return err
	}
	if err := i.waitReady(); err != nil {
		return err
	}
	i.mu.Lock()
	for variable, address := range i.open {
		c.ts.Setenv(envName(name)+"_"+variable, address)
	}
	if i.ca != "" {
		c.ts.Setenv(envName(name)+"_CA", i.ca)
	}
	i.mu.Unlock()
	if again || i.ca == "" {
		return nil
	}
	issue := &call{scriptWorld: c.scriptWorld, ts: c.ts, args: []string{
		name, "key", "create", "--owner", "follower", "--scope", "link:read,link:traffic",
	}}
	if err := runAt(issue); err != nil {
		return err
	}
	key := issue.stdout.String()
	id, _ := access.ID(strings.TrimSpace(key))
	c.ts.Setenv(envName(name)+"_KEY_ID", id)
	return os.WriteFile(filepath.Join(c.dir, name+".key"), []byte(key), 0o600)
}

// configure writes the instance's files. The addresses that it had before are those that it gets again.
func (i *scriptInstance) configure(c *call, folder string) error {
	file := filepath.Join(folder, "fairlead.yaml")
	var err error
	switch text := []byte(nil); {
	case len(c.args) == 2:
		i.file, err = os.ReadFile(c.ts.MkAbs(c.args[1]))
	case i.file != nil:
	default:
		if text, err = os.ReadFile(file); errors.Is(err, fs.ErrNotExist) {
			text, err = []byte(strings.Replace(usualFile, "NAME", i.name, 1)), nil
		}
		i.file = text
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(folder, "routes"), 0o755); err != nil {
		return err
	}
	i.own = nil
	text, err := fill(i.file, func(name string) string {
		own := c.ts.Getenv(envName(i.name) + "_" + name)
		if value := c.ts.Getenv(name); value != "" || strings.Contains(name, "_") {
			return value
		}
		i.own = append(i.own, name)
		return cmp.Or(own, c.address)
	})
	if err != nil {
		return fmt.Errorf("the configuration of %s: %w", i.name, err)
	}
	if err := fillFolder(folder, c.ts.Getenv); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// fillFolder fills in the variables in an instance's other files.
func fillFolder(folder string, value func(string) string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "data":
			return fs.SkipDir
		case !entry.Type().IsRegular() || entry.Name() == "fairlead.yaml":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !variable.Match(text) {
			return err
		}
		if text, err = fill(text, value); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return os.WriteFile(path, text, 0o644)
	})
}

func (i *scriptInstance) run(c *call, folder string) error {
	i.cmd = exec.Command("fairlead", "serve", "--config", filepath.Join(folder, "fairlead.yaml"))
	i.cmd.Dir, i.cmd.Env = c.dir, c.env
	i.open, i.ca, i.ending, i.exited = make(map[string]string), "", false, make(chan struct{})
	logFile, err := os.OpenFile(filepath.Join(c.dir, i.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(c.dir, i.name+".out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return errors.Join(err, logFile.Close())
	}
	i.cmd.Stdout = out
	lines, err := i.cmd.StderrPipe()
	if err == nil {
		err = i.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, logFile.Close(), out.Close())
	}
	go func() {
		defer close(i.exited)
		i.read(lines, logFile)
		i.err = errors.Join(i.cmd.Wait(), logFile.Close(), out.Close())
	}()
	return nil
}

// read keeps the instance's log, and learns from it which addresses are open.
func (i *scriptInstance) read(lines io.Reader, file io.Writer) {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		_, _ = fmt.Fprintln(file, scanner.Text())
		var line struct{ Msg, EntryPoint, Name, Address, CA string }
		_ = json.Unmarshal(scanner.Bytes(), &line) // what is no JSON is an error message
		i.mu.Lock()
		switch {
		case line.Msg == "entry point open":
			i.open[envName(strings.TrimPrefix(line.EntryPoint, "@"))] = line.Address
		case line.Msg == "service open" && line.Name == "management API":
			i.open["API"] = line.Address
		case line.Msg == "service open" && line.Name == "metrics":
			i.open["METRICS"] = line.Address
		case line.CA != "":
			i.ca = line.CA
		}
		i.log = append(i.log[max(0, len(i.log)-19):], scanner.Text())
		i.mu.Unlock()
	}
}

// waitReady waits until the API says that the instance is ready.
func (i *scriptInstance) waitReady() error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: scriptTimeout}
	tick := time.NewTicker(scriptTick / 2)
	defer tick.Stop()
	limit := time.After(scriptTimeout)
	for {
		select {
		case <-i.exited:
			return fmt.Errorf("%s ended: %w", i.name, errors.Join(i.err, errors.New(i.tail())))
		case <-limit:
			return fmt.Errorf("%s was not ready within %v", i.name, scriptTimeout)
		case <-tick.C:
		}
		if slices.ContainsFunc(i.own, func(name string) bool { return i.address(name) == "" }) {
			continue
		}
		answer, err := client.Get("http://" + i.address("API") + "/readyz")
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
}

func (i *scriptInstance) running() bool {
	if i.cmd == nil {
		return false
	}
	select {
	case <-i.exited:
		return false
	default:
		return true
	}
}

// end sends a signal and waits for the end.
func (i *scriptInstance) end(signal os.Signal) error {
	if !i.running() {
		return i.err
	}
	if err := i.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return i.wait()
}

func (i *scriptInstance) wait() error {
	select {
	case <-i.exited:
		return i.err
	case <-time.After(scriptTimeout):
		_ = i.cmd.Process.Kill()
		return fmt.Errorf("%s did not end within %v", i.name, scriptTimeout)
	}
}

func (i *scriptInstance) tail() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.log, "\n")
}

// logs returns the last lines of every instance's log.
func (w *scriptWorld) logs() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.instances)) {
		fmt.Fprintf(&b, "-- the end of %s.log --\n%s\n", name, w.instances[name].tail())
	}
	return b.String()
}

func (c *call) instance() (*scriptInstance, error) {
	if len(c.args) != 1 || c.instances[c.args[0]] == nil {
		return nil, fmt.Errorf("usage: COMMAND NAME; the instances are %v", slices.Sorted(maps.Keys(c.instances)))
	}
	return c.instances[c.args[0]], nil
}

// drainInstance asks an instance to end, and fails if it does not end well.
func drainInstance(c *call) error {
	i, err := c.instance()
	if err != nil {
		return err
	}
	if i.ending {
		return i.wait()
	}
	return i.end(syscall.SIGTERM)
}

// terminateInstance asks an instance to end and does not wait.
func terminateInstance(c *call) error {
	i, err := c.instance()
	if err != nil {
		return err
	}
	i.ending = true
	return i.cmd.Process.Signal(syscall.SIGTERM)
}

// crash takes an instance or an application away, as the loss of its machine would.
func crash(c *call) error {
	if len(c.args) == 1 && c.apps[c.args[0]] != nil {
		c.apps[c.args[0]].close()
		return awaitSilence(c.ts.Getenv(envName(c.args[0])))
	}
	i, err := c.instance()
	if err != nil {
		return err
	}
	_ = i.end(os.Kill)
	return nil
}

// awaitSilence waits until nothing listens at an address that was closed: a process that another script starts has all
// descriptors of this one until it has become its program.
func awaitSilence(address string) error {
	tick := time.NewTicker(scriptTick)
	defer tick.Stop()
	for range scriptTimeout / scriptTick {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		_ = conn.Close()
		<-tick.C
	}
	return fmt.Errorf("%s still takes connections", address)
}

// program returns a command of the program that asks a running instance.
func (c *call) program(ctx context.Context, args []string) (*exec.Cmd, error) {
	if len(args) < 2 || c.instances[args[0]] == nil {
		return nil, usage("at NAME COMMAND…")
	}
	i := c.instances[args[0]]
	cmd := exec.CommandContext(ctx, "fairlead", args[1:]...)
	cmd.Dir = c.ts.MkAbs(".")
	cmd.Env = append(slices.Clone(c.env), envAPI+"=http://"+i.address("API"),
		envTokenFile+"="+filepath.Join(c.dir, i.name, "data", adminKeyFile))
	return cmd, nil
}

// runAt runs a command of the program that asks a running instance.
func runAt(c *call) error {
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	cmd, err := c.program(ctx, c.args)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = &c.stdout, &c.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("fairlead %s: %w\n%s", strings.Join(c.args[1:], " "), err, c.stderr.String())
	}
	return nil
}

// startWatch runs such a command in the background, with its output in a file.
func startWatch(c *call) error {
	if len(c.args) < 3 {
		return usage("watch FILE NAME COMMAND…")
	}
	cmd, err := c.program(context.Background(), c.args[1:])
	if err != nil {
		return err
	}
	out, err := os.Create(c.ts.MkAbs(c.args[0]))
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the process has its own
	cmd.Stdout, cmd.Stderr = out, out
	c.watches[c.args[0]] = cmd
	return cmd.Start()
}

// endWatch interrupts such a command, and fails if it does not end well.
func endWatch(c *call) error {
	if len(c.args) != 1 || c.watches[c.args[0]] == nil {
		return usage("unwatch FILE")
	}
	cmd := c.watches[c.args[0]]
	delete(c.watches, c.args[0])
	return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
}

func (i *scriptInstance) address(variable string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.open[variable]
}
