package dynamic

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type loadBalancer struct {
	Servers            []server           `doc:"servers"`
	Strategy           string             `doc:"strategy"`
	Balance            balance            `doc:"balance"`
	HealthCheck        *healthCheck       `doc:"healthCheck"`
	PassHostHeader     *bool              `doc:"passHostHeader"`
	ResponseForwarding responseForwarding `doc:"responseForwarding"`
	ServersTransport   string             `doc:"serversTransport"`
	Sticky             *sticky            `doc:"sticky"`
	PassiveHealthCheck *passiveCheck      `doc:"passiveHealthCheck"`
}

type server struct {
	URL          string `doc:"url"`
	Weight       *int   `doc:"weight"`
	PreservePath bool   `doc:"preservePath"`
	Fenced       bool   `doc:"fenced"` // gets no new sessions
}

type balance struct {
	Picker     string `doc:"picker"`
	Spill      int    `doc:"spill"`
	FailClosed bool   `doc:"failClosed"`
}

// responseForwarding is accepted. There is nothing to set: the proxy sends on what it has whenever a service pauses.
type responseForwarding struct {
	FlushInterval time.Duration `doc:"flushInterval"`
}

func (o *object) loadBalancer(spec *loadBalancer, s *model.Service) {
	s.Protocol, s.Endpoints = o.endpoints(spec.Servers)
	s.Balance = o.balance(spec)
	s.RewriteHost = spec.PassHostHeader != nil && !*spec.PassHostHeader
	s.Transport = o.in("loadBalancer", "serversTransport").transport(spec.ServersTransport)
	s.Sticky = o.in("loadBalancer", "sticky").sticky(spec.Sticky)
	s.Passive = o.in("loadBalancer", "passiveHealthCheck").passiveCheck(spec.PassiveHealthCheck)
	if spec.HealthCheck != nil {
		s.Check = o.healthCheck(spec.HealthCheck)
	}
}

// strategies are those of Traefik.
var strategies = map[string]model.Picker{
	"": model.None, "wrr": model.WRR, "p2c": model.P2C, "hrw": model.HRW, "leasttime": model.LRT,
}

var pickers = map[string]model.Picker{
	"": model.None, "wrr": model.WRR, "p2c": model.P2C, "hrw": model.HRW, "leastconn": model.LRQ,
	"leasttime": model.LRT,
}

func (o *object) balance(spec *loadBalancer) model.Balance {
	strategy, ok := strategies[spec.Strategy]
	if !ok {
		o.in("loadBalancer", "strategy").invalid("%q is no strategy; it is one of wrr, p2c, hrw and leasttime",
			spec.Strategy)
	}
	at := o.in("loadBalancer", "balance")
	picker, ok := pickers[spec.Balance.Picker]
	switch {
	case !ok:
		at.in("picker").invalid("%q is no picker; it is one of p2c, wrr, leastconn, leasttime and hrw", spec.Balance.Picker)
	case strategy != model.None && picker != model.None && strategy != picker:
		at.in("picker").invalid("%q contradicts strategy %q; remove one of them", spec.Balance.Picker, spec.Strategy)
	}
	if spec.Balance.Spill < 0 || spec.Balance.Spill > 100 {
		at.in("spill").invalid("%d is no part in percent; it is from 0 to 100", spec.Balance.Spill)
	}
	return model.Balance{
		Picker: cmp.Or(picker, strategy), Spill: spec.Balance.Spill, FailClosed: spec.Balance.FailClosed,
	}
}

// endpoints returns the servers sorted by address. An address that is given twice gets the sum of the weights, and is
// fenced if it is once.
func (o *object) endpoints(servers []server) (model.Protocol, []model.Endpoint) {
	var (
		protocol model.Protocol
		list     []model.Endpoint
		known    = map[string]int{}
	)
	for i, s := range servers {
		at := o.in("loadBalancer", "servers", i)
		p, addr, path := at.in("url").server(s.URL)
		if !s.PreservePath {
			path = ""
		}
		weight := at.in("weight").weight(s.Weight)
		if addr == "" {
			continue
		}
		if protocol != "" && p != protocol {
			at.in("url").invalid("%s is not what the servers before speak (%s); all must speak the same", p, protocol)
			continue
		}
		protocol = p
		if j, ok := known[addr]; ok {
			if list[j].Path != path {
				at.in("url").invalid("%s was given before, with another path; make them two services", addr)
			}
			list[j].Weight += weight
			list[j].State = cmp.Or(list[j].State, state(s))
			continue
		}
		known[addr] = len(list)
		list = append(list, model.Endpoint{Addr: addr, Weight: weight, State: state(s), Path: path})
	}
	slices.SortFunc(list, func(a, b model.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
	return protocol, list
}

func state(s server) model.EndpointState {
	if s.Fenced {
		return model.Draining
	}
	return model.Ready
}

// server reads the URL of a server. Messages do not repeat it: it may hold a password.
func (p place) server(text string) (protocol model.Protocol, addr, path string) {
	if text == "" {
		p.invalid(`say where the server is, such as "http://10.0.0.7:8080"`)
		return "", "", ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		p.invalid(`this is no URL of a server; write one such as "http://10.0.0.7:8080"`)
		return "", "", ""
	}
	port := "80"
	switch model.Protocol(u.Scheme) {
	case model.HTTP, model.H2C:
	case model.HTTPS:
		port = "443"
	default:
		p.invalid(`the scheme %q is not supported; it is one of http, https and h2c`, u.Scheme)
		return "", "", ""
	}
	if u.User != nil {
		p.invalid("a server's URL cannot hold a user; use a middleware to send credentials")
		return "", "", ""
	}
	port = cmp.Or(u.Port(), port)
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		p.invalid("the port %s is out of range", port)
		return "", "", ""
	}
	name, ok := hostname(u.Hostname())
	if !ok {
		p.invalid("the URL holds no name or address of a server")
		return "", "", ""
	}
	return model.Protocol(u.Scheme), net.JoinHostPort(name, port), strings.TrimRight(u.Path, "/")
}

// hostname brings a name or an address into its one form.
func hostname(s string) (string, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.String(), true
	}
	name, err := host(s)
	return name, err == nil && name[0] != '*'
}
