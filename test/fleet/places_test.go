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
	run := []string{"run", "-d", "--restart", "always"}
	for _, label := range labels() {
		run = append(run, "--label", label)
	}
	d.engine.Docker(append(run, d.image)...)
	return d
}

func (d *docker) values() map[string]string { return map[string]string{"ENGINE": d.engine.Socket()} }

func (d *docker) start(*cluster) {
	if d.ran { // the containers that ran are started with the engine
		d.engine.Start()
	}
	d.ran = true
}

func (d *docker) crash() { d.engine.Crash() }

// swarm is a Docker Swarm of two nodes, with a task on each. Its tasks are reached at the ports that are published on
// their nodes: the edge's cluster is in none of its networks.
type swarm struct {
	manager, worker *lab.Engine
	ran             bool
}

func newSwarm(t *testing.T, name string) *swarm {
	t.Helper()
	s := &swarm{manager: lab.NewEngine(t), worker: lab.NewEngine(t)}
	s.manager.Start()
	s.worker.Start()
	s.manager.InitSwarm()
	s.worker.JoinSwarm(s.manager, "worker")
	image := s.manager.Image("shop", "ENV NAME="+name)
	s.worker.Image("shop", "ENV NAME="+name)
	create := []string{
		"service", "create", "-d", "--name", "shop", "--mode", "global", "--no-resolve-image",
		"--publish", "mode=host,target=8080",
	}
	for _, label := range labels() {
		create = append(create, "--label", label)
	}
	s.manager.Docker(append(create, image)...)
	return s
}

func (s *swarm) values() map[string]string { return map[string]string{"ENGINE": s.manager.Socket()} }

func (s *swarm) start(*cluster) {
	if s.ran {
		s.manager.Start()
		s.worker.Start()
	}
	s.ran = true
}

func (s *swarm) crash() {
	s.manager.Crash()
	s.worker.Crash()
}

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
