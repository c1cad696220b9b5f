package dynamic

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type tcpService struct {
	LoadBalancer *tcpLoadBalancer `doc:"loadBalancer"`
	Weighted     *tcpWeighted     `doc:"weighted"`
}

type tcpWeighted struct {
	Services    []weightedService `doc:"services"`
	HealthCheck *propagation      `doc:"healthCheck"`
}

type tcpLoadBalancer struct {
	Servers          []streamServer  `doc:"servers"`
	ServersTransport string          `doc:"serversTransport"`
	ProxyProtocol    *proxyProtocol  `doc:"proxyProtocol"`
	TerminationDelay *int            `doc:"terminationDelay"` // milliseconds
	HealthCheck      *tcpHealthCheck `doc:"healthCheck"`
	Balance          balance         `doc:"balance"`
}

// streamServer is a server of TCP or UDP.
type streamServer struct {
	Address string `doc:"address"`
	TLS     bool   `doc:"tls"`
	Weight  *int   `doc:"weight"`
	Fenced  bool   `doc:"fenced"` // gets no new connections
}

type proxyProtocol struct {
	Version *int `doc:"version"`
}

type tcpHealthCheck struct {
	Port      int           `doc:"port"`
	Send      string        `doc:"send"`
	Expect    string        `doc:"expect"`
	Interval  time.Duration `doc:"interval"`
	Unhealthy time.Duration `doc:"unhealthyInterval"`
	Timeout   time.Duration `doc:"timeout"`
}

func (tcpService) gaps() []gap { return nil }

func (o *object) tcpService(spec *tcpService) *model.Service {
	s := &model.Service{Name: o.ref.Name, Source: o.ref.Source, Lane: model.LaneTCP}
	switch {
	case spec.LoadBalancer != nil && spec.Weighted != nil:
		o.in("weighted").invalid("a service is either a loadBalancer or weighted; make them two services")
	case spec.LoadBalancer != nil:
		o.tcpLoadBalancer(spec.LoadBalancer, s)
	case spec.Weighted != nil:
		s.Backends = o.weighted("weighted", spec.Weighted.Services)
		s.Aware = spec.Weighted.HealthCheck != nil
	default:
		o.in().invalid("say what the service is: loadBalancer or weighted")
	}
	return s
}

func (o *object) tcpLoadBalancer(spec *tcpLoadBalancer, s *model.Service) {
	s.Protocol, s.Endpoints = o.streamEndpoints(spec.Servers, model.TCP)
	s.Balance = o.balance(&loadBalancer{Balance: spec.Balance})
	s.Transport = o.in("loadBalancer", "serversTransport").transport(spec.ServersTransport)
	s.Stream.ProxyProtocol = o.in("loadBalancer", "proxyProtocol").proxyProtocol(spec.ProxyProtocol)
	if ms := spec.TerminationDelay; ms != nil {
		s.Stream.Termination = termination(time.Duration(*ms) * time.Millisecond)
	}
	if c := spec.HealthCheck; c != nil {
		s.Check = o.in("loadBalancer", "healthCheck").tcpHealthCheck(c)
	}
}

// termination turns Traefik's terminationDelay into the model's: there nothing is at once.
func termination(d time.Duration) time.Duration {
	if d == 0 {
		return time.Nanosecond
	}
	return d
}

// proxyProtocol reads which version of the header servers are sent; 0: none is asked for.
func (p place) proxyProtocol(spec *proxyProtocol) int {
	switch {
	case spec == nil:
		return 0
	case spec.Version == nil:
		return 2
	case *spec.Version != 1 && *spec.Version != 2:
		p.in("version").invalid("%d is no version of the PROXY protocol; it is 1 or 2", *spec.Version)
	}
	return *spec.Version
}

func (p place) tcpHealthCheck(spec *tcpHealthCheck) *model.HealthCheck {
	const longest = 1024
	p.in("interval").notNegative(spec.Interval)
	p.in("unhealthyInterval").notNegative(spec.Unhealthy)
	p.in("timeout").notNegative(spec.Timeout)
	if spec.Port < 0 || spec.Port > 65535 {
		p.in("port").invalid("%d is no port", spec.Port)
	}
	if len(spec.Expect) > longest {
		p.in("expect").invalid("%d bytes are more than a check reads; at most %d", len(spec.Expect), longest)
	}
	return &model.HealthCheck{
		Port: spec.Port, Send: spec.Send, Expect: spec.Expect,
		Interval: spec.Interval, Unhealthy: spec.Unhealthy, Timeout: spec.Timeout,
	}
}

// streamEndpoints returns the servers sorted by address. An address that is given twice gets the sum of the weights,
// and is fenced if it is once.
func (o *object) streamEndpoints(servers []streamServer, plain model.Protocol) (model.Protocol, []model.Endpoint) {
	protocol := plain
	var list []model.Endpoint
	for i, s := range servers {
		at := o.in("loadBalancer", "servers", i)
		addr, weight := at.in("address").dial(s.Address), at.in("weight").weight(s.Weight)
		if s.TLS {
			protocol = model.TLS
		}
		if s.TLS != servers[0].TLS {
			at.in("tls").invalid("all servers of a service are spoken to in the same way: with TLS, or all without")
		}
		e := model.Endpoint{Addr: addr, Weight: weight}
		if s.Fenced {
			e.State = model.Draining
		}
		if j := slices.IndexFunc(list, func(known model.Endpoint) bool { return known.Addr == addr }); j >= 0 {
			list[j].Weight += weight
			list[j].State = cmp.Or(list[j].State, e.State)
			continue
		}
		if addr != "" {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b model.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
	return protocol, list
}

// dial reads an address to connect to, host:port.
func (p place) dial(text string) string {
	host, port, err := net.SplitHostPort(strings.TrimSpace(text))
	n, bad := strconv.ParseUint(port, 10, 16)
	name, ok := hostname(host)
	if err != nil || bad != nil || n == 0 || !ok || strings.Contains(text, "/") {
		p.invalid(`this is no address of a server; write one such as "10.0.0.7:5432"`)
		return ""
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return netip.AddrPortFrom(addr, uint16(n)).String()
	}
	return net.JoinHostPort(name, port)
}
