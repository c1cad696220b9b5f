package lab

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

// SSHD is OpenSSH's server on this machine, for the user of the test. It runs no command: all that it does for whoever
// has the key is to reach sockets.
type SSHD struct {
	t               testing.TB
	folder, address string
	cmd             *exec.Cmd
	stop            func()
}

// sshMay is all that the key's owner may do. docs/providers/docker.md has the same.
const sshMay = `restrict,port-forwarding,command="/bin/false"`

// NewSSHD makes the place for one, with keys of its own.
func NewSSHD(t testing.TB) *SSHD {
	t.Helper()
	instance.Need(t, "sshd", "openssh-server")
	s := &SSHD{t: t, folder: t.TempDir(), address: instance.FreeAddress(t)}
	for _, name := range []string{"host", "identity"} {
		must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.file(name))
	}
	host, port, _ := strings.Cut(s.address, ":")
	s.write("known_hosts", fmt.Sprintf("[%s]:%s %s", host, port, s.read("host.pub")))
	s.write("authorized_keys", sshMay+" "+s.read("identity.pub"))
	s.write("config", fmt.Sprintf(`
ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
`, s.address, s.file("host"), s.file("authorized_keys")))
	return s
}

func (s *SSHD) file(name string) string { return filepath.Join(s.folder, name) }

func (s *SSHD) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *SSHD) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// Endpoint is a socket's, as an endpoint of an engine.
func (s *SSHD) Endpoint(socket string) string {
	s.t.Helper()
	me, err := user.Current()
	if err != nil {
		s.t.Fatal(err)
	}
	return "ssh://" + me.Username + "@" + s.address + socket
}

// Identity is the file of the key that may enter.
func (s *SSHD) Identity() string { return s.file("identity") }

// KnownHosts is the file that says who it is.
func (s *SSHD) KnownHosts() string { return s.file("known_hosts") }

// Start runs it until it is killed, or the test ends. Connections end with their clients.
func (s *SSHD) Start() {
	s.t.Helper()
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // which it wants to be there, for what it does without rights
		s.t.Fatal(err)
	}
	path, err := exec.LookPath("sshd") // it starts itself again for each connection, by its whole path
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(path, "-D", "-f", s.file("config"), "-E", s.file("log"))
	s.stop = instance.Serve(s.t, s.cmd)
	instance.AwaitListener(s.t, patience, s.address)
}

// Kill ends it, and all connections with it: each has a process that leads a group of its own.
func (s *SSHD) Kill() {
	pid := s.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	s.stop()
	for child := range strings.FieldsSeq(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil && pid > 0 {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}
