// Package fleet runs one edge over clusters of every kind, which all export the same service. Each is lost and comes
// back in turn, with everything that runs in it, while the edge serves.
package fleet_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// patience is how long a cluster may take to come back, with everything in it, beside all the others.
const patience = 2 * time.Minute

// place is what runs the shop in a cluster. Its instances answer with the cluster's name.
type place interface {
	// values are those that the instance's files ask for.
	values() map[string]string
	// start runs the place; again: what was left of it by crash. The cluster's instance runs already.
	start(c *cluster, again bool)
	// crash ends it with all that runs in it, as a loss of its hosts does.
	crash()
}

func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("runs clusters of every kind")
	}
	program, app := instance.Program(t), instance.Tool(t, "github.com/fairlead/fairlead/test/lab/app")
	places := map[string]place{
		"docker-a": newDocker(t, "docker-a"), "docker-b": newDocker(t, "docker-b"),
		"swarm": newSwarm(t, "swarm"), "consul": newConsul(t, app, "consul"), "nomad": newNomad(t, app, "nomad"),
		"machine": newMachine(t, app),
	}
	var clusters []*cluster
	for name, p := range places {
		c := newCluster(t, program, name, p)
		c.start()
		clusters = append(clusters, c)
	}
	edge := instance.StartIn(t, program, layEdge(t, clusters))
	shop := instance.NewCustomer(t, edge.Address(t, "plain"), "shop.example")
	for _, c := range clusters {
		awaitAnswer(t, shop, c.name)
	}
	stop := shop.Load()
	for _, c := range clusters {
		began := time.Now()
		c.crash()
		c.start()
		awaitAnswer(t, shop, c.name)
		t.Logf("%s was lost, and served again after %v", c.name, time.Since(began).Round(time.Millisecond))
	}
	stop("each of the clusters was lost and came back")
}

// awaitAnswer waits until the edge leads a request to a cluster.
func awaitAnswer(t *testing.T, shop *instance.Customer, name string) {
	t.Helper()
	instance.Await(t, patience, name+" is led to", func() bool {
		status, body := shop.Ask("/")
		return status == http.StatusOK && body == name
	})
}

// cluster is an instance of Fairlead, and the place that it looks after.
type cluster struct {
	t                           *testing.T
	program, name, folder, link string
	place                       place
	instance                    *instance.Instance
}

func newCluster(t *testing.T, program, name string, p place) *cluster {
	t.Helper()
	c := &cluster{t: t, program: program, name: name, folder: t.TempDir(), link: instance.FreeAddress(t), place: p}
	values := map[string]string{"NAME": name, "LINK": c.link, "SERVICE": ""}
	for key, value := range p.values() {
		values[key] = value
	}
	kind, _, _ := strings.Cut(name, "-")
	if err := instance.Lay(c.folder, "testdata/"+kind, values); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.instance.Stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	again := c.instance != nil
	var err error
	if c.instance, err = instance.Run(c.program, c.folder); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	c.place.start(c, again)
}

func (c *cluster) crash() {
	c.instance.Kill()
	c.place.crash()
}

// key makes one with which the edge may follow the cluster.
func (c *cluster) key() string {
	c.t.Helper()
	create := exec.Command(c.program, "key", "create", "--owner", "edge", "--scope", "link:read,link:traffic",
		"--api", "http://"+c.instance.Address(c.t, instance.API), "--store", filepath.Join(c.folder, "data"))
	key, err := create.Output()
	if err != nil {
		c.t.Fatalf("%s: making a key: %v", c.name, err)
	}
	return string(key)
}

// layEdge writes the files of an edge that follows them all, and has nothing else.
func layEdge(t *testing.T, clusters []*cluster) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var follows strings.Builder
	for _, c := range clusters {
		if err := instance.Replace(filepath.Join(folder, c.name+".key"), c.key()); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&follows, "  - {name: %s, addresses: [%q], key: %q, ca: %q, grant: %s}\n",
			c.name, c.link, "file:"+c.name+".key", c.instance.CA(), "{hosts: [shop.example], services: [shop]}")
	}
	values := map[string]string{"CLUSTERS": follows.String(), "SERVICE": ""}
	if err := instance.Lay(folder, "testdata/edge", values); err != nil {
		t.Fatal(err)
	}
	return folder
}
