package services

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"strconv"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// group is an item of a Prometheus file_sd file: addresses, and what holds for all of them.
type group struct {
	Targets []*document.Node  `doc:"targets"`
	Labels  map[string]string `doc:"labels"`
}

// targets reads a Prometheus file_sd file. file is the name of the services that its labels do not name.
func (c *content) targets(root *document.Node, file string) {
	for _, item := range root.Items {
		var g group
		if !c.decoded(file, item, &g, true) {
			continue
		}
		name := cmp.Or(g.Labels["service"], g.Labels["job"], file)
		for _, target := range g.Targets {
			w, mistake := g.workload(name, target.Text)
			if mistake != "" {
				c.report(name, model.InvalidField, target.At, "targets", mistake+"; it is not served")
				continue
			}
			lane, service := c.provider.workloads.Subject(&w)
			if scheme := g.Labels["__scheme__"]; scheme != "" && lane == model.LaneHTTP && service != "" {
				w.Labels = maps.Clone(g.Labels)
				c.provider.workloads.Say(w.Labels, lane, service, "server.scheme", scheme)
			}
			c.add(w, target.At, target.Text)
		}
	}
}

// workload makes an instance of one of the addresses.
func (g *group) workload(name, target string) (w dynamic.Workload, mistake string) {
	host, port, err := net.SplitHostPort(target)
	if err != nil { // the port may be said by labels
		host, port = target, ""
	}
	number, err := strconv.ParseUint(cmp.Or(port, "1"), 10, 16)
	if err != nil || number == 0 || !isHost(host) {
		return w, fmt.Sprintf("%.80q is no address; write host:port", target)
	}
	w = dynamic.Workload{Name: name, Labels: g.Labels, Host: host}
	if port != "" {
		w.Ports = []dynamic.WorkloadPort{{Number: uint16(number)}, {Number: uint16(number), UDP: true}}
	}
	return w, ""
}
