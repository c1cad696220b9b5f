package api

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/machines"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Options are the parts of an instance that the API shows.
type Options struct {
	Version string // of the program
	Cluster string // what the instance calls its own
	Proxy   *proxy.Proxy
	Catalog *catalog.Catalog
	Hosts   *upstream.Hosts
	Keys    *access.Keys
	// Followers are the followed clusters, by name.
	Followers map[string]*link.Follower
	Exporter  *link.Exporter     // nil: nothing is offered to followers
	Machines  *machines.Provider // nil: nobody may register
	// EntryPoints are those that clients reach, for explanations. None: a request is explained as if it had come in where
	// routes that name no entry point are served.
	EntryPoints []EntryPoint
	// Problems returns everything that is wrong now, in any order.
	Problems func() []model.Problem
	Log      *slog.Logger
	// Refused counts requests turned away. Reasons: "no_key", "bad_key", "scope". Nil: not counted.
	Refused func(reason string)
}

// EntryPoint is what an explanation must know of an entry point.
type EntryPoint struct {
	Name    string
	Port    string // that it is open on, as URLs have it
	Default bool   // it serves the routes that name no entry point
	TLS     bool
	UDP     bool
}

// New returns the handler of the API.
func New(o Options) http.Handler {
	s := &server{Options: o, streams: make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	methods := make(map[string][]string)
	for _, e := range s.endpoints() {
		mux.Handle(e.method+" "+e.path, s.guard(e.scope, e.only()))
		methods[e.path] = append(methods[e.path], e.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.Handle(path, s.guard(access.APIRead, refuseMethod(allowed)))
	}
	mux.Handle("/", s.guard(access.APIRead, func(http.ResponseWriter, *http.Request) error {
		return problem(http.StatusNotFound, "there is no such thing; GET %s/openapi.json says what there is", base)
	}))
	return mux
}

const base = "/api/v1"

type server struct {
	Options
	streams chan struct{} // holds one for each open stream
}

// handler answers a request. What it returns is answered in its place; then it has written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

// endpoint is a path and method of the API.
type endpoint struct {
	method, path string
	scope        access.Scope // that a key needs, with the names of the path; [anybody]: no key is asked for
	query        []string     // the parameters that it knows
	serve        handler
}

// anybody may use an endpoint without a key.
const anybody access.Scope = ""

// endpoints returns all of them.
func (s *server) endpoints() []endpoint {
	filters := []string{"cluster", "name"}
	return []endpoint{
		{"GET", "/healthz", anybody, nil, s.alive},
		{"GET", "/readyz", anybody, nil, s.ready},
		{"GET", base + "/clusters", access.APIRead, filters, s.clusters},
		{"GET", base + "/events", access.APIRead, nil, s.events},
		{
			"GET", base + "/explain", access.APIRead,
			[]string{"alpn", "clientIP", "entryPoint", "header", "method", "url"}, s.explain,
		},
		{"GET", base + "/hosts", access.APIRead, filters, s.hosts},
		{"GET", base + "/keys", access.Admin, nil, s.listKeys},
		{"POST", base + "/keys", access.Admin, nil, s.createKey},
		{"GET", base + "/keys/{id}", access.Admin, nil, s.showKey},
		{"DELETE", base + "/keys/{id}", access.Admin, nil, s.revokeKey},
		{"POST", base + "/keys/{id}/rotate", access.Admin, nil, s.rotateKey},
		{"GET", base + "/openapi.json", access.APIRead, nil, s.document},
		{"GET", base + "/problems", access.APIRead, filters, s.problems},
		{"GET", base + "/providers", access.APIRead, filters, s.providers},
		{"GET", base + "/registrations", access.APIRead, []string{"name"}, s.listRegistrations},
		{"PUT", base + "/registrations/{service}/{address}", access.Register("{service}"), nil, s.register},
		{"DELETE", base + "/registrations/{service}/{address}", access.Register("{service}"), nil, s.deregister},
		{"GET", base + "/routes", access.APIRead, filters, s.routes},
		{"GET", base + "/services", access.APIRead, filters, s.services},
		{"GET", base + "/version", access.APIRead, nil, s.version},
	}
}

// only returns the endpoint's handler for requests whose parameters it knows: a filter with a typing error would answer
// with everything.
func (e endpoint) only() handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		query, err := readQuery(r)
		if err != nil {
			return err
		}
		for name := range query {
			if !slices.Contains(e.query, name) {
				return problem(http.StatusBadRequest, "unknown parameter %.80q; %s", name, knows(e.query))
			}
		}
		return e.serve(w, r)
	}
}

func knows(parameters []string) string {
	if len(parameters) == 0 {
		return "there are none here"
	}
	return "there are: " + strings.Join(parameters, ", ")
}

func refuseMethod(allowed []string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return problem(http.StatusMethodNotAllowed, "not %.20q; there is: %s", r.Method, strings.Join(allowed, ", "))
	}
}

func (s *server) version(w http.ResponseWriter, r *http.Request) error {
	v := Version{Version: s.Version, Cluster: s.Cluster}
	if snapshot := s.Proxy.Snapshot(); snapshot != nil {
		v.Snapshot = snapshot.Version
	}
	return answer(w, r, v)
}
