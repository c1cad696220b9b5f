package dynamic

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// twin is what Build does, without a memory: it reads all labels, and takes one definition after the other.
func twin(w *Workloads, list []Workload) model.Snapshot {
	newest := map[string]*decodedWorkload{}
	for i := range list {
		if d := newest[list[i].Instance]; d == nil || list[i].Created.After(d.Created) {
			newest[list[i].Instance] = w.decode(&list[i])
		}
	}
	s := model.Snapshot{Source: w.source}
	order := slices.SortedFunc(maps.Values(newest), func(a, b *decodedWorkload) int { return a.order(&b.Workload) })
	firsts, at := map[claim]*made{}, map[claim]document.Position{}
	for _, d := range order {
		s.Problems = append(s.Problems, d.problems...)
		for _, p := range d.parts {
			m := p.made
			s.Problems = append(s.Problems, m.problems...)
			m.problems = nil
			switch first := firsts[p.claim]; {
			case m.isNothing():
			case first == nil:
				if m.service != nil {
					own := *m.service
					m.service = &own
				}
				firsts[p.claim], at[p.claim] = &m, p.at
			case !twinJoin(first, &m):
				s.Problems = append(s.Problems, p.conflict(s.Source, differs(at[p.claim])))
			}
		}
	}
	for _, m := range firsts {
		if m.service != nil {
			slices.SortStableFunc(m.service.Endpoints, func(a, b model.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
			m.service.Endpoints = slices.CompactFunc(m.service.Endpoints, func(a, b model.Endpoint) bool {
				return a.Addr == b.Addr
			})
		}
		m.put(&s)
	}
	s.Sort()
	s.Problems = slices.Compact(s.Problems)
	return s
}

// twinJoin adds to a service the endpoints of one that is alike otherwise; false: it is not.
func twinJoin(first, m *made) bool {
	if m.service == nil {
		return reflect.DeepEqual(first, m)
	}
	x, y := *first.service, *m.service
	if len(x.Endpoints) == 0 || len(y.Endpoints) == 0 {
		x.Protocol, y.Protocol = "", ""
	}
	x.Endpoints, y.Endpoints = nil, nil
	if !reflect.DeepEqual(x, y) {
		return false
	}
	if len(m.service.Endpoints) > 0 {
		first.service.Protocol = cmp.Or(first.service.Protocol, m.service.Protocol)
		first.service.Endpoints = slices.Concat(first.service.Endpoints, m.service.Endpoints)
	}
	return true
}

// What a source says depends on the workloads alone, whatever was there before, and the order in which they come; what
// did not change keeps its pointers.
func TestWorkloadsRemember(t *testing.T) {
	for seed := range uint64(8) {
		remember(t, seed)
	}
}

func FuzzWorkloadsRemember(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(remember)
}

// remember changes workloads at random, a few at a time, and compares each snapshot with the twin's.
func remember(t *testing.T, seed uint64) {
	w, _ := NewWorkloads("docker/main", WorkloadOptions{ExposedByDefault: true, DefaultRule: DefaultRule})
	random := rand.New(rand.NewPCG(seed, 2))
	now := map[int]Workload{}
	var last model.Snapshot
	for range 40 {
		for range 1 + random.IntN(4) {
			if i := random.IntN(12); random.IntN(4) > 0 {
				now[i] = randomWorkload(random, i)
			} else {
				delete(now, i)
			}
		}
		got := w.Build(slices.Collect(maps.Values(now)))
		if d := gocmp.Diff(twin(w, slices.Collect(maps.Values(now))), got); d != "" {
			t.Fatalf("seed %d: not what the twin makes of the same:\n%s", seed, d)
		}
		kept := slices.Clone(got.Services)
		if model.Reuse(&last, &got); !slices.Equal(kept, got.Services) {
			t.Fatalf("seed %d: a service that did not change has another pointer", seed)
		}
		if again := w.Build(slices.Collect(maps.Values(now))); model.Reuse(&got, &again) ||
			!slices.Equal(again.Routes, got.Routes) || !slices.Equal(again.Services, got.Services) {
			t.Fatalf("seed %d: nothing changed, and yet something did", seed)
		}
		last = got
	}
}

func randomWorkload(r *rand.Rand, i int) Workload {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	w := Workload{
		Name: pick("a", "b"), Instance: fmt.Sprintf("container %d", i%11), Created: time.Unix(int64(r.IntN(3)), int64(i)),
		Host: fmt.Sprintf("10.0.0.%d", r.IntN(9)), Ports: []WorkloadPort{{Number: uint16(80 + r.IntN(2))}},
		State: model.EndpointState(pick("", "", "draining", "notReady")), Labels: map[string]string{},
	}
	if w.State == model.NotReady && r.IntN(2) == 0 {
		w.Host = "" // and absent
	}
	for range r.IntN(4) {
		w.Labels[pick("traefik.http.routers.r.rule", "traefik.http.routers.s.rule")] = pick("Host(`a`)", "Host(`b`)", "x(")
		w.Labels[pick("traefik.http.services.s.loadbalancer.server.port", "traefik.tcp.services.s.loadbalancer.server.port",
			"traefik.http.services.s.loadbalancer.server.scheme", "traefik.enable")] = pick("81", "https", "no", "true")
		w.Labels[pick("traefik.http.services.s.loadbalancer.serverstransport",
			"traefik.http.serverstransports.t.servername")] = pick("t", "u")
		w.Labels[pick("traefik.http.middlewares.m.addprefix.prefix", "traefik.http.nothing", "traefik.tcp.routers.r.rule",
			"traefik.tcp.services.s.loadbalancer.serverstransport",
			"traefik.tcp.serverstransports.t.dialtimeout")] = pick("/m", "/n", "t", "1s", "HostSNI(`a`)")
	}
	return w
}

// FuzzWorkloads: whatever labels say, the other workload is served as before, and nothing is said twice.
func FuzzWorkloads(f *testing.F) {
	f.Add("traefik.http.routers.a.rule=Host(`a`)\ntraefik.http.services.a.loadbalancer.server.port=8080")
	f.Add("traefik.enable=true\nfairlead.http.services.a.weighted.services[0].name=b\ntraefik.udp.services.x=")
	f.Add("traefik.tcp.routers.a.rule=HostSNI(`*`)\ntraefik.http.services=1\ntraefik.http.routers.a=1")
	other := Workload{
		Name: "other", Instance: "container other", Host: "10.0.0.1", Ports: []WorkloadPort{{Number: 80}},
		Labels: map[string]string{"traefik.http.routers.other.rule": "Host(`other.example`)"},
	}
	f.Fuzz(func(t *testing.T, labels string) {
		w, _ := NewWorkloads("docker/main", WorkloadOptions{ExposedByDefault: true, DefaultRule: DefaultRule})
		one := Workload{
			Name: "one", Instance: "container x", Created: time.Unix(1, 0), Host: "10.0.0.2", Labels: map[string]string{},
			Ports: []WorkloadPort{{Number: 80}},
		}
		for line := range strings.Lines(labels) {
			label, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			one.Labels[label] = value
		}
		alone := w.Build([]Workload{other})
		s := w.Build([]Workload{one, other})
		for _, want := range alone.Routes {
			if got, ok := model.Find(s.Routes, want.Ref()); !ok || got != want {
				t.Errorf("the route of the other workload is another")
			}
		}
		got, ok := model.Find(s.Services, alone.Services[0].Ref())
		if !ok || !slices.Contains(got.Endpoints, alone.Services[0].Endpoints[0]) {
			t.Errorf("the service of the other workload lost its endpoint: %+v", got)
		}
		for i := 1; i < len(s.Routes); i++ {
			if s.Routes[i-1].Ref().Compare(s.Routes[i].Ref()) >= 0 {
				t.Errorf("routes out of order")
			}
		}
	})
}

// A switch that is neither on nor off is told, with what is right.
func TestSwitches(t *testing.T) {
	w, _ := NewWorkloads("docker/main", WorkloadOptions{ExposedByDefault: true, DefaultRule: DefaultRule})
	one := Workload{Name: "a", Instance: "container a", Host: "10.0.0.1", Ports: []WorkloadPort{{Number: 80}}}
	for _, name := range switches {
		one.Labels = map[string]string{"traefik." + name: "ja"}
		problems := w.Build([]Workload{one}).Problems
		if len(problems) != 1 || problems[0].Field != name || problems[0].At != "container a" ||
			problems[0].Message != `"ja" is neither true nor false; it counts as false` || w.Switch(one.Labels, name) {
			t.Errorf("%s: %v", name, problems)
		}
		one.Labels = map[string]string{"traefik." + name: "True"}
		if !w.Switch(one.Labels, name) {
			t.Errorf("%s is not on", name)
		}
	}
}
