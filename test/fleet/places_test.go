package fleet_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	engine *lab.Engine
}

func newDocker(t *testing.T, name string) *docker {
	t.Helper()
	d := &docker{engine: lab.NewEngine(t)}
	d.engine.Start()
	image := d.engine.Image("shop", "ENV NAME="+name)
	run := []string{"run", "-d", "--restart", "always"}
	for _, label := range labels() {
		run = append(run, "--label", label)
	}
	d.engine.Docker(append(run, image)...)
	return d
}

func (d *docker) values() map[string]string { return map[string]string{"ENGINE": d.engine.Socket()} }

func (d *docker) start(_ *cluster, again bool) {
	if again { // the containers that ran are started with the engine
		d.engine.Start()
	}
}

func (d *docker) crash() { d.engine.Crash() }

// swarm is a Docker Swarm of two nodes, with a task on each. Its tasks are reached at the ports that are published on
// their nodes: the edge's cluster is in none of its networks.
type swarm struct {
	manager, worker *lab.Engine
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

func (s *swarm) start(_ *cluster, again bool) {
	if again {
		s.manager.Start()
		s.worker.Start()
	}
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

func (m *machine) start(c *cluster, _ bool) {
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

// consul is a Consul that knows a program.
type consul struct {
	t       *testing.T
	agent   *lab.Consul
	program *program
}

func newConsul(t *testing.T, app, name string) *consul {
	t.Helper()
	return &consul{t: t, agent: lab.NewConsul(t, "dc1", false), program: newProgram(t, app, name)}
}

func (c *consul) values() map[string]string { return map[string]string{"CONSUL": c.agent.Address()} }

func (c *consul) start(_ *cluster, again bool) {
	c.t.Helper()
	c.agent.Start()
	c.program.start()
	if !again { // it remembers what it was told
		c.agent.Do("PUT", "/v1/agent/service/register", c.registration())
	}
}

func (c *consul) registration() string {
	c.t.Helper()
	port, err := strconv.Atoi(c.program.port)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"Name": "shop", "Address": "127.0.0.1", "Port": port, "Tags": labels(),
		"Check": map[string]string{"HTTP": "http://127.0.0.1:" + c.program.port, "Interval": "1s", "Timeout": "1s"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

func (c *consul) crash() {
	c.agent.Kill()
	c.program.stop()
}

// nomad is a Nomad of a server and an agent, which runs the program.
type nomad struct {
	server, agent *lab.Nomad
	job           string
}

func newNomad(t *testing.T, app, name string) *nomad {
	t.Helper()
	text, err := os.ReadFile("testdata/shop.nomad.hcl")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := json.Marshal(labels())
	if err != nil {
		t.Fatal(err)
	}
	job := strings.NewReplacer("${APP}", app, "${NAME}", name, "${TAGS}", string(tags)).Replace(string(text))
	server := lab.NewNomad(t, false)
	return &nomad{server: server, agent: server.NewAgent(), job: job}
}

func (n *nomad) values() map[string]string { return map[string]string{"NOMAD": n.server.Address()} }

func (n *nomad) start(_ *cluster, again bool) {
	n.server.Start()
	n.agent.Start()
	if !again { // it remembers what it was told
		n.server.Run(n.job)
	}
}

func (n *nomad) crash() {
	n.server.Crash()
	n.agent.Crash()
}

// program is the shop as a program of this machine.
type program struct {
	t               *testing.T
	app, name, port string
	stop            func()
}

func newProgram(t *testing.T, app, name string) *program {
	t.Helper()
	_, port, _ := strings.Cut(instance.FreeAddress(t), ":")
	return &program{t: t, app: app, name: name, port: port}
}

func (p *program) start() {
	p.t.Helper()
	run := exec.Command(p.app)
	run.Env = append(os.Environ(), "NAME="+p.name, "PORT="+p.port)
	p.stop = instance.Serve(p.t, run)
}
