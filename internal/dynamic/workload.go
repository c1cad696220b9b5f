package dynamic

import (
	"cmp"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Workload is one instance of what an orchestrator or a registry runs and labels describe: a container, a task, an
// instance of a service.
type Workload struct {
	// Name is that of the service that it is an instance of: the name of the service and the router for which its
	// labels give none.
	Name string
	// Instance tells it from all others of its source, and tells people which it is: "container shop-1".
	Instance string
	// At is where it is described, as problems tell it: "shop.json:3". "": Instance.
	At string
	// Created orders definitions that differ: that of the older workload counts. Zero is the oldest; among equals
	// Instance decides.
	Created time.Time
	// Namespace is that of the fleet-wide names of what it exports: a Compose project, a stack. Short is what the service
	// called Name is called in it; "": Name.
	Namespace, Short string
	Labels           map[string]string // not changed any more
	Tags             []string          // for constraints
	// Host is where it is reached: an IP address or a DNS name. "": only where its ports say.
	Host string
	// Trouble says why it cannot be reached although it runs, for people. "": it can.
	Trouble string
	Ports   []WorkloadPort // that it says it listens on
	// State is that of its endpoints. One that is not ready and has no Host adds no endpoint, only what its labels define.
	State model.EndpointState
	// Mesh is the source whose mesh the workload is in, and PeerID who it is there: "spiffe://domain/workload". It is
	// reached by HTTP as both sides of the mesh know each other. "": it is in none.
	Mesh   model.Source
	PeerID string
	Weight int // of its endpoints, where its labels give none; 0 is 1
}

// WorkloadPort is a port that a workload says it listens on.
type WorkloadPort struct {
	Number uint16
	UDP    bool
	Addr   string // host:port where it is reached; "": on the workload's Host
}

// Workloads turns workloads into snapshots. It remembers what it made of each, so that what did not change is not made
// again: a change costs what it touches.
type Workloads struct {
	source  model.Source
	options *workloadOptions
	known   map[string]*decodedWorkload // by instance
	joint   *joint
	builds  uint64 // so many snapshots were built
}

// decodedWorkload is a workload with what its labels say. Who is not exposed says nothing.
type decodedWorkload struct {
	Workload
	parts    []part
	problems []model.Problem // that belong to no object
	seen     uint64          // which build saw it last
}

// NewWorkloads returns what reads the workloads of a source. The error is about the options.
func NewWorkloads(source model.Source, o WorkloadOptions) (*Workloads, error) {
	options, err := o.compile()
	if err != nil {
		return nil, err
	}
	return &Workloads{
		source: source, options: options, known: map[string]*decodedWorkload{}, joint: newJoint(source),
	}, nil
}

// Setting returns what labels say for the provider itself, such as "docker.network". "": nothing.
func (w *Workloads) Setting(labels map[string]string, name string) string {
	for _, prefix := range w.options.Prefixes {
		found, wanted := "", prefix+"."+name
		for label := range labels {
			if len(label) == len(wanted) && strings.EqualFold(label, wanted) && label > found {
				found = label // the last of them counts, as in strip
			}
		}
		if found != "" {
			return labels[found]
		}
	}
	return ""
}

// Switch reports whether labels turn a setting on. One that is neither true nor false is a problem, and off.
func (w *Workloads) Switch(labels map[string]string, name string) bool {
	on, _ := strconv.ParseBool(w.Setting(labels, name))
	return on
}

// Speaks reports whether labels say anything that is read.
func (w *Workloads) Speaks(labels map[string]string) bool {
	texts, own := w.options.strip(labels)
	return len(texts)+len(own) > 0
}

// Build turns the workloads that there are now into a snapshot without a version. It depends on them alone, not on
// what there was before, nor on their order. Of several with the same Instance the newest counts.
//
// Workloads that define the same object alike share it, and a service has the endpoints of all that define it. Of
// definitions that differ the first counts: those of workloads that drain come last, then the older comes first, then
// Instance decides. The others are conflicts, and take over nothing while the first is there.
func (w *Workloads) Build(list []Workload) model.Snapshot {
	w.builds++
	for i := range list {
		one := &list[i]
		d := w.known[one.Instance]
		switch {
		case d != nil && d.seen == w.builds && !one.Created.After(d.Created):
			continue
		case d != nil && d.same(one):
			d.seen = w.builds
			continue
		case d != nil:
			w.joint.leave(d)
		}
		d = w.decode(one)
		d.seen = w.builds
		w.known[one.Instance] = d
		w.joint.enter(d)
	}
	for instance, d := range w.known {
		if d.seen != w.builds {
			w.joint.leave(d)
			delete(w.known, instance)
		}
	}
	return w.joint.settle()
}

// order is that in which the definitions of workloads count.
func (w *Workload) order(o *Workload) int {
	return cmp.Or(cmp.Compare(w.rank(), o.rank()), w.Created.Compare(o.Created), cmp.Compare(w.Instance, o.Instance))
}

func (w *Workload) rank() int {
	if w.State == model.Draining {
		return 1
	}
	return 0
}

// same reports whether the two make the same document.
func (w *Workload) same(o *Workload) bool {
	return w.Name == o.Name && w.At == o.At && w.Namespace == o.Namespace && w.Short == o.Short &&
		w.Created.Equal(o.Created) && w.Host == o.Host && w.Trouble == o.Trouble && w.State == o.State &&
		w.Weight == o.Weight && w.Mesh == o.Mesh && w.PeerID == o.PeerID &&
		slices.Equal(w.Ports, o.Ports) && slices.Equal(w.Tags, o.Tags) && sameLabels(w.Labels, o.Labels)
}

func sameLabels(a, b map[string]string) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer() || maps.Equal(a, b)
}

// place is what problems tell of where it is described.
func (w *Workload) place() string { return cmp.Or(w.At, w.Instance) }

// absent reports that the workload has no endpoint now, and that this is no mistake.
func (w *Workload) absent() bool { return w.State == model.NotReady && w.Host == "" && w.Trouble == "" }

// address returns where the workload is reached on a port; "": on the lowest one that it says it listens on. What is
// wrong is said for people.
func (w *Workload) address(port string, udp bool) (addr, mistake string) {
	number := uint64(0)
	if port != "" {
		var err error
		if number, err = strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return "", strconv.Quote(port) + " is no port; it is a number from 1 to 65535"
		}
	}
	var found WorkloadPort
	for _, p := range w.Ports {
		switch {
		case p.UDP != udp && number == 0, number != 0 && uint64(p.Number) != number:
		case found.Number == 0 || p.Number < found.Number || p.Number == found.Number && p.UDP == udp:
			found = p
		}
	}
	switch {
	case w.Trouble != "":
		return "", w.Trouble
	case found.Addr != "":
		return found.Addr, ""
	case number == 0 && found.Number == 0:
		return "", "it says of no port that it listens there; name one"
	case w.Host == "":
		return "", "the port " + cmp.Or(port, strconv.Itoa(int(found.Number))) + " cannot be reached from here: publish it"
	case number == 0:
		number = uint64(found.Number)
	}
	return net.JoinHostPort(w.Host, strconv.FormatUint(number, 10)), ""
}
