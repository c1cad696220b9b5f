package services

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// content is what one file says. It is never changed once it is decoded.
type content struct {
	workloads []dynamic.Workload
	problems  []model.Problem // their sources are filled in later
	provider  *Provider
	known     map[string]bool // the instances that there are
}

// decode reads a file of either kind: a list is Prometheus's, a map is Consul's.
func (p *Provider) decode(name string, data []byte) (*content, error) {
	if path.Ext(strings.ToLower(name)) == ".hcl" {
		return nil, fmt.Errorf("%s:1: service definitions are read as JSON or YAML, not as HCL; write them so", name)
	}
	root, err := document.Parse(name, data)
	if err != nil {
		return nil, err
	}
	c := &content{provider: p, known: map[string]bool{}}
	switch service, services := root.Field("service"), root.Field("services"); {
	case root.Kind == document.List:
		file := path.Base(name)
		c.targets(root, strings.TrimSuffix(file, path.Ext(file)))
	case service != nil || services != nil:
		c.definitions(service)
		c.definitions(services)
	case root.Kind != document.Map || len(root.Fields) > 0:
		return nil, fmt.Errorf("%s: neither a list of targets, as for Prometheus, nor service definitions, as for Consul",
			root.At)
	}
	return c, nil
}

// report adds a problem with a service.
func (c *content) report(service string, code model.Code, at document.Position, field, message string) {
	c.problems = append(c.problems, model.Problem{
		Object: model.Object{Kind: model.KindService, Ref: model.Ref{Name: model.Name{Name: service}}},
		Code:   code, Field: field, Message: message, At: at.String(),
	})
}

// decoded fills a struct from a part of the file, and reports whether it has no mistake beyond unknown keys.
func (c *content) decoded(service string, n *document.Node, into any, strict bool) bool {
	good := true
	for _, m := range document.Decode(n, into) {
		if m.Unknown {
			if strict {
				c.report(service, model.UnknownField, m.At, m.Field, m.Message)
			}
			continue
		}
		c.report(service, model.InvalidField, m.At, m.Field, m.Message+"; it is not served")
		good = false
	}
	return good
}

// serviceName is what a service may be called: its name is a step of the keys of labels.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// add takes an instance of a service.
func (c *content) add(w dynamic.Workload, at document.Position, key string) {
	w.At = at.String()
	w.Instance = fmt.Sprintf("instance %s/%s in %s", w.Name, key, at.File)
	switch {
	case !serviceName.MatchString(w.Name):
		c.report(w.Name, model.InvalidField, at, "", fmt.Sprintf(
			"%.80q is no name of a service, so it is not served; use letters, digits, - and _", w.Name))
	case c.known[w.Instance]:
		c.report(w.Name, model.Conflict, at, "", key+" is there twice; the first is served")
	case c.provider.exposed && len(w.Ports) == 0 && !speaks(w.Labels):
		c.report(w.Name, model.InvalidField, at, "", key+" has no port, so it is not served; name one")
	default:
		c.known[w.Instance] = true
		c.workloads = append(c.workloads, w)
	}
}

var dnsName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$`)

// isHost reports whether one can connect to a host of this name or address.
func isHost(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && !ip.IsUnspecified() || err != nil && dnsName.MatchString(s)
}

// speaks reports whether labels say more than what Prometheus or Consul read.
func speaks(labels map[string]string) bool {
	for label := range labels {
		if strings.Contains(label, ".") {
			return true
		}
	}
	return false
}
