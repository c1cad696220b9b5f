package swarm

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// stack is the label by which a stack says what it has made.
const stack = "com.docker.stack.namespace"

// workloads adds what a service and its tasks are to those who read labels: the service, which defines the routes even
// while no task is ready, and each task that is.
func (w *watch) workloads(
	list []dynamic.Workload, s *service, tasks map[string]*task, ours []netip.Prefix,
) []dynamic.Workload {
	if s.job {
		return list
	}
	one := dynamic.Workload{
		Name: dynamic.PlainName(s.name), Instance: "service " + s.name, Created: s.created, Labels: s.labels,
		Namespace: s.labels[stack], State: model.NotReady,
	}
	if name, ok := strings.CutPrefix(s.name, one.Namespace+"_"); ok && one.Namespace != "" {
		one.Short = dynamic.PlainName(name)
	}
	for _, p := range s.ports {
		one.Ports = append(one.Ports, dynamic.WorkloadPort{Number: p.number, UDP: p.udp})
	}
	var ready []*task
	for id, t := range tasks {
		if _, gone := w.gone[id]; t.running && !gone {
			ready = append(ready, t)
		}
	}
	if len(ready) == 0 && w.config.DropEmpty {
		return list
	}
	if len(ready) > 0 && w.virtual(s) {
		one.State = model.Ready
		one.Host, one.Trouble = w.virtualAddress(s, tasks, ours)
		return append(list, one)
	}
	if w.labels.Speaks(s.labels) { // else nobody asked for it
		list = append(list, one)
	}
	for _, t := range ready {
		which := strconv.Itoa(t.slot)
		if t.slot == 0 { // of a service with one on each node
			which = t.node
		}
		at := one
		at.State, at.Instance = model.Ready, fmt.Sprintf("task %s.%s.%s", s.name, which, t.id)
		w.reach(s, t, ours, &at)
		list = append(list, at)
	}
	return list
}

// setting returns what labels say for the provider itself.
func (w *watch) setting(s *service, name string) string {
	if found := w.labels.Setting(s.labels, "swarm."+name); found != "" {
		return found
	}
	return w.labels.Setting(s.labels, "docker."+name)
}

// virtual reports whether a service wants to be reached at its virtual address, where the swarm spreads the requests.
func (w *watch) virtual(s *service) bool {
	yes, _ := strconv.ParseBool(w.setting(s, "lbswarm"))
	return yes
}

// virtualAddress returns that of a service, in the network that its tasks would be reached in.
func (w *watch) virtualAddress(s *service, tasks map[string]*task, ours []netip.Prefix) (host, trouble string) {
	var in []attachment
	for _, t := range tasks {
		for _, a := range t.networks {
			if a.addr = s.vips[a.id]; a.addr != "" {
				in = append(in, a)
			}
		}
	}
	if len(in) == 0 {
		return "", "it has no virtual address in a network of its own; remove lbswarm, or the endpoint mode dnsrr"
	}
	return w.choose(s, in, ours)
}

// reach says where a task is reached: in a network, or where its ports are published on its node. That is so where it
// is asked for, and where this instance is in none of the task's networks and was told of none.
func (w *watch) reach(s *service, t *task, ours []netip.Prefix, one *dynamic.Workload) {
	node := w.nodes[t.node]
	if t.host {
		if one.Host = node; node == "" {
			one.Trouble = "the address of its node is not known"
		}
		return
	}
	one.Host, one.Trouble = w.choose(s, t.networks, ours)
	named := w.setting(s, "network") != "" || w.config.Network != ""
	shared := slices.ContainsFunc(t.networks, func(a attachment) bool { return a.in(ours) })
	if node == "" || len(t.published) == 0 || !w.config.UseBindPortIP && (named || shared) {
		return
	}
	one.Ports, one.Trouble = slices.Clone(one.Ports), ""
	for _, p := range t.published {
		addr := net.JoinHostPort(node, strconv.Itoa(int(p.on)))
		one.Ports = slices.DeleteFunc(one.Ports, func(o dynamic.WorkloadPort) bool {
			return o.Number == p.number && o.UDP == p.udp
		})
		one.Ports = append(one.Ports, dynamic.WorkloadPort{Number: p.number, UDP: p.udp, Addr: addr})
	}
}

// choose returns the address in the network that the labels name, else in that of the options, else in one that this
// instance is in, else in the first by name.
func (w *watch) choose(s *service, in []attachment, ours []netip.Prefix) (host, trouble string) {
	if wanted := w.setting(s, "network"); wanted != "" {
		for _, name := range []string{wanted, s.labels[stack] + "_" + wanted} {
			if i := slices.IndexFunc(in, func(a attachment) bool { return a.network == name }); i >= 0 {
				return in[i].addr, ""
			}
		}
		return "", "its labels want it to be reached in the network " + wanted + ", in which it has no address"
	}
	if len(in) == 0 {
		return "", "it is in no network but the ingress; put it into one, or publish its port in host mode"
	}
	for _, fits := range []func(attachment) bool{
		func(a attachment) bool { return a.network == w.config.Network },
		func(a attachment) bool { return a.in(ours) },
	} {
		if i := slices.IndexFunc(in, fits); i >= 0 {
			return in[i].addr, ""
		}
	}
	return in[0].addr, ""
}

// in reports whether one of the networks is the attachment's.
func (a attachment) in(ours []netip.Prefix) bool {
	return slices.ContainsFunc(a.subnets, func(s netip.Prefix) bool { return slices.Contains(ours, s) })
}
