package swarm_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/provider/engine/enginetest"
)

// object is one as an engine lists it.
type object = map[string]any

// fake is the engine of a manager. Several may have the same swarm.
type fake struct {
	*enginetest.Engine
	*swarm
}

// swarm is what managers list.
type swarm struct {
	mu       sync.Mutex
	services map[string]object // by ID
	tasks    map[string]object
	worker   bool // it is asked by its worker
}

func newSwarm() *swarm { return &swarm{services: map[string]object{}, tasks: map[string]object{}} }

func newFake(tb testing.TB, s *swarm) *fake {
	f := &fake{swarm: s}
	f.Engine = enginetest.New(tb, map[string]http.HandlerFunc{
		"/info": f.info, "/nodes": f.nodes,
		"/services": func(w http.ResponseWriter, r *http.Request) { f.list(w, r, f.services, "id", "ID") },
		"/tasks":    func(w http.ResponseWriter, r *http.Request) { f.list(w, r, f.tasks, "service", "ServiceID") },
	})
	return f
}

func (f *fake) info(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(object{"Swarm": object{"NodeID": "node-a", "ControlAvailable": !f.worker}})
}

func (f *fake) nodes(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode([]object{
		{"ID": "node-a", "Status": object{"Addr": "0.0.0.0"}, "ManagerStatus": object{"Addr": "192.0.2.1:2377"}},
		{"ID": "node-b", "Status": object{"Addr": "192.0.2.2"}},
	})
}

// list answers the objects that the filters want, with those for states in mind.
func (f *fake) list(w http.ResponseWriter, r *http.Request, all map[string]object, filter, field string) {
	filters := enginetest.Filters(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []object{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		one := all[id]
		wanted, states := filters[filter], filters["desired-state"]
		state, _ := one["DesiredState"].(string)
		if (wanted == nil || wanted[one[field].(string)]) && (states == nil || states[state]) {
			found = append(found, one)
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

// put makes a service be listed, with as many replicas as it has tasks, changed by what is given.
func (s *swarm) put(name string, labels map[string]string, change func(service object), tasks ...object) {
	one := object{
		"ID": name + "-id", "CreatedAt": "2026-01-01T00:00:00Z",
		"Spec": object{
			"Name": name, "Labels": labels, "Mode": object{"Replicated": object{"Replicas": len(tasks)}},
			"EndpointSpec": object{"Mode": "vip", "Ports": []object{{"Protocol": "tcp", "TargetPort": 80}}},
		},
		"Endpoint": object{"VirtualIPs": []object{
			{"NetworkID": "back-id", "Addr": "10.0.1.2/24"}, {"NetworkID": "ingress-id", "Addr": "10.255.0.2/24"},
		}},
	}
	if change != nil {
		change(one)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services[name+"-id"] = one
	maps.DeleteFunc(s.tasks, func(_ string, t object) bool { return t["ServiceID"] == name+"-id" })
	for i, t := range tasks {
		t["ServiceID"], t["Slot"] = name+"-id", i+1
		s.tasks[t["ID"].(string)] = t
	}
}

// state makes a task be in a state.
func (s *swarm) state(id, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := maps.Clone(s.tasks[id])
	status := maps.Clone(t["Status"].(object))
	status["State"], t["Status"] = state, status
	s.tasks[id] = t
}

// end makes a task be wanted no more.
func (s *swarm) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks[id] = maps.Clone(s.tasks[id])
	s.tasks[id]["DesiredState"] = "shutdown"
}

// task is a running one that is in the network "back".
func task(id, addr string) object {
	return object{
		"ID": id, "NodeID": "node-b", "DesiredState": "running", "Status": object{"State": "running"},
		"NetworksAttachments": []object{network("ingress", "10.255.0.9"), network("back", addr)},
	}
}

// network is an attachment to a network with the first 24 bits of the address.
func network(name, addr string) object {
	subnet := addr[:strings.LastIndex(addr, ".")] + ".0/24"
	return object{
		"Network": object{
			"ID": name + "-id", "Spec": object{"Name": name, "Ingress": name == "ingress"},
			"DriverState": object{"Name": "overlay"},
			"IPAMOptions": object{"Configs": []object{{"Subnet": subnet}}},
		},
		"Addresses": []string{addr + "/24"},
	}
}

// publish makes a task have its port 80 on a port of its node.
func publish(t object, on int) object {
	t["Status"] = object{"State": "running", "PortStatus": object{"Ports": []object{
		{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": on, "PublishMode": "host"},
		{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": on, "PublishMode": "host"},
	}}}
	return t
}

// set makes these all the services that there are, each with a task, and returns those that changed or are gone.
func (s *swarm) set(rules map[string]string) (changed []string) {
	s.mu.Lock()
	changed = slices.Collect(maps.Keys(s.services))
	clear(s.services)
	clear(s.tasks)
	s.mu.Unlock()
	for i, name := range slices.Sorted(maps.Keys(rules)) {
		labels := map[string]string{"traefik.http.routers." + name + ".rule": rules[name]}
		s.put(name, labels, nil, task("task-"+name, "10.0.1."+strconv.Itoa(10+i)))
		changed = append(changed, name+"-id")
	}
	return changed
}
