package middleware

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestRequestID(t *testing.T) {
	long := strings.Repeat("a", maxRequestID+1)
	cases := map[string]struct {
		spec  model.RequestID
		given []string
		kept  bool
	}{
		"made":               {model.RequestID{}, nil, false},
		"the client's goes":  {model.RequestID{}, []string{"mine"}, false},
		"the client's stays": {model.RequestID{Keep: true}, []string{"Mine-1._~+/=:"}, true},
		"none to keep":       {model.RequestID{Keep: true}, nil, false},
		"several":            {model.RequestID{Keep: true}, []string{"a", "b"}, false},
		"too long":           {model.RequestID{Keep: true}, []string{long}, false},
		"harmful":            {model.RequestID{Keep: true}, []string{`a" onload="`}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request("/")
			if c.given != nil {
				r.Header["X-Request-Id"] = c.given
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{RequestID: &c.spec}), r)
			id := got.Header["X-Request-Id"]
			if len(id) != 1 || w.Header().Get("X-Request-Id") != id[0] {
				t.Fatalf("the service gets %q, the client %q", id, w.Header()["X-Request-Id"])
			}
			if kept := len(c.given) > 0 && id[0] == c.given[0]; kept != c.kept || !kept && len(id[0]) < 26 {
				t.Errorf("got %q", id)
			}
		})
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{RequestID: &model.RequestID{Header: "x-trace"}})
	_, a := exchange(f, request("/", "X_trace: client"))
	_, b := exchange(f, request("/"))
	if a.Header.Get("X-Trace") == b.Header.Get("X-Trace") || strings.Contains(a.Header.Get("X_trace"), "client") {
		t.Errorf("%v, %v", a.Header, b.Header)
	}
}
