package machines

import (
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// workload is a registration as package dynamic reads it. What it says of its service beside its labels is said in
// labels, too, so that there is one way in which services are put together and conflicts are told.
func (r Registration) workload() dynamic.Workload {
	host, port, _ := net.SplitHostPort(r.Address)
	number, _ := strconv.ParseUint(port, 10, 16) // checked when it was registered
	w := dynamic.Workload{
		Name: r.Service, Instance: "registration " + r.Service + "/" + r.Address, Created: r.Since, Labels: r.labels(port),
		Host: host, Ports: []dynamic.WorkloadPort{{Number: uint16(number), UDP: r.Protocol == model.UDP}},
		State: r.State, Weight: r.Weight,
	}
	if r.Weight == 0 && r.State == model.Ready {
		w.State = model.Draining
	}
	return w
}

func (r Registration) labels(port string) map[string]string {
	labels := maps.Clone(r.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	lane := r.lane().Label()
	say := func(key, value string) {
		key = "fairlead." + lane + ".services." + r.Service + ".loadbalancer." + key
		if _, said := labels[key]; !said && value != "" {
			labels[key] = value
		}
	}
	switch {
	case r.lane() != model.LaneHTTP:
		say("server.port", port)
	case r.Protocol != "":
		say("server.scheme", string(r.Protocol))
	}
	if c := r.Check; c != nil {
		if say("healthcheck.path", c.Path); c.Path == "" && r.lane() == model.LaneHTTP {
			say("healthcheck.mode", "tcp")
		}
		say("healthcheck.interval", given(c.Interval))
		say("healthcheck.timeout", given(c.Timeout))
		if r.lane() == model.LaneTCP && c.Interval == 0 {
			say("healthcheck.interval", "30s") // any key of it turns it on
		}
	}
	return labels
}

func given(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
