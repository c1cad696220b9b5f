package config

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Traefik is a running Traefik that is followed through its API, as a cluster is over a link.
type Traefik struct {
	Name     string `doc:"name"`     // default: "main"
	Endpoint string `doc:"endpoint"` // required: the URL of its API, without /api
	// PollInterval is the time between two looks; default: 1 s. PollTimeout is for an answer; default: 5 s.
	PollInterval  time.Duration     `doc:"pollInterval"`
	PollTimeout   time.Duration     `doc:"pollTimeout"`
	Headers       map[string]string `doc:"headers"` // sent with each request to the API
	SecretHeaders map[string]KeyRef `doc:"secretHeaders"`
	Username      string            `doc:"username"` // for the API
	Password      KeyRef            `doc:"password"`
	TLS           *ClientTLS        `doc:"tls"` // for the API
	// EntryPoints are the URLs, scheme, host and port, at which its entry points are reached, by their names there. At
	// least one.
	EntryPoints map[string]string `doc:"entryPoints"`
	// EntryPointTLS is what its entry points with TLS must show.
	EntryPointTLS *EntryPointTrust `doc:"entryPointTLS"`
	Grant         Grant            `doc:"grant"`
}

// EntryPointTrust is whom to trust at the entry points of a Traefik.
type EntryPointTrust struct {
	CA                 string `doc:"ca"`         // certificates to trust instead of the machine's, PEM file
	ServerName         string `doc:"serverName"` // to ask for and to find
	InsecureSkipVerify bool   `doc:"insecureSkipVerify"`
}

// Source returns the source of the provider's objects.
func (t Traefik) Source() model.Source { return source("traefik", t.Name) }

// traefikOf returns what reads a Traefik. What a grant may name are the instance's entry points.
func (l *loader) traefikOf(c *Config) func(part) Provider {
	return func(p part) Provider {
		t := Traefik{Name: defaultProvider, PollInterval: time.Second, PollTimeout: 5 * time.Second}
		l.decode(p, &t)
		l.required(p, "endpoint", `"http://10.0.0.5:8080"`)
		l.url(p.key("endpoint"), t.Endpoint)
		if strings.HasSuffix(strings.TrimSuffix(t.Endpoint, "/"), "/api") {
			l.wrong(p.key("endpoint"), "leave /api out")
		}
		l.positive(p.key("pollInterval"), t.PollInterval)
		l.positive(p.key("pollTimeout"), t.PollTimeout)
		l.fields(p, t.Headers, t.SecretHeaders)
		if (t.Username == "") != (t.Password == KeyRef{}) {
			l.wrong(p, "username and password go together; only one of them is given")
		}
		l.absolute(&t.Password.File)
		l.clientTLS(p.key("tls"), t.TLS)
		l.required(p, "entryPoints", `{websecure: "https://10.0.0.5:443"}`)
		for name, text := range t.EntryPoints {
			l.url(p.key("entryPoints").key(name), text)
			if rest := strings.TrimSuffix(text, "/"); strings.Count(rest, "/") > 2 || strings.ContainsAny(rest, "?#") {
				l.wrong(p.key("entryPoints").key(name), "has a path; write scheme, host and port")
			}
			t.EntryPoints[name] = strings.TrimSuffix(text, "/")
		}
		if trust := t.EntryPointTLS; trust != nil {
			l.clientTLS(p.key("entryPointTLS"), &ClientTLS{
				CA: trust.CA, ServerName: trust.ServerName, InsecureSkipVerify: trust.InsecureSkipVerify,
			})
			l.absolute(&trust.CA)
		}
		l.grant(p.key("grant"), &t.Grant, c)
		if len(slices.Concat(t.Grant.TCP, t.Grant.UDP)) > 0 {
			l.wrong(p.key("grant"), "grants tcp or udp, but only HTTP routers are followed; remove it")
		}
		return t
	}
}
