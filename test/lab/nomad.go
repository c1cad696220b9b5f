package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

// Nomad is one agent of Nomad: the server of a region, or one that runs programs of this machine.
type Nomad struct {
	agent
	tokens bool
	rpc    string
	server *Nomad // nil: it is one
}

// NewNomad makes the place for a server. With tokens, whoever shows none may do nothing.
func NewNomad(t testing.TB, tokens bool) *Nomad {
	t.Helper()
	n := newNomad(t, tokens)
	n.settings(`server { enabled = true, bootstrap_expect = 1, raft_multiplier = 1 }`)
	return n
}

// NewAgent makes the place for an agent that is no server, but runs what the server tells it. It asks nobody outside
// who it is.
func (n *Nomad) NewAgent() *Nomad {
	n.t.Helper()
	a := newNomad(n.t, n.tokens)
	a.server, a.token = n, n.token
	a.settings(fmt.Sprintf(`
client {
  enabled = true
  network_interface = "lo"
  servers = [%q]
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
    "driver.allowlist" = "raw_exec"
  }
}
plugin "raw_exec" { config { enabled = true } }
`, n.rpc))
	n.t.Cleanup(func() { // its programs outlive it, and so does what writes their logs
		sweep(a.folder, a.folder)
		endHolders(a.folder)
	})
	return a
}

func newNomad(t testing.TB, tokens bool) *Nomad {
	t.Helper()
	a := agent{t: t, folder: t.TempDir(), address: instance.FreeAddress(t), header: "X-Nomad-Token"}
	return &Nomad{agent: a, tokens: tokens, rpc: instance.FreeAddress(t)}
}

// settings writes the agent's file, with more for its kind.
func (n *Nomad) settings(more string) {
	n.t.Helper()
	text := fmt.Sprintf(`
name = "lab"
data_dir = %q
bind_addr = "127.0.0.1"
advertise { http = "127.0.0.1", rpc = "127.0.0.1", serf = "127.0.0.1" }
ports { http = %s, rpc = %s, serf = %s }
disable_update_check = true
disable_anonymous_signature = true
leave_on_terminate = false
acl { enabled = %t }
`, filepath.Join(n.folder, "data"), port(n.address), port(n.rpc), port(instance.FreeAddress(n.t)), n.tokens)
	file := filepath.Join(n.folder, "nomad.hcl")
	if err := os.WriteFile(file, []byte(text+more), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.args = []string{Built(n.t, "nomad"), "agent", "-config", file}
	n.t.Cleanup(n.tellLog)
}

// Start runs the agent until it is killed or the test ends, and waits until it answers: one that is no server, until
// the server gives it work.
func (n *Nomad) Start() {
	n.t.Helper()
	n.run()
	asked, want := n, "[" // a list
	if n.server != nil {
		asked, want = n.server, `"Status":"ready"`
	}
	instance.Await(n.t, patience, "Nomad has what it needs", func() bool {
		if n.tokens && n.token == "" {
			if _, err := n.Try("POST", "/v1/acl/bootstrap", `{"BootstrapSecret": "`+everything+`"}`); err != nil {
				return false
			}
			n.token = everything
		}
		nodes, err := asked.Try("GET", "/v1/nodes", "")
		return err == nil && strings.Contains(nodes, want)
	})
}

// Crash ends the agent and what it runs, as the loss of their host does.
func (n *Nomad) Crash() {
	n.Kill()
	sweep(n.folder, n.folder)
}

// Run submits a job that is written in Nomad's language.
func (n *Nomad) Run(text string) {
	n.t.Helper()
	question, err := json.Marshal(map[string]any{"JobHCL": text, "Canonicalize": true})
	if err != nil {
		n.t.Fatal(err)
	}
	n.Do("POST", "/v1/jobs", `{"Job": `+n.Do("POST", "/v1/jobs/parse", string(question))+`}`)
}
