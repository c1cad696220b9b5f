package dynamic

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

type healthCheck struct {
	Mode            string            `doc:"mode"`
	Path            string            `doc:"path"`
	Method          string            `doc:"method"`
	Scheme          string            `doc:"scheme"`
	Port            int               `doc:"port"`
	Hostname        string            `doc:"hostname"`
	Headers         map[string]string `doc:"headers"`
	Status          int               `doc:"status"`
	Interval        time.Duration     `doc:"interval"`
	Unhealthy       time.Duration     `doc:"unhealthyInterval"`
	FollowRedirects *bool             `doc:"followRedirects"`
	Timeout         time.Duration     `doc:"timeout"`
}

func (o *object) healthCheck(spec *healthCheck) *model.HealthCheck {
	at := o.in("loadBalancer", "healthCheck")
	at.in("interval").notNegative(spec.Interval)
	at.in("unhealthyInterval").notNegative(spec.Unhealthy)
	at.in("timeout").notNegative(spec.Timeout)
	if spec.Port < 0 || spec.Port > 65535 {
		at.in("port").invalid("%d is no port", spec.Port)
	}
	c := &model.HealthCheck{Port: spec.Port, Interval: spec.Interval, Unhealthy: spec.Unhealthy, Timeout: spec.Timeout}
	switch spec.Mode {
	case "tcp":
		at.tcpCheck(spec)
	case "", "http":
		at.httpCheck(spec, c)
	case "grpc":
		at.grpcCheck(spec, c)
	default:
		at.in("mode").invalid("%q is no mode; it is one of http, grpc and tcp", spec.Mode)
	}
	return c
}

func (p place) tcpCheck(spec *healthCheck) {
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"path", spec.Path != ""}, {"method", spec.Method != ""}, {"scheme", spec.Scheme != ""},
		{"hostname", spec.Hostname != ""}, {"headers", len(spec.Headers) > 0}, {"status", spec.Status != 0},
		{"followRedirects", spec.FollowRedirects != nil},
	} {
		if key.given {
			p.in(key.name).invalid("a check in mode tcp only connects; remove this key or the mode")
		}
	}
}

// grpcCheck reads a check by gRPC's protocol. As in Traefik, it has no use for what is special to a request of HTTP.
func (p place) grpcCheck(spec *healthCheck, c *model.HealthCheck) {
	c.GRPC, c.Host = true, spec.Hostname
	c.Scheme = p.in("scheme").checkScheme(spec.Scheme)
	p.in("hostname").checkHost(spec.Hostname)
}

func (p place) checkScheme(scheme string) string {
	if scheme != "" && scheme != "http" && scheme != "https" {
		p.invalid("%q is not supported; it is one of http and https", scheme)
	}
	return scheme
}

func (p place) checkHost(name string) {
	if name != "" && !httpguts.ValidHostHeader(name) {
		p.invalid("%q is not the name of a host", name)
	}
}

func (p place) httpCheck(spec *healthCheck, c *model.HealthCheck) {
	c.Path, c.Method, c.Host = spec.Path, strings.ToUpper(spec.Method), spec.Hostname
	c.Scheme = p.in("scheme").checkScheme(spec.Scheme)
	c.Stay = spec.FollowRedirects != nil && !*spec.FollowRedirects
	c.Headers, c.Status = p.in("headers").headerMap(spec.Headers), spec.Status
	switch {
	case spec.Path == "" || strings.Contains(spec.Path, "://"):
		p.in("path").invalid(`say which path is asked for, such as "/health"; or only connect with mode: tcp`)
	case spec.Path[0] != '/':
		c.Path = "/" + spec.Path // relative to the server, as in Traefik
	}
	if c.Method != "" && !httpguts.ValidHeaderFieldName(c.Method) {
		p.in("method").invalid("%q is not a method", spec.Method)
	}
	p.in("hostname").checkHost(spec.Hostname)
	if c.Status != 0 && (c.Status < 100 || c.Status > 599) {
		p.in("status").invalid("%d is no status code", spec.Status)
	}
}

// headerMap returns the fields under their canonical names.
func (p place) headerMap(fields map[string]string) map[string]string {
	if len(fields) == 0 {
		return nil
	}
	canonical := make(map[string]string, len(fields))
	for _, name := range sortedKeys(fields) {
		key := http.CanonicalHeaderKey(name)
		_, twice := canonical[key]
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			p.in(name).invalid("%q is not the name of a header field", name)
		case !httpguts.ValidHeaderFieldValue(fields[name]):
			p.in(name).invalid("the value holds a character that a header field cannot have")
		case twice:
			p.in(name).invalid("the field %s is given twice; letter case does not count", key)
		}
		canonical[key] = fields[name]
	}
	return canonical
}

// passiveCheck says when requests that fail put a server out.
type passiveCheck struct {
	FailureWindow     time.Duration `doc:"failureWindow"`
	MaxFailedAttempts *int          `doc:"maxFailedAttempts"`
}

func (p place) passiveCheck(spec *passiveCheck) *model.Passive {
	if spec == nil {
		return nil
	}
	p.in("failureWindow").notNegative(spec.FailureWindow)
	c := &model.Passive{Failures: 1, Window: cmp.Or(spec.FailureWindow, 10*time.Second)}
	if n := spec.MaxFailedAttempts; n != nil {
		if c.Failures = *n; *n < 1 {
			p.in("maxFailedAttempts").invalid("%d is no number of failures; it is at least 1", *n)
		}
	}
	return c
}
