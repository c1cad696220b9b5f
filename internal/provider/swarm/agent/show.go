package agent

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

// info shows which node this is, and whether it manages.
func (a *Agent) info(ctx context.Context, _ client.Filters) (any, error) {
	result, err := a.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, err
	}
	s := result.Info.Swarm
	return struct{ Swarm swarm.Info }{swarm.Info{
		NodeID: s.NodeID, NodeAddr: s.NodeAddr, LocalNodeState: s.LocalNodeState, ControlAvailable: s.ControlAvailable,
	}}, nil
}

// nodes shows where nodes are.
func (a *Agent) nodes(ctx context.Context, wanted client.Filters) (any, error) {
	result, err := a.api.NodeList(ctx, client.NodeListOptions{Filters: wanted})
	if err != nil {
		return nil, err
	}
	shown := make([]swarm.Node, len(result.Items))
	for i := range result.Items {
		n := &result.Items[i]
		shown[i] = swarm.Node{
			ID: n.ID, Status: swarm.NodeStatus{State: n.Status.State, Addr: n.Status.Addr},
			Spec: swarm.NodeSpec{Role: n.Spec.Role, Availability: n.Spec.Availability},
		}
		if m := n.ManagerStatus; m != nil {
			shown[i].ManagerStatus = &swarm.ManagerStatus{Leader: m.Leader, Reachability: m.Reachability, Addr: m.Addr}
		}
	}
	return shown, nil
}

// services shows what services are called, what their labels say, how many tasks they want, and where they are.
func (a *Agent) services(ctx context.Context, wanted client.Filters) (any, error) {
	result, err := a.api.ServiceList(ctx, client.ServiceListOptions{Filters: wanted})
	if err != nil {
		return nil, err
	}
	shown := make([]swarm.Service, len(result.Items))
	for i := range result.Items {
		s := &result.Items[i]
		shown[i] = swarm.Service{
			ID: s.ID, Meta: s.Meta, Endpoint: swarm.Endpoint{VirtualIPs: s.Endpoint.VirtualIPs},
			Spec: swarm.ServiceSpec{
				Annotations: swarm.Annotations{Name: s.Spec.Name, Labels: a.labels(s.Spec.Labels)},
				Mode:        s.Spec.Mode, EndpointSpec: s.Spec.EndpointSpec,
			},
		}
		if u := s.UpdateStatus; u != nil {
			shown[i].UpdateStatus = &swarm.UpdateStatus{State: u.State}
		}
	}
	return shown, nil
}

func (a *Agent) labels(all map[string]string) map[string]string {
	shown := maps.Clone(all)
	maps.DeleteFunc(shown, func(name, _ string) bool {
		name = strings.ToLower(name)
		return !slices.ContainsFunc(a.config.Labels, func(p string) bool {
			return strings.HasPrefix(name, strings.ToLower(p))
		})
	})
	return shown
}

// tasks shows on which nodes tasks are, how they do, and their addresses.
func (a *Agent) tasks(ctx context.Context, wanted client.Filters) (any, error) {
	result, err := a.api.TaskList(ctx, client.TaskListOptions{Filters: wanted})
	if err != nil {
		return nil, err
	}
	shown := make([]swarm.Task, len(result.Items))
	for i := range result.Items {
		t := &result.Items[i]
		shown[i] = swarm.Task{
			ID: t.ID, Meta: t.Meta, ServiceID: t.ServiceID, Slot: t.Slot, NodeID: t.NodeID, DesiredState: t.DesiredState,
			Status: swarm.TaskStatus{Timestamp: t.Status.Timestamp, State: t.Status.State, PortStatus: t.Status.PortStatus},
		}
		for j := range t.NetworksAttachments {
			shown[i].NetworksAttachments = append(shown[i].NetworksAttachments, attachment(&t.NetworksAttachments[j]))
		}
	}
	return shown, nil
}

func attachment(a *swarm.NetworkAttachment) swarm.NetworkAttachment {
	n := &a.Network
	one := swarm.NetworkAttachment{Addresses: a.Addresses, Network: swarm.Network{
		ID: n.ID, DriverState: swarm.Driver{Name: n.DriverState.Name},
		Spec: swarm.NetworkSpec{Annotations: swarm.Annotations{Name: n.Spec.Name}, Ingress: n.Spec.Ingress},
	}}
	if d := n.Spec.DriverConfiguration; d != nil {
		one.Network.Spec.DriverConfiguration = &swarm.Driver{Name: d.Name}
	}
	if n.IPAMOptions != nil {
		one.Network.IPAMOptions = &swarm.IPAMOptions{Configs: n.IPAMOptions.Configs}
	}
	return one
}
