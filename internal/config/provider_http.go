package config

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// HTTP is a provider that asks web servers for a document of the dynamic format.
type HTTP struct {
	Name string `doc:"name"` // default: "main"
	// Endpoint or Endpoints are the URLs of the document; exactly one is set. Several are the same document at
	// several servers: one of them is asked, and the next when it does not answer as it should.
	Endpoint     string        `doc:"endpoint"`
	Endpoints    []string      `doc:"endpoints"`
	PollInterval time.Duration `doc:"pollInterval"` // between two requests; default: 5 s
	PollTimeout  time.Duration `doc:"pollTimeout"`  // for an answer; default: 5 s
	// Wait is how long servers are asked to hold a request until the document changes. 0: not at all.
	Wait time.Duration `doc:"wait"`
	// MaxResponseBodySize bounds the document, in bytes. 0 and less: [document.MaxSize], which it cannot exceed.
	MaxResponseBodySize int               `doc:"maxResponseBodySize"`
	Headers             map[string]string `doc:"headers"` // sent with each request
	SecretHeaders       map[string]KeyRef `doc:"secretHeaders"`
	TLS                 *ClientTLS        `doc:"tls"`
}

// Source returns the source of the provider's objects.
func (h HTTP) Source() model.Source { return source("http", h.Name) }

// URLs returns where the document is.
func (h HTTP) URLs() []string {
	if h.Endpoint != "" {
		return []string{h.Endpoint}
	}
	return h.Endpoints
}

// credentials are the fields whose values are secrets whoever sends them.
func credentials() []string { return []string{"Authorization", "Cookie", "Proxy-Authorization"} }

func (l *loader) http(p part) Provider {
	h := HTTP{Name: defaultProvider, PollInterval: 5 * time.Second, PollTimeout: 5 * time.Second}
	l.decode(p, &h)
	l.notBoth(p, "endpoint", "endpoints", h.Endpoint != "" && len(h.Endpoints) > 0)
	if len(h.URLs()) == 0 {
		l.wrong(p, "names nothing to ask; write for example endpoint: https://config.example/routes.yaml")
	}
	l.url(p.key("endpoint"), h.Endpoint)
	for i, u := range h.Endpoints {
		l.url(p.key("endpoints").item(i), u)
	}
	l.positive(p.key("pollInterval"), h.PollInterval)
	l.positive(p.key("pollTimeout"), h.PollTimeout)
	if h.Wait < 0 || h.Wait%time.Second != 0 {
		l.wrong(p.key("wait"), "%v cannot be asked for; write whole seconds", h.Wait)
	}
	l.fields(p, h.Headers, h.SecretHeaders)
	l.clientTLS(p.key("tls"), h.TLS)
	return h
}

// fields checks what a provider sends with each request, its keys headers and secretHeaders.
func (l *loader) fields(p part, headers map[string]string, secrets map[string]KeyRef) {
	for name := range headers {
		field := p.key("headers").key(name)
		l.fieldName(field, name)
		if !httpguts.ValidHeaderFieldValue(headers[name]) {
			l.wrong(field, "cannot be sent: it has a line break or another control character")
		}
		if slices.Contains(credentials(), http.CanonicalHeaderKey(name)) {
			l.wrong(field, "a secret must not stand in this file; name it under secretHeaders")
		}
	}
	for name, ref := range secrets {
		l.fieldName(p.key("secretHeaders").key(name), name)
		l.absolute(&ref.File)
		secrets[name] = ref
	}
}

func (l *loader) fieldName(p part, name string) {
	if !httpguts.ValidHeaderFieldName(name) {
		l.wrong(p, "%q is no name of a header field", shorten(name))
	}
}

// url checks a URL of a web server. "": none is given, or one that was reported when it was decoded.
func (l *loader) url(p part, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https",
		!isHost(u.Hostname()) || !isPort(cmp.Or(u.Port(), "80")):
		l.wrong(p, `no URL of a web server; write for example "https://config.example/routes.yaml"`)
	case u.User != nil:
		l.wrong(p, "a secret must not stand in this file; send it as a field, under secretHeaders")
	}
}

// positive reports a duration that is not above zero.
func (l *loader) positive(p part, d time.Duration) {
	if d <= 0 {
		l.wrong(p, "%v is too short; it must be above zero", d)
	}
}
