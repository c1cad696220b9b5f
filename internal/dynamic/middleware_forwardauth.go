package dynamic

import (
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

type forwardAuth struct {
	Address                       string     `doc:"address"`
	TLS                           *clientTLS `doc:"tls"`
	TrustForwardHeader            bool       `doc:"trustForwardHeader"`
	AuthResponseHeaders           []string   `doc:"authResponseHeaders"`
	AuthResponseHeadersRegex      string     `doc:"authResponseHeadersRegex"`
	AuthRequestHeaders            []string   `doc:"authRequestHeaders"`
	AddAuthCookiesToResponse      []string   `doc:"addAuthCookiesToResponse"`
	AddAuthCookiesToResponseRegex string     `doc:"addAuthCookiesToResponseRegex"`
	HeaderField                   string     `doc:"headerField"`
	ForwardBody                   bool       `doc:"forwardBody"`
	MaxBodySize                   *int64     `doc:"maxBodySize"`
	PreserveLocationHeader        bool       `doc:"preserveLocationHeader"`
	PreserveRequestMethod         bool       `doc:"preserveRequestMethod"`
}

func (*forwardAuth) gaps() []gap       { return nil }
func (f *forwardAuth) files() []string { return f.TLS.files() }

func (f *forwardAuth) build(at place, m *model.Middleware) {
	const most = 64 << 20
	if u, err := url.Parse(f.Address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		at.in("address").invalid("say which server is asked, such as https://auth.example/check")
	}
	a := &model.ForwardAuth{
		Address: f.Address, TLS: at.in("tls").clientTLS(f.TLS), TrustForwarded: f.TrustForwardHeader,
		Request:       at.in("authRequestHeaders").headerNames(f.AuthRequestHeaders),
		Response:      at.in("authResponseHeaders").headerNames(f.AuthResponseHeaders),
		ResponseRegex: at.in("authResponseHeadersRegex").optionalRegex(f.AuthResponseHeadersRegex),
		Cookies:       f.AddAuthCookiesToResponse,
		CookiesRegex:  at.in("addAuthCookiesToResponseRegex").optionalRegex(f.AddAuthCookiesToResponseRegex),
		ForwardBody:   f.ForwardBody, PreserveLocation: f.PreserveLocationHeader, PreserveMethod: f.PreserveRequestMethod,
	}
	if f.HeaderField != "" { // who the client is, as the server says: a field like the others
		a.Response = append(a.Response, at.in("headerField").headerName(f.HeaderField))
	}
	if b := f.MaxBodySize; b != nil {
		switch a.MaxBody = *b; {
		case *b == -1:
			a.MaxBody = most
		case *b < 1 || *b > most:
			at.in("maxBodySize").invalid("%d is out of range; it is from 1 to %d, or -1, which is the latter", *b, most)
		}
	}
	m.ForwardAuth = a
}

// clientTLS is how a server is connected to that others run. Each may be a file, or PEM itself.
type clientTLS struct {
	CA                 string `doc:"ca"`
	Cert               string `doc:"cert"`
	Key                string `doc:"key"`
	InsecureSkipVerify bool   `doc:"insecureSkipVerify"`
	CAOptional         bool   `doc:"caOptional"` // of Traefik v2; has no meaning for a client
}

func (t *clientTLS) files() (names []string) {
	if t == nil {
		return nil
	}
	for _, name := range []string{t.CA, t.Cert, t.Key} {
		if !isPEM(name) {
			names = append(names, name)
		}
	}
	return names
}

func isPEM(s string) bool { return strings.Contains(s, "-----BEGIN ") }

func (p place) clientTLS(t *clientTLS) *model.ClientTLS {
	if t == nil {
		return nil
	}
	if (t.Cert == "") != (t.Key == "") {
		p.in("cert").invalid("give both cert and key, or none")
	}
	if t.CAOptional {
		p.in("caOptional").deprecated("it has no meaning; take it away")
	}
	return &model.ClientTLS{
		CA: p.in("ca").pem(t.CA), Cert: p.in("cert").pem(t.Cert), Key: model.NewSecret(p.in("key").pem(t.Key)),
		SkipVerify: t.InsecureSkipVerify,
	}
}

// pem returns the value, or the content of the file that it names.
func (p place) pem(s string) string {
	if isPEM(s) {
		return s
	}
	return p.text(s)
}

func (p place) headerNames(list []string) (names []string) {
	for i, name := range list {
		names = append(names, p.in(i).headerName(name))
	}
	return names
}

// optionalRegex is regex, but "" is none.
func (p place) optionalRegex(s string) string {
	if s == "" {
		return ""
	}
	return p.regex(s)
}
