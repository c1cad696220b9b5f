package docker_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/docker"
	"github.com/fairlead/fairlead/internal/provider/engine"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("docker/main")

func newProvider(tb testing.TB, e *fake, change func(*docker.Config)) *docker.Provider {
	tb.Helper()
	c := docker.Config{
		Source: source, Engine: engine.Engine{Endpoint: e.Endpoint()},
		Options: dynamic.WorkloadOptions{ExposedByDefault: true, DefaultRule: dynamic.DefaultRule},
	}
	if change != nil {
		change(&c)
	}
	p, err := docker.New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		e := newFake(t)
		set := func(rules map[string]string) {
			all := map[string]map[string]any{}
			for name, rule := range rules {
				all[name] = listed(name, map[string]string{"traefik.http.routers." + name + ".rule": rule})
			}
			for _, id := range e.set(all) {
				e.tell(id, "update") // one burst
			}
		}
		return providertest.Place{
			Source: source, Provider: newProvider(t, e, nil), Set: set,
			Spoil: func(rules map[string]string) {
				set(providertest.Spoilt(rules))
			},
			Break: func() { e.SetBroken(true) },
			Heal:  func() { e.SetBroken(false) },
			Apart: true, // each container has an event of its own
		}
	}})
}

// What a container goes through, and what is published on each event.
func TestLife(t *testing.T) {
	e := newFake(t)
	r := providertest.Start(t, newProvider(t, e, nil), providertest.Services)
	r.Until("")
	status := func(status string) func(map[string]any) {
		return func(c map[string]any) { c["Status"] = status }
	}
	state := func(state string) func(map[string]any) {
		return func(c map[string]any) {
			if c["State"] = state; state != "paused" { // who does not run has no address
				c["Ports"], c["NetworkSettings"] = []any{}, networks("bridge", "")
			}
		}
	}
	up := "a=172.17.0.2:80"
	for _, step := range []struct {
		change func(map[string]any) // what is listed from now on
		event  []string
		want   string
	}{
		{status("Up 1 second (health: starting)"), []string{"start"}, "a="},
		{status("Up 3 seconds (healthy)"), []string{"health_status: healthy"}, up},
		{status("Up 4 seconds (unhealthy)"), []string{"health_status: unhealthy"}, up + "!"},
		{nil, []string{"health_status: healthy"}, up},
		{state("paused"), []string{"pause"}, up + "!"},
		{nil, []string{"unpause"}, up},
		{nil, []string{"kill", "signal", "15"}, "a="}, // it is still listed as running
		{nil, []string{"die"}, "a="},
		{state("exited"), []string{"stop"}, ""},
		{nil, []string{"start"}, up},
		{state("restarting"), []string{"die"}, "a="},
		{nil, []string{"start"}, up},
	} {
		e.put("a", nil, step.change)
		e.tell("a", step.event[0], step.event[1:]...)
		r.Until(step.want)
	}
	e.tell("a", "kill", "signal", "1") // a reload, told to be one
	e.put("b", nil, func(c map[string]any) { c["NetworkSettings"] = networks("bridge", "172.17.0.3") })
	e.tell("b", "start")
	r.Until(up + " b=172.17.0.3:80")
	e.remove("a")
	e.tell("a", "destroy")
	r.Until("b=172.17.0.3:80")
	e.Cut()
	if err := r.Wait(); err == nil {
		t.Error("the end of the events is no error")
	}
}

func TestAddresses(t *testing.T) {
	compose := map[string]string{
		"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "traefik.docker.network": "back",
	}
	ports := func(c map[string]any) {
		c["Ports"] = []any{
			map[string]any{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
			map[string]any{"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
			map[string]any{"IP": "192.0.2.1", "PrivatePort": 81, "PublicPort": 8081, "Type": "tcp"},
			map[string]any{"PrivatePort": 9, "Type": "sctp"},
		}
	}
	for name, test := range map[string]struct {
		config func(*docker.Config)
		labels map[string]string
		change func(map[string]any)
		want   string
	}{
		"several networks": {nil, nil, func(c map[string]any) {
			c["NetworkSettings"] = networks("z", "10.0.0.1", "b", "10.0.0.2", "a", "")
		}, "a=10.0.0.2:80"},
		"network of the options": {func(c *docker.Config) { c.Network = "z" }, nil, func(c map[string]any) {
			c["NetworkSettings"] = networks("z", "10.0.0.1", "b", "10.0.0.2")
		}, "a=10.0.0.1:80"},
		"network of the labels": {func(c *docker.Config) { c.Network = "a" }, compose, func(c map[string]any) {
			c["NetworkSettings"] = networks("a", "10.0.0.1", "shop_back", "10.0.0.2")
		}, "web-shop=10.0.0.2:80"},
		"not in that network": {nil, map[string]string{"traefik.docker.network": "x"}, nil, ""},
		"IPv6": {nil, nil, func(c map[string]any) {
			c["NetworkSettings"] = map[string]any{"Networks": map[string]any{
				"a": map[string]any{"IPAddress": "", "GlobalIPv6Address": "2001:db8::1"}}}
		}, "a=[2001:db8::1]:80"},
		"no network": {nil, map[string]string{"traefik.enable": "true"}, func(c map[string]any) {
			c["NetworkSettings"] = nil
		}, ""},
		"network of the host": {nil, map[string]string{"traefik.http.services.a.loadbalancer.server.port": "99"},
			func(c map[string]any) {
				c["HostConfig"], c["NetworkSettings"] = map[string]any{"NetworkMode": "host"}, networks("host", "")
			}, "a=127.0.0.1:99"},
		"network of another": {nil, nil, func(c map[string]any) {
			c["HostConfig"], c["NetworkSettings"] = map[string]any{"NetworkMode": "container:other"}, networks()
		}, "a=10.0.0.9:80"},
		"network of nobody": {nil, nil, func(c map[string]any) {
			c["HostConfig"], c["NetworkSettings"] = map[string]any{"NetworkMode": "container:none"}, nil
		}, ""},
		"published, not asked for": {nil, nil, ports, "a=172.17.0.2:80"},
		"published on all":         {func(c *docker.Config) { c.UseBindPortIP = true }, nil, ports, "a=127.0.0.1:8080"},
		"published on one": {func(c *docker.Config) { c.UseBindPortIP = true },
			map[string]string{"traefik.http.services.a.loadbalancer.server.port": "81"}, ports, "a=192.0.2.1:8081"},
		"published otherwise": {func(c *docker.Config) { c.UseBindPortIP = true },
			map[string]string{"traefik.http.services.a.loadbalancer.server.port": "82"}, ports, "a=172.17.0.2:82"},
		"not ready, dropped": {func(c *docker.Config) { c.DropEmpty = true }, nil, func(c map[string]any) {
			c["Status"] = "Up 1 second (unhealthy)"
		}, ""},
		"kept though it has ended": {nil, map[string]string{"traefik.docker.allownonrunning": "true"},
			func(c map[string]any) { c["State"] = "exited" }, "a="},
		"health as new engines list it": {nil, nil, func(c map[string]any) {
			c["Health"] = map[string]any{"Status": "unhealthy"}
		}, "a=172.17.0.2:80!"},
		"linked by others": {nil, nil, func(c map[string]any) { c["Names"] = []string{"/b/a", "/c"} }, "c=172.17.0.2:80"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newFake(t)
			e.put("a", test.labels, test.change)
			e.put("other", map[string]string{"traefik.enable": "false"}, func(c map[string]any) {
				c["NetworkSettings"] = networks("x", "10.0.0.9")
			})
			providertest.Start(t, newProvider(t, e, test.config), providertest.Services).Until(test.want)
		})
	}
}

// What an engine, or what stands before it, may answer in place of a list.
func TestGarbage(t *testing.T) {
	e := newFake(t)
	e.put("a", nil, nil)
	p := newProvider(t, e, nil)
	r := providertest.Start(t, p, providertest.Services)
	r.Until("a=172.17.0.2:80")
	e.put("a", nil, func(c map[string]any) { c["NetworkSettings"] = networks("a", "no address") })
	e.tell("a", "start")
	if err := r.Wait(); err == nil || !strings.Contains(err.Error(), "listing containers") {
		t.Errorf("ended with %v", err)
	}
	if len(r.Published) > 0 {
		t.Errorf("published %v", providertest.Services(<-r.Published))
	}
}

func TestPassword(t *testing.T) {
	e := newFake(t)
	p := newProvider(t, e, func(c *docker.Config) {
		c.Engine.Username, c.Engine.Password = "u", func() (string, error) { return "", errors.New("no such file") }
	})
	if err := p.Run(t.Context(), nil); err == nil || err.Error() != "reading the password: no such file" {
		t.Errorf("Run = %v", err)
	}
}
