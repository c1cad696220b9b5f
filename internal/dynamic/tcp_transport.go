package dynamic

import (
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// tcpTransport is one entry of tcp.serversTransports: how services are connected to.
type tcpTransport struct {
	DialTimeout      time.Duration     `doc:"dialTimeout"`
	DialKeepAlive    time.Duration     `doc:"dialKeepAlive"`
	TerminationDelay *time.Duration    `doc:"terminationDelay"`
	ProxyProtocol    *proxyProtocol    `doc:"proxyProtocol"`
	TLS              transportIdentity `doc:"tls"`
}

func (tcpTransport) gaps() []gap { return nil }

func (o *object) tcpTransport(spec *tcpTransport) *model.Transport {
	o.in("dialTimeout").notNegative(spec.DialTimeout)
	t := &model.Transport{
		Name: o.ref.Name, Source: o.ref.Source, Lane: model.LaneTCP,
		DialTimeout: spec.DialTimeout, KeepAlive: spec.DialKeepAlive,
	}
	t.Stream.ProxyProtocol = o.in("proxyProtocol").proxyProtocol(spec.ProxyProtocol)
	if d := spec.TerminationDelay; d != nil {
		t.Stream.Termination = termination(*d)
	}
	o.in("tls").identity(&spec.TLS, &t.TLS)
	return t
}
