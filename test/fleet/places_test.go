package fleet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// labels route the shop and export it. Its name in the fleet is the same wherever it runs.
func labels() []string {
	return []string{
		"traefik.enable=true", "traefik.http.routers.shop.rule=Host(`shop.example`)",
		"fairlead.http.routers.shop.export.as=shop",
	}
}

// docker is a Docker engine with one container.
type docker struct {
	name, image string
	engine      *lab.Engine
	ran         bool
}

func newDocker(t *testing.T, name string) *docker {
	t.Helper()
	d := &docker{name: name, engine: lab.NewEngine(t)}
	d.engine.Start()
	d.image = d.engine.Image("shop", "ENV NAME="+name)
	d.engine.Docker("run", "-d", "--restart", "always", "--name", "shop", "--label-file", labelFile(t), d.image)
	return d
}

// labelFile is the labels as the engine's client reads them.
func labelFile(t *testing.T) string {
	t.Helper()
	name, text := filepath.Join(t.TempDir(), "labels"), ""
	for _, label := range labels() {
		text += label + "\n"
	}
	if err := instance.Replace(name, text); err != nil {
		t.Fatal(err)
	}
	return name
}

func (d *docker) values() map[string]string { return map[string]string{"ENGINE": d.engine.Socket()} }

func (d *docker) start(*cluster) {
	if d.ran { // the containers that ran are started with the engine
		d.engine.Start()
	}
	d.ran = true
}

func (d *docker) crash() { d.engine.Crash() }

// machine is one on which a program runs that registers itself.
type machine struct {
	t        *testing.T
	app, api string
	port     string
	register *exec.Cmd
}

func newMachine(t *testing.T, app string) *machine {
	return &machine{t: t, app: app, api: instance.FreeAddress(t)}
}

func (m *machine) values() map[string]string { return map[string]string{"API": m.api} }

func (m *machine) start(c *cluster) {
	m.t.Helper()
	_, m.port, _ = strings.Cut(instance.FreeAddress(m.t), ":")
	args := []string{
		"register", "--service", "shop", "--port", m.port, "--check", "http:/", "--api", "http://" + m.api,
		"--store", filepath.Join(c.folder, "data"),
	}
	for _, label := range labels() {
		args = append(args, "--label", label)
	}
	m.register = exec.Command(c.program, append(args, "--", m.app)...)
	m.register.Env = append(os.Environ(), "NAME="+c.name)
	m.register.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its program, it is one group
	if err := m.register.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.crash)
}

func (m *machine) crash() {
	_ = syscall.Kill(-m.register.Process.Pid, syscall.SIGKILL)
	_ = m.register.Wait()
}
