package instance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is for what should take no time at all, on a machine that does many other things.
const patience = 30 * time.Second

// Names under which Address knows what is no entry point.
const (
	API     = "management API"
	Metrics = "metrics"
)

// Instance is a running `fairlead serve`.
type Instance struct {
	folder string
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of the process; read after exited

	mu     sync.Mutex
	open   map[string]string // addresses
	opened chan struct{}     // closed and replaced with every address
	ca     string            // by which followers know it; "" until it has said so
	log    []string          // the last lines of it
}

// Start builds the program and runs it until the test ends, with the usual files and those of the suite's testdata
// ("": none), in which ${NAME} is replaced. The test fails if the program does not end well.
func Start(t testing.TB, testdata string, values map[string]string) *Instance {
	t.Helper()
	folder := t.TempDir()
	if err := Lay(folder, testdata, values); err != nil {
		t.Fatal(err)
	}
	return StartIn(t, Program(t), folder)
}

// StartIn is Start for a program that is built and a folder that is laid already.
func StartIn(t testing.TB, program, folder string) *Instance {
	t.Helper()
	i, err := Run(program, folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of the instance's log:\n%s\nand of its access log:\n%s", i.Log(), i.accessLog())
		}
	})
	return i
}

// Run runs the program in its folder and waits until it is ready.
func Run(program, folder string) (*Instance, error) {
	i := &Instance{
		folder: folder, cmd: exec.Command(program, "serve"), exited: make(chan struct{}),
		open: make(map[string]string), opened: make(chan struct{}),
	}
	i.cmd.Dir = folder
	lines, err := i.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := i.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	go func() {
		i.read(lines)
		i.err = i.cmd.Wait()
		close(i.exited)
	}()
	if err := i.waitReady(); err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

// read keeps the end of the log, and learns from it which addresses are open.
func (i *Instance) read(lines io.Reader) {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line struct{ Msg, EntryPoint, Name, Address, CA string }
		_ = json.Unmarshal(scanner.Bytes(), &line) // what is no JSON opens nothing
		i.mu.Lock()
		i.log = append(i.log[max(0, len(i.log)-99):], scanner.Text())
		if line.Msg == "entry point open" || line.Msg == "service open" {
			i.open[line.EntryPoint+line.Name] = line.Address
			close(i.opened)
			i.opened = make(chan struct{})
		}
		if line.CA != "" {
			i.ca = line.CA
		}
		i.mu.Unlock()
	}
}

func (i *Instance) waitReady() error {
	api, err := i.Open(API)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	return i.await("ready", func() bool {
		answer, err := client.Get("http://" + api + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// await asks again and again until something is so, while the instance runs.
func (i *Instance) await(what string, so func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-i.exited:
			return fmt.Errorf("the instance ended: %w\n%s", errors.Join(i.err), i.Log())
		case <-limit:
			return fmt.Errorf("the instance was not %s within %v\n%s", what, patience, i.Log())
		}
	}
	return nil
}

// Address returns where an entry point, the API or the metrics are open.
func (i *Instance) Address(t testing.TB, name string) string {
	t.Helper()
	address, err := i.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// Port returns the port of Address.
func (i *Instance) Port(t testing.TB, name string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(i.Address(t, name))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Open is Address where there is no test.
func (i *Instance) Open(name string) (string, error) {
	limit := time.After(patience)
	for {
		i.mu.Lock()
		address, opened := i.open[name], i.opened
		i.mu.Unlock()
		if address != "" {
			return address, nil
		}
		select {
		case <-opened:
		case <-i.exited:
			return "", fmt.Errorf("the instance ended: %w\n%s", errors.Join(i.err), i.Log())
		case <-limit:
			return "", fmt.Errorf("%s was not open within %v\n%s", name, patience, i.Log())
		}
	}
}

// CA is how followers know an instance that has a link: it says so before it is ready.
func (i *Instance) CA() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ca
}

// Kill ends the process as a crash does.
func (i *Instance) Kill() {
	_ = i.cmd.Process.Kill()
	<-i.exited
}

// PID is the process's.
func (i *Instance) PID() int { return i.cmd.Process.Pid }

// Log returns the last lines of the instance's log.
func (i *Instance) Log() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.log, "\n")
}

// Stop drains the instance. Its error says that it did not end well.
func (i *Instance) Stop() error {
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-i.exited:
	case <-time.After(patience):
		_ = i.cmd.Process.Kill()
		<-i.exited
		return fmt.Errorf("the instance did not end within %v\n%s", patience, i.Log())
	}
	if i.err != nil {
		return fmt.Errorf("the instance did not end well: %w\n%s", i.err, i.Log())
	}
	return nil
}
