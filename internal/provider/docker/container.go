package docker

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"github.com/fairlead/fairlead/internal/dynamic"
)

const running = api.StateRunning

// container is what is kept of a container that the engine lists.
type container struct {
	id, name string
	created  time.Time
	labels   map[string]string
	state    api.ContainerState
	health   api.HealthStatus
	mode     string // of its network: "bridge", "host", "container:ID", or a network's name
	networks []attachment
	ports    []port
	said     *saying // nil: nothing yet
}

// saying is what a container is to those who read labels.
type saying struct {
	workload dynamic.Workload
	serves   bool // it is one of the workloads
	gone     bool // it was on its way out
}

// attachment is an address in a network.
type attachment struct{ network, addr string }

// port is a port that a container exposes, and one place where it is published.
type port struct {
	number uint16
	udp    bool
	host   netip.AddrPort // of the place; invalid: none
}

func newContainer(s *api.Summary) *container {
	c := &container{
		id: s.ID, name: nameOf(s), created: time.Unix(s.Created, 0), labels: s.Labels, state: s.State, health: healthOf(s),
		mode: s.HostConfig.NetworkMode,
	}
	if s.NetworkSettings != nil {
		for name, e := range s.NetworkSettings.Networks {
			if addr := addrOf(e); addr != "" {
				c.networks = append(c.networks, attachment{name, addr})
			}
		}
	}
	slices.SortFunc(c.networks, func(a, b attachment) int { return cmp.Compare(a.network, b.network) })
	for _, p := range s.Ports {
		if p.Type != string(network.TCP) && p.Type != string(network.UDP) {
			continue
		}
		one := port{number: p.PrivatePort, udp: p.Type == string(network.UDP)}
		if p.PublicPort != 0 {
			one.host = netip.AddrPortFrom(p.IP, p.PublicPort)
		}
		c.ports = append(c.ports, one)
	}
	slices.SortFunc(c.ports, func(a, b port) int {
		return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.host.String(), b.host.String()))
	})
	return c
}

func addrOf(e *network.EndpointSettings) string {
	switch {
	case e == nil:
	case e.IPAddress.IsValid():
		return e.IPAddress.String()
	case e.GlobalIPv6Address.IsValid():
		return e.GlobalIPv6Address.String()
	}
	return ""
}

// nameOf returns the container's own name; the others are those that containers linked to it have for it.
func nameOf(s *api.Summary) string {
	for _, name := range s.Names {
		if name = strings.TrimPrefix(name, "/"); name != "" && !strings.Contains(name, "/") {
			return name
		}
	}
	return s.ID[:min(len(s.ID), 12)]
}

// healthOf returns what the health check says. Engines before API 1.52 list it at the end of the status alone: "Up 5
// minutes (healthy)".
func healthOf(s *api.Summary) api.HealthStatus {
	if s.Health != nil {
		return s.Health.Status
	}
	switch {
	case strings.HasSuffix(s.Status, "(healthy)"):
		return api.Healthy
	case strings.HasSuffix(s.Status, "(unhealthy)"):
		return api.Unhealthy
	case strings.HasSuffix(s.Status, "(health: starting)"):
		return api.Starting
	}
	return api.NoHealthcheck
}

// published returns where a port is published, by the rules of useBindPortIP: on an address, or, where the engine is
// another machine, on all of them. "": nowhere.
func (c *container) published(number uint16, udp bool, remote string) string {
	for _, p := range c.ports {
		switch {
		case p.number != number || p.udp != udp || !p.host.Addr().IsValid():
		case !p.host.Addr().IsUnspecified():
			return p.host.String()
		case remote != "":
			return netJoin(remote, p.host.Port())
		}
	}
	return ""
}

func netJoin(host string, number uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(number))
}
