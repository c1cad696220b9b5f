package lab

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// Engine is a dockerd of its own in a network namespace of its own. Its containers are reached from here by a route
// through it.
type Engine struct {
	t      testing.TB
	folder string
	net    *namespace
	flags  []string
	cmd    *exec.Cmd
}

// patience is how long an engine may take for what it does in seconds.
const patience = time.Minute

// NewEngine makes the place for an engine. Flags are more of dockerd's.
func NewEngine(t testing.TB, flags ...string) *Engine {
	t.Helper()
	instance.Need(t, "dockerd", "docker.io")
	instance.Need(t, "iptables", "iptables")
	instance.Need(t, "ip", "iproute2")
	folder, err := os.MkdirTemp("", "engine") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{t: t, folder: folder, flags: flags, net: newNamespace(t)}
	t.Cleanup(e.remove)
	return e
}

// Socket is where the engine is asked.
func (e *Engine) Socket() string { return "unix://" + filepath.Join(e.folder, "s") }

// Address is that of the engine's host.
func (e *Engine) Address() string { return e.net.address() }

// Enter returns a command line that runs on the engine's host, as far as its network goes.
func (e *Engine) Enter(args ...string) []string { return e.net.enter(args...) }

// Start runs dockerd. With forwarding on before it starts, it leaves the firewall's policy as it is.
func (e *Engine) Start() {
	e.t.Helper()
	log, err := os.OpenFile(filepath.Join(e.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	dockerd := strings.Join(append([]string{
		"echo 1 > /proc/sys/net/ipv4/ip_forward; exec dockerd", "--data-root", e.folder + "/data",
		"--exec-root", e.folder + "/exec", "--pidfile", e.folder + "/pid", "-H", e.Socket(),
		"--bip", e.net.part("0.1/24"), "--default-address-pool", "base=" + e.net.part("64.0/18") + ",size=24",
		"--ip", e.Address(),
	}, e.flags...), " ")
	args := e.Enter("sh", "-c", dockerd)
	e.cmd = exec.Command(args[0], args[1:]...)
	e.cmd.Env = append(os.Environ(), "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1") // of tasks: there is no registry
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	instance.Await(e.t, patience, "the engine answers", func() bool {
		return exec.Command("docker", "-H", e.Socket(), "version").Run() == nil
	})
}

// Kill ends dockerd as a crash does. Its containers run on. One that is started before the containerd of the last has
// gone waits for it in vain.
func (e *Engine) Kill() {
	_ = e.cmd.Process.Signal(syscall.SIGKILL)
	_ = e.cmd.Wait()
	instance.Await(e.t, patience, "the engine's containerd ends, too", func() bool {
		text, err := os.ReadFile(filepath.Join(e.folder, "exec/containerd/containerd.pid"))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return err != nil || pid == 0 || syscall.Kill(pid, 0) != nil
	})
}

// Crash ends dockerd and its containers, as the loss of their host does.
func (e *Engine) Crash() {
	e.Kill()
	sweep(e.folder+"/exec/containerd", e.folder)
}

// Docker runs a command of the engine's client.
func (e *Engine) Docker(args ...string) string {
	e.t.Helper()
	return must(e.t, append([]string{"docker", "-H", e.Socket()}, args...)...)
}

// Try is Docker for what may fail. "": it did.
func (e *Engine) Try(args ...string) string {
	out, err := exec.Command("docker", append([]string{"-H", e.Socket()}, args...)...).CombinedOutput()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// Image makes an image of the lab's app. Its name is of a registry on this machine that is not there, so that nobody
// looks for it elsewhere.
func (e *Engine) Image(name string, changes ...string) string {
	e.t.Helper()
	root := filepath.Join(e.folder, "root")
	build := exec.Command("go", "build", "-o", filepath.Join(root, "app"), "github.com/fairlead/fairlead/test/lab/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		e.t.Fatalf("building the app: %v\n%s", err, out)
	}
	tar, err := exec.Command("tar", "-C", root, "-c", ".").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	full := "127.0.0.1:1/" + name + ":1"
	args := []string{"-H", e.Socket(), "import"}
	for _, change := range append(changes, `ENTRYPOINT ["/app"]`, "EXPOSE 8080") {
		args = append(args, "-c", change)
	}
	load := exec.Command("docker", append(args, "-", full)...)
	load.Stdin = bytes.NewReader(tar)
	if out, err := load.CombinedOutput(); err != nil {
		e.t.Fatalf("importing %s: %v\n%s", full, err, out)
	}
	return full
}

// remove takes everything away that the engine and its containers have left.
func (e *Engine) remove() {
	if e.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(e.folder, "log"))
		e.t.Logf("the engine's log ends:\n%s", log[max(0, len(log)-3000):])
	}
	if e.cmd != nil {
		_ = exec.Command("docker", "-H", e.Socket(), "swarm", "leave", "--force").Run() // where it is in one
		if out, err := exec.Command("docker", "-H", e.Socket(), "ps", "-aq").Output(); err == nil {
			args := append([]string{"-H", e.Socket(), "rm", "-f"}, strings.Fields(string(out))...)
			_ = exec.Command("docker", args...).Run()
		}
		_ = e.cmd.Process.Signal(syscall.SIGTERM)
		_ = e.cmd.Wait()
	}
	sweep(e.folder+"/exec/containerd", e.folder)
	e.net.remove()
	if err := os.RemoveAll(e.folder); err != nil {
		e.t.Errorf("the engine left something behind: %v", err)
	}
}

// Starts tells when containers start, by the engines' own events.
func Starts(engines ...*Engine) <-chan time.Time {
	at := make(chan time.Time, 1000)
	for _, e := range engines {
		e.starts(at)
	}
	return at
}

func (e *Engine) starts(at chan<- time.Time) {
	e.t.Helper()
	cmd := exec.Command("docker", "-H", e.Socket(), "events", "--filter", "event=start", "--format", "{{.TimeNano}}")
	out, err := cmd.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if nano, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				at <- time.Unix(0, nano)
			}
		}
	}()
}
