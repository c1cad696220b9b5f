package config

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Traefik is a running Traefik that is followed through its API, as a cluster is over a link.
type Traefik struct {
	Name string `doc:"name"` // default: "main"
	// Endpoint or Endpoints are the URLs of its API, without /api; exactly one is set. Several are replicas with the same
	// configuration: one of them is asked, and the next when it does not answer as it should.
	Endpoint  string   `doc:"endpoint"`
	Endpoints []string `doc:"endpoints"`
	// PollInterval is the time between two looks; default: 1 s. PollTimeout is for an answer; default: 5 s.
	PollInterval  time.Duration     `doc:"pollInterval"`
	PollTimeout   time.Duration     `doc:"pollTimeout"`
	Headers       map[string]string `doc:"headers"` // sent with each request to the API
	SecretHeaders map[string]KeyRef `doc:"secretHeaders"`
	Username      string            `doc:"username"` // for the API
	Password      KeyRef            `doc:"password"`
	TLS           *ClientTLS        `doc:"tls"` // for the API
	// EntryPoints are the URLs, scheme, host and port, at which its entry points are reached, by their names there: one
	// for each replica. At least one.
	EntryPoints map[string][]string `doc:"entryPoints"`
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

// URLs returns where its API is.
func (t Traefik) URLs() []string {
	if t.Endpoint != "" {
		return []string{t.Endpoint}
	}
	return t.Endpoints
}

// traefikOf returns what reads a Traefik. What a grant may name are the instance's entry points.
func (l *loader) traefikOf(c *Config) func(part) Provider {
	return func(p part) Provider {
		t := Traefik{Name: defaultProvider, PollInterval: time.Second, PollTimeout: 5 * time.Second}
		l.decode(p, &t)
		l.traefikAPI(p, t)
		l.positive(p.key("pollInterval"), t.PollInterval)
		l.positive(p.key("pollTimeout"), t.PollTimeout)
		l.fields(p, t.Headers, t.SecretHeaders)
		if (t.Username == "") != (t.Password == KeyRef{}) {
			l.wrong(p, "username and password go together; only one of them is given")
		}
		l.absolute(&t.Password.File)
		l.clientTLS(p.key("tls"), t.TLS)
		l.required(p, "entryPoints", `{websecure: "https://10.0.0.5:443"}`)
		for name, urls := range t.EntryPoints {
			l.entryPointOf(p.key("entryPoints").key(name), urls)
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

// traefikAPI checks where the API of a Traefik is said to be.
func (l *loader) traefikAPI(p part, t Traefik) {
	l.notBoth(p, "endpoint", "endpoints", t.Endpoint != "" && len(t.Endpoints) > 0)
	if len(t.Endpoints) == 0 {
		l.required(p, "endpoint", `"http://10.0.0.5:8080"`)
	}
	one := func(p part, text string) {
		l.url(p, text)
		if strings.HasSuffix(strings.TrimSuffix(text, "/"), "/api") {
			l.wrong(p, "leave /api out")
		}
	}
	one(p.key("endpoint"), t.Endpoint)
	for i, text := range t.Endpoints {
		one(p.key("endpoints").item(i), text)
	}
}

// entryPointOf checks where an entry point of a Traefik is said to be, and takes slashes at the end away.
func (l *loader) entryPointOf(p part, urls []string) {
	if len(urls) == 0 {
		l.wrong(p, "names no URL")
	}
	for i, text := range urls {
		l.url(p, text)
		urls[i] = strings.TrimSuffix(text, "/")
		if strings.Count(urls[i], "/") > 2 || strings.ContainsAny(urls[i], "?#") {
			l.wrong(p, "has a path; write scheme, host and port")
		}
		if strings.HasPrefix(text, "https:") != strings.HasPrefix(urls[0], "https:") {
			l.wrong(p, "has URLs with TLS and without; an entry point has all or none")
		}
	}
}
