package consulcatalog_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/consulcatalog"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

// sidecar is the proxy of an instance of a service.
func sidecar(service, id string, tags ...string) *api.ServiceEntry {
	e := instance(service+"-sidecar-proxy", id, "passing", tags...)
	e.Node.Datacenter, e.Service.Kind = "dc1", api.ServiceKindConnectProxy
	e.Service.Proxy = &api.AgentServiceConnectProxyConfig{DestinationServiceName: service}
	return e
}

func TestMesh(t *testing.T) {
	c := serve(t)
	const asked = "traefik.consulcatalog.connect=true"
	c.change(func() {
		c.leaf, c.roots = "leaf-1", []string{"root-1"}
		c.entries = map[string][]*api.ServiceEntry{
			"shop":               {instance("shop", "shop-1", "passing", asked)},
			"shop-sidecar-proxy": {sidecar("shop", "shop-proxy-2", asked)},
			"blog":               {instance("blog", "blog-3", "passing")},
		}
	})
	said := make(chan string, 100)
	w := providertest.Start(t, start(t, c, func(o *consulcatalog.Config) {
		o.Mesh = &consulcatalog.Mesh{Service: "edge", Identify: func(chain, key, roots []byte) error {
			said <- string(chain) + " " + string(key) + " " + strings.Join(strings.Fields(string(roots)), ",")
			return nil
		}}
	}), providertest.Ports)
	s := w.Until(":131 :130 ") // the plain one's, and the sidecar's
	await(t, said, "leaf-1 key of edge root-1")
	shop, ok := model.Find(s.Services, model.Ref{Name: model.Name{Name: "shop"}, Source: source})
	transport, known := model.Find(s.Transports, shop.Transport)
	if !ok || !known {
		t.Fatalf("service %v, transport %v", shop, transport)
	}
	spiffe := transport.TLS.SPIFFE
	if want := "spiffe://a.consul/ns/default/dc/dc1/svc/shop"; shop.Protocol != model.HTTPS || spiffe == nil ||
		spiffe.Mesh != source || len(spiffe.IDs) != 1 || spiffe.IDs[0] != want {
		t.Errorf("%s is reached by %s, %+v", shop.Name, shop.Protocol, spiffe)
	}
	c.change(func() { c.roots = []string{"root-2", "root-1"} })
	await(t, said, "leaf-1 key of edge root-2,root-1")
	c.change(func() { c.leaf = "leaf-2" })
	await(t, said, "leaf-2 key of edge root-2,root-1")
	// A service leaves the mesh.
	c.change(func() { c.entries["shop"][0] = instance("shop", "shop-1", "passing") })
	w.Until(":131 :129 ")
}

// await waits until the instance is said to be somebody: certificates and roots come one after the other.
func await(t *testing.T, said <-chan string, want string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for last := ""; ; {
		select {
		case last = <-said:
			if last == want {
				return
			}
		case <-limit:
			t.Fatalf("identified by %q, want %q", last, want)
		}
	}
}

// Who cannot be told apart from a stranger publishes nothing.
func TestMeshNoIdentity(t *testing.T) {
	c := serve(t)
	c.change(func() { c.leaf, c.roots = "leaf", []string{"root"} })
	wrong := errors.New("no certificate")
	p := start(t, c, func(o *consulcatalog.Config) {
		o.Mesh = &consulcatalog.Mesh{Service: "edge", Identify: func(_, _, _ []byte) error { return wrong }}
	})
	err := p.Run(t.Context(), func(model.Snapshot) { t.Error("it publishes") })
	if !errors.Is(err, wrong) {
		t.Errorf("it ends with %v", err)
	}
}
