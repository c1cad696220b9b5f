package swarm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/test/instance"
)

// worker runs an instance on a worker, without its engine's socket: in the network of a container, where it shares an
// overlay network with the tasks, and learns of them from an agent beside the manager.
func (s *suite) worker() {
	folder := s.t.TempDir()
	s.agent(folder)
	s.create("inner", 2, "--network", "back")
	place := s.b.Docker("run", "-d", "--network", "back", s.image)
	pid := s.b.Docker("inspect", "-f", "{{.State.Pid}}", place)
	prefix := s.b.Docker("network", "inspect", "-f", `{{(index .Containers "`+place+`").IPv4Address}}`, "docker_gwbridge")
	address, _, _ := strings.Cut(prefix, "/")
	values := map[string]string{"ADDRESS": address, "MANAGER": s.a.Address(), "SERVICE": ""}
	if err := instance.Lay(folder, "testdata/inside", values); err != nil {
		s.t.Fatal(err)
	}
	s.run(folder, "nsenter", "--net=/proc/"+pid+"/ns/net", s.program, "serve")
	s.awaitTasks(address+":8081", "inner", 2)
	s.a.Docker("service", "scale", "-d", "inner=3")
	s.awaitTasks(address+":8081", "inner", 3)
	s.a.Docker("service", "rm", "inner")
}

// agent runs one on the manager's host. Its certificate is the CA, too.
func (s *suite) agent(folder string) {
	instance.Need(s.t, "openssl", "openssl")
	s.must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-subj", "/CN=agent", "-addext", "subjectAltName=IP:"+s.a.Address(),
		"-keyout", filepath.Join(folder, "agent.key"), "-out", filepath.Join(folder, "agent.crt"))
	if err := os.WriteFile(filepath.Join(folder, "agent.token"), []byte(strings.Repeat("x1", 20)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run(folder, s.a.Enter(s.program, "agent", "--listen", s.a.Address()+":9470", "--endpoint", s.a.Socket(),
		"--cert", "agent.crt", "--key", "agent.key", "--token-file", "agent.token")...)
}

// run runs a program until the test ends.
func (s *suite) run(folder string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	log, err := os.OpenFile(filepath.Join(folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, log, log
	instance.Serve(s.t, cmd)
	s.t.Cleanup(func() {
		if text, err := os.ReadFile(log.Name()); err == nil && s.t.Failed() {
			s.t.Logf("the log of %v ends:\n%s", args, text[max(0, len(text)-3000):])
		}
	})
}

func (s *suite) must(args ...string) {
	s.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}
