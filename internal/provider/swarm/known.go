package swarm

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
)

// service is what is kept of a service that a manager lists.
type service struct {
	id, name string
	created  time.Time
	labels   map[string]string
	replicas int  // tasks that there should be; -1: as many as there are nodes for
	job      bool // its tasks end by themselves, and serve nobody
	updating bool
	vips     map[string]string // virtual addresses, by network ID
	ports    []listening
}

// listening is a port that a service says it listens on.
type listening struct {
	number uint16
	udp    bool
}

func newService(s *swarm.Service) *service {
	one := &service{
		id: s.ID, name: s.Spec.Name, created: s.CreatedAt, labels: s.Spec.Labels, replicas: -1,
		job: s.Spec.Mode.ReplicatedJob != nil || s.Spec.Mode.GlobalJob != nil,
	}
	if r := s.Spec.Mode.Replicated; r != nil && r.Replicas != nil {
		one.replicas = int(*r.Replicas)
	}
	if u := s.UpdateStatus; u != nil {
		one.updating = u.State == swarm.UpdateStateUpdating || u.State == swarm.UpdateStateRollbackStarted
	}
	for _, v := range s.Endpoint.VirtualIPs {
		if v.Addr.IsValid() {
			if one.vips == nil {
				one.vips = map[string]string{}
			}
			one.vips[v.NetworkID] = v.Addr.Addr().String()
		}
	}
	if e := s.Spec.EndpointSpec; e != nil {
		for _, p := range e.Ports {
			if p.Protocol == network.TCP || p.Protocol == network.UDP {
				one.ports = append(one.ports, listening{uint16(p.TargetPort), p.Protocol == network.UDP})
			}
		}
	}
	return one
}

// settled reports whether the tasks are what the service wants, so that nothing is under way.
func (s *service) settled(tasks map[string]*task) bool {
	if s.job {
		return true
	}
	running := 0
	for _, t := range tasks {
		if !t.running {
			return false
		}
		running++
	}
	return !s.updating && (s.replicas < 0 || s.replicas == running)
}

// task is what is kept of a task that is wanted.
type task struct {
	id, service, node string
	slot              int
	running           bool // and healthy, where it says how that is known
	host              bool // it has the network of its node
	networks          []attachment
	published         []published
}

// attachment is an address in a network.
type attachment struct {
	id, network, addr string
	subnets           []netip.Prefix
}

// published is a port of a task that its node has, too.
type published struct {
	listening
	on uint16
}

func newTask(t *swarm.Task) *task {
	one := &task{
		id: t.ID, service: t.ServiceID, node: t.NodeID, slot: t.Slot,
		running: t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning,
	}
	for i := range t.NetworksAttachments {
		one.attach(&t.NetworksAttachments[i])
	}
	slices.SortFunc(one.networks, func(a, b attachment) int { return cmp.Compare(a.network, b.network) })
	for _, p := range t.Status.PortStatus.Ports {
		if p.PublishMode != swarm.PortConfigPublishModeHost || p.PublishedPort == 0 {
			continue
		}
		port := published{listening{uint16(p.TargetPort), p.Protocol == network.UDP}, uint16(p.PublishedPort)}
		if !slices.Contains(one.published, port) { // it is told of each of the node's families
			one.published = append(one.published, port)
		}
	}
	return one
}

func (t *task) attach(a *swarm.NetworkAttachment) {
	n := &a.Network
	driver := n.DriverState.Name
	if d := n.Spec.DriverConfiguration; driver == "" && d != nil {
		driver = d.Name
	}
	t.host = t.host || driver == "host"
	if n.Spec.Ingress || len(a.Addresses) == 0 {
		return
	}
	one := attachment{id: n.ID, network: n.Spec.Name, addr: a.Addresses[0].Addr().String()}
	if n.IPAMOptions != nil {
		for _, c := range n.IPAMOptions.Configs {
			if c.Subnet.IsValid() {
				one.subnets = append(one.subnets, c.Subnet.Masked())
			}
		}
	}
	t.networks = append(t.networks, one)
}

// same reports whether a service and its tasks are as before.
func same(s, t *service, before, now map[string]*task) bool {
	return reflect.DeepEqual(s, t) && (len(before) == 0 && len(now) == 0 || reflect.DeepEqual(before, now))
}

// addressOf returns where a node is reached. A manager may know itself by an address that is everybody's.
func (w *watch) addressOf(ctx context.Context, n *swarm.Node) string {
	candidates := []string{n.Status.Addr}
	if n.ManagerStatus != nil {
		host, _, _ := net.SplitHostPort(n.ManagerStatus.Addr)
		candidates = append(candidates, host)
	}
	for _, c := range candidates {
		addr, err := netip.ParseAddr(c)
		if err == nil && !addr.IsUnspecified() && !(addr.IsLoopback() && n.ID == w.self) {
			return c
		}
	}
	if n.ID == w.self {
		return w.engine.Host(ctx)
	}
	return ""
}
