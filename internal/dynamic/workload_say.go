package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// Subject returns the service that is meant by what is known of a workload beside its labels: the one that the labels
// define, else the one with its name, in the lane that the labels speak of. A name "" says that they define several.
func (w *Workloads) Subject(one *Workload) (lane model.Lane, service string) {
	lane = w.lane(one.Labels)
	found := ""
	for label := range one.Labels {
		for _, prefix := range w.options.Prefixes {
			rest, ok := cutPrefixFold(label, prefix+"."+lane.Label()+".services.")
			name, _, _ := strings.Cut(rest, ".")
			if ok && found != "" && !strings.EqualFold(found, name) {
				return lane, ""
			}
			if ok {
				found = max(found, name) // however it is spelled, it is the same one for everybody
			}
		}
	}
	if found == "" {
		found = one.Name
	}
	return lane, found
}

// lane returns what labels speak of. Whoever speaks of HTTP, or of nothing, has a service of HTTP.
func (w *Workloads) lane(labels map[string]string) model.Lane {
	found := model.LaneHTTP
	for label := range labels {
		for _, prefix := range w.options.Prefixes {
			rest, ok := cutPrefixFold(label, prefix+".")
			section, _, _ := strings.Cut(strings.ToLower(rest), ".")
			switch {
			case !ok:
			case section == "http":
				return model.LaneHTTP
			case section == "tcp":
				found = model.LaneTCP
			case section == "udp" && found == model.LaneHTTP:
				found = model.LaneUDP
			}
		}
	}
	return found
}

// Say adds a label about the load balancer of a service, where none says it. The labels must be the caller's own.
func (w *Workloads) Say(labels map[string]string, lane model.Lane, service, key, value string) {
	for _, prefix := range w.options.Prefixes {
		wanted := prefix + "." + lane.Label() + ".services." + service + ".loadbalancer." + key
		for label := range labels {
			if strings.EqualFold(label, wanted) {
				return
			}
		}
	}
	if value != "" {
		labels[w.options.Prefixes[0]+"."+lane.Label()+".services."+service+".loadbalancer."+key] = value
	}
}

func cutPrefixFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
