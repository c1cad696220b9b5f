package services

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// definition is a Consul service definition, as far as it is used here.
type definition struct {
	ID         string            `doc:"id"`
	Name       string            `doc:"name"`
	Address    string            `doc:"address"` // "": this machine
	Port       uint16            `doc:"port"`
	SocketPath string            `doc:"socket_path"`
	Kind       string            `doc:"kind"` // "": a service, nothing of a mesh
	Tags       []string          `doc:"tags"`
	Meta       map[string]string `doc:"meta"`
	Weights    weights           `doc:"weights"`
	Check      *document.Node    `doc:"check"`
	Checks     []*document.Node  `doc:"checks"`
}

type weights struct {
	Passing int `doc:"passing"`
}

// check is how Consul looks whether an instance is well.
type check struct {
	HTTP     string        `doc:"http"` // a URL
	TCP      string        `doc:"tcp"`  // host:port
	GRPC     string        `doc:"grpc"` // host:port, perhaps a slash and the name of a service
	Interval time.Duration `doc:"interval"`
	Timeout  time.Duration `doc:"timeout"`
}

// definitions reads what is below "service" or "services": one or several.
func (c *content) definitions(f *document.Field) {
	if f == nil {
		return
	}
	items := []*document.Node{f.Value}
	if f.Value.Kind == document.List {
		items = f.Value.Items
	}
	for _, item := range items {
		var d definition
		name := "?"
		if n := item.Field("name"); n != nil && n.Value.Text != "" {
			name = n.Value.Text
		}
		if c.decoded(name, item, &d, false) {
			c.definition(&d, item)
		}
	}
}

func (c *content) definition(d *definition, n *document.Node) {
	refuse := func(field, message string) {
		c.report(d.Name, model.Unsupported, n.Locate(field), field, message+"; the instance is not served")
	}
	switch {
	case d.Kind != "":
		refuse("kind", "a part of Consul's mesh is no service here")
		return
	case d.SocketPath != "":
		refuse("socket_path", "services are not reached through sockets of the machine; name a port")
		return
	case d.Address != "" && !isHost(d.Address):
		c.report(d.Name, model.InvalidField, n.Locate("address"), "address",
			fmt.Sprintf("%.80q is no address of a machine; the instance is not served", d.Address))
		return
	}
	w := dynamic.Workload{
		Name: d.Name, Tags: d.Tags, Labels: map[string]string{}, Host: cmp.Or(d.Address, "127.0.0.1"),
		Weight: d.Weights.Passing,
	}
	maps.Copy(w.Labels, d.Meta)
	maps.Copy(w.Labels, dynamic.TagLabels(d.Tags))
	if d.Port > 0 {
		w.Ports = []dynamic.WorkloadPort{{Number: d.Port}, {Number: d.Port, UDP: true}}
	}
	c.check(d, &w)
	c.add(w, n.Locate("name"), cmp.Or(d.ID, d.Name))
}

// check has the service checked as Consul would check it. There is one check of a service: the first that can be made.
func (c *content) check(d *definition, w *dynamic.Workload) {
	checks := d.Checks
	if d.Check != nil {
		checks = append([]*document.Node{d.Check}, checks...)
	}
	made := false
	for _, n := range checks {
		var k check
		if !c.decoded(d.Name, n, &k, false) {
			continue
		}
		lane, service := c.provider.workloads.Subject(w)
		keys := k.keys(d, lane)
		why := ""
		switch {
		case made:
			why = "a service has one check, and an earlier one is made"
		case keys == nil:
			why = "of Consul's checks, those of http, tcp and grpc can be made"
		case service == "":
			why = "the labels define several services, and it is not known which one it is about"
		}
		if why != "" {
			c.report(d.Name, model.Unsupported, n.At, "check", why+"; this check is not made")
			continue
		}
		for key, value := range keys {
			c.provider.workloads.Say(w.Labels, lane, service, "healthcheck."+key, value)
		}
		made = true
	}
}

// keys returns what the format says of a check like this one; nil: it cannot be made.
func (k *check) keys(d *definition, lane model.Lane) map[string]string {
	keys := map[string]string{"interval": k.Interval.String(), "timeout": k.Timeout.String()}
	for key, value := range keys {
		if value == "0s" {
			delete(keys, key)
		}
	}
	port := ""
	switch {
	case lane == model.LaneUDP:
		return nil
	case lane == model.LaneTCP:
		if len(keys) == 0 {
			keys["interval"] = "10s" // any key turns it on
		}
		return keys
	case k.HTTP != "":
		u, err := url.Parse(k.HTTP)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return nil
		}
		keys["path"] = cmp.Or(u.RequestURI(), "/")
		port = cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		if u.Scheme == "https" {
			keys["scheme"] = "https"
		}
	case k.GRPC != "":
		keys["mode"] = "grpc"
		addr, _, _ := strings.Cut(k.GRPC, "/")
		port = addr[strings.LastIndexByte(addr, ':')+1:]
	case k.TCP != "":
		keys["mode"] = "tcp"
		port = k.TCP[strings.LastIndexByte(k.TCP, ':')+1:]
	default:
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n != uint64(d.Port) {
		keys["port"] = port
	}
	return keys
}
