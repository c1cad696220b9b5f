package dynamic

import (
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// tcpTransport is one entry of tcp.serversTransports: how services are connected to.
type tcpTransport struct {
	DialTimeout      time.Duration    `doc:"dialTimeout"`
	DialKeepAlive    time.Duration    `doc:"dialKeepAlive"`
	TerminationDelay *time.Duration   `doc:"terminationDelay"`
	ProxyProtocol    *proxyProtocol   `doc:"proxyProtocol"`
	TLS              *tcpTransportTLS `doc:"tls"`
}

type tcpTransportTLS struct {
	ServerName         string          `doc:"serverName"`
	InsecureSkipVerify bool            `doc:"insecureSkipVerify"`
	RootCAs            []string        `doc:"rootCAs"`
	Certificates       []tcpClientPair `doc:"certificates"`
	PeerCertURI        string          `doc:"peerCertURI"`
	SPIFFE             *spiffe         `doc:"spiffe"`
}

type tcpClientPair struct {
	CertFile string `doc:"certFile"`
	KeyFile  string `doc:"keyFile"`
}

func (tcpTransport) gaps() []gap { return nil }

// addStreams reads tcp.serversTransports. They are no objects of the model: each service takes in what it needs of one.
func (b *builder) addStreams(entries []entry[tcpTransport]) {
	const section = "tcp.serversTransports"
	for i := range entries {
		e := &entries[i]
		if !b.first(claim{section, e.name}, e.at, e.spec) {
			continue
		}
		o := begin(b.source, &b.around, model.KindTransport, section, e)
		if s := o.stream(&e.spec); !o.faulty() {
			b.around.streams[e.name] = s
		}
		b.conclude(o)
	}
}

func (o *object) stream(spec *tcpTransport) model.Stream {
	o.in("dialTimeout").notNegative(spec.DialTimeout)
	s := model.Stream{DialTimeout: spec.DialTimeout, KeepAlive: spec.DialKeepAlive}
	if d := spec.TerminationDelay; d != nil {
		s.Termination = termination(*d)
	}
	if p := spec.ProxyProtocol; p != nil {
		s.ProxyProtocol = o.in("proxyProtocol").proxyProtocol(p)
	}
	t := spec.TLS
	if t == nil {
		return s
	}
	s.ServerName, s.Insecure, s.PeerURI = t.ServerName, t.InsecureSkipVerify, t.PeerCertURI
	s.SPIFFE = o.in("tls", "spiffe").spiffe(t.SPIFFE, t.ServerName+t.PeerCertURI == "" && !t.InsecureSkipVerify &&
		len(t.RootCAs)+len(t.Certificates) == 0)
	for i, ca := range t.RootCAs {
		s.Roots = append(s.Roots, o.in("tls", "rootCAs", i).fileName(ca))
	}
	for i, c := range t.Certificates {
		at := o.in("tls", "certificates", i)
		s.Certificates = append(s.Certificates, model.KeyFiles{
			Certificate: at.in("certFile").fileName(c.CertFile), Key: at.in("keyFile").fileName(c.KeyFile),
		})
	}
	return s
}

// fileName admits the name of a file, not its content: that may be a secret.
func (p place) fileName(text string) string {
	if text == "" || strings.Contains(text, "-----BEGIN") {
		p.invalid("give the path of a PEM file")
		return ""
	}
	if p.object.look().read == nil {
		p.invalid(noFiles)
		return ""
	}
	return text
}

// streamOf finds what a service refers to.
func (p place) streamOf(name string) model.Stream {
	ref := p.ref(name)
	source := p.object.ref.Source
	if ref.Source != source && string(ref.Source) != source.Kind() {
		p.invalid("%s is of another source; define it in this one", name)
		return model.Stream{}
	}
	s, ok := p.object.look().streams[ref.Name.Name]
	if !ok {
		p.invalid("there is no tcp.serversTransports.%s that can be used", ref.Name.Name)
	}
	return s
}
