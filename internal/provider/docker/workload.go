package docker

import (
	"cmp"
	"slices"
	"strings"

	api "github.com/moby/moby/api/types/container"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// The labels by which Compose and its kin say what a container belongs to.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
)

// networkOf is what the mode of a container begins with that has the network of another.
const networkOf = "container:"

// say returns what a container is to those who read labels. What it is depends on how the engine lists it, on whether
// it is on its way out, and on another container, if it has the network of that one.
func (w *watch) say(c *container) *saying {
	_, gone := w.gone[c.id]
	if c.said == nil || c.said.gone != gone || strings.HasPrefix(c.mode, networkOf) {
		one, serves := w.workload(c, gone)
		c.said = &saying{one, serves, gone}
	}
	return c.said
}

// workload says what a container is to those who read labels; false: nothing.
func (w *watch) workload(c *container, gone bool) (dynamic.Workload, bool) {
	one := dynamic.Workload{
		Name: dynamic.PlainName(c.name), Instance: "container " + c.name, Created: c.created, Labels: c.labels,
		Namespace: c.labels[composeProject],
	}
	if service := c.labels[composeService]; service != "" && one.Namespace != "" {
		one.Name, one.Short = dynamic.PlainName(service+"_"+one.Namespace), service
	}
	up := c.state == running || c.state == api.StatePaused
	switch {
	case !up && c.state != api.StateRestarting && !w.labels.Switch(c.labels, "docker.allownonrunning"):
		return one, false
	case !up || gone || c.health == api.Starting:
		one.State = model.NotReady // and not there: it is no loss of what serves
	default:
		if c.state == api.StatePaused || c.health == api.Unhealthy {
			one.State = model.NotReady
		}
		w.reach(c, &one)
	}
	return one, one.State == model.Ready || !w.config.DropEmpty
}

// reach says where a container is reached.
func (w *watch) reach(c *container, one *dynamic.Workload) {
	one.Host, one.Trouble = w.address(c)
	for _, p := range c.ports {
		found := dynamic.WorkloadPort{Number: p.number, UDP: p.udp}
		if w.config.UseBindPortIP {
			found.Addr = c.published(p.number, p.udp, w.config.Engine.Remote())
		}
		if !slices.Contains(one.Ports, found) {
			one.Ports = append(one.Ports, found)
		}
	}
	if one.Host == "" && slices.ContainsFunc(one.Ports, func(p dynamic.WorkloadPort) bool { return p.Addr != "" }) {
		one.Trouble = ""
	}
}

// address returns the host that a container is reached at, or why there is none. Of several networks it is the one that
// the labels name, then that of the options, then the first by name.
func (w *watch) address(c *container) (host, trouble string) {
	wanted := w.labels.Setting(c.labels, "docker.network")
	for range 10 { // as many networks may be borrowed, one from the other
		id, borrowed := strings.CutPrefix(c.mode, networkOf)
		if !borrowed {
			break
		}
		owner := w.known[id]
		if owner == nil {
			return "", "it has the network of a container that is not there"
		}
		c = owner
	}
	if c.mode == "host" {
		return w.host, ""
	}
	if len(c.networks) == 0 {
		return "", "it has no address in any network"
	}
	if wanted != "" {
		if host = c.in(wanted); host == "" {
			return "", "its labels want it to be reached in the network " + wanted + ", in which it has no address"
		}
		return host, ""
	}
	return cmp.Or(c.in(w.config.Network), c.networks[0].addr), ""
}

// in returns the address of a container in a network. As Compose has it, the name of the project may be left out.
func (c *container) in(name string) string {
	for _, wanted := range []string{name, c.labels[composeProject] + "_" + name} {
		for _, a := range c.networks {
			if a.network == wanted {
				return a.addr
			}
		}
	}
	return ""
}
