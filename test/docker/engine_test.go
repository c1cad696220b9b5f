package docker_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// engine is a dockerd of its own in a network namespace of its own, so that neither its firewall nor its addresses
// reach the machine's. Its containers are reached from here by a route through it.
type engine struct {
	t         *testing.T
	folder    string
	namespace string
	cmd       *exec.Cmd
}

// Addresses of the link between the machine and the namespace, and of the containers.
const (
	outside    = "10.247.255.1"
	inside     = "10.247.255.2"
	containers = "10.248.0.0/16"
	bridge     = "10.248.0.1/24"
	pools      = "base=10.248.128.0/17,size=24"
)

// patience is how long an engine, and the instance that follows it, may take.
const patience = 30 * time.Second

func newEngine(t *testing.T) *engine {
	t.Helper()
	instance.Need(t, "dockerd", "docker.io")
	instance.Need(t, "iptables", "iptables")
	instance.Need(t, "ip", "iproute2")
	folder, err := os.MkdirTemp("", "engine") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, folder: folder, namespace: fmt.Sprintf("engine%d", os.Getpid())}
	link := fmt.Sprintf("en%d", os.Getpid())
	t.Cleanup(e.remove)
	for _, command := range []string{
		"ip netns add " + e.namespace,
		"ip link add " + link + " type veth peer name eth0 netns " + e.namespace,
		"ip addr add " + outside + "/30 dev " + link,
		"ip link set " + link + " up",
		"ip -n " + e.namespace + " addr add " + inside + "/30 dev eth0",
		"ip -n " + e.namespace + " link set eth0 up",
		"ip -n " + e.namespace + " link set lo up",
		"ip -n " + e.namespace + " route add unreachable default metric 1000",
		"ip route add " + containers + " via " + inside,
	} {
		e.must(strings.Fields(command)...)
	}
	return e
}

func (e *engine) must(args ...string) string {
	e.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (e *engine) socket() string { return "unix://" + filepath.Join(e.folder, "s") }

// start runs dockerd. Not by "ip netns exec", which mounts /sys anew, without the control groups. With forwarding on
// before it starts, it leaves the firewall's policy as it is.
func (e *engine) start() {
	e.t.Helper()
	log, err := os.OpenFile(filepath.Join(e.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	dockerd := strings.Join([]string{
		"echo 1 > /proc/sys/net/ipv4/ip_forward; exec dockerd --live-restore", "--data-root", e.folder + "/data",
		"--exec-root", e.folder + "/exec", "--pidfile", e.folder + "/pid", "-H", e.socket(), "--bip", bridge,
		"--default-address-pool", pools, "--ip", inside,
	}, " ")
	e.cmd = exec.Command("nsenter", "--net=/var/run/netns/"+e.namespace, "sh", "-c", dockerd)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	instance.Await(e.t, patience, "the engine answers", func() bool {
		return exec.Command("docker", "-H", e.socket(), "version").Run() == nil
	})
}

// kill ends dockerd as a crash does. Its containers run on. One that is started before the containerd of the last has
// gone waits for it in vain.
func (e *engine) kill() {
	_ = e.cmd.Process.Signal(syscall.SIGKILL)
	_ = e.cmd.Wait()
	instance.Await(e.t, patience, "the engine's containerd ends, too", func() bool {
		text, err := os.ReadFile(filepath.Join(e.folder, "exec/containerd/containerd.pid"))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return err != nil || pid == 0 || syscall.Kill(pid, 0) != nil
	})
}

// docker runs a command of the engine's client.
func (e *engine) docker(args ...string) string {
	e.t.Helper()
	return e.must(append([]string{"docker", "-H", e.socket()}, args...)...)
}

// image makes an image of the suite's app. Its name is of a registry on this machine that is not there, so that nobody
// looks for it elsewhere.
func (e *engine) image(name string, changes ...string) string {
	e.t.Helper()
	root := filepath.Join(e.folder, "root")
	build := exec.Command("go", "build", "-o", filepath.Join(root, "app"), "./testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		e.t.Fatalf("building the app: %v\n%s", err, out)
	}
	tar, err := exec.Command("tar", "-C", root, "-c", ".").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	full := "127.0.0.1:1/" + name + ":1"
	args := []string{"-H", e.socket(), "import"}
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
func (e *engine) remove() {
	if e.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(e.folder, "log"))
		e.t.Logf("the engine's log ends:\n%s", log[max(0, len(log)-3000):])
	}
	if e.cmd != nil {
		if out, err := exec.Command("docker", "-H", e.socket(), "ps", "-aq").Output(); err == nil {
			args := append([]string{"-H", e.socket(), "rm", "-f"}, strings.Fields(string(out))...)
			_ = exec.Command("docker", args...).Run()
		}
		_ = e.cmd.Process.Signal(syscall.SIGTERM)
		_ = e.cmd.Wait()
	}
	e.sweep()
	_ = exec.Command("ip", "route", "del", containers, "via", inside).Run()
	_ = exec.Command("ip", "netns", "del", e.namespace).Run()
	if err := os.RemoveAll(e.folder); err != nil {
		e.t.Errorf("the engine left something behind: %v", err)
	}
}

// sweep ends what an engine that died has left running, and takes its mounts away.
func (e *engine) sweep() {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if line, err := os.ReadFile(name); err != nil || !bytes.Contains(line, []byte(e.folder+"/exec/containerd")) {
			continue
		}
		parent, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
		for _, child := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(child); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = syscall.Kill(parent, syscall.SIGKILL)
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	lines := strings.Split(string(mounts), "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], e.folder+"/") {
			_ = syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
}

// starts tells when containers start, by the engine's own events.
func (e *engine) starts(t *testing.T) <-chan time.Time {
	t.Helper()
	cmd := exec.Command("docker", "-H", e.socket(), "events", "--filter", "event=start", "--format", "{{.TimeNano}}")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	at := make(chan time.Time, 1000)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if nano, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				at <- time.Unix(0, nano)
			}
		}
	}()
	return at
}
