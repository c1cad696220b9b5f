package config

import (
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Docker is a provider that follows the containers of a Docker engine.
type Docker struct {
	Name string `doc:"name"` // default: "main"
	Engine
	Labels
	// UseBindPortIP reaches containers where their ports are published on an address; else in their own network.
	UseBindPortIP      bool `doc:"useBindPortIP"`
	AllowEmptyServices bool `doc:"allowEmptyServices"` // routes of what is not ready stay, and answer 503; default: true
}

// Source returns the source of the provider's objects.
func (d Docker) Source() model.Source { return source("docker", d.Name) }

// Engine is a Docker engine, and how it is asked.
type Engine struct {
	// Endpoint is unix:///var/run/docker.sock (default), tcp://host:2376, http://host:2375, ssh://user@host.
	Endpoint string     `doc:"endpoint"`
	TLS      *ClientTLS `doc:"tls"`      // for an endpoint of TCP
	SSH      *SSH       `doc:"ssh"`      // for an endpoint of SSH
	Username string     `doc:"username"` // for basic authentication by a proxy before the engine
	Password KeyRef     `doc:"password"`
	// HTTPClientTimeout bounds each answer; default: 30 s.
	HTTPClientTimeout time.Duration `doc:"httpClientTimeout"`
	Watch             bool          `doc:"watch"`   // follow what changes; default: true
	Network           string        `doc:"network"` // in which containers are reached; default: the first by name
}

// SSH is who is asked for over SSH, and who is believed to be there.
type SSH struct {
	IdentityFile   string `doc:"identityFile"`   // a private key without a passphrase
	KnownHostsFile string `doc:"knownHostsFile"` // as OpenSSH's
}

// Labels says which workloads are served, and how their labels are read.
type Labels struct {
	ExposedByDefault bool     `doc:"exposedByDefault"` // also what does not say enable=true; default: true
	DefaultRule      string   `doc:"defaultRule"`      // template; default: Host(`{{ normalize .Name }}`)
	Constraints      string   `doc:"constraints"`      // expression that labels must fulfil: Label(`stage`, `prod`)
	LabelPrefixes    []string `doc:"labelPrefixes"`    // default: fairlead and traefik; the first that says it counts
}

// defaultEngine and defaultLabels are those of which nothing is said.
func defaultEngine() Engine {
	return Engine{Endpoint: "unix:///var/run/docker.sock", HTTPClientTimeout: 30 * time.Second, Watch: true}
}

func defaultLabels() Labels {
	return Labels{
		ExposedByDefault: true, DefaultRule: "Host(`{{ normalize .Name }}`)",
		LabelPrefixes: []string{"fairlead", "traefik"},
	}
}

func (l *loader) docker(p part) Provider {
	d := Docker{Name: defaultProvider, Engine: defaultEngine(), Labels: defaultLabels(), AllowEmptyServices: true}
	l.decode(p, &d)
	l.engine(p, &d.Engine)
	return d
}

func (l *loader) engine(p part, e *Engine) {
	l.engineAt(p, p.key("endpoint"), e.Endpoint, e)
	l.engineAsked(p, e)
}

// engineAsked checks how an engine is asked, wherever it is.
func (l *loader) engineAsked(p part, e *Engine) {
	if e.Username == "" && e.Password != (KeyRef{}) {
		l.wrong(p.key("password"), "there is no username to it")
	}
	l.positive(p.key("httpClientTimeout"), e.HTTPClientTimeout)
	l.absolute(&e.Password.File)
	l.clientTLS(p.key("tls"), e.TLS)
	if e.SSH != nil {
		l.sshFile(p.key("ssh").key("identityFile"), &e.SSH.IdentityFile)
		l.sshFile(p.key("ssh").key("knownHostsFile"), &e.SSH.KnownHostsFile)
	}
}

func (l *loader) sshFile(at part, path *string) {
	if l.absolute(path); *path == "" {
		l.wrong(at, "is required")
	}
}

// engineAt checks where an engine is. All else is the provider's.
func (l *loader) engineAt(p, at part, endpoint string, e *Engine) {
	u, err := url.Parse(endpoint)
	if err == nil && u.Scheme == "ssh" {
		l.engineOverSSH(p, at, u, e)
		return
	}
	switch {
	case err != nil || u.User != nil:
		l.wrong(at, `no address of an engine; write for example "unix:///var/run/docker.sock"`)
	case u.Scheme == "unix" && u.Path != "":
		if e.TLS != nil {
			l.wrong(p.key("tls"), "a socket of this machine has no TLS; remove it")
		}
	case u.Scheme != "tcp" && u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || !isPort(u.Port()):
		l.wrong(at, `no address of an engine; write for example "tcp://10.0.0.7:2376"`)
	}
}

func (l *loader) engineOverSSH(p, at part, u *url.URL, e *Engine) {
	_, secret := u.User.Password()
	switch {
	case secret:
		l.wrong(at, "a password must not stand in this file; SSH asks with the key in ssh.identityFile")
	case u.User.Username() == "" || !isHost(u.Hostname()) || u.Port() != "" && !isPort(u.Port()):
		l.wrong(at, `no address of an engine; write for example "ssh://fairlead@10.0.0.7"`)
	case e.SSH == nil:
		l.wrong(p.key("ssh"), "is required: identityFile and knownHostsFile")
	case e.TLS != nil:
		l.wrong(p.key("tls"), "over SSH there is no TLS; remove it")
	}
}
