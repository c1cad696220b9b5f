package docker_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// TestDockerOverSSH follows an engine whose socket is reached through a real sshd, which is killed and started.
func TestDockerOverSSH(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a Docker engine")
	}
	e, sshd := lab.NewEngine(t), lab.NewSSHD(t)
	e.Start()
	sshd.Start()
	app := e.Image("app")
	i := instance.Start(t, "testdata/ssh", map[string]string{
		"ENGINE": sshd.Endpoint(strings.TrimPrefix(e.Socket(), "unix://")), "SERVICE": "",
		"IDENTITY": sshd.Identity(), "KNOWN": sshd.KnownHosts(),
	})
	s := suite{t: t, engine: e, app: app, address: i.Address(t, "plain")}
	s.run(app, "one", "one.example")
	instance.Await(t, patience, "a container is served", func() bool { return s.serves("one.example") })

	sshd.Kill()
	instance.Await(t, patience, "it is told as stale, and served on", func() bool {
		return i.Read(t)[`fairlead_problems{code="stale"}`] == 1 && s.serves("one.example")
	})
	s.run(app, "two", "two.example")
	sshd.Start()
	instance.Await(t, patience, "what came meanwhile is served", func() bool { return s.serves("two.example") })
	e.Docker("rm", "-f", "one", "two")
	instance.Await(t, patience, "what has gone is not", func() bool {
		return !s.serves("one.example") && !s.serves("two.example")
	})
}
