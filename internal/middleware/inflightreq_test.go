package middleware

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestInFlightReq(t *testing.T) {
	s := NewSet(Options{})
	spec := model.Middleware{InFlightReq: &model.InFlightReq{Amount: 2, Criterion: model.Criterion{ByHost: true}}}
	hold, arrived := make(chan struct{}), make(chan struct{})
	service := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			arrived <- struct{}{}
			<-hold
		}
	})
	h := build(t, s, spec)(service)
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			r := onHost("a.example")
			r.URL.Path = "/hold"
			h.ServeHTTP(httptest.NewRecorder(), r)
		})
		<-arrived
	}
	status := func(h http.Handler, host string) (int, string) {
		w := &reasons{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, onHost(host))
		return w.Code, w.reason
	}
	if code, reason := status(h, "A.example:80"); code != 429 || reason != "refused_by_inFlightReq" {
		t.Errorf("the third gets %d %q", code, reason)
	}
	if code, _ := status(h, "b.example"); code != 200 {
		t.Errorf("another client gets %d", code)
	}
	if code, _ := status(build(t, s, spec)(service), "a.example"); code != 429 {
		t.Errorf("after a reload the third gets %d", code)
	}
	close(hold)
	waiting.Wait()
	if code, _ := status(h, "a.example"); code != 200 {
		t.Errorf("when the others are done, one gets %d", code)
	}
}

// A place is given back when the answer is cut, and nothing is kept of clients that are gone.
func TestInFlightReqForgets(t *testing.T) {
	s := NewSet(Options{})
	h := build(t, s, model.Middleware{InFlightReq: &model.InFlightReq{Amount: 1}})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the request did not reach the service")
				}
			}()
			h.ServeHTTP(httptest.NewRecorder(), request("/"))
		}()
	}
	for _, k := range s.states {
		for i := range k.state.(*inFlight).shards {
			if n := len(k.state.(*inFlight).shards[i].counts); n != 0 {
				t.Errorf("%d clients are remembered", n)
			}
		}
	}
}
