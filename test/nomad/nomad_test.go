// Package nomad runs the program beside a real Nomad, whose jobs are scaled, fall ill and are updated under load; the
// agent is killed and started; a token may no more than it must.
package nomad_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// policy is all that the instance's token may do. docs/providers/nomad.md has the same.
const policy = `namespace "default" { capabilities = ["read-job"] } namespace "team" { capabilities = ["read-job"] }`

// patience is how long Nomad, and the instance that follows it, may take.
const patience = time.Minute

func TestNomad(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a Nomad")
	}
	n := lab.NewNomad(t, true)
	n.Start()
	runner := n.NewAgent()
	runner.Start()
	n.Do("POST", "/v1/namespace/team", `{"Name": "team"}`)
	s := &suite{t: t, nomad: n, runner: runner, app: app(t)}
	s.instance = start(t, n, s.token("less", strings.ReplaceAll(policy, "read-job", "list-jobs")))
	s.customer = instance.NewCustomer(t, s.instance.Address(t, "plain"), "default.example")

	s.leastPrivilege()
	s.scale()
	s.health()
	s.update()
	s.crash()
	s.namespaces()
}

// suite is an instance that follows a Nomad.
type suite struct {
	t        *testing.T
	nomad    *lab.Nomad // the server
	runner   *lab.Nomad // the agent that runs the allocations
	app      string
	instance *instance.Instance
	customer *instance.Customer
}

func app(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app")
	build := exec.Command("go", "build", "-o", path, "github.com/fairlead/fairlead/test/lab/app")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the app: %v\n%s", err, out)
	}
	return path
}

func start(t *testing.T, n *lab.Nomad, secret string) *instance.Instance {
	t.Helper()
	folder := t.TempDir()
	values := map[string]string{"NOMAD": n.Address(), "SERVICE": ""}
	if err := instance.Lay(folder, "testdata/instance", values); err != nil {
		t.Fatal(err)
	}
	if err := instance.Replace(filepath.Join(folder, "token"), secret); err != nil {
		t.Fatal(err)
	}
	return instance.StartIn(t, instance.Program(t), folder)
}

// token makes a token with one policy and returns its secret.
func (s *suite) token(name, rules string) string {
	s.t.Helper()
	text, err := json.Marshal(map[string]string{"Name": name, "Rules": rules})
	if err != nil {
		s.t.Fatal(err)
	}
	s.nomad.Do("POST", "/v1/acl/policy/"+name, string(text))
	var made struct{ SecretID string }
	answer := s.nomad.Do("POST", "/v1/acl/token", `{"Name": "x", "Type": "client", "Policies": ["`+name+`"]}`)
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		s.t.Fatal(err)
	}
	return made.SecretID
}

// run submits the job.
func (s *suite) run(namespace, version string, count int) {
	s.t.Helper()
	text, err := os.ReadFile("testdata/shop.nomad.hcl")
	if err != nil {
		s.t.Fatal(err)
	}
	s.nomad.Run(strings.NewReplacer("NAMESPACE", namespace, "VERSION", version, "COUNT", strconv.Itoa(count),
		"APP", s.app).Replace(string(text)))
}

// served waits until a number of allocations of a version, and nobody else, answer for a host, and returns their IDs.
func (s *suite) served(host, version string, count int) (ids []string) {
	s.t.Helper()
	customer := instance.NewCustomer(s.t, s.instance.Address(s.t, "plain"), host)
	what := strconv.Itoa(count) + " allocations of " + version + " serve " + host
	instance.Await(s.t, patience, what, func() bool {
		ids = nil
		seen := map[string]bool{}
		for range 16 * count {
			status, body := customer.Ask("/")
			of, id, _ := strings.Cut(body, " ")
			if status != http.StatusOK || of != version {
				return false
			}
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
		return len(ids) == count
	})
	return ids
}

func (s *suite) problems(code string, want float64) {
	s.t.Helper()
	name := `fairlead_problems{code="` + code + `"}`
	instance.Await(s.t, patience, "problems "+code, func() bool { return s.instance.Read(s.t)[name] == want })
}

// leastPrivilege begins with a token that may not enough, which is told, and replaces it by one that may.
func (s *suite) leastPrivilege() {
	s.run("default", "v1", 3)
	s.problems("stale", 2) // of two namespaces
	if err := instance.Replace(s.instance.File("token"), s.token("enough", policy)); err != nil {
		s.t.Fatal(err)
	}
	s.problems("stale", 0)
	s.served("default.example", "v1", 3)
}

func (s *suite) scale() {
	s.run("default", "v1", 5)
	s.served("default.example", "v1", 5)
	s.run("default", "v1", 3)
	s.served("default.example", "v1", 3)
}

// health follows an allocation whose check fails, and passes again. Nomad leaves it registered.
func (s *suite) health() {
	ids := s.served("default.example", "v1", 3)
	var instances []struct {
		AllocID, Address string
		Port             int
	}
	if err := json.Unmarshal([]byte(s.nomad.Do("GET", "/v1/service/shop", "")), &instances); err != nil {
		s.t.Fatal(err)
	}
	var sick *instance.Customer
	for _, i := range instances {
		if i.AllocID == ids[0] {
			sick = instance.NewCustomer(s.t, i.Address+":"+strconv.Itoa(i.Port), "x")
		}
	}
	sick.Ask("/hurt")
	instance.Await(s.t, patience, "the sick allocation gets nothing", func() bool {
		for range 32 {
			if _, body := s.customer.Ask("/"); strings.HasSuffix(body, ids[0]) {
				return false
			}
		}
		return true
	})
	sick.Ask("/heal")
	s.served("default.example", "v1", 3)
}

// update replaces all allocations, one after the other, under load.
func (s *suite) update() {
	stop := s.customer.Load()
	s.run("default", "v2", 3)
	s.served("default.example", "v2", 3)
	stop("three allocations were updated")
	if log := s.instance.Log(); strings.Contains(log, "host ejected") {
		s.t.Errorf("requests were sent to allocations that did not listen:\n%s", log)
	}
}

// crash kills the server, then the agent that runs the allocations, and starts each again, under load. (An agent that
// is both, as for development, ends its allocations itself when it starts: its server does not know it yet.)
func (s *suite) crash() {
	stop := s.customer.Load()
	s.nomad.Kill()
	s.problems("stale", 2)
	s.nomad.Start()
	s.problems("stale", 0)
	s.runner.Kill()
	s.runner.Start()
	s.run("default", "v2", 4)
	s.served("default.example", "v2", 4)
	stop("the server and the other agent were killed and started")
}

// namespaces has a service of the same name in another one, and takes both away.
func (s *suite) namespaces() {
	s.run("team", "t1", 2)
	s.served("team.example", "t1", 2)
	s.served("default.example", "v2", 4)
	for _, namespace := range []string{"team", "default"} {
		s.nomad.Do("DELETE", "/v1/job/shop?purge=true&namespace="+namespace, "")
		customer := instance.NewCustomer(s.t, s.instance.Address(s.t, "plain"), namespace+".example")
		instance.Await(s.t, patience, "the service is gone", func() bool {
			status, _ := customer.Ask("/")
			return status == http.StatusNotFound
		})
	}
}
