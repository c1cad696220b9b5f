package config

import (
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// DNS is a provider that asks DNS servers for the addresses of services.
type DNS struct {
	Name    string   `doc:"name"`    // default: "main"
	Servers []string `doc:"servers"` // "host:port", or a host alone for port 53; default: those of /etc/resolv.conf
	// Timeout is for the answer of one server; default: 2 s.
	Timeout time.Duration `doc:"timeout"`
	// MinTTL and MaxTTL bound how long an answer is good; default: 5 s and 10 min.
	MinTTL time.Duration `doc:"minTTL"`
	MaxTTL time.Duration `doc:"maxTTL"`
	// EmptyAfter is how long it must be said that a name has no addresses until that is believed; default: 30 s.
	EmptyAfter  time.Duration         `doc:"emptyAfter"`
	DefaultRule string                `doc:"defaultRule"` // "", the default: without a label, a service has no route
	Services    map[string]DNSService `doc:"services"`    // at least one
}

// DNSService is the name by which a service's addresses are known.
type DNSService struct {
	Name   string            `doc:"name"`   // required
	Type   string            `doc:"type"`   // "A", "AAAA" or "SRV"; "": A, or AAAA where there are none
	Port   uint16            `doc:"port"`   // required, but for SRV, which has its own
	Scheme string            `doc:"scheme"` // "": http
	Labels map[string]string `doc:"labels"`
	TXT    bool              `doc:"txt"` // the name's records of type TXT are labels, too; default: false
}

// Source returns the source of the provider's objects.
func (d DNS) Source() model.Source { return source("dns", d.Name) }

func (l *loader) dns(p part) Provider {
	d := DNS{
		Name: defaultProvider, Timeout: 2 * time.Second, MinTTL: 5 * time.Second, MaxTTL: 10 * time.Minute,
		EmptyAfter: 30 * time.Second,
	}
	l.decode(p, &d)
	for i, server := range d.Servers {
		if !isDial(server) {
			server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
		}
		if d.Servers[i] = server; !isDial(server) {
			l.wrong(p.key("servers").item(i), `no address of a server; write for example "10.0.0.2:53"`)
		}
	}
	l.positive(p.key("timeout"), d.Timeout)
	l.notNegative(p.key("emptyAfter"), d.EmptyAfter)
	switch {
	case d.MinTTL < time.Second:
		l.wrong(p.key("minTTL"), "%v is too short; it must be 1s or more", d.MinTTL)
	case d.MaxTTL < d.MinTTL:
		l.wrong(p.key("maxTTL"), "%v is shorter than minTTL, %v", d.MaxTTL, d.MinTTL)
	}
	l.required(p, "services", "{shop: {name: shop.internal, port: 8080}}")
	for _, name := range slices.Sorted(maps.Keys(d.Services)) {
		l.dnsService(p.key("services").key(name), name, d.Services[name])
	}
	return d
}

var (
	labelStep = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	// queried are names that DNS is asked for: those of SRV have underscores.
	queried = regexp.MustCompile(`^([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?$`)
)

func (l *loader) dnsService(p part, name string, s DNSService) {
	if !labelStep.MatchString(name) {
		l.wrong(p, "%q is no name of a service; use letters, digits, - and _", shorten(name))
	}
	l.required(p, "name", "shop.internal")
	if s.Name != "" && (!queried.MatchString(s.Name) || len(s.Name) > 253) {
		l.wrong(p.key("name"), "%q is no DNS name", shorten(s.Name))
	}
	if s.Type != "" {
		l.oneOf(p.key("type"), s.Type, "A", "AAAA", "SRV")
	}
	if s.Scheme != "" {
		l.oneOf(p.key("scheme"), s.Scheme, "http", "https", "h2c")
	}
	switch {
	case s.Type == "SRV" && s.Port > 0:
		l.wrong(p.key("port"), "records of type SRV have their ports; remove it")
	case s.Type != "SRV" && s.Port == 0:
		l.wrong(p.key("port"), "is missing; write for example port: 8080")
	}
}
