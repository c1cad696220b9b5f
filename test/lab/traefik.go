package lab

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

// Traefik is a Traefik with files of its own: what it is (static) and what it serves (dynamic).
type Traefik struct {
	agent
	addresses map[string]string // of its entry points, by name
}

// NewTraefik makes the place for one, with files as from has them. traefik.yaml is its static configuration. In all of
// them ${FOLDER} is the folder that they are in, with a certificate for this machine (cert.pem, key.pem), and the name
// of an entry point in capitals, as ${WEB}, a free address. The entry point traefik, which need not be named, must have
// its ping; Address is that of this one.
func NewTraefik(t testing.TB, from string, values map[string]string, entryPoints ...string) *Traefik {
	t.Helper()
	p := &Traefik{agent{t: t, folder: t.TempDir()}, make(map[string]string)}
	all := map[string]string{"FOLDER": p.folder}
	for _, name := range append(entryPoints, "traefik") {
		p.addresses[name] = instance.FreeAddress(t)
		all[strings.ToUpper(name)] = p.addresses[name]
	}
	maps.Copy(all, values)
	if err := instance.LayOther(p.folder, from, all); err != nil {
		t.Fatal(err)
	}
	p.address = p.addresses["traefik"]
	p.args = []string{Built(t, "traefik"), "--configFile=" + p.File("traefik.yaml")}
	t.Cleanup(p.tellLog)
	return p
}

// EntryPoint returns the address of an entry point, host:port.
func (p *Traefik) EntryPoint(name string) string { return p.addresses[name] }

// File returns the path of a file in its folder.
func (p *Traefik) File(name string) string { return filepath.Join(p.folder, name) }

// Write replaces a file in one step: who watches a folder below p's never sees a part of it, or another one.
func (p *Traefik) Write(name, text string) {
	p.t.Helper()
	whole := p.File("new")
	if err := os.WriteFile(whole, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(whole, p.File(name)); err != nil {
		p.t.Fatal(err)
	}
}

// Start runs it until it is killed, or the test ends, and waits until it answers. It may not have read
// its dynamic files yet.
func (p *Traefik) Start() {
	p.t.Helper()
	p.run()
	instance.Await(p.t, patience, "Traefik answers its ping", func() bool {
		_, err := p.Try("GET", "/ping", "")
		return err == nil
	})
}
