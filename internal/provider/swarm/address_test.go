package swarm_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/providertest"
	provider "github.com/fairlead/fairlead/internal/provider/swarm"
)

// labelled returns labels, given by turns with what they say.
func labelled(pairs ...string) map[string]string {
	labels := enabled()
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}

// several makes a task be in several networks.
func several(t object) object {
	t["NetworksAttachments"] = []object{
		network("z", "10.0.3.3"), network("shop_b", "10.0.2.3"), network("loop", "127.0.0.3"),
	}
	return t
}

// apart makes a task be in none.
func apart(t object) object {
	t["NetworksAttachments"] = nil
	return t
}

// ours makes a task be in a network that we are in, too: this machine's loopback stands for it.
func ours(t object) object {
	n := network("loop", "127.0.0.3")
	n["Network"].(object)["IPAMOptions"] = object{"Configs": []object{{"Subnet": "127.0.0.0/8"}}}
	t["NetworksAttachments"] = []object{network("back", "10.0.1.7"), n}
	return t
}

// hostNetwork makes a task have that of its node.
func hostNetwork(t object) object {
	t["NetworksAttachments"] = []object{{"Network": object{"Spec": object{
		"Name": "host", "DriverConfiguration": object{"Name": "host"},
	}}}}
	return t
}

func TestAddresses(t *testing.T) {
	bind := func(c *provider.Config) { c.UseBindPortIP = true }
	for name, test := range map[string]struct {
		config func(*provider.Config)
		labels map[string]string
		task   object
		want   string
	}{
		"not the ingress":        {nil, enabled(), task("t", "10.0.1.7"), "web=10.0.1.7:80"},
		"first by name":          {nil, enabled(), several(task("t", "10.0.1.7")), "web=127.0.0.3:80"},
		"the one that we are in": {nil, enabled(), ours(task("t", "10.0.1.7")), "web=127.0.0.3:80"},
		"that, though published": {
			nil, enabled(), ours(publish(task("t", "10.0.1.7"), 30000)), "web=127.0.0.3:80",
		},
		"network of the options": {
			func(c *provider.Config) { c.Network = "z" }, enabled(),
			several(task("t", "10.0.1.7")), "web=10.0.3.3:80",
		},
		"network of the labels": {
			nil, labelled("traefik.swarm.network", "z"),
			several(task("t", "10.0.1.7")), "web=10.0.3.3:80",
		},
		"by its older name": {
			nil, labelled("traefik.docker.network", "z"),
			several(task("t", "10.0.1.7")), "web=10.0.3.3:80",
		},
		"network of the stack": {
			nil, labelled("traefik.swarm.network", "b", "com.docker.stack.namespace", "shop"),
			several(task("t", "10.0.1.7")), "web=10.0.2.3:80",
		},
		"not in that network": {
			nil, labelled("traefik.swarm.network", "x"),
			task("t", "10.0.1.7"), "web=",
		},
		"published on its node": {
			nil, enabled(),
			publish(apart(task("t", "10.0.1.7")), 30000), "web=192.0.2.2:30000",
		},
		"that, as we are in none": {
			nil, enabled(),
			publish(task("t", "10.0.1.7"), 30000), "web=192.0.2.2:30000",
		},
		"that, asked for": {
			bind, enabled(), ours(publish(task("t", "10.0.1.7"), 30000)), "web=192.0.2.2:30000",
		},
		"another port": {
			nil, labelled("traefik.http.services.web.loadbalancer.server.port", "81"),
			publish(task("t", "10.0.1.7"), 30000), "web=10.0.1.7:81",
		},
		"network of its node": {nil, enabled(), hostNetwork(task("t", "10.0.1.7")), "web=192.0.2.2:80"},
		"no network":          {nil, enabled(), apart(task("t", "10.0.1.7")), "web="},
		"virtual": {
			nil, labelled("traefik.swarm.lbswarm", "true"),
			task("t", "10.0.1.7"), "web=10.0.1.2:80",
		},
		"virtual, as in Traefik 2": {
			nil, labelled("traefik.docker.lbswarm", "1"),
			task("t", "10.0.1.7"), "web=10.0.1.2:80",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSwarm()
			s.put("web", test.labels, nil, test.task)
			p := newProvider(t, test.config, newFake(t, s))
			got := <-providertest.Start(t, p, providertest.Services).Published
			if providertest.Services(got) != test.want {
				t.Errorf("published %q, want %q; problems: %v", providertest.Services(got), test.want, got.Problems)
			}
			if (test.want == "web=") != (len(got.Problems) == 1) {
				t.Errorf("the problems are %v", got.Problems)
			}
		})
	}
}

// What is published of services as they are, and under which names.
func TestServices(t *testing.T) {
	s := newSwarm()
	stack := map[string]string{
		"com.docker.stack.namespace": "shop", "traefik.enable": "true", "fairlead.http.routers.web.export": "true",
	}
	s.put("shop_web", stack, nil, task("t1", "10.0.1.7"))
	s.put("quiet", nil, nil)                       // no task, and no word of it
	s.put("away", enabled(), nil)                  // no task, but a word
	s.put("job", enabled(), func(service object) { // nobody's
		service["Spec"].(object)["Mode"] = object{"ReplicatedJob": object{}}
	}, task("t2", "10.0.1.8"))
	got := <-providertest.Start(t, newProvider(t, nil, newFake(t, s)), providertest.Services).Published
	if want := "away= shop-web=10.0.1.7:80"; providertest.Services(got) != want {
		t.Errorf("published %q, want %q; problems: %v", providertest.Services(got), want, got.Problems)
	}
	web, _ := model.Find(got.Routes, model.Ref{Name: model.Name{Name: "web"}, Source: source})
	name := model.Name{Namespace: "shop", Name: "web"}
	if web == nil || !web.Export.Offered || web.ExportedAs() != name {
		t.Errorf("%v is not exported as %v", web, name)
	}
	drop := func(c *provider.Config) { c.DropEmpty = true }
	got = <-providertest.Start(t, newProvider(t, drop, newFake(t, s)), providertest.Services).Published
	if want := "shop-web=10.0.1.7:80"; providertest.Services(got) != want {
		t.Errorf("without what is not ready: %q, want %q", providertest.Services(got), want)
	}
}
