package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is the API of an instance that has real parts, but no entry points. Every answer is held against openapi.json.
type bench struct {
	http.Handler
	t       testing.TB
	options Options
	router  routers.Router
	admin   string
	refused []string
}

func newBench(t testing.TB, change ...func(*Options)) *bench {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	keys, err := access.NewKeys(t.Context(), s, access.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hosts := upstream.NewHosts(upstream.Options{})
	o := proxy.Options{Hosts: hosts, Log: slog.New(slog.DiscardHandler)}
	fresh(&o.Middlewares) // the API knows nothing of middlewares
	p, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t}
	b.options = Options{
		Version: "v1.2.3", Cluster: "home", Proxy: p, Hosts: hosts, Keys: keys, Log: slog.New(slog.DiscardHandler),
		Catalog:     catalog.New(catalog.Options{Order: []model.Source{"file/main"}, Expect: []model.Source{"file/main"}}),
		EntryPoints: []EntryPoint{{Name: "web", Port: "8080", Default: true}, {Name: "admin", Port: "8081"}},
		Problems: func() []model.Problem {
			problems := p.Problems()
			if s := p.Snapshot(); s != nil {
				problems = append(problems[:len(problems):len(problems)], s.Problems...)
			}
			return problems
		},
		Refused: func(reason string) { b.refused = append(b.refused, reason) },
	}
	for _, f := range change {
		f(&b.options)
	}
	b.Handler = New(b.options)
	b.admin = b.key("admin")
	if b.router, err = legacy.NewRouter(loadOpenAPI(t)); err != nil {
		t.Fatal(err)
	}
	return b
}

func fresh[T any](p **T) { *p = new(T) }

// key makes a key and returns what is presented.
func (b *bench) key(scopes ...string) string {
	b.t.Helper()
	presented, _, err := b.options.Keys.Create(b.t.Context(), access.Spec{Owner: "test", Scopes: scopes})
	if err != nil {
		b.t.Fatal(err)
	}
	return presented
}

// set makes a source say something, and serves it.
func (b *bench) set(s model.Snapshot) {
	s.Sort()
	b.options.Catalog.Set(s)
	b.options.Proxy.Apply(b.options.Catalog.Current(), true)
}

// call makes a request with a key and holds the answer against the document.
func (b *bench) call(method, target, key, body string, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "" // the document names no host
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	b.check(r, w)
	return w
}

// admins is call with the key of the administrator, and must succeed.
func (b *bench) admins(method, target, body string) string {
	b.t.Helper()
	w := b.call(method, target, b.admin, body)
	if w.Code >= 300 {
		b.t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	return w.Body.String()
}

// check holds an answer against the document.
func (b *bench) check(r *http.Request, w *httptest.ResponseRecorder) {
	b.t.Helper()
	route, parameters, err := b.router.FindRoute(r)
	if err != nil {
		if w.Code != http.StatusUnauthorized && w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			b.t.Errorf("%s %s is not in the document, and answers %d", r.Method, r.URL, w.Code)
		}
		return
	}
	err = openapi3filter.ValidateResponse(context.WithoutCancel(r.Context()), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		b.t.Errorf("%s %s does not answer as the document says: %v\n%s", r.Method, r.URL, err, w.Body)
	}
}

// serve opens the API on a loopback address and returns a client with a key.
func (b *bench) serve(key string) *Client {
	b.t.Helper()
	s := httptest.NewServer(b)
	c := NewClient(ClientOptions{URL: s.URL, Token: model.NewSecret(key)})
	b.t.Cleanup(func() { c.Close(); s.Close() })
	return c
}

// run ends f when the test does, and waits for it.
func run(t *testing.T, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { f(ctx) })
	t.Cleanup(func() { cancel(); group.Wait() })
}

func name(s string) model.Name { return model.ParseName(s) }

func to(refs ...string) (out []model.Backend) {
	for _, r := range refs {
		out = append(out, model.Backend{Service: model.ParseRef(r), Weight: 1})
	}
	return out
}

// files is what the source file/main says in most tests.
func files() model.Snapshot {
	const source = "file/main"
	under := func(host, prefix string) model.Match {
		return model.Match{Of: []model.Match{model.Leaf(model.Host, host), model.Leaf(model.PathPrefix, prefix)}}
	}
	return model.Snapshot{
		Source: source, Version: 1,
		Services: []*model.Service{
			{Name: name("app"), Source: source, Endpoints: []model.Endpoint{
				{Addr: "10.0.0.1:80", Weight: 1}, {Addr: "10.0.0.2:80", Weight: 1, State: model.Draining, Zone: "b"},
			}},
			{Name: name("checked"), Source: source, Protocol: model.HTTPS, Check: &model.HealthCheck{Path: "/health"},
				Endpoints: []model.Endpoint{{Addr: "10.0.0.3:443", Weight: 1}}},
			{Name: name("mix"), Source: source, Backends: to("app", "checked")},
			{Name: name("idle"), Source: source, Endpoints: []model.Endpoint{{Addr: "10.0.0.4:80", Weight: 1}}},
		},
		Middlewares: []*model.Middleware{{Name: name("twice"), Source: source, Retry: &model.Retry{Attempts: 2}}},
		Routes: []*model.Route{
			{Name: name("app"), Source: source, Match: model.Leaf(model.Host, "app.example"), Priority: 20, Backends: to("app"),
				Middlewares: []model.Ref{model.ParseRef("twice")}, Export: model.Export{Offered: true, As: name("team/app")}},
			{Name: name("mixed"), Source: source, Match: under("app.example", "/mix"), Priority: 40, Backends: to("mix"),
				EntryPoints: []string{"web"}},
			{Name: name("lost"), Source: source, Match: under("app.example", "/lost"), Priority: 41, Backends: to("nowhere")},
			{Name: name("open"), Source: source, Match: under("app.example", "/open"), Priority: 42, Backends: to("app"),
				Middlewares: []model.Ref{model.ParseRef("missing")}},
		},
		Problems: []model.Problem{{
			Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: source}}, Field: "http.routes",
			Code: model.UnknownField, Message: "unknown key; did you mean routers?", At: "routes.yaml:3",
		}},
	}
}

// link is what a followed cluster exports.
func paris() model.Snapshot {
	return model.Snapshot{
		Source: "link/paris", Version: 1,
		Services: []*model.Service{{Name: name("team/shop"), Source: "link/paris", Endpoints: []model.Endpoint{
			{Addr: "192.0.2.1:9443", Cluster: "paris", Weight: 1, Gateway: true},
		}}},
		Routes: []*model.Route{{Name: name("team/shop"), Source: "link/paris", Match: model.Leaf(model.Host, "shop.example"),
			Priority: 20, Backends: to("team/shop@link")}},
	}
}
