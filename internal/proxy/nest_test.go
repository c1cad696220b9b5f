package proxy

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// nested makes a snapshot of routes for everything, each with its parents; those that have children lead to no service.
func nested(addr string, parents map[string][]string) *model.Snapshot {
	s := to(addr)
	service := s.Services[0].Ref()
	s.Routes = nil
	leads := make(map[string]bool)
	for _, list := range parents {
		for _, name := range list {
			leads[name] = true
		}
	}
	for name, list := range parents {
		r := &model.Route{Name: model.Name{Name: name}, Source: "file/test", Match: model.Leaf(model.PathPrefix, "/")}
		for _, parent := range list {
			r.Parents = append(r.Parents, model.Ref{Name: model.Name{Name: parent}})
		}
		if !leads[name] {
			r.Backends = []model.Backend{{Service: service, Weight: 1}}
		}
		s.Routes = append(s.Routes, r)
	}
	s.Sort()
	return s
}

// Who comes round in a circle is let go.
func TestParentsInACircle(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the service is asked") })
	b := start(t, nested(addr, map[string][]string{"a": nil, "b": {"a", "c"}, "c": {"b"}}))
	status, header, _ := b.get(t, "/")
	if status != http.StatusLoopDetected || header.Get("Fairlead-Reason") != "loop" {
		t.Errorf("%d %v", status, header)
	}
	if p := b.Problems(); len(p) != 2 || p[0].Code != model.Cycle || p[1].Code != model.Cycle {
		t.Error(p)
	}
}

// A parent's retry is its children's, too.
func TestParentRetries(t *testing.T) {
	var asked atomic.Int32
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 5 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	s := nested(addr, map[string][]string{"a": nil, "b": {"a"}})
	again := &model.Middleware{Name: model.Name{Name: "again"}, Source: "file/test", Retry: &model.Retry{
		Attempts: 5, Status: []model.StatusRange{{From: 502, To: 502}},
	}}
	s.Middlewares = append(s.Middlewares, again)
	for i, r := range s.Routes {
		if r.Name.Name == "a" {
			s.Routes[i].Middlewares = []model.Ref{again.Ref()}
		}
	}
	if status, header, _ := start(t, s).get(t, "/"); status != http.StatusOK || asked.Load() != 5 {
		t.Errorf("%d after %d attempts, %v", status, asked.Load(), header)
	}
}

// Children come and go while their parent stays.
func TestChildrenComeAndGo(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	b := start(t, nested(addr, map[string][]string{"a": nil}))
	for _, step := range []struct {
		routes map[string][]string
		status int
	}{
		{map[string][]string{"a": nil, "b": {"a"}}, 200}, {map[string][]string{"b": {"a"}}, 404},
		{map[string][]string{"a": nil, "b": {"a"}, "c": {"a"}}, 200}, {map[string][]string{"a": nil}, 200},
	} {
		b.Apply(nested(addr, step.routes), true)
		if status, _, _ := b.get(t, "/"); status != step.status {
			t.Errorf("%v: %d, want %d", step.routes, status, step.status)
		}
	}
}
