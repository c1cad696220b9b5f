package dynamic

import (
	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

type udpSpec struct {
	Routers  *document.Node `doc:"routers"`
	Services *document.Node `doc:"services"`
}

// udpDocument is what a file says of datagrams.
type udpDocument struct {
	routers  []entry[udpRouter]
	services []entry[udpService]
}

func decodeUDP(d *Document, spec *udpSpec) udpDocument {
	return udpDocument{
		routers:  section(d, "udp.routers", spec.Routers, decodeSpec[udpRouter]),
		services: section(d, "udp.services", spec.Services, decodeSpec[udpService]),
	}
}

type udpRouter struct {
	EntryPoints []string       `doc:"entryPoints"`
	Service     string         `doc:"service"`
	Export      *document.Node `doc:"export"`
}

func (udpRouter) gaps() []gap { return nil }

// udpRoute makes a route of a router for datagrams, which tell nothing that a rule could ask for.
func (o *object) udpRoute(spec *udpRouter) (*model.Route, bool) {
	r := &model.Route{
		Name: o.ref.Name, Source: o.ref.Source, Lane: model.LaneUDP, EntryPoints: o.entryPoints(spec.EntryPoints),
		Export: o.export(spec.Export),
	}
	o.lead(r, spec.Service)
	return r, true
}

type udpService struct {
	LoadBalancer *udpLoadBalancer `doc:"loadBalancer"`
	Weighted     *weighted        `doc:"weighted"`
}

type udpLoadBalancer struct {
	Servers []udpServer `doc:"servers"`
	Balance balance     `doc:"balance"`
}

type udpServer struct {
	Address string `doc:"address"`
	Weight  *int   `doc:"weight"`
	Fenced  bool   `doc:"fenced"` // gets no new sessions
}

func (udpService) gaps() []gap { return nil }

func (o *object) udpService(spec *udpService) *model.Service {
	s := &model.Service{Name: o.ref.Name, Source: o.ref.Source, Lane: model.LaneUDP}
	switch {
	case spec.LoadBalancer != nil && spec.Weighted != nil:
		o.in("weighted").invalid("a service is either a loadBalancer or weighted; make them two services")
	case spec.LoadBalancer != nil:
		var servers []streamServer
		for _, u := range spec.LoadBalancer.Servers {
			servers = append(servers, streamServer{Address: u.Address, Weight: u.Weight, Fenced: u.Fenced})
		}
		s.Protocol, s.Endpoints = o.streamEndpoints(servers, model.UDP)
		s.Balance = o.balance(&loadBalancer{Balance: spec.LoadBalancer.Balance})
	case spec.Weighted != nil:
		s.Backends = o.weighted("weighted", spec.Weighted.Services)
	default:
		o.in().invalid("say what the service is: loadBalancer or weighted")
	}
	return s
}
