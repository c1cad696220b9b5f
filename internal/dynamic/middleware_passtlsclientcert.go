package dynamic

import "github.com/fairlead/fairlead/internal/model"

type passTLSClientCert struct {
	PEM  bool      `doc:"pem"`
	Info *certInfo `doc:"info"`
}

// certInfo says what is told of a certificate.
type certInfo struct {
	NotAfter     bool      `doc:"notAfter"`
	NotBefore    bool      `doc:"notBefore"`
	SANs         bool      `doc:"sans"`
	SerialNumber bool      `doc:"serialNumber"`
	Subject      nameParts `doc:"subject"`
	Issuer       nameParts `doc:"issuer"`
}

// nameParts are parts of a distinguished name.
type nameParts struct {
	Country            bool `doc:"country"`
	Province           bool `doc:"province"`
	Locality           bool `doc:"locality"`
	Organization       bool `doc:"organization"`
	OrganizationalUnit bool `doc:"organizationalUnit"`
	CommonName         bool `doc:"commonName"`
	SerialNumber       bool `doc:"serialNumber"`
	DomainComponent    bool `doc:"domainComponent"`
}

func (*passTLSClientCert) gaps() []gap { return nil }

func (p *passTLSClientCert) build(at place, m *model.Middleware) {
	m.PassTLSClientCert = &model.PassTLSClientCert{PEM: p.PEM}
	if i := p.Info; i != nil {
		m.PassTLSClientCert.Info = &model.CertInfo{
			NotAfter: i.NotAfter, NotBefore: i.NotBefore, SANs: i.SANs, SerialNumber: i.SerialNumber,
			Subject: model.NameParts(i.Subject), Issuer: model.NameParts(i.Issuer),
		}
	}
	if !p.PEM && p.Info == nil {
		at.in().invalid("say what the service is told: pem or info")
	}
}
