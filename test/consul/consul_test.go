// Package consul runs the program beside a real Consul: services come, fall ill, are maintained and go; the agent is
// killed and started under load; a token may no more than it must.
package consul_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// policy is all that the instance's token may do. docs/providers/consulcatalog.md has the same.
const policy = `service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`

// pairsPolicy is all that it may do where it follows the key-value store. docs/providers/kv.md has the same.
const pairsPolicy = `key_prefix "traefik/" { policy = "read" }`

func TestConsul(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Consul")
	}
	program := instance.Program(t)
	for name, test := range map[string]func(*testing.T, string){
		"catalog": catalog, "token": leastPrivilege, "datacenters": datacenters, "mesh": mesh,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// catalog follows services at an agent that is no server, as most are.
func catalog(t *testing.T, program string) {
	server := lab.NewConsul(t, "dc1", true)
	server.Start()
	c := server.NewAgent()
	c.Start()
	s := start(t, program, "testdata/one", server, token(t, c, policy))
	one, two := newService(t, "one"), newService(t, "two")
	one.register(t, c)
	s.says("shop.example", "one")
	two.register(t, c)
	s.says("shop.example", "one", "two")

	s.health(one)
	s.maintenance(c)
	s.latency(c, one)
	s.agentCrash(c)
	s.serverCrash(server)

	c.Do("PUT", "/v1/agent/service/deregister/one", "")
	s.says("shop.example", "two")
	c.Do("PUT", "/v1/agent/service/deregister/two", "")
	s.says("shop.example", "404")
}

// start runs an instance with files of testdata that asks an agent with a token.
func start(t *testing.T, program, files string, c *lab.Consul, secret string) *suite {
	t.Helper()
	folder := t.TempDir()
	if err := instance.Lay(folder, files, map[string]string{"CONSUL": c.Address(), "SERVICE": ""}); err != nil {
		t.Fatal(err)
	}
	if err := instance.Replace(folder+"/token", secret); err != nil {
		t.Fatal(err)
	}
	i := instance.StartIn(t, program, folder)
	return &suite{t, i, instance.NewCustomer(t, i.Address(t, "plain"), "shop.example")}
}

// token makes a token with one policy and returns its secret.
func token(t *testing.T, c *lab.Consul, rules string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"Name": "p" + strings.ReplaceAll(time.Now().Format(".000000000"), ".", ""),
		"Rules": rules})
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID, SecretID string }
	read(t, c.Do("PUT", "/v1/acl/policy", string(text)), &made)
	read(t, c.Do("PUT", "/v1/acl/token", `{"Policies": [{"ID": "`+made.ID+`"}]}`), &made)
	return made.SecretID
}

func read(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// health follows an instance that falls ill and recovers.
func (s *suite) health(one *service) {
	one.sick.Store(true)
	s.says("shop.example", "two")
	one.sick.Store(false)
	s.says("shop.example", "one", "two")
}

// maintenance takes instances out one after the other, and the last one, too.
func (s *suite) maintenance(c *lab.Consul) {
	c.Do("PUT", "/v1/agent/service/maintenance/one?enable=true&reason=test", "")
	s.says("shop.example", "two")
	c.Do("PUT", "/v1/agent/service/maintenance/two?enable=true", "")
	s.says("shop.example", "503")
	c.Do("PUT", "/v1/agent/service/maintenance/one?enable=false", "")
	c.Do("PUT", "/v1/agent/service/maintenance/two?enable=false", "")
	s.says("shop.example", "one", "two")
}

// agentCrash kills the agent that the services are registered at, and starts it again, under load. All of its checks
// are critical then, until each has run.
func (s *suite) agentCrash(c *lab.Consul) {
	stop := s.customer.Load()
	c.Kill()
	c.Start()
	instance.Await(s.t, patience, "the checks have run again", func() bool {
		return strings.Count(c.Do("GET", "/v1/agent/checks", ""), `"passing"`) == 2
	})
	s.says("shop.example", "one", "two")
	stop("the agent was killed and started")
}

// serverCrash kills the only server, and starts it again, under load.
func (s *suite) serverCrash(c *lab.Consul) {
	stop := s.customer.Load()
	c.Kill()
	s.problems("stale", 1)
	c.Start()
	s.problems("stale", 0)
	s.says("shop.example", "one", "two")
	stop("the server was killed and started")
}

// latency measures how long it takes from Consul's answer to a change to the first request that is served by it.
func (s *suite) latency(c *lab.Consul, one *service) {
	var took []time.Duration
	for n := range 20 {
		name := fmt.Sprintf("late-%d", n)
		c.Do("PUT", "/v1/agent/service/register", fmt.Sprintf(`{"Name": %q, "Address": "127.0.0.1", "Port": %d,
			"Tags": ["traefik.http.routers.%[1]s.rule=Host(`+"`%[1]s.example`"+`)"]}`, name, one.port()))
		began := time.Now()
		customer := instance.NewCustomer(s.t, s.instance.Address(s.t, "plain"), name+".example")
		for status := 0; status != http.StatusOK && time.Since(began) < patience; {
			status, _ = customer.Ask("/")
		}
		took = append(took, time.Since(began))
		c.Do("PUT", "/v1/agent/service/deregister/"+name, "")
	}
	slices.Sort(took)
	s.t.Logf("from a registration to its first request: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if worst := took[len(took)-1]; worst >= patience {
		s.t.Errorf("a registration was not served within %v", worst)
	}
}

// leastPrivilege shows that half of the policy is too little, that all of it is enough, and that a token is replaced
// without a restart.
func leastPrivilege(t *testing.T, program string) {
	c := lab.NewConsul(t, "dc1", true)
	c.Start()
	one := newService(t, "one")
	one.register(t, c)
	for _, half := range strings.SplitAfter(policy, "} ") {
		start(t, program, "testdata/one", c, token(t, c, half)).says("shop.example", "404")
	}
	for key, text := range map[string]string{
		"routers/pairs/rule": "Host(`pairs.example`)", "routers/pairs/service": "pairs",
		"services/pairs/loadbalancer/servers/0/url": one.URL,
	} {
		c.Do("PUT", "/v1/kv/traefik/http/"+key, text)
	}
	start(t, program, "testdata/pairs", c, token(t, c, pairsPolicy)).says("pairs.example", "one")

	secret := token(t, c, policy)
	s := start(t, program, "testdata/one", c, secret)
	s.says("shop.example", "one")

	var old struct{ AccessorID string }
	read(t, c.Do("GET", "/v1/acl/token/self?token="+secret, ""), &old)
	c.Do("DELETE", "/v1/acl/token/"+old.AccessorID, "")
	c.Do("PUT", "/v1/agent/service/register", `{"Name": "other"}`) // the question that is waiting is answered
	s.problems("stale", 1)
	s.says("shop.example", "one")
	if err := instance.Replace(s.instance.File("token"), token(t, c, policy)); err != nil {
		t.Fatal(err)
	}
	s.problems("stale", 0)
}

// datacenters follows two of them through the agent of the one.
func datacenters(t *testing.T, program string) {
	here, there := lab.NewConsul(t, "dc1", false), lab.NewConsul(t, "dc2", false)
	here.Start()
	there.Start()
	here.Join(there)
	newService(t, "here").registerAs(t, here, "here")
	newService(t, "there").registerAs(t, there, "there")
	s := start(t, program, "testdata/two", here, "")
	s.says("here.example", "here")
	s.says("there.example", "there")
	there.Kill()
	s.problems("stale", 1)
	s.says("here.example", "here")
	s.says("there.example", "there")
	there.Start()
	s.problems("stale", 0)
}
