package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

// Consul is one agent of Consul: the server of a datacenter, or one that services register at.
type Consul struct {
	agent
	datacenter, name string
	lan, wan         string // addresses at which agents and other datacenters join a server
}

const everything = "3e1f1a5e-7b0c-4a55-9a4e-6f3f5d3d6a01" // the token of who may do anything, in Consul and Nomad

// NewConsul makes the place for the one server of a datacenter. With tokens, whoever shows none may do nothing.
func NewConsul(t testing.TB, datacenter string, tokens bool) *Consul {
	t.Helper()
	c := newConsul(t, datacenter, "server")
	policy := "allow"
	if tokens {
		c.token, policy = everything, "deny"
	}
	c.settings(port(c.wan), `
server = true
bootstrap = true
performance { raft_multiplier = 1 }
connect { enabled = true }
acl { enabled = %t, default_policy = %q, tokens { initial_management = %q, agent = %[3]q } }
`, tokens, policy, c.token)
	return c
}

// NewAgent makes the place for an agent of the same datacenter that is no server.
func (c *Consul) NewAgent() *Consul {
	c.t.Helper()
	a := newConsul(c.t, c.datacenter, "agent")
	a.token = c.token
	a.settings("-1", `
retry_join = [%q]
retry_interval = "1s"
acl { enabled = %t, tokens { agent = %q } }
`, c.lan, c.token != "", c.token)
	return a
}

func newConsul(t testing.TB, datacenter, name string) *Consul {
	t.Helper()
	a := agent{t: t, folder: t.TempDir(), address: instance.FreeAddress(t), header: "X-Consul-Token"}
	return &Consul{a, datacenter, name, instance.FreeAddress(t), instance.FreeAddress(t)}
}

// settings writes the agent's file, with more for its kind.
func (c *Consul) settings(wan, more string, values ...any) {
	c.t.Helper()
	text := fmt.Sprintf(`
node_name = %q
datacenter = %q
data_dir = %q
bind_addr = "127.0.0.1"
client_addr = "127.0.0.1"
ports { http = %s, server = %s, serf_lan = %s, serf_wan = %s, dns = -1, grpc = -1, grpc_tls = -1 }
disable_update_check = true
`, c.name, c.datacenter, filepath.Join(c.folder, "data"), port(c.address), port(instance.FreeAddress(c.t)),
		port(c.lan), wan)
	file := filepath.Join(c.folder, "consul.hcl")
	if err := os.WriteFile(file, []byte(text+fmt.Sprintf(more, values...)), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.args = []string{Built(c.t, "consul"), "agent", "-config-file", file}
	c.t.Cleanup(c.tellLog)
}

// Start runs the agent until it is killed or the test ends, and waits until the datacenter knows it.
func (c *Consul) Start() {
	c.t.Helper()
	c.run()
	instance.Await(c.t, patience, "Consul knows its agent", func() bool {
		nodes, err := c.Try("GET", "/v1/catalog/nodes", "")
		return err == nil && strings.Contains(nodes, `"`+c.name+`"`)
	})
}

// Join makes two datacenters know each other.
func (c *Consul) Join(other *Consul) {
	c.t.Helper()
	c.Do("PUT", "/v1/agent/join/"+other.wan+"?wan=1", "")
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
